// What the official client's members do, ours do, too.

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import * as official from "socket.io-client";
import { connectOverWebSocket, FakeWebSocket, io, listen, open, webSocket } from "./fakes.mjs";

const dials = () => FakeWebSocket.all.length;
const lost = () => webSocket().onclose({});
const dial = (options) => io("http://server/", { forceNew: true, transports: ["websocket"], recovery: false, ...options });
const idle = (client) => client("http://server/", { forceNew: true, autoConnect: false });
const manage = (options) => new io.Manager("http://server", { transports: ["websocket"], recovery: false, ...options });

describe("listeners", () => {
  /** What is heard, with listeners a, b (twice), c (once), after something is done. */
  function hear(emitter, change) {
    const log = [];
    const [a, b, c] = ["a", "b", "c"].map((name) => (...args) => log.push([name, ...args]));
    const emit = (...args) => Object.getPrototypeOf(Object.getPrototypeOf(emitter)).emit.apply(emitter, args);
    emitter.on("x", a).addEventListener("x", b);
    emitter.on("x", b).once("x", c).on("y", a);
    change(emitter, { a, b, c });
    for (const event of ["x", "y", "x"]) emit(event, 1, event);
    return [log, emitter.listeners("x").length, emitter.hasListeners("y")];
  }

  const CHANGES = { "()": () => [], "(x)": () => ["x"], "(x, undefined)": () => ["x", undefined] };
  for (const name of ["a", "b", "c"]) CHANGES[`(x, ${name})`] = (by) => ["x", by[name]];
  CHANGES["(none)"] = () => ["none"];
  CHANGES["(none, a)"] = ({ a }) => ["none", a];
  for (const method of ["off", "removeListener", "removeAllListeners", "removeEventListener"]) {
    for (const [shown, args] of Object.entries(CHANGES)) {
      test(`${method}${shown}, as in the official client`, () => {
        const change = (emitter, by) => assert.equal(emitter[method](...args(by)), emitter);
        for (const of of [(socket) => socket, (socket) => socket.io]) {
          assert.deepEqual(hear(of(idle(io)), change), hear(of(idle(official.io)), change));
        }
      });
    }
  }

  test("of all events outlive removeAllListeners()", () => {
    for (const client of [official.io, io]) {
      const socket = idle(client).onAny(() => {}).onAnyOutgoing(() => {});
      socket.removeAllListeners();
      assert.deepEqual([socket.listenersAny().length, socket.listenersAnyOutgoing().length], [1, 1]);
    }
  });

  test("of a number hear its name, and the other way round", () => {
    const socket = connectOverWebSocket();
    const heard = listen(socket, "7", 8);
    webSocket().receives("42[7]", '42["8"]');
    assert.deepEqual(heard, [["7"], [8]]);
  });

  test("may be of names that objects have", () => {
    const socket = connectOverWebSocket();
    const heard = listen(socket, "toString", "__proto__");
    webSocket().receives('42["toString"]', '42["constructor"]', '42["__proto__"]');
    assert.deepEqual(heard, [["toString"], ["__proto__"]]);
  });
});

describe("a manager", () => {
  const SETTINGS = {
    reconnection: [true, false],
    reconnectionAttempts: [Infinity, 3],
    reconnectionDelay: [1000, 7],
    reconnectionDelayMax: [5000, 70],
    randomizationFactor: [0.5, 0],
    timeout: [20000, 50],
  };
  for (const [name, [before, after]] of Object.entries(SETTINGS)) {
    test(`${name}() tells and sets, as in the official client`, () => {
      for (const { Manager } of [official, io]) {
        const manager = new Manager("http://server", { autoConnect: false });
        assert.equal(manager[name](), before);
        assert.equal(manager[name](after), manager);
        assert.equal(manager[name](), after);
      }
    });
  }

  test("heeds what was set", () => {
    const { io: manager } = connectOverWebSocket();
    manager.reconnectionDelay(10).reconnectionDelayMax(15).randomizationFactor(0).reconnectionAttempts(2);
    const heard = listen(manager, "reconnect_failed");
    lost();
    mock.timers.tick(10);
    webSocket().onerror({});
    mock.timers.tick(14);
    assert.equal(dials(), 2);
    mock.timers.tick(1);
    webSocket().onerror({});
    assert.deepEqual([dials(), heard.length], [3, 1]);
  });

  test("stops waiting with reconnection(false)", () => {
    const { io: manager } = connectOverWebSocket();
    const heard = listen(manager, "reconnect_attempt");
    lost();
    manager.reconnection(false);
    mock.timers.tick(100_000);
    assert.deepEqual([dials(), heard], [1, []]);
  });

  for (const method of ["open", "connect"]) {
    test(`${method}(done) tells done that it is open, once`, () => {
      const calls = [];
      const manager = manage({ autoConnect: false });
      assert.equal(manager[method]((...args) => calls.push(args)), manager);
      webSocket().receives(open());
      assert.deepEqual(calls, [[]]);
      webSocket().onerror({});
      assert.equal(calls.length, 1);
      mock.timers.tick(1000);
      assert.equal(dials(), 2);
    });

    test(`${method}(done) tells done why it is not, and leaves trying to it`, () => {
      const calls = [];
      const manager = manage({ autoConnect: false });
      manager[method]((error) => calls.push(error.message));
      webSocket().onerror({});
      mock.timers.tick(100_000);
      assert.deepEqual([calls, dials()], [["websocket error"], 1]);
      manager[method]();
      webSocket().onerror({});
      mock.timers.tick(1000);
      assert.equal(dials(), 3);
    });
  }

  test("opens by itself, and again when it is lost", () => {
    const heard = listen(manage(), "open", "close");
    webSocket().receives(open());
    lost();
    mock.timers.tick(1000);
    webSocket().receives(open());
    assert.deepEqual(heard.map(([event]) => event), ["open", "close", "open"]);
  });

  test("disconnect() ends it and tells its sockets, which may connect again", () => {
    const socket = connectOverWebSocket();
    const heard = listen(socket, "disconnect");
    socket.io.disconnect();
    assert.deepEqual([heard[0][1], webSocket().isClosed], ["forced close", true]);
    mock.timers.tick(100_000);
    assert.equal(dials(), 1);
    socket.connect();
    webSocket().receives(open(), '40{"sid":"S2"}');
    assert.equal(socket.id, "S2");
  });

  test("may be made of options alone, of the page's own server", (context) => {
    globalThis.location = new URL("https://page.example/x");
    context.after(() => delete globalThis.location);
    new io.Manager({ transports: ["websocket"], path: "/live" });
    assert.match(webSocket().url, /^wss:\/\/page\.example\/live\//);
  });

  test("gives one namespace no auth of another", () => {
    const socket = dial({ auth: { token: "secret" } });
    socket.io.socket("/other");
    socket.io.socket("/own", { auth: { token: "own" } });
    webSocket().receives(open());
    assert.deepEqual(webSocket().sent, ['40{"token":"secret"}', "40/other,", '40/own,{"token":"own"}']);
  });
});

describe("a socket that is active", () => {
  test("is not reopened by connect(), open() and manager.socket()", () => {
    const socket = dial();
    for (let i = 0; i < 2; i++) {
      socket.connect().open();
      assert.equal(socket.io.socket("/"), socket);
      if (i === 0) webSocket().receives(open());
    }
    assert.deepEqual([dials(), webSocket().sent], [1, ["40"]]);
    webSocket().receives('40{"sid":"S1"}');
    socket.connect();
    socket.io.socket("/");
    assert.deepEqual([dials(), webSocket().sent], [1, ["40"]]);
  });

  test("is not reopened by manager.socket() when all attempts failed, but by connect()", () => {
    const socket = dial({ reconnectionAttempts: 0 });
    webSocket().onerror({});
    socket.io.socket("/");
    assert.deepEqual([socket.active, dials()], [true, 1]);
    socket.connect();
    assert.equal(dials(), 2);
  });

  test("is not opened earlier than its manager waits", () => {
    const socket = connectOverWebSocket();
    lost();
    socket.connect();
    socket.io.socket("/");
    assert.equal(dials(), 1);
    mock.timers.tick(1000);
    assert.equal(dials(), 2);
  });

  test("is opened by manager.socket() once it has left", () => {
    const socket = connectOverWebSocket();
    socket.disconnect();
    assert.equal(socket.io.socket("/"), socket);
    assert.deepEqual([socket.active, dials()], [true, 2]);
  });
});
