// Clients whose connections die again and again while numbered events are said to them.
//
//     node chaos.mjs URL official|ours CLIENTS CUTS SEED
//
// Each client has a network of its own, a TCP relay, so that a connection dies as connections do: at both ends, with
// what was on its way. When all clients have been cut so often and the server has said "end", it prints JSON: for each
// client { name, kind, cuts, recoveries, fresh, missed, numbers }.

import { io as officialIo } from "socket.io-client";
import { generator, startNetwork } from "./network.mjs";
import { loadClient } from "./support.mjs";

const [address, whose, clients, cuts, seed] = process.argv.slice(2);
const { port } = new URL(address);
const io = whose === "official" ? officialIo : loadClient();
const random = generator(Number(seed));
const WAYS = { polling: ["polling"], websocket: ["websocket"], default: undefined };

const visits = Array.from({ length: Number(clients) }, (_, i) => visit(i, Object.keys(WAYS)[i % 3]));
process.stdout.write(JSON.stringify(await Promise.all(visits)), () => process.exit());

async function visit(index, kind) {
  const name = `${whose} ${index}, ${kind}`;
  const network = await startNetwork(port);
  const socket = io(`http://127.0.0.1:${network.port}`, {
    transports: WAYS[kind],
    auth: { name, recovery: true },
    forceNew: true,
    reconnectionDelay: 10,
    reconnectionDelayMax: 40,
  });
  const report = { name, kind, cuts: 0, recoveries: 0, fresh: 0, missed: 0, numbers: [], errors: {} };
  let isUp = false;
  socket.on("number", (number) => {
    report.numbers.push(number);
    if (!isUp) report.missed++;
  });
  socket.on("connect", () => {
    isUp = true;
    if (socket.recovered) report.recoveries++;
    else report.fresh++;
  });
  socket.on("disconnect", () => { isUp = false; });
  socket.on("connect_error", ({ message }) => {
    report.errors[message] = (report.errors[message] ?? 0) + 1;
  });
  const end = new Promise((resolve) => socket.on("end", resolve));

  await new Promise((resolve) => socket.once("connect", resolve));
  await answered(socket, "ready");
  while (report.cuts < Number(cuts)) {
    await cut(socket, network, kind);
    report.cuts++;
  }
  socket.emit("done");
  await end;
  network.close();
  socket.disconnect();
  return report;
}

/** One death, by the network or by the server, at a moment that is drawn. */
async function cut(socket, network, kind) {
  const { engine } = await opened(socket.io);
  const dead = new Promise((resolve) => engine.once("close", resolve));
  const alive = await Promise.race([dead.then(() => false), moment(socket, engine, kind).then(() => true)]);
  if (!alive) return;
  if (random() < 0.5) {
    network.die();
    // A client that polls may have nothing on the line at this moment, and finds out with the next request.
    await dead;
    network.live();
  } else {
    socket.emit("cut");
    await dead;
  }
}

/** A moment in the life of a connection: as soon as it is open, while it upgrades, when it has, or later. */
async function moment(socket, engine, kind) {
  const drawn = random();
  if (drawn < 0.2) return;
  if (kind === "default" && drawn < 0.4) return upgraded(engine);
  await joined(socket);
  if (drawn > 0.7) await answered(socket, "talk");
}

async function opened(manager) {
  if (manager.engine?.readyState === "open") return manager;
  await new Promise((resolve) => manager.once("open", resolve));
  return manager;
}

async function upgraded(engine) {
  if (engine.transport.name === "polling") await new Promise((resolve) => engine.once("upgrade", resolve));
}

async function joined(socket) {
  if (!socket.connected) await new Promise((resolve) => socket.once("connect", resolve));
}

function answered(socket, event) {
  return new Promise((resolve) => socket.emit(event, resolve));
}
