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

  /** Until one connects; the last one's failure is the connection's. */
  async tryAllTransports() {
    for (const tryAllTransports of [true, false]) {
      const socket = io("http://server/", { forceNew: true, tryAllTransports, reconnection: false });
      const heard = listen(socket, "connect", "connect_error");
      gets().at(-1).fail();
      await settle();
      assert.equal(dials(), 1);
      if (tryAllTransports) webSocket().receives(open(), '40{"sid":"S1"}');
      assert.deepEqual(heard.map(([event]) => event), tryAllTransports ? ["connect"] : ["connect_error"]);
    }
  },

  /** Also after a reload of polling alone: what failed last is not remembered. */
  rememberUpgrade() {
    const options = { transports: ["polling", "websocket"], rememberUpgrade: true };
    connectOverWebSocket();
    dial(options);
    assert.deepEqual([dials(), gets().length], [2, 0]);
    webSocket().onerror({});
    dial(options);
    assert.deepEqual([dials(), gets().length], [2, 1]);
    connectOverWebSocket();
    dial({ ...options, rememberUpgrade: false });
    dial({ ...options, transports: ["polling"] });
    assert.deepEqual([dials(), gets().length], [3, 3]);
  },

  /** Each transport's own, over the common ones. */
  transportOptions() {
    const transportOptions = {
      polling: { extraHeaders: { "x-a": "c" }, withCredentials: true, path: "/long", query: { by: "poll" } },
      websocket: { protocols: "chat", addTrailingSlash: false },
    };
    dial({ transportOptions, transports: ["polling"], extraHeaders: { "x-a": "b" } });
    const [{ url, options }] = gets();
    assert.deepEqual([options.headers, options.credentials], [{ "x-a": "c" }, "include"]);
    assert.match(url.href, /\/long\/\?by=poll&EIO=4&transport=polling/);
    dial({ transportOptions, protocols: "v1" });
    assert.equal(webSocket().protocols, "chat");
    assert.match(webSocket().url, /^ws:\/\/server\/socket.io\?EIO=4/);
    dial({ transportOptions: { polling: {} }, protocols: "v1" });
    assert.equal(webSocket().protocols, "v1");
  },

  /** The page hears nothing of it, also if it stays: then the heartbeat ends the connection. */
  closeOnBeforeunload() {
    const page = new EventTarget();
    for (const name of ["addEventListener", "removeEventListener"]) globalThis[name] = page[name].bind(page);
    for (const closeOnBeforeunload of [true, false]) {
      const socket = connectOverWebSocket({ closeOnBeforeunload });
      const heard = listen(socket, "disconnect");
      page.dispatchEvent(new Event("beforeunload"));
      assert.equal(webSocket().isClosed, closeOnBeforeunload);
      webSocket().onclose({});
      assert.equal(heard.length, closeOnBeforeunload ? 0 : 1);
      mock.timers.tick(500);
      assert.equal(heard[0][1], closeOnBeforeunload ? "ping timeout" : "transport close");
      socket.disconnect();
      page.dispatchEvent(new Event("beforeunload"));
    }
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
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

  /** One event at a time, at most `retries` times more, also over connections. */
  retries() {
    const socket = connectOverWebSocket({ retries: 1, ackTimeout: 50, reconnectionDelay: 10 });
    const replies = [];
    for (const name of ["a", "b", "c"]) socket.emit(name, (error, value) => replies.push(error?.message ?? value));
    socket.volatile.emit("now");
    assert.deepEqual(webSocket().sent, ['420["a"]', '42["now"]']);
    webSocket().receives('430["first"]', '430["again"]');
    mock.timers.tick(50); // "b" is sent again
    mock.timers.tick(50); // and given up
    assert.deepEqual(webSocket().sent.slice(2), ['421["b"]', '421["b"]', '422["c"]']);
    lost();
    mock.timers.tick(10);
    webSocket().receives(open(), '40{"sid":"S2"}');
    assert.deepEqual(webSocket().sent, ["40", '422["c"]']);
    webSocket().receives('432["third"]');
    assert.deepEqual(replies, ["first", "operation has timed out", "third"]);
    assert.throws(() => socket.emit("d", 1n), /BigInt/);
    socket.emit("without an answer");
    webSocket().receives("433[]", "434[]");
    socket.emit("the next");
    assert.match(webSocket().sent.at(-1), /the next/);
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

test("options without effect are named in the console", () => {
  const said = [];
  mock.method(console, "warn", (text) => said.push(text));
  const values = Object.fromEntries(leftOut("option").map((name) => [name, false]));
  dial({ ...values, tpyo: 1 });
  assert.deepEqual(said.sort(), [...leftOut("option"), "tpyo"].map((name) => `no option "${name}"`).sort());
  said.length = 0;
  dial(Object.fromEntries([...Object.keys(OPTIONS), "recovery", "useNativeSetTimers"].map((name) => [name, undefined])));
  assert.deepEqual(said, []);
});

test("a transport that there is not is an error", async () => {
  for (const transports of [[], ["webtransport"]]) {
    const heard = listen(dial({ transports, reconnection: false }), "connect_error");
    await settle();
    assert.match(heard[0][1].message, /^no transport "(undefined|webtransport)"$/);
  }
});

describe("the option", () => {
  for (const [name, check] of Object.entries(OPTIONS)) test(name, check);
});
