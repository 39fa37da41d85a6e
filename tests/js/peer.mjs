// The peer: Node's own socket.io server with the check application, which the Python server
// implements too. The environment may say PORT (0: any), PING_INTERVAL, PING_TIMEOUT (ms) and
// RECOVERY (1: connection state recovery).

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { Server } from "socket.io";

const CLIENT = new URL("../../handlers/socketio/browser/socket.io.js", import.meta.url);
const CHECKS = new URL("./checks.mjs", import.meta.url);
const ES_MODULE = "\nexport { io, io as default };\n";
const PAGE = "<!doctype html><meta charset=utf-8><title>Checks</title><script src=/client.js></script>\n";

const JAVASCRIPT = "text/javascript; charset=utf-8";
const FILES = {
  "/page.html": ["text/html; charset=utf-8", async () => PAGE],
  "/client.js": [JAVASCRIPT, () => readFile(CLIENT, "utf8")],
  "/client.esm.js": [JAVASCRIPT, async () => (await readFile(CLIENT, "utf8")) + ES_MODULE],
  "/checks.mjs": [JAVASCRIPT, () => readFile(CHECKS, "utf8")],
};

const { PORT = 0, PING_INTERVAL = 25000, PING_TIMEOUT = 20000, RECOVERY } = process.env;

const server = createServer(serveFile);
const io = new Server(server, {
  cors: { origin: (origin, allow) => allow(null, origin || "*"), credentials: true },
  pingInterval: Number(PING_INTERVAL),
  pingTimeout: Number(PING_TIMEOUT),
  ...(RECOVERY && { connectionStateRecovery: {} }),
});

addCheckApplication(io);
server.listen(Number(PORT), () => console.log(`Listening on port ${server.address().port}...`));

async function serveFile(request, response) {
  const [type, read] = FILES[new URL(request.url, "http://peer").pathname] ?? [];
  if (!read) return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": type, "Access-Control-Allow-Origin": "*" }).end(await read());
}

function addCheckApplication(io) {
  io.on("connection", (socket) => {
    answerEchoAndWhoami(socket);
    socket.on("say", (...args) => socket.emit("said", ...args));
    socket.on("ask", (...args) => socket.emit("question", ...args, (...answers) => socket.emit("answer", ...answers)));
    socket.on("shout", (data) => io.emit("shout", data));
    socket.on("join", (room, ack) => { socket.join(room); ack(); });
    socket.on("leave", (room, ack) => { socket.leave(room); ack(); });
    socket.on("tell", (room, data, ack) => { io.to(room).emit("told", data); ack(); });
    socket.on("burst", (n) => { for (let i = 0; i < n; i++) socket.emit("burst", i); });
    socket.on("mute", () => {});
    socket.on("kick", () => socket.disconnect());
    socket.on("cut", () => socket.conn.close());
  });
  io.of("/custom").on("connection", answerEchoAndWhoami);
  io.of("/refuse").use((socket, next) => {
    const refusal = Object.assign(new Error("Not allowed"), { data: { code: 7 } });
    next(socket.handshake.auth.token === "secret" ? undefined : refusal);
  });
}

function answerEchoAndWhoami(socket) {
  socket.on("echo", (...args) => args.pop()(...args));
  socket.on("whoami", (ack) => ack({ id: socket.id, auth: socket.handshake.auth }));
}
