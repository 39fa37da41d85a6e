// The guests of `soak.py` that have a JavaScript client, the official one or ours: some stay throughout, some lose their
// connection again and again and come back, the others come and go in all ways.
//
//     node soak.mjs URL SEED VISITORS SILENCE
//
// VISITORS are there at a time, of each client; after SILENCE seconds without a word the server has given one up. A line on
// stdin says what to do: "go", "rest" (the visitors end) or "end". When those who stay are in, and when it rests, it prints
// a line of JSON: { guests, visits, complaints }.

import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { io as officialIo } from "socket.io-client";
import { generator, startNetwork } from "./network.mjs";
import { loadClient } from "./support.mjs";

const [url, seed, visitors, silence] = process.argv.slice(2);
const { port } = new URL(url);
const CLIENTS = { "socket.io-client": officialIo, "our client": loadClient() };
const WAYS = { polling: ["polling"], websocket: ["websocket"], upgrading: undefined };
const RETURNING = { reconnectionDelay: 10, reconnectionDelayMax: 40 };
const VISITING = { reconnection: false };
const SILENCE = 1000 * silence;
const PACE = 500; // ms from one number that a guest tells to the next
const POST = 8; // numbers that a guest tells before it posts one
const FAREWELL = 300; // ms for the last words of who leaves politely

const visits = [], complaints = [], guests = [];
let resting = new AbortController();
resting.abort();

/** Waits for some time, or until all rest. */
async function pause(ms) {
  await delay(ms, undefined, { signal: resting.signal }).catch(() => {});
}

const heard = (socket, event) => new Promise((resolve) => socket.once(event, resolve));

function invite(whose, address, way, options) {
  return CLIENTS[whose](address, { transports: WAYS[way], forceNew: true, auth: { recovery: true }, ...options });
}

/** A guest that stays; it notes all that it hears, and counts aloud. */
async function stay(whose, way) {
  const socket = invite(whose, url, way, VISITING);
  const guest = note(socket, `${whose}, ${way}`, way);
  await heard(socket, "connect");
  socket.on("disconnect", (reason) => guest.leaving || complaints.push(`${guest.name} was disconnected: ${reason}`));
  const { engine } = socket.io;
  if (way === "upgrading" && engine.transport.name === "polling") await heard(engine, "upgrade");
  guest.id = socket.id;
  setInterval(() => {
    socket.emit("private", `${guest.name} ${++guest.told}`);
    if (guest.told % POST || resting.signal.aborted) return;
    socket.emit("post", { text: `${guest.name} ${++guest.posted}` });
  }, PACE);
}

/** A guest that is cut now and then, and comes back before it is forgotten. */
async function comeBack(whose, way, draw) {
  const network = await startNetwork(port);
  const socket = invite(whose, `http://127.0.0.1:${network.port}`, way, RETURNING);
  const guest = note(socket, `${whose}, ${way}, returning`, way);
  await heard(socket, "connect");
  return async () => {
    while (!guest.leaving) {
      await pause(500 + draw() * 3000);
      if (resting.signal.aborted || guest.leaving) return;
      const [gone, back] = [heard(socket, "disconnect"), heard(socket, "connect")];
      network.die();
      await gone;
      network.live();
      await back;
      guest.returns++;
      if (!socket.recovered) complaints.push(`${guest.name} came back as a newcomer`);
    }
  };
}

function note(socket, name, way) {
  const carrier = way === "polling" ? "polling" : "websocket";
  const guest = { name, id: "", carrier, heard: [], told: 0, posted: 0, returns: 0, socket };
  socket.on("news", ({ msg, count }, stamp) => guest.heard.push([msg, count, stamp]));
  socket.on("post", ({ text }, stamp) => guest.heard.push([text, null, stamp]));
  guests.push(guest);
  return guest;
}

const ENDINGS = {
  async leave({ socket }) {
    socket.disconnect();
    await delay(FAREWELL);
  },
  async reset({ network }) {
    network.die();
  },
  async vanish({ socket, network }) {
    const address = `${url}/socket.io/?EIO=4&transport=polling&sid=${socket.io.engine?.id}`;
    network.mute();
    await pause(SILENCE);
    // All rest: the server need not find out by itself.
    if (resting.signal.aborted) await fetch(address, { method: "POST", body: "1" });
  },
  async return({ socket, network }) {
    const back = heard(socket, "connect");
    network.die();
    network.live();
    await Promise.race([back, pause(SILENCE)]);
    await ENDINGS.leave({ socket });
  },
};

/** Visits, one after the other, until all rest. */
async function visit(whose, draw) {
  const among = (list) => list[Math.floor(draw() * list.length)];
  while (!resting.signal.aborted) {
    const [way, ending] = [among(Object.keys(WAYS)), among(Object.keys(ENDINGS))];
    const network = await startNetwork(port);
    const options = ending === "return" ? RETURNING : VISITING;
    const socket = invite(whose, `http://127.0.0.1:${network.port}`, way, options);
    socket.on("connect_error", () => {});
    await Promise.race([heard(socket, "connect"), pause(SILENCE)]);
    await pause(-1000 * Math.log(1 - draw()));
    await ENDINGS[ending]({ socket, network });
    socket.disconnect();
    network.die();
    network.close();
    visits.push([whose, ending]);
  }
}

function report() {
  const stay = guests.map(({ socket, ...guest }) => guest);
  process.stdout.write(JSON.stringify({ guests: stay, visits, complaints }) + "\n");
}

process.on("uncaughtException", (error) => complaints.push(String(error.stack ?? error)));
const returns = [], draws = {};
for (const whose of Object.keys(CLIENTS)) {
  for (const way of Object.keys(WAYS)) await stay(whose, way);
  for (const way of ["websocket", "upgrading"]) {
    returns.push(await comeBack(whose, way, generator(Number(seed) + returns.length)));
  }
  draws[whose] = Array.from({ length: Number(visitors) }, (_, i) => generator(Number(seed) + 100 * returns.length + i));
}
report();

let busy = Promise.resolve();
for await (const line of createInterface(process.stdin)) {
  if (line === "end") break;
  if (line === "go") {
    resting = new AbortController();
    const coming = Object.entries(draws).flatMap(([whose, each]) => each.map((draw) => visit(whose, draw)));
    busy = Promise.all([...coming, ...returns.map((goOn) => goOn())]);
  } else {
    resting.abort();
    await busy;
    report();
  }
}
for (const guest of guests) {
  guest.leaving = true;
  guest.socket.disconnect();
}
await delay(FAREWELL);
process.exit();
