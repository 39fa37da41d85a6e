// What an engine tells a page, as the official one does.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  answer, bytes, connectOverPolling, connectOverWebSocket, gets, io, listen, open, posts, settle, webSocket,
} from "./fakes.mjs";

const dial = (options) => io("http://server/", { forceNew: true, transports: ["websocket"], recovery: false, ...options });

describe("an engine", () => {
  test("tells each packet that comes and goes", () => {
    const socket = connectOverWebSocket();
    const heard = listen(socket.io.engine, "packet", "packetCreate", "heartbeat", "data", "message", "ping", "pong");
    webSocket().receives("2", '42["news"]', bytes(1).buffer.slice(0, 0), "6");
    const create = (type, data) => ["packetCreate", { type, data, options: { compress: true } }];
    assert.deepEqual(heard.slice(0, 8), [
      ["packet", { type: "ping", data: "" }], ["heartbeat"], create("pong", undefined), ["ping"], ["pong"],
      ["packet", { type: "message", data: '2["news"]' }], ["heartbeat"], ["data", '2["news"]'],
    ]);
  });

  test("is told of compress(), for one event", () => {
    const socket = connectOverWebSocket();
    const heard = listen(socket.io.engine, "packetCreate");
    socket.compress(false).emit("a", bytes(1));
    socket.compress(true).emit("b");
    socket.emit("c");
    socket.compress(false).volatile.timeout(5).emit("d");
    const flags = heard.map(([, { options }]) => options.compress);
    assert.deepEqual(flags, [false, false, true, true, false]);
  });

  test("keeps compress() with what waits for the connection", () => {
    const socket = dial();
    socket.compress(false).emit("a");
    const heard = listen(socket.io.engine, "packetCreate");
    webSocket().receives(open(), '40{"sid":"S1"}');
    assert.deepEqual(heard.map(([, { data, options }]) => [data, options.compress]), [["0", true], ['2["a"]', false]]);
  });

  test("tells that all is gone out over WebSocket", async () => {
    const { io: { engine } } = connectOverWebSocket();
    const heard = listen(engine, "flush", "drain");
    const calls = [];
    engine.send("text", {}, () => calls.push("sent"));
    assert.equal(engine.write(bytes(1)), engine);
    assert.deepEqual([webSocket().sent, calls, heard], [["4text", bytes(1)], ["sent"], [["flush"], ["flush"]]]);
    await settle();
    assert.deepEqual(heard.at(-1), ["drain"]);
    assert.deepEqual(engine.writeBuffer, []);
  });

  test("tells that all is gone out over polling, when it is", async () => {
    const socket = await connectOverPolling();
    const { engine } = socket.io;
    const heard = listen(engine, "drain");
    socket.emit("a");
    await settle();
    socket.emit("b");
    assert.deepEqual(engine.writeBuffer.map(({ type, data }) => [type, data]), [["message", '2["b"]']]);
    await answer(posts().at(-1), "ok");
    assert.deepEqual(heard, []);
    await answer(posts().at(-1), "ok");
    assert.deepEqual(heard, [["drain"]]);
  });

  test("keeps what it is told before it is open", () => {
    const { io: { engine } } = dial();
    engine.send("early");
    assert.deepEqual([engine.writeBuffer.length, webSocket().sent], [1, []]);
    webSocket().receives(open());
    assert.deepEqual(webSocket().sent, ["40", "4early"].reverse());
  });

  test("sends nothing once it is closed", () => {
    const socket = connectOverWebSocket();
    const { engine } = socket.io;
    const heard = listen(engine, "packetCreate");
    assert.equal(engine.close(), engine);
    engine.send("late");
    assert.deepEqual([heard, webSocket().sent], [[], []]);
  });

  test("that is closed by a listener of its first packet stays closed", () => {
    const socket = dial({ reconnection: false });
    socket.io.engine.on("packet", () => socket.io.engine.close());
    webSocket().receives(open());
    assert.equal(socket.io.engine.readyState, "closed");
  });

  test("tells of its handshake, of the upgrade and of what is wrong", async () => {
    const socket = io("http://server/", { forceNew: true, reconnection: false });
    const heard = listen(socket.io.engine, "handshake", "open", "upgrading", "upgrade", "upgradeError", "error", "close");
    await answer(gets()[0], open({ upgrades: ["websocket"] }));
    webSocket().opens();
    webSocket().receives("3probe");
    assert.equal(socket.io.engine.upgrading, true);
    await answer(gets()[1], "6");
    await answer(posts().at(-1), "ok");
    assert.equal(socket.io.engine.upgrading, false);
    webSocket().onerror({});
    assert.deepEqual(heard.map(([event, first]) => [event, first?.sid ?? first?.name ?? first]), [
      ["handshake", "E1"], ["open", undefined], ["upgrading", "websocket"], ["upgrade", "websocket"],
      ["error", "Error"], ["close", "transport error"],
    ]);
  });

  for (const [name, fail] of Object.entries({ error: (ws) => ws.onerror({}), answer: (ws) => ws.receives("3other") })) {
    test(`tells that its upgrade failed by its ${name}`, async () => {
      const socket = await connectOverPolling({}, { upgrades: ["websocket"] });
      const heard = listen(socket.io.engine, "upgradeError", "error", "close");
      webSocket().opens();
      fail(webSocket());
      assert.deepEqual(heard.map(([event, error]) => [event, error.message]), [["upgradeError", "probe error"]]);
      assert.equal(socket.connected, true);
    });
  }
});

test("a packet is told to the manager, whatever its namespace", () => {
  const socket = connectOverWebSocket();
  const heard = listen(socket.io, "packet");
  webSocket().receives('42["news",1]', '43/other,7["x"]');
  assert.deepEqual(heard, [
    ["packet", { type: 2, nsp: "/", id: undefined, data: ["news", 1] }],
    ["packet", { type: 3, nsp: "/other", id: 7, data: ["x"] }],
  ]);
});
