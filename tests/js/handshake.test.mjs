// What is asked of the server first, what it may answer, and what it must not send.

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import {
  answer, bytes, connectOverPolling, connectOverWebSocket, gets, io, listen, messages, open, posts, settle, webSocket,
} from "./fakes.mjs";

const dial = (options) => io("http://server/", { forceNew: true, transports: ["websocket"], recovery: false, ...options });

describe("CONNECT", () => {
  const sent = (options) => {
    dial(options);
    webSocket().receives(open());
    return webSocket().sent;
  };
  const TABLE = [
    [{}, "40"],
    [{ auth: undefined }, "40"],
    [{ auth: null }, "40"],
    [{ auth: {} }, "40{}"],
    [{ auth: { a: 1 } }, '40{"a":1}'],
    [{ auth: (send) => send() }, "40"],
    [{ auth: (send) => send({ a: 1 }) }, '40{"a":1}'],
    [{ auth: { a: bytes(1) } }, '40{"a":{"0":1}}'],
    [{ recovery: true }, '40{"recovery":true}'],
    [{ recovery: true, auth: { recovery: false } }, '40{"recovery":false}'],
  ];
  for (const [options, packet] of TABLE) {
    test(`${packet} of ${JSON.stringify(options)}`, () => assert.deepEqual(sent(options), [packet]));
  }

  for (const packet of ["40", "40{}", "40null", "40[]", '40"x"', "400", "40false", '40{"sid":""}']) {
    test(`${packet}, which no server of today sends, is a connect_error`, () => {
      const socket = dial();
      const heard = listen(socket, "connect_error", "connect", "disconnect");
      webSocket().receives(open(), packet);
      assert.deepEqual(messages(heard), [["connect_error", "no sid: the server speaks Socket.IO 2"]]);
      assert.deepEqual([socket.connected, socket.active], [false, false]);
    });
  }

  const REFUSALS = [
    ['44{"message":"no","data":{"code":7}}', "no", { code: 7 }],
    ['44{"message":"no"}', "no", undefined],
    ['44"Invalid namespace"', "Invalid namespace", undefined],
    ["44", "", undefined],
    ["44null", "null", undefined],
  ];
  for (const [packet, message, data] of REFUSALS) {
    test(`refused by ${packet}`, () => {
      const socket = dial();
      const heard = listen(socket, "connect_error");
      webSocket().receives(open(), packet);
      assert.deepEqual(heard.map(([, error]) => [error.message, error.data]), [[message, data]]);
      assert.equal(socket.active, false);
    });
  }
});

describe("what cannot be read closes the connection:", () => {
  const BROKEN = ["43", "431{}", '431"abc"', "42null", '42{"length":1}', "4", "9", "", "b%%%", "42[", "47[]"];

  for (const packet of BROKEN) {
    test(`${JSON.stringify(packet)} over WebSocket`, () => {
      const heard = listen(connectOverWebSocket(), "disconnect");
      webSocket().receives(packet);
      assert.deepEqual(heard.map(([, reason]) => reason), ["parse error"]);
      assert.equal(webSocket().isClosed, true);
    });

    test(`${JSON.stringify(packet)} over polling`, async () => {
      const socket = await connectOverPolling();
      const heard = listen(socket, "disconnect", "news");
      await answer(gets().at(-1), packet || "\x1e", '42["news"]');
      assert.deepEqual(heard.map(([event, reason]) => [event, reason]), [["disconnect", "parse error"]]);
      assert.equal(posts().at(-1).body, "1");
      await answer(posts().at(-1), "ok");
      assert.equal(gets().at(-1).signal.aborted, true);
    });
  }

  for (const packet of ["2", "40", "0", "0{", "0null", "6", '42["news"]']) {
    test(`${packet} instead of the handshake`, () => {
      for (const transports of [["websocket"], ["websocket", "polling"]]) {
        const socket = dial({ transports });
        const heard = listen(socket, "connect_error", "connect", "disconnect");
        webSocket().receives(packet);
        assert.deepEqual(heard.map(([event, error]) => [event, error instanceof Error]), [["connect_error", true]]);
        assert.deepEqual([socket.io.engine.readyState, webSocket().isClosed], ["closed", true]);
        socket.disconnect();
      }
    });
  }

  test("a Blob that cannot be read ends a connection that polls", async () => {
    const socket = await connectOverPolling();
    const heard = listen(socket, "disconnect");
    const blob = new Blob(["gone"]);
    mock.method(Blob.prototype, "arrayBuffer", () => Promise.reject(new Error("the file is gone")));
    socket.emit("file", blob);
    await settle();
    assert.deepEqual(heard.map(([, reason, error]) => [reason, error.description.message]), [["transport error", "the file is gone"]]);
  });
});
