// Options of the official client that its connection and not its API feels: subprotocols and base64.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { io as today } from "socket.io-client";
import y2021 from "socket.io-client-2021";
import { checks } from "./checks.mjs";
import { describeChecks, findServer, TRANSPORTS } from "./support.mjs";

const server = await findServer();
after(() => server.stop());

const CLIENTS = { "socket.io-client 4.8.4": today, "socket.io-client 4.1.3": y2021 };
const PROTOCOLS = { "one": "v1.chat", "a list": ["v1.chat", "v2.chat"], "a list of one": ["v1.chat"] };

// What is about how packets travel; all of it runs without options in official.test.mjs.
const CARRIED = Object.fromEntries(
  Object.entries(checks).filter(([sentence]) => /binary|transport|order|upgrade|JSON|comes back/.test(sentence)),
);

for (const [name, io] of Object.entries(CLIENTS)) {
  const inBase64 = (url, options) => io(url, { ...options, forceBase64: true, protocols: ["v1.chat"] });
  describeChecks(`${name}, base64 and subprotocols`, inBase64, server, CARRIED);

  describe(`${name}, subprotocols`, () => {
    for (const [form, protocols] of Object.entries(PROTOCOLS)) {
      for (const [way, transports] of Object.entries(TRANSPORTS)) {
        if (transports?.[0] === "polling") continue;
        test(`${form}, ${way}: the first is answered`, { timeout: 10_000 }, async () => {
          const socket = io(server.url, { transports, protocols, forceNew: true, reconnection: false });
          try {
            assert.equal(await protocolOf(socket), "v1.chat");
          } finally {
            socket.disconnect();
          }
        });
      }
    }
  });
}

/** The subprotocol of the WebSocket that carries a socket, now or after its upgrade. */
function protocolOf(socket) {
  return new Promise((resolve, reject) => {
    socket.on("connect_error", reject);
    socket.on("connect", () => {
      const { engine } = socket.io;
      const tell = () => resolve(engine.transport.ws.protocol);
      if (engine.transport.name === "websocket") return tell();
      engine.on("upgrade", tell);
      engine.on("upgradeError", reject);
    });
  });
}
