// Clients of both kinds that live through a restart of the server.
//
//     node restart.mjs URL     prints "ready" when all of them hear the numbers of one server and, when they have heard
//                              enough of the next, JSON: for each client { name, ids, recovered, names, numbers }

import { io as official } from "socket.io-client";
import { loadClient } from "./support.mjs";

const url = process.argv[2];
const ENOUGH = 10;
const WHOSE = { official, ours: loadClient() };
const WAYS = { polling: ["polling"], websocket: ["websocket"], default: undefined };

const visits = Object.keys(WHOSE).flatMap((whose) => Object.keys(WAYS).map((way) => visit(whose, way)));
await Promise.all(visits.map(({ hears }) => hears));
console.log("ready");
console.log(JSON.stringify(await Promise.all(visits.map(({ report }) => report))));
process.exit();

function visit(whose, way) {
  const name = `${whose}, ${way}`;
  const socket = WHOSE[whose](url, {
    transports: WAYS[way],
    auth: { recovery: true },
    forceNew: true,
    reconnectionDelay: 50,
    reconnectionDelayMax: 200,
  });
  const heard = { name, ids: [], recovered: [], names: [], numbers: [] };
  const hears = deferred();
  const report = deferred();
  socket.on("number", (server, number) => {
    heard.numbers.push([server, number]);
    const [[first]] = heard.numbers;
    const ofNext = heard.numbers.filter(([server]) => server !== first).length;
    if (heard.numbers.length >= ENOUGH && heard.names.length === 1) hears.resolve();
    if (ofNext >= ENOUGH && heard.names.length === 2) report.resolve(heard);
  });
  socket.on("connect", async () => {
    heard.ids.push(socket.id);
    heard.recovered.push(socket.recovered);
    if (heard.ids.length === 1) socket.emit("name", name);
    heard.names.push(await new Promise((resolve) => socket.emit("whoami", ([, name]) => resolve(name))));
  });
  return { hears: hears.promise, report: report.promise };
}

function deferred() {
  let resolve;
  const promise = new Promise((settle) => { resolve = settle; });
  return { promise, resolve };
}
