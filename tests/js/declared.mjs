// What the official client's declarations call public, and what docs/browser-client.md says is left out on purpose.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const PAGE = readFileSync(new URL("../../docs/browser-client.md", import.meta.url), "utf8");
const officialClient = createRequire(createRequire(import.meta.url).resolve("socket.io-client"));

function declarations(name, file) {
  const build = officialClient.resolve(name).replace(/(build|lib)\/.*/, "$1/esm/");
  return readFileSync(build + file, "utf8");
}

export const SOCKET = declarations("socket.io-client", "socket.d.ts");
export const MANAGER = declarations("socket.io-client", "manager.d.ts");
export const ENGINE = declarations("engine.io-client", "socket.d.ts");
const EMITTER = declarations("@socket.io/component-emitter", "index.d.ts");

const names = (text, expression) => [...text.matchAll(expression)].map(([, name]) => name);

export function without(list, others) {
  const known = new Set(others);
  return list.filter((name) => !known.has(name)).sort();
}

/** The names in the rows `| part | names | why |` of the table. */
export function leftOut(part) {
  const rows = [...PAGE.matchAll(/^\| (.+?) \| (.+?) \| (.+?) \|$/gm)].filter(([, name]) => name === part);
  return rows.flatMap(([, , cell]) => names(cell, /`(\w+)`/g)).sort();
}

/** The keys of an interface. */
export function keysOf(text, name) {
  const [, body] = new RegExp(`interface ${name}\\b[^{]*\\{\\n(.*?)\\n\\}`, "s").exec(text);
  return names(body, /^ {4}(\w+)\??:/gm).sort();
}

/** The members of an official object, whatever declares them, but for those declared private. */
export function publicMembers(value, text) {
  const found = new Set(Object.keys(value));
  for (let each = value; each !== Object.prototype; each = Object.getPrototypeOf(each)) {
    Object.getOwnPropertyNames(each).forEach((member) => found.add(member));
  }
  const hidden = names(text + EMITTER, /^ {4}(?:private|protected) (?:readonly |static )?(\w+)/gm);
  return without([...found].filter((name) => !name.startsWith("_")), ["constructor", ...hidden]);
}
