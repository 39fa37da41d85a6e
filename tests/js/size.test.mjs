// The client is small enough to be read, and to be sent, as it is.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { CLIENT } from "./support.mjs";

const source = readFileSync(CLIENT, "utf8");

test("the client is under 8,500 bytes gzipped, comments included", () => {
  const { length } = gzipSync(source, { level: 9 });
  assert.ok(length < 8500, `${length} bytes`);
});

test("the same text, with three lines more, is an ES module", async () => {
  const exports = "export { io, io as default };\nexport const { connect, Manager, Socket, protocol } = io;";
  const text = `${source}\nio.source = import.meta.url;\n${exports}\n`;
  const module = await import(`data:text/javascript,${encodeURIComponent(text)}`);
  assert.equal(module.io, module.default);
  assert.equal(module.io.protocol, 5);
  assert.equal(module.io.connect, module.io);
  for (const name of ["connect", "Manager", "Socket", "protocol"]) assert.equal(module[name], module.io[name]);
  assert.ok(module.Manager && module.Socket);
});
