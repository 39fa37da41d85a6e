// A server of Node's in a cluster: `node cluster.mjs SOCKET [classic]`. Its clients tell it what to do.
import { createServer } from "node:http";
import { createAdapter as createClassic } from "@socket.io/redis-adapter";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const connect = () => createClient({ socket: { path: process.argv[2] } }).connect();
const redis = await connect();
const streams = {
  adapter: createAdapter(redis, { maxLen: 100_000 }),
  connectionStateRecovery: { maxDisconnectionDuration: 60_000 },
};
const http = createServer();
const io = new Server(
  http,
  process.argv[3] === "classic" ? { adapter: createClassic(redis, await connect(), { key: "classic" }) } : streams,
);

const heard = [];
io.on("sum", (a, b, answer) => answer(a + b));
io.on("note", (...args) => heard.push(args));

io.on("connection", (socket) => {
  socket.data.name = socket.handshake.auth?.name;
  socket.on("shout", (...args) => io.emit("said", ...args));
  socket.on("others", (...args) => socket.broadcast.emit("said", ...args));
  socket.on("tell", (room, ...args) => io.to(room).emit("said", ...args));
  socket.on("except", (room, ...args) => io.except(room).emit("said", ...args));
  socket.on("volatile", (...args) => io.volatile.emit("said", ...args));
  socket.on("enter", (who, room) => io.in(who).socketsJoin(room));
  socket.on("leave", (who, room) => io.in(who).socketsLeave(room));
  socket.on("kick", (who) => io.in(who).disconnectSockets());
  socket.on("ask", async (answer) => answer(await io.timeout(5000).emitWithAck("question", "x")));
  socket.on("ask one", async (id, answer) => {
    const [one] = await io.in(id).fetchSockets();
    answer(await one.timeout(5000).emitWithAck("question", "one"));
  });
  socket.on("fetch auth", async (id, answer) => answer((await io.in(id).fetchSockets())[0].handshake.auth));
  socket.on("rooms", async (answer) => answer([...(await io.of("/").adapter.allRooms())]));
  socket.on("sum", async (answer) => answer(await io.serverSideEmitWithAck("sum", 1, 2)));
  socket.on("note", (...args) => io.serverSideEmit("note", ...args));
  socket.on("noted", (answer) => answer(heard));
  socket.on("fetch", async (answer) => answer((await io.fetchSockets()).map(({ id, rooms, data }) => [id, [...rooms], data])));
});
http.listen(0, "127.0.0.1", () => console.log(`Listening on port ${http.address().port}...`));
