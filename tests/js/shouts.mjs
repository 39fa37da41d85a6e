// Official clients that speak, and keep all that they hear: `node shouts.mjs SHOUTS EVENTS URL…`, one client for each URL.
//
// It prints "ready" when all are connected. At a line on its standard input each client shouts SHOUTS times; when each has
// heard EVENTS events, it prints a list of what each heard, as JSON.

import { once } from "node:events";
import { io } from "socket.io-client";

const [shouts, events] = process.argv.slice(2, 4).map(Number);
const sockets = process.argv.slice(4).map((url) => io(url, { transports: ["websocket"], reconnection: false }));
const heard = sockets.map((socket) => {
  const said = [];
  socket.on("said", (who, count) => said.push([who, count]));
  socket.on("disconnect", () => process.exit(1));
  return said;
});

await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.on("connect", resolve))));
console.log("ready");
await once(process.stdin, "data");
sockets.forEach((socket, who) => {
  for (let count = 0; count < shouts; count++) socket.emit("shout", `js ${who}`, count);
});
await Promise.all(sockets.map((socket, index) => new Promise((resolve) => {
  const check = () => heard[index].length === events && resolve();
  socket.on("said", check);
  check();
})));
process.stdout.write(`${JSON.stringify(heard)}\n`, () => process.exit());
