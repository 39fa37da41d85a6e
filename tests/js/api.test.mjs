// The official client's API, walked through: every export, member and event that its declarations call public is here, too,
// or stands in the table of docs/browser-client.md. Options are in options.test.mjs.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as official from "socket.io-client";
import { ENGINE, keysOf, leftOut, MANAGER, publicMembers, SOCKET, without } from "./declared.mjs";
import { findServer, loadClient } from "./support.mjs";

const io = loadClient();

// ---- The words of these tests

const PARTS = {
  socket: [SOCKET, "SocketReservedEvents", (socket) => socket],
  manager: [MANAGER, "ManagerReservedEvents", (socket) => socket.io],
  engine: [ENGINE, "SocketReservedEvents", (socket) => socket.io.engine],
};
const isNothing = (value) => [undefined, null, ""].includes(value);

/** What kind of value it is; an object is its keys, a transport its name. */
function shape(value) {
  if (isNothing(value)) return "nothing";
  if (value instanceof Error) return "Error";
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return "binary";
  if (Array.isArray(value)) return value.map(shape);
  if (typeof value !== "object") return typeof value;
  if (value.name === "websocket") return "websocket";
  const entries = Object.entries(value).filter(([, each]) => !isNothing(each));
  return Object.fromEntries(entries.sort().map(([key, each]) => [key, shape(each)]));
}

/** The shapes of what an event brings, each way in which it came, as far as `most` arguments. */
function record(emitter, events, most) {
  const log = Object.fromEntries(events.map((event) => [event, new Set()]));
  for (const event of events) {
    emitter.on(event, (...args) => {
      const some = args.slice(0, most[event] ?? args.length);
      log[event].add(JSON.stringify(some.map(shape)));
    });
  }
  return log;
}

const asLists = (log) => Object.fromEntries(Object.entries(log).map(([event, shapes]) => [event, [...shapes].sort()]));

/** Until an event, of what is awaited in turn. */
const heard = (emitter, event) => new Promise((resolve) => emitter.once(event, resolve));

// ---- The tests

let server;
before(async () => {
  server = await findServer();
});
after(() => server.stop());

test("every export is a member of io, or is left out on purpose", () => {
  assert.deepEqual(without(Object.keys(official), [...Object.keys(io), "default"]), leftOut("export"));
  assert.deepEqual(without(Object.keys(official.io), Object.keys(io)), []);
  for (const name of Object.keys(io)) assert.equal(typeof io[name], typeof official[name], name);
  assert.equal(io.protocol, official.protocol);
});

describe("members", () => {
  let theirs, ours;

  async function connect(client) {
    const socket = client(server.url, { forceNew: true, transports: ["websocket"], auth: { a: 1 } });
    await heard(socket, "connect");
    return socket;
  }

  before(async () => {
    [theirs, ours] = await Promise.all([connect(official.io), connect(io)]);
  });
  after(() => [theirs, ours].forEach((socket) => socket.disconnect()));

  for (const [part, [text, , of]] of Object.entries(PARTS)) {
    test(`of ${part}: all are here, and are of the same kind`, () => {
      const names = publicMembers(of(theirs), text);
      assert.ok(names.length > 10);
      const missing = names.filter((name) => !(name in of(ours)));
      assert.deepEqual(missing, leftOut(part));
      for (const name of without(names, missing)) {
        const [their, our] = [of(theirs)[name], of(ours)[name]];
        if (!isNothing(their)) assert.equal(typeof our, typeof their, name);
      }
    });
  }
});

describe("events", () => {
  // A transport, and what the page gets beside a reason, are each client's own.
  const MOST = { upgrading: 1, upgrade: 1, close: 1, disconnect: 1 };
  const RARE = {
    socket: ["connect_error"],
    manager: ["error", "reconnect_error", "reconnect_failed"],
    engine: ["error", "upgradeError"],
  };

  /** One life: long-polling, the upgrade, events both ways, binary, a ping, a loss, a return. */
  async function live(client) {
    const socket = client(server.url, { forceNew: true, reconnectionDelay: 10 });
    const logs = Object.fromEntries(
      Object.entries(PARTS).map(([part, [text, name, of]]) => [part, record(of(socket), keysOf(text, name), MOST)]),
    );
    const { engine } = socket.io;
    await Promise.all([heard(socket, "connect"), heard(engine, "upgrade")]);
    const echo = (...args) => new Promise((resolve) => socket.emit("echo", ...args, resolve));
    await echo("text");
    await echo(Uint8Array.of(1));
    await heard(socket.io, "ping");
    await echo("text");
    const back = heard(socket, "connect");
    engine.close();
    await back;
    socket.disconnect();
    return logs;
  }

  test("are the same, and bring the same, in one life of a connection", async () => {
    const [theirs, ours] = await Promise.all([live(official.io), live(io)]);
    for (const part of Object.keys(PARTS)) {
      const [their, our] = [asLists(theirs[part]), asLists(ours[part])];
      assert.deepEqual(our, their, part);
      const silent = Object.keys(their).filter((event) => !their[event].length);
      assert.deepEqual(silent.sort(), RARE[part], part);
    }
  });

  test("of failures are the same, and bring an error", async () => {
    for (const client of [official.io, io]) {
      const socket = client("http://localhost:9", { forceNew: true, reconnectionDelay: 10, reconnectionAttempts: 1 });
      const logs = {
        socket: record(socket, RARE.socket, {}),
        manager: record(socket.io, RARE.manager, {}),
        engine: record(socket.io.engine, ["error"], {}),
      };
      await heard(socket.io, "reconnect_failed");
      await new Promise(setImmediate); // the official client tells reconnect_error after that
      assert.deepEqual([logs.socket, logs.manager, logs.engine].map(asLists), [
        { connect_error: ['["Error"]'] },
        { error: ['["Error"]'], reconnect_error: ['["Error"]'], reconnect_failed: ["[]"] },
        { error: ['["Error"]'] },
      ]);
    }
  });
});
