// Clients of Socket.IO 1 and 2 against the server at SERVER_URL, beside one of version 4.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { io as newest } from "socket.io-client";

const require = createRequire(import.meta.url);
const url = process.env.SERVER_URL.replace(/\/$/, "");
const CLIENTS = { "version 1": require("socket.io-client-1"), "version 2": require("socket.io-client-2") };
const WAYS = {
  "polling, then WebSocket": {},
  "WebSocket only": { transports: ["websocket"] },
  "WebSocket with base64": { transports: ["websocket"], forceBase64: true },
  "polling only": { transports: ["polling"] },
  "polling with base64": { transports: ["polling"], forceBase64: true },
};

const heard = (socket, event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args)));
const ask = (socket, ...args) => new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer)));

for (const [version, io] of Object.entries(CLIENTS)) {
  for (const [way, options] of Object.entries(WAYS)) {
    // Version 1 encodes texts over polling in another way, which Node's server does not read either.
    const text = version === "version 1" && way.startsWith("polling") ? "plain" : "é€😀\u2028 \\n \n";
    const connect = (path = "/", more = {}) => io(url + path, { forceNew: true, ...options, ...more });

    describe(`${version}, ${way}`, () => {
      let socket;
      let welcome;

      before(async () => {
        socket = connect("/", { query: { name: "anna" } });
        welcome = heard(socket, "welcome");
        await heard(socket, "connect");
      });
      after(() => socket.close());

      test("is welcomed under the id that it gives itself, with its query", async () => {
        const [id, name] = await welcome;
        assert.equal(name, "anna");
        assert.equal(id, socket.id);
      });

      test("upgrades where it may", async () => {
        const engine = socket.io.engine;
        if (way === "polling, then WebSocket" && engine.transport.name === "polling") await once(engine, "upgrade");
        assert.equal(engine.transport.name, way.startsWith("polling only") || way === "polling with base64" ? "polling" : "websocket");
      });

      test("sends and hears events, acknowledgements and bytes", async () => {
        assert.deepEqual(await ask(socket, "echo", 1, text, { a: [null] }), [1, text, { a: [null] }]);
        const answer = await ask(socket, "echo", Buffer.from([0, 1, 255]), { deep: [Buffer.from("x")] });
        assert.deepEqual(Buffer.from(answer[0]), Buffer.from([0, 1, 255]));
        assert.deepEqual(Buffer.from(answer[1].deep[0]), Buffer.from("x"));
        assert.deepEqual(await ask(socket, "echo"), []);
        socket.once("question", (word, reply) => reply(`${word}!`));
        assert.deepEqual(await ask(socket, "ask", "why"), ["why!"]);
      });

      test("hears its broadcasts as a client of version 4 does, and the other way round", async () => {
        const other = newest(url, { forceNew: true, transports: ["websocket"] });
        await heard(other, "connect");
        for (const speaker of [socket, other]) {
          const all = [heard(socket, "told"), heard(other, "told")];
          speaker.emit("tell", text, Buffer.from([7]));
          for (const [said, bytes] of await Promise.all(all)) {
            assert.equal(said, text);
            assert.deepEqual(Buffer.from(bytes), Buffer.from([7]));
          }
        }
        other.close();
      });

      test("keeps the order of many events, some with bytes", async () => {
        const numbers = [];
        const all = new Promise((resolve) => {
          socket.on("number", (number) => numbers.push(number) === 100 && resolve());
        });
        socket.emit("count", 100);
        await all;
        assert.deepEqual(numbers, [...Array(100).keys()]);
      });

      test("joins a namespace with a query, is refused by others, and leaves", async () => {
        const chat = socket.io.socket("/chat", { query: { token: "t k" } });
        chat.open();
        const [id, auth] = await heard(chat, "welcome");
        if (version === "version 2") assert.deepEqual(auth, { token: "t k" });
        if (version === "version 2") assert.equal(id, chat.id); // version 1 gives itself that of its connection
        const secret = socket.io.socket("/secret");
        secret.open();
        assert.deepEqual(await heard(secret, "error"), [{ code: 7 }]);
        const nowhere = socket.io.socket("/nowhere");
        nowhere.open();
        assert.deepEqual(await heard(nowhere, "error"), ["Invalid namespace"]);
        const left = heard(socket, "left");
        chat.close();
        assert.deepEqual(await left, [id, "client namespace disconnect"]);
      });

      test("outlives its heartbeat, by its own pings", async () => {
        for (let pongs = 0; pongs < 3; pongs++) await heard(socket, "pong");
        assert.ok(socket.connected);
      });

      test("is sent away, and told so", async () => {
        const gone = heard(socket, "disconnect");
        socket.emit("bye");
        assert.deepEqual(await gone, ["io server disconnect"]);
      });
    });
  }
}
