// What a page tells the client: that the network seems gone, that it is back, that the page is left.

import assert from "node:assert/strict";
import { beforeEach, afterEach, describe, mock, test } from "node:test";
import { answer, connectOverPolling, connectOverWebSocket, FakeWebSocket, gets, io, listen, open, settle, webSocket }
  from "./fakes.mjs";

class Page extends EventTarget {
  count = 0;

  addEventListener(...args) {
    this.count++;
    super.addEventListener(...args);
  }

  removeEventListener(...args) {
    this.count--;
    super.removeEventListener(...args);
  }

  tells(type) {
    this.dispatchEvent(new Event(type));
  }
}

let page;
const ONE = 3; // listeners of a connection

beforeEach(() => {
  page = new Page();
  for (const name of ["addEventListener", "removeEventListener"]) globalThis[name] = page[name].bind(page);
});

afterEach(() => {
  for (const name of ["addEventListener", "removeEventListener"]) delete globalThis[name];
});

const lost = () => webSocket().onclose({});
const dials = () => FakeWebSocket.all.length;

describe("offline", () => {
  test("ends no connection to localhost", () => {
    for (const url of ["http://localhost/", "http://localhost:3000/", "https://localhost/"]) {
      const socket = connectOverWebSocket({}, url);
      page.tells("offline");
      assert.equal(socket.connected, true);
      socket.emit("still here");
      assert.deepEqual(webSocket().sent, ['42["still here"]']);
      socket.disconnect();
    }
  });

  test("has any other connection made again, at once", () => {
    const socket = connectOverWebSocket();
    const heard = listen(socket, "disconnect", "connect");
    page.tells("offline");
    assert.deepEqual(heard.map(([event, reason]) => [event, reason]), [["disconnect", "transport close"]]);
    socket.emit("kept");
    assert.equal(dials(), 2);
    webSocket().receives(open(), '40{"sid":"S2"}');
    assert.deepEqual(webSocket().sent.slice(1), ['42["kept"]']);
    assert.deepEqual(heard.at(-1), ["connect"]);
    mock.timers.tick(400);
    assert.equal(dials(), 2);
  });

  test("does not end the trying, however long it lasts", () => {
    const socket = connectOverWebSocket();
    page.tells("offline");
    for (let attempt = 2; attempt < 50; attempt++) {
      assert.equal(dials(), attempt);
      webSocket().onerror({});
      page.tells("offline");
      mock.timers.tick(5000);
    }
    webSocket().receives(open(), '40{"sid":"S2"}');
    assert.equal(socket.connected, true);
  });

  test("does not disturb a connection that is being made, nor the waiting for one", () => {
    const socket = io("http://server/", { forceNew: true, transports: ["websocket"] });
    const heard = listen(socket, "connect_error", "connect");
    page.tells("offline");
    webSocket().receives(open(), '40{"sid":"S1"}');
    assert.deepEqual(heard, [["connect"]]);
    lost();
    page.tells("offline");
    mock.timers.tick(999);
    assert.equal(dials(), 1);
    mock.timers.tick(1);
    assert.equal(dials(), 2);
  });

  test("ends no connection that would not be made again", () => {
    for (const options of [{ reconnection: false }, { reconnectionAttempts: 0 }]) {
      const socket = connectOverWebSocket(options);
      page.tells("offline");
      assert.equal(socket.connected, true);
    }
  });

  test("has one connection made, when a listener connects by itself", () => {
    const socket = connectOverWebSocket();
    socket.on("disconnect", () => socket.connect());
    page.tells("offline");
    mock.timers.tick(10_000);
    assert.equal(dials(), 2);
  });

  test("has a connection that polls made again, too", async () => {
    const socket = await connectOverPolling();
    page.tells("offline");
    await answer(gets().at(-1), open({ sid: "E2" }));
    await answer(gets().at(-1), '40{"sid":"S2"}');
    assert.deepEqual([socket.connected, socket.id], [true, "S2"]);
  });
});

describe("online", () => {
  test("ends the waiting", () => {
    connectOverWebSocket();
    lost();
    page.tells("online");
    assert.equal(dials(), 2);
    mock.timers.tick(10_000);
    assert.equal(dials(), 2);
  });

  test("changes nothing for a connection, nor for a socket that has left or was sent away", () => {
    const socket = connectOverWebSocket();
    page.tells("online");
    assert.equal(socket.connected, true);
    webSocket().receives("41");
    page.tells("online");
    connectOverWebSocket().disconnect();
    page.tells("online");
    assert.equal(dials(), 2);
  });
});

describe("the page's listeners", () => {
  const left = () => page.count;

  const ENDS = {
    "disconnect()": (socket) => socket.disconnect(),
    "disconnect() while waiting": (socket) => {
      lost();
      socket.disconnect();
    },
    "being sent away": () => webSocket().receives("41"),
    "a loss without reconnection": (socket) => {
      socket.io.opts.reconnection = false;
      lost();
    },
    "engine.close() without reconnection": (socket) => {
      socket.io.opts.reconnection = false;
      socket.io.engine.close();
    },
    "a parse error without reconnection": (socket) => {
      socket.io.opts.reconnection = false;
      webSocket().receives("");
    },
    "the last attempt": (socket) => {
      socket.io.opts.reconnectionAttempts = 1;
      lost();
      mock.timers.tick(1000);
      webSocket().onerror({});
    },
    "reconnection turned off while waiting": (socket) => {
      lost();
      socket.io.opts.reconnection = false;
      mock.timers.tick(1000);
    },
    "disconnect() by a listener of reconnect_attempt": (socket) => {
      socket.io.on("reconnect_attempt", () => socket.disconnect());
      lost();
      mock.timers.tick(1000);
    },
    "a refusal": (socket) => {
      lost();
      mock.timers.tick(1000);
      webSocket().receives(open(), '44{"message":"no"}');
    },
    "disconnect() before there is a connection": (socket) => {
      lost();
      mock.timers.tick(1000);
      socket.disconnect();
    },
  };
  for (const [name, end] of Object.entries(ENDS)) {
    test(`are gone after ${name}, and come back with connect()`, () => {
      const socket = connectOverWebSocket();
      assert.equal(left(), ONE);
      end(socket);
      assert.equal(left(), 0);
      if (name.endsWith("reconnect_attempt")) return;
      socket.connect();
      assert.equal(left(), ONE);
      socket.disconnect();
      assert.equal(left(), 0);
    });
  }

  test("are gone after a hundred connections", () => {
    const sockets = Array.from({ length: 100 }, () => connectOverWebSocket());
    assert.equal(left(), 100 * ONE);
    for (const socket of sockets) socket.disconnect();
    assert.equal(left(), 0);
  });

  test("are gone after polling", async () => {
    const socket = await connectOverPolling();
    socket.disconnect();
    await settle();
    assert.equal(left(), 0);
  });

  test("are no more after a hundred losses, and stay while the client waits", () => {
    connectOverWebSocket();
    for (let i = 0; i < 100; i++) {
      lost();
      assert.equal(left(), ONE);
      mock.timers.tick(1000);
      webSocket().receives(open(), '40{"sid":"S2"}');
    }
    assert.equal(left(), ONE);
  });

  test("are none while nothing is connected", () => {
    io("http://server/", { forceNew: true, autoConnect: false });
    assert.equal(left(), 0);
  });

  test("are one connection's for all its namespaces", () => {
    const socket = connectOverWebSocket();
    const other = socket.io.socket("/other");
    assert.equal(left(), ONE);
    socket.disconnect();
    assert.equal(left(), ONE);
    other.disconnect();
    assert.equal(left(), 0);
  });
});

test("an event that nobody listens to is not remembered", () => {
  const socket = connectOverWebSocket();
  const size = () => Reflect.ownKeys(socket._listeners).length;
  const before = size();
  for (let i = 0; i < 1000; i++) webSocket().receives(`42["event ${i}"]`);
  socket.on("once", () => {}).off("once");
  socket.once("twice", () => {});
  webSocket().receives('42["twice"]');
  assert.equal(size(), before);
});

test("a page that is left says so over polling", async () => {
  const beacons = [];
  Object.defineProperty(globalThis, "navigator", {
    value: { sendBeacon: (url, body) => beacons.push([url, body]) },
    configurable: true,
  });
  await connectOverPolling();
  page.tells("pagehide");
  assert.deepEqual(beacons, [["http://server/socket.io/?EIO=4&transport=polling&sid=E1", "1"]]);
  delete globalThis.navigator;
});
