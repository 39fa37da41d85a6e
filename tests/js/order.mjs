// Official clients that hear two numbered streams, one said to all and one to each alone, while they connect and
// upgrade. Each event says what must have come right before it, so that a gap, a repeat or a wrong turn shows at once.
//
//     node order.mjs URL     prints { clients, events, upgradedMidstream, faults } as JSON when the server says "end"

import { io, NodeWebSocket, NodeXHR } from "socket.io-client";

const url = process.argv[2];
const AT_ONCE = 3;
const MIDSTREAM = "upgrading midstream";
const KINDS = Array(6).fill([
  MIDSTREAM, "default", MIDSTREAM, "websocket", MIDSTREAM, "polling", MIDSTREAM, MIDSTREAM,
]).flat();

const listeners = [];
const faults = [];

for (let i = 0; i < AT_ONCE; i++) openNext();

/** Opens one client after the other, so that some join while others upgrade. */
function openNext() {
  const index = listeners.length;
  if (index < KINDS.length) listeners.push(listen(index, KINDS[index]));
}

function listen(index, kind) {
  const listener = { events: 0, carriers: new Set(), ended: false, onevents: () => {} };
  const upgrades = kind === MIDSTREAM || kind === "default";
  const transports = {
    default: undefined,
    [MIDSTREAM]: [NodeXHR, probingAfter(20 + 4 * index, listener)],
  };
  const socket = io(url, {
    transports: kind in transports ? transports[kind] : [kind],
    auth: { upgrades },
    forceNew: true,
    reconnection: false,
  });

  let [toAll, toMe] = [0, 0];
  const expect = (what, actual, expected) => {
    if (actual !== expected) faults.push(`client ${index} (${kind}): ${what} is ${actual}, expected ${expected}`);
  };
  const count = () => {
    listener.events++;
    listener.carriers.add(socket.io.engine.transport.name);
    listener.onevents();
  };

  socket.on("connect", openNext);
  socket.on("start", (last) => { toAll = last; });
  socket.on("to all", (number) => {
    expect("the number to all", number, toAll + 1);
    toAll = number;
    count();
  });
  socket.on("to you", (number, lastToAll) => {
    expect("the number to you", number, toMe + 1);
    expect("what was last said to all", toAll, lastToAll);
    toMe = number;
    count();
  });
  socket.on("mark", (answer) => answer());
  socket.on("end", (lastToAll, lastToMe) => {
    expect("the last number to all", toAll, lastToAll);
    expect("the last number to you", toMe, lastToMe);
    listener.ended = true;
    if (listeners.length === KINDS.length && listeners.every(({ ended }) => ended)) report();
  });
  for (const event of ["connect_error", "disconnect"]) {
    socket.on(event, (reason) => {
      faults.push(`client ${index} (${kind}): ${event}, ${reason}`);
      report();
    });
  }
  return listener;
}

/** The official WebSocket transport, which first opens when so many events have been heard. */
function probingAfter(events, listener) {
  return class extends NodeWebSocket {
    doOpen() {
      listener.onevents = () => {
        if (listener.events < events) return;
        listener.onevents = () => {};
        super.doOpen();
      };
    }
  };
}

function report() {
  const text = JSON.stringify({
    clients: listeners.length,
    events: listeners.reduce((sum, { events }) => sum + events, 0),
    upgradedMidstream: listeners.filter(({ carriers }) => carriers.size === 2).length,
    faults: faults.slice(0, 20),
  });
  process.stdout.write(`${text}\n`, () => process.exit());
}
