// A computer that slept: the connection is dead, and the timer that would say so has not run yet.

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import {
  answer, connectOverPolling, connectOverWebSocket, FakeWebSocket, gets, listen, open, posts, settle, sleep, webSocket,
} from "./fakes.mjs";

const NIGHT = 8 * 3600 * 1000;
const LIMIT = 500; // ms: pingInterval + pingTimeout of the fakes

/** Come back, after the first delay; what the client then sends, without its CONNECT. */
async function back(...packets) {
  await settle();
  mock.timers.tick(1000);
  webSocket().receives(open(), '40{"sid":"S2"}', ...packets);
  return webSocket().sent.slice(1);
}

describe("what is said right after waking", () => {
  test("is sent over the next connection, in order", async () => {
    const socket = connectOverWebSocket();
    const dead = webSocket();
    const heard = listen(socket, "disconnect", "connect");
    sleep(NIGHT);
    socket.emit("a", 1).send("b");
    socket.emit("c", Uint8Array.of(1));
    await settle();
    assert.deepEqual(dead.sent, []);
    assert.deepEqual(heard.map(([event, reason]) => [event, reason]), [["disconnect", "ping timeout"]]);
    assert.equal(dead.isClosed, true);
    const said = ['42["a",1]', '42["message","b"]', '451-["c",{"_placeholder":true,"num":0}]', Uint8Array.of(1)];
    assert.deepEqual(await back(), said);
    assert.deepEqual(heard.at(-1), ["connect"]);
  });

  test("is sent over the next connection when it polls", async () => {
    const socket = await connectOverPolling();
    sleep(NIGHT);
    socket.emit("a");
    await settle();
    assert.deepEqual(posts().slice(1).map(({ body }) => body), ["1"]);
    mock.timers.tick(1000);
    await answer(gets().at(-1), open({ sid: "E2" }));
    await answer(gets().at(-1), '40{"sid":"S2"}');
    await answer(posts().at(-1), "ok");
    assert.equal(posts().at(-1).body, '42["a"]');
  });

  test("is kept while the computer upgraded half", async () => {
    const socket = await connectOverPolling({}, { upgrades: ["websocket"] });
    webSocket().opens();
    webSocket().receives("3probe");
    sleep(NIGHT);
    socket.emit("a");
    await settle();
    assert.deepEqual([socket.connected, socket.sendBuffer.length], [false, 1]);
    assert.equal(posts().some(({ body }) => body.includes('["a"]')), false);
  });

  test("is dropped when it is volatile, and its answer fails", async () => {
    const socket = connectOverWebSocket();
    const dead = webSocket();
    const replies = [];
    sleep(NIGHT);
    socket.volatile.emit("a");
    socket.volatile.timeout(60_000).emit("b", (error) => replies.push(error.message));
    assert.deepEqual(await back(), []);
    assert.deepEqual(dead.sent, []);
    assert.deepEqual(replies, ["socket has been disconnected"]);
  });

  test("is answered over the next connection; what was said before fails", async () => {
    const socket = connectOverWebSocket();
    const replies = [];
    const before = socket.emitWithAck("before").catch(({ message }) => replies.push(message));
    sleep(NIGHT);
    socket.emit("plain", (value) => replies.push(value));
    socket.timeout(60_000).emit("timed", (error, value) => replies.push(error, value));
    const promised = socket.emitWithAck("promised").then((value) => replies.push(value));
    assert.deepEqual(await back(), ['421["plain"]', '422["timed"]', '423["promised"]']);
    webSocket().receives('431["one"]', '432["two"]', '433["three"]');
    await Promise.all([before, promised]);
    assert.deepEqual(replies, ["socket has been disconnected", "one", null, "two", "three"]);
  });

  test("whose time is over before the next connection is not sent", async () => {
    const socket = connectOverWebSocket();
    const replies = [];
    sleep(NIGHT);
    socket.timeout(900).emit("a", (error) => replies.push(error.message));
    socket.emit("b");
    assert.deepEqual(await back(), ['42["b"]']);
    assert.deepEqual(replies, ["operation has timed out"]);
  });

  test("is kept for every namespace", async () => {
    const socket = connectOverWebSocket();
    const other = socket.io.socket("/other", { recovery: false });
    webSocket().receives('40/other,{"sid":"O1"}');
    webSocket().sent.length = 0;
    sleep(NIGHT);
    other.emit("a");
    socket.emit("b");
    await settle();
    assert.deepEqual([socket.connected, other.connected, webSocket().sent], [false, false, []]);
    const sent = await back('40/other,{"sid":"O2"}');
    assert.deepEqual(sent.slice(-2), ['42["b"]', '42/other,["a"]']);
  });

  test("closes the connection once, whatever the overdue timer does", async () => {
    const socket = connectOverWebSocket();
    const heard = listen(socket, "disconnect");
    sleep(NIGHT);
    socket.emit("a").emit("b");
    mock.timers.tick(1);
    await settle();
    assert.equal(heard.length, 1);
    assert.deepEqual(await back(), ['42["a"]', '42["b"]']);
  });

  test("is kept without reconnection, until connect()", async () => {
    const socket = connectOverWebSocket({ reconnection: false });
    sleep(NIGHT);
    socket.emit("a");
    await settle();
    assert.deepEqual([socket.connected, FakeWebSocket.all.length], [false, 1]);
    socket.connect();
    webSocket().receives(open(), '40{"sid":"S2"}');
    assert.deepEqual(webSocket().sent.slice(1), ['42["a"]']);
  });
});

describe("a connection that is not overdue", () => {
  test("carries what is said until its time is over", () => {
    const socket = connectOverWebSocket();
    sleep(LIMIT);
    socket.emit("in time");
    sleep(1);
    socket.emit("too late");
    assert.deepEqual(webSocket().sent, ['42["in time"]']);
  });

  test("has its time from the last ping", () => {
    const socket = connectOverWebSocket();
    sleep(LIMIT - 1);
    webSocket().receives("2");
    sleep(LIMIT - 1);
    socket.emit("in time");
    assert.deepEqual(webSocket().sent, ["3", '42["in time"]']);
  });

  test("is kept through a short sleep with throttled timers", async () => {
    const socket = connectOverWebSocket();
    for (let i = 0; i < 3; i++) {
      sleep(LIMIT - 1);
      webSocket().receives("2");
      mock.timers.tick(1);
    }
    await settle();
    assert.equal(socket.connected, true);
  });
});
