// Records what the official client sends, for tests/journeys/test_fuzz.py to mutate:
//
//     PORT=4000 PING_INTERVAL=200 python tests/support/conformance_server.py &
//     node tests/js/record.mjs http://127.0.0.1:4000 > tests/traffic.json
//
// It prints JSON: for each way to connect { transports, version, connections }, each connection all that was sent over
// it, one character a byte, in the order in which the connections were made. Ids of sessions read {sid}.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { io } from "socket.io-client";

const { port } = new URL(process.argv[2]);
const manifest = new URL("node_modules/socket.io-client/package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, "utf8"));

const recordings = [];
for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
  const network = await startNetwork();
  await talk(`http://127.0.0.1:${network.port}`, transports);
  recordings.push({ transports, version, connections: network.stop() });
}
const escape = (character) => `\\u${character.charCodeAt().toString(16).padStart(4, "0")}`;
const text = JSON.stringify(recordings, undefined, 1).replace(/[\x7f-\xff]/g, escape);
process.stdout.write(`${text}\n`, () => process.exit());

/** Say something of every kind. */
async function talk(url, transports) {
  const socket = io(url, { transports, forceNew: true, auth: { token: "secret", recovery: true }, reconnectionDelay: 1 });
  socket.on("question", (...args) => args.pop()(...args));
  await once(socket, "connect");
  if (transports.length > 1 && socket.io.engine.transport.name === "polling") await once(socket.io.engine, "upgrade");
  for (const args of [[], [1, "zwei", null, { "3": [true, 4.5, { "é\u2028": "\u{1f600}" }] }], ["x".repeat(300)]]) {
    socket.emit("say", ...args);
    socket.emit("shout", ...args);
    await socket.emitWithAck("echo", ...args);
  }
  for (const args of [[Buffer.from([1, 2, 3])], [{ a: [Buffer.alloc(0), new Uint8Array([255])] }, Buffer.alloc(200)]]) {
    socket.emit("say", ...args);
    await socket.emitWithAck("echo", ...args);
    socket.emit("ask", ...args);
    await once(socket, "answer");
  }
  socket.emit("ask", "how", ["are", "you"]);
  await once(socket, "answer");
  socket.emit("join", "lobby");
  socket.emit("tell", "lobby", { msg: "hello" });
  await once(socket, "told");
  socket.emit("leave", "lobby");
  socket.emit("nobody answers this", 1);
  socket.emit(7, "numeric");
  await socket.emitWithAck("whoami");
  await once(socket.io, "ping");
  for (const [namespace, auth] of [["/custom", {}], ["/refuse", { token: "secret" }], ["/refuse", {}], ["/none", {}]]) {
    const other = socket.io.socket(namespace, { auth });
    await Promise.race([once(other, "connect"), once(other, "connect_error")]);
    if (other.connected) await other.emitWithAck("echo", namespace, Buffer.from(namespace));
    other.disconnect();
    delete socket.io.nsps[namespace];
  }
  socket.io.engine.close();
  await once(socket, "connect");
  await socket.emitWithAck("echo", socket.recovered);
  socket.disconnect();
  await new Promise((resolve) => setTimeout(resolve, 50));
}

/** A relay to the server that keeps what passes in its direction. */
async function startNetwork() {
  const connections = [];
  const sids = new Set();
  const relay = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    const said = [];
    connections.push(said);
    near.on("data", (data) => said.push(data.toString("latin1")));
    far.on("data", (data) => {
      for (const [, sid] of data.toString("latin1").matchAll(/0\{"sid":"([^"]+)"/g)) sids.add(sid);
    });
    for (const [from, to] of [[near, far], [far, near]]) {
      from.pipe(to);
      from.on("error", () => {});
    }
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  return {
    port: relay.address().port,
    stop() {
      relay.close();
      const forget = (text, sid) => text.replaceAll(`sid=${sid}`, "sid={sid}");
      return connections.map((said) => [...sids].reduce(forget, said.join("")));
    },
  };
}
