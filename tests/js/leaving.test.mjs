// Leaving before an answer, servers of another version, and what an engine tells.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connectOverWebSocket, io, listen, open, settle, webSocket } from "./fakes.mjs";

describe("leaving before the answer", () => {
  const two = () => {
    const main = connectOverWebSocket();
    return [main, main.io.socket("/b", { recovery: false })];
  };

  test("is told when the answer comes", () => {
    const [, other] = two();
    other.disconnect();
    assert.deepEqual(webSocket().sent, ["40/b,"]);
    webSocket().receives('40/b,{"sid":"S2"}');
    assert.deepEqual(webSocket().sent, ["40/b,", "41/b,"]);
    assert.equal(other.connected, false);
  });

  test("and connecting again asks once", () => {
    const [, other] = two();
    other.disconnect();
    other.connect();
    assert.deepEqual(webSocket().sent, ["40/b,"]);
    webSocket().receives('40/b,{"sid":"S2"}');
    assert.equal(other.connected, true);
    other.disconnect();
    other.connect();
    assert.deepEqual(webSocket().sent, ["40/b,", "41/b,", "40/b,"]);
  });

  test("a refusal needs no word", () => {
    const [, other] = two();
    other.disconnect();
    webSocket().receives('44/b,{"message":"no"}');
    assert.deepEqual(webSocket().sent, ["40/b,"]);
  });
});

describe("a server of Socket.IO 2", () => {
  for (const packet of ["40", "40{}", '40{"pid":"P"}']) {
    test(`is named in connect_error for ${packet}`, () => {
      const socket = io("http://server", { forceNew: true, transports: ["websocket"] });
      const heard = listen(socket, "connect_error", "connect");
      webSocket().receives(open(), packet);
      assert.equal(heard.length, 1);
      assert.match(heard[0][1].message, /Socket\.IO 2/);
    });
  }
});

describe("the engine tells", () => {
  test("of each packet, and when what was sent is gone", async () => {
    const socket = connectOverWebSocket();
    const { engine } = socket.io;
    const heard = [];
    engine.on("packet", ({ type, data }) => heard.push([type, data]));
    engine.on("drain", () => heard.push("drain"));
    webSocket().receives("2", '42["said"]');
    socket.emit("a");
    socket.emit("b");
    await settle();
    assert.deepEqual(heard, [["ping", ""], ["message", '2["said"]'], "drain"]);
  });

  test("that what cannot be decoded closes it", () => {
    for (const packet of ["x", '42["a"', "bé", '42[]extra', "49"]) {
      const socket = connectOverWebSocket();
      const heard = listen(socket, "disconnect");
      webSocket().receives(packet);
      assert.equal(heard[0]?.[1], "parse error", packet);
      socket.disconnect();
    }
  });

  test("subprotocols are passed on", () => {
    const given = [];
    const { WebSocket } = globalThis;
    globalThis.WebSocket = class extends WebSocket {
      constructor(url, protocols) {
        super(url);
        given.push(protocols);
      }
    };
    io("http://server", { forceNew: true, transports: ["websocket"], protocols: ["a", "b"] });
    io("http://server", { forceNew: true, transports: ["websocket"] });
    globalThis.WebSocket = WebSocket;
    assert.deepEqual(given, [["a", "b"], []]);
  });
});
