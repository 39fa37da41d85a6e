// The board on Node's socket.io, written the way its documentation shows.
//
//   PORT=4000 PING_INTERVAL=25000 PING_TIMEOUT=20000 NEWS=1 node node_socketio.js
//
// With REDIS, a URL, it is a node of a cluster with the adapter ADAPTER: streams or classic.
"use strict";
const { createServer } = require("node:http");
const { Server } = require("socket.io");

const { PORT = 4000, PING_INTERVAL = 25000, PING_TIMEOUT = 20000, NEWS = "1" } = process.env;
const server = createServer();

async function makeAdapter() {
  const connect = () => require("redis").createClient({ url: process.env.REDIS }).connect();
  if (process.env.ADAPTER === "streams") return require("@socket.io/redis-streams-adapter").createAdapter(await connect());
  return require("@socket.io/redis-adapter").createAdapter(await connect(), await connect());
}

const io = new Server(server, {
  pingInterval: Number(PING_INTERVAL),
  pingTimeout: Number(PING_TIMEOUT),
  connectTimeout: 600000, // a storm may last
});
let count = 0;

function tellNews(msg) {
  if (NEWS === "1") io.emit("news", { msg, count });
}

io.on("connection", (socket) => {
  count++;
  tellNews("One more person is online");
  socket.emit("private", { msg: `Welcome you are the ${count} person here` });
  socket.on("shout", (data) => io.emit("shout", data));
  socket.on("echo", (data, answer) => answer(data));
  socket.on("join", (room, answer) => {
    socket.join(room);
    answer();
  });
  socket.on("tell", (room, data) => io.to(room).emit("told", data));
  socket.on("disconnect", () => {
    count--;
    tellNews("Someone went home");
  });
});

async function main() {
  if (process.env.REDIS) {
    io.adapter(await makeAdapter());
    while ((await io.of("/").adapter.serverCount()) < 1); // until it hears the others
  }
  server.listen(Number(PORT), "127.0.0.1", 4096);
}

main();
