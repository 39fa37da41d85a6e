// The board on Node's socket.io, run by Bun with its own engine, written the way its documentation shows.
//
//   PORT=4000 PING_INTERVAL=25000 PING_TIMEOUT=20000 NEWS=1 bun run bun_socketio.mjs
import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";

const { PORT = 4000, PING_INTERVAL = 25000, PING_TIMEOUT = 20000, NEWS = "1" } = process.env;
const io = new Server({ connectTimeout: 600000 }); // a storm may last
const engine = new Engine({
  path: "/socket.io/",
  pingInterval: Number(PING_INTERVAL),
  pingTimeout: Number(PING_TIMEOUT),
});
io.bind(engine);
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

export default { port: Number(PORT), hostname: "127.0.0.1", ...engine.handler() };
