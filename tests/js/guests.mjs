// Official clients that stay for as long as they can, and say what they have heard when they are asked.
//
//     node guests.mjs URL SILENCE
//
// There is one of each kind, and one that listens to /events; after SILENCE seconds without a word it connects again. For each
// line of stdin, a number, there is a line of JSON when all have heard it: for each { kind, connects, recoveries, numbers }.

import { get } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { io } from "socket.io-client";

const [url, silence] = process.argv.slice(2);
const WAYS = { polling: ["polling"], websocket: ["websocket"], default: undefined };

const guests = [...Object.keys(WAYS).map(visit), listen()];
for await (const line of createInterface({ input: process.stdin })) {
  while (!guests.every(({ numbers }) => numbers.at(-1) >= Number(line))) await sleep(10);
  process.stdout.write(`${JSON.stringify(guests)}\n`);
}
process.exit();

function visit(kind) {
  const guest = { kind, connects: 0, recoveries: 0, numbers: [] };
  const socket = io(url, {
    transports: WAYS[kind],
    auth: { recovery: true },
    forceNew: true,
    timeout: 1000,
    reconnectionDelay: 50,
    reconnectionDelayMax: 100,
  });
  socket.on("connect", () => {
    guest.connects++;
    if (socket.recovered) guest.recoveries++;
  });
  socket.on("number", (number) => guest.numbers.push(number));
  return guest;
}

/** Listens as a browser's EventSource does. */
function listen(guest = { kind: "events", connects: 0, recoveries: 0, numbers: [] }, id = "") {
  const request = get(`${url}/events`, { headers: id && { "Last-Event-ID": id } }, (response) => {
    guest.connects++;
    if (id) guest.recoveries++;
    let unread = "";
    response.setEncoding("utf8");
    response.on("data", (text) => {
      const events = (unread + text).split("\n\n");
      unread = events.pop();
      for (const event of events) {
        const number = event.match(/event: number\ndata: (\d+)/);
        id = event.match(/^id: (\d+-\d+)/)?.[1] ?? id;
        if (number) guest.numbers.push(Number(number[1]));
      }
    });
    response.on("error", () => {});
  });
  request.setTimeout(1000 * silence, () => request.destroy());
  request.on("error", () => {});
  request.on("close", () => setTimeout(() => listen(guest, id), 100));
  return guest;
}
