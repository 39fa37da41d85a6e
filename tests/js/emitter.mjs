// Node's emitter: `node emitter.mjs SOCKET ID` tells the client of this id, and all others, what a test expects.
import { Emitter } from "@socket.io/redis-emitter";
import { createClient } from "redis";

const [socket, id] = process.argv.slice(2);
const redis = await createClient({ socket: { path: socket } }).connect();
const emitter = new Emitter(redis);
emitter.emit("said", 1, "é€😀", { a: [null, true, 1.5] });
emitter.emit("said", Buffer.from([1, 2]), { b: new Uint8Array([3]) }, new Date(1));
emitter.to(id).emit("said", "to one");
emitter.except(id).emit("said", "except one");
emitter.in(id).socketsJoin("red");
emitter.to("red").emit("said", "to red");
emitter.to(["red", id]).emit("said", "to both");
emitter.in("red").socketsLeave(["red", "blue"]);
emitter.to("red").emit("said", "to nobody");
emitter.of("/nowhere").emit("said", "to nobody");
emitter.serverSideEmit("said", "to servers");
emitter.emit("said", "end");
emitter.in(id).disconnectSockets(true);
await redis.quit();
