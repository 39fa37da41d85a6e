// Every option that the official client's declarations have: what each does here, or that it is left out on purpose.

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { ENGINE, keysOf, leftOut, MANAGER, SOCKET, without } from "./declared.mjs";
import {
  answer, connectOverPolling, connectOverWebSocket, FakeWebSocket, gets, io, listen, open, posts, settle, webSocket,
} from "./fakes.mjs";

const dials = () => FakeWebSocket.all.length;
const lost = () => webSocket().onclose({});

/** A socket that dials a WebSocket. */
const dial = (options, url = "http://server/") => io(url, { forceNew: true, transports: ["websocket"], ...options });

const OPTIONS = {
  addTrailingSlash() {
    dial({ path: "/live", addTrailingSlash: false });
    assert.match(webSocket().url, /^ws:\/\/server\/live\?/);
  },

  path() {
    dial({ path: "/live" });
    assert.match(webSocket().url, /^ws:\/\/server\/live\/\?/);
  },

  query() {
    dial({ query: { token: 1 } });
    assert.match(webSocket().url, /\?token=1&/);
  },

  protocols() {
    for (const protocols of ["chat", ["chat", "v2"], undefined]) {
      dial({ protocols });
      assert.deepEqual(webSocket().protocols, protocols ?? []);
    }
  },

  transports() {
    dial({ transports: ["polling"] });
    assert.deepEqual([gets().length, dials()], [1, 0]);
    dial({ transports: ["websocket", "polling"] });
    assert.deepEqual([gets().length, dials()], [1, 1]);
  },

  async upgrade() {
    await connectOverPolling({ upgrade: false }, { upgrades: ["websocket"] });
    assert.equal(dials(), 0);
  },

  extraHeaders() {
    dial({ transports: ["polling"], extraHeaders: { "x-a": "b" } });
    assert.deepEqual(gets()[0].options.headers, { "x-a": "b" });
  },

  withCredentials() {
    for (const withCredentials of [true, false]) dial({ transports: ["polling"], withCredentials });
    assert.deepEqual(gets().map(({ options }) => options.credentials), ["include", "same-origin"]);
  },

  auth() {
    dial({ recovery: false, auth: { token: 1 } });
    webSocket().receives(open());
    assert.deepEqual(webSocket().sent, ['40{"token":1}']);
  },

  ackTimeout() {
    const socket = connectOverWebSocket({ ackTimeout: 50 });
    const replies = [];
    socket.emit("in time", (...args) => replies.push(args));
    webSocket().receives('430["answer"]');
    socket.emit("late", (error) => replies.push(error.message));
    socket.timeout(70).emit("later", (error) => replies.push(error.message));
    mock.timers.tick(50);
    assert.deepEqual(replies, [[null, "answer"], "operation has timed out"]);
    mock.timers.tick(20);
    assert.equal(replies.length, 3);
  },

  forceNew() {
    const [one, other] = ["a", "b"].map((name) => dial({}, `http://force-new/${name}`));
    assert.notEqual(one.io, other.io);
    const [third, fourth] = ["a", "b"].map((name) => dial({ forceNew: false }, `http://force-new/${name}`));
    assert.equal(third.io, fourth.io);
  },

  multiplex() {
    const options = { forceNew: false, multiplex: false };
    const [one, other] = ["a", "b"].map((name) => dial(options, `http://multiplex/${name}`));
    assert.notEqual(one.io, other.io);
  },

  autoConnect() {
    const socket = dial({ autoConnect: false });
    assert.deepEqual([socket.active, dials()], [false, 0]);
    new io.Manager("http://server", { autoConnect: false });
    assert.equal(dials(), 0);
    new io.Manager("http://server", { transports: ["websocket"] });
    assert.equal(dials(), 1);
  },

  timeout() {
    for (const timeout of [50, false]) {
      const heard = listen(dial({ timeout, reconnection: false }), "connect_error");
      mock.timers.tick(100_000);
      assert.deepEqual(heard.map(([, error]) => error.message), timeout ? ["timeout"] : []);
    }
  },

  reconnection() {
    connectOverWebSocket({ reconnection: false });
    lost();
    mock.timers.tick(100_000);
    assert.equal(dials(), 1);
  },

  reconnectionAttempts() {
    const heard = listen(dial({ reconnectionAttempts: 2 }).io, "reconnect_failed");
    for (let i = 0; i < 2; i++) {
      webSocket().onerror({});
      mock.timers.tick(5000);
    }
    webSocket().onerror({});
    assert.deepEqual([dials(), heard.length], [3, 1]);
  },

  reconnectionDelay() {
    connectOverWebSocket({ reconnectionDelay: 70 });
    lost();
    mock.timers.tick(69);
    assert.equal(dials(), 1);
    mock.timers.tick(1);
    assert.equal(dials(), 2);
  },

  reconnectionDelayMax() {
    const { io: manager } = connectOverWebSocket({ reconnectionDelayMax: 1500 });
    assert.deepEqual([0, 1, 9].map((attempt) => manager.delay(attempt)), [1000, 1500, 1500]);
  },

  randomizationFactor() {
    mock.method(Math, "random", () => 0);
    const { io: manager } = connectOverWebSocket({ randomizationFactor: 0.2 });
    assert.equal(manager.delay(0), 800);
  },

  /** A page's fake clock stands still: nothing of the client's waits for it. */
  async useNativeTimers() {
    const waits = [];
    mock.method(globalThis, "setTimeout", (task, ms) => waits.push(ms));
    const options = { useNativeTimers: true, reconnectionDelay: 1, ackTimeout: 1 };
    const socket = connectOverWebSocket(options);
    const failed = await new Promise((resolve) => socket.emit("mute", resolve));
    assert.equal(failed.message, "operation has timed out");
    const heard = new Promise((resolve) => socket.io.once("reconnect_attempt", resolve));
    lost();
    await heard;
    socket.disconnect();
    const polling = io("http://server", { forceNew: true, useNativeTimers: true, timeout: 1, reconnection: false });
    const [error] = await new Promise((resolve) => polling.on("connect_error", (...args) => resolve(args)));
    assert.match(error.message, /timeout|xhr poll error/);
    assert.deepEqual(waits, []);
    connectOverWebSocket({ useNativeTimers: false });
    assert.ok(waits.length > 0);
  },
};

const NAMES = [...keysOf(ENGINE, "SocketOptions"), ...keysOf(MANAGER, "ManagerOptions"), ...keysOf(SOCKET, "SocketOptions")];

test("every option has a test here, or is left out on purpose", () => {
  assert.ok(NAMES.length > 40);
  assert.deepEqual(without(NAMES, Object.keys(OPTIONS)).filter((name, i, all) => name !== all[i - 1]), leftOut("option"));
  assert.deepEqual(without(Object.keys(OPTIONS), NAMES), []);
});

describe("the option", () => {
  for (const [name, check] of Object.entries(OPTIONS)) test(name, check);
});
