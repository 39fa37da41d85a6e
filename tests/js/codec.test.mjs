// Our client without a server: every byte it writes, every delay it waits, over a fake WebSocket,
// a fake fetch and a fake clock.

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import {
  answer, bytes, connectOverPolling, connectOverWebSocket, FakeWebSocket, forget, gets, io, listen, messages, open, posts,
  settle, webSocket,
} from "./fakes.mjs";

// ---- Words

describe("what is emitted", () => {
  const TABLE = [
    [["hello"], ['42["hello"]']],
    [["é 🙂", 1, null, { a: [true] }], ['42["é 🙂",1,null,{"a":[true]}]']],
    [[7, "numeric name"], ['42[7,"numeric name"]']],
    [["ask", () => {}], ['420["ask"]']],
    [["file", bytes(1, 2)], ['451-["file",{"_placeholder":true,"num":0}]', bytes(1, 2)]],
    [
      ["ask", { a: bytes(1).buffer, b: [bytes(2)] }, () => {}],
      ['452-0["ask",{"a":{"_placeholder":true,"num":0},"b":[{"_placeholder":true,"num":1}]}]', bytes(1).buffer, bytes(2)],
    ],
    [["buffer", Buffer.from([3])], ['451-["buffer",{"_placeholder":true,"num":0}]', Buffer.from([3])]],
  ];
  for (const [args, packets] of TABLE) {
    test(packets[0], () => {
      connectOverWebSocket().emit(...args);
      assert.deepEqual(webSocket().sent, packets);
    });
  }

  test("in a namespace", () => {
    connectOverWebSocket({}, "http://server/custom").emit("ask", bytes(1), () => {});
    assert.equal(webSocket().sent[0], '451-/custom,0["ask",{"_placeholder":true,"num":0}]');
  });

  test("send() is the event message", () => {
    connectOverWebSocket().send("a", 1);
    assert.deepEqual(webSocket().sent, ['42["message","a",1]']);
  });

  test("what JSON cannot carry throws, and nothing leaves", () => {
    const socket = connectOverWebSocket();
    assert.throws(() => socket.emit("big", 1n), TypeError);
    assert.deepEqual(webSocket().sent, []);
  });
});

describe("what is received", () => {
  const TABLE = [
    ["an event", ['42["news",1,{"a":null}]'], ["news", 1, { a: null }]],
    ["a text that looks like more", ['42["news","2-/x,3[\\u001e"]'], ["news", "2-/x,3[\x1e"]],
    ["an attachment", ['451-["news",{"_placeholder":true,"num":0}]', bytes(1).buffer], ["news", bytes(1).buffer]],
    [
      "attachments, nested and reordered",
      ['452-["news",[{"_placeholder":true,"num":1}],{"_placeholder":true,"num":0}]', bytes(1).buffer, bytes(2).buffer],
      ["news", [bytes(2).buffer], bytes(1).buffer],
    ],
    ["a placeholder where none is meant", ['42["news",{"_placeholder":true,"num":0}]'], ["news", { _placeholder: true, num: 0 }]],
  ];
  for (const [name, packets, expected] of TABLE) {
    test(name, () => {
      const heard = listen(connectOverWebSocket(), "news");
      webSocket().receives(...packets);
      assert.deepEqual(heard, [expected]);
    });
  }

  const BROKEN = {
    "an empty packet": [""],
    "an unknown packet type": ["7"],
    "an unknown message type": ["47"],
    "no JSON": ['42["news"'],
    "an event without an array": ['42{"a":1}'],
    "an empty message": ["42"],
    "a reserved event name": ['42["disconnect"]'],
    "text while an attachment is pending": ['451-["news",{"_placeholder":true,"num":0}]', '42["news"]'],
    "binary when none is pending": [bytes(1).buffer],
    "a placeholder out of range": ['451-["news",{"_placeholder":true,"num":1}]', bytes(1).buffer],
    "a placeholder that is no number": ['451-["news",{"_placeholder":true,"num":"length"}]', bytes(1).buffer],
  };
  for (const [name, packets] of Object.entries(BROKEN)) {
    test(`${name} is a parse error`, () => {
      const socket = connectOverWebSocket();
      const heard = listen(socket, "disconnect", "news");
      webSocket().receives(...packets);
      assert.deepEqual(heard.map(([event, reason]) => [event, reason]), [["disconnect", "parse error"]]);
      assert.equal(webSocket().isClosed, true);
    });
  }

  test("pongs, noops and messages of unknown namespaces are ignored", () => {
    const socket = connectOverWebSocket();
    webSocket().receives("6", "3", '42/nowhere,["news"]', '43999["late"]');
    assert.equal(socket.connected, true);
  });

  test("the server's question is answered once, to the session that asked", () => {
    const socket = connectOverWebSocket();
    let answer;
    socket.on("ask", (reply) => (answer = reply));
    webSocket().receives('425["ask"]', '426["ask"]');
    answer("yes", bytes(1));
    answer("again");
    assert.deepEqual(webSocket().sent, ['461-6["yes",{"_placeholder":true,"num":0}]', bytes(1)]);
  });

  test("a question of a session that is over gets no answer", () => {
    const socket = connectOverWebSocket();
    const answers = [];
    socket.on("ask", (reply) => answers.push(reply));
    webSocket().receives('425["ask"]', '426["ask"]');
    webSocket().onclose({});
    answers[0]("while away");
    mock.timers.tick(1000);
    webSocket().receives(open(), '40{"sid":"S2"}');
    answers[1]("too late");
    assert.deepEqual(webSocket().sent, ["40"]);
  });
});

// ---- The connection

describe("the URL", () => {
  const TABLE = [
    ["http://server:3000", {}, "ws://server:3000/socket.io/?EIO=4&transport=websocket"],
    ["https://server/custom?x=1", {}, "wss://server/socket.io/?x=1&EIO=4&transport=websocket"],
    ["ws://server", { path: "/live" }, "ws://server/live/?EIO=4&transport=websocket"],
    ["http://server", { query: { token: "a b" } }, "ws://server/socket.io/?token=a+b&EIO=4&transport=websocket"],
  ];
  for (const [url, options, expected] of TABLE) {
    test(expected, () => {
      io(url, { forceNew: true, transports: ["websocket"], ...options });
      assert.equal(webSocket().url, expected);
    });
  }

  test("polling names the session once there is one, and is never cached", async () => {
    io("http://server", { forceNew: true, extraHeaders: { "x-who": "me" }, withCredentials: true });
    await answer(gets()[0], open());
    assert.equal(gets()[0].url.search, "?EIO=4&transport=polling");
    assert.equal(gets()[1].url.search, "?EIO=4&transport=polling&sid=E1");
    assert.deepEqual(gets()[1].options, { headers: { "x-who": "me" }, cache: "no-store", credentials: "include" });
  });
});

describe("CONNECT", () => {
  const connect = (options) => {
    io("http://server", { forceNew: true, transports: ["websocket"], ...options });
    webSocket().receives(open());
    return webSocket().sent[0];
  };

  test("asks for recovery", () => assert.equal(connect({}), '40{"recovery":true}'));
  test("does not when told not to", () => assert.equal(connect({ recovery: false }), "40"));
  test("carries auth", () => assert.equal(connect({ auth: { token: 1 } }), '40{"recovery":true,"token":1}'));
  test("carries what an auth function says", () =>
    assert.equal(connect({ recovery: false, auth: (send) => send({ token: 2 }) }), '40{"token":2}'));

  test("an auth function that outlives its connection says nothing to the next", () => {
    const late = [];
    io("http://server", { forceNew: true, transports: ["websocket"], auth: (send) => late.push(send) });
    webSocket().receives(open());
    webSocket().onclose({});
    mock.timers.tick(1000);
    webSocket().receives(open());
    late[0]({ from: "before" });
    assert.deepEqual(webSocket().sent, []);
    late[1]({ from: "now" });
    assert.deepEqual(webSocket().sent, ['40{"recovery":true,"from":"now"}']);
  });

  test("comes back with pid and offset, and what was missed arrives before connect", () => {
    const socket = connectOverWebSocket({ recovery: true });
    webSocket().onclose({});
    mock.timers.tick(1000);
    webSocket().receives(open(), '40{"sid":"S1","pid":"P1"}', '42["news",1,"offset 1"]', '42["news",2,"offset 2"]');
    webSocket().onclose({});
    mock.timers.tick(1000);
    const heard = listen(socket, "news", "connect");
    webSocket().receives(open());
    assert.deepEqual(webSocket().sent, ['40{"recovery":true,"pid":"P1","offset":"offset 2"}']);
    webSocket().receives('42["news",3,"offset 3"]', '40{"sid":"S1","pid":"P1"}');
    assert.deepEqual(heard, [["news", 3, "offset 3"], ["connect"]]);
    assert.equal(socket.recovered, true);
    for (let i = 0; i < 2; i++) {
      webSocket().onclose({});
      mock.timers.tick(1000);
      webSocket().receives(open(), '40{"sid":"S1","pid":"P1"}');
      assert.deepEqual(webSocket().sent, ['40{"recovery":true,"pid":"P1","offset":"offset 3"}']);
    }
  });

  test("an auth function that outlives its socket says nothing", () => {
    const late = [];
    const options = { transports: ["websocket"], auth: (send) => late.push(send) };
    const socket = io("http://server", { forceNew: true, ...options });
    socket.io.socket("/custom", { recovery: false });
    webSocket().receives(open());
    socket.disconnect();
    late[0]({});
    assert.deepEqual(webSocket().sent, ["40/custom,"]);
  });

  test("a new session begins with no offset", () => {
    const socket = connectOverWebSocket({ recovery: true });
    webSocket().receives('41');
    socket.connect();
    webSocket().receives(open(), '40{"sid":"S1","pid":"P1"}', '42["news","offset 1"]');
    webSocket().onclose({});
    mock.timers.tick(1000);
    webSocket().receives(open(), '40{"sid":"S2","pid":"P2"}');
    assert.equal(socket.recovered, false);
    webSocket().onclose({});
    mock.timers.tick(1000);
    webSocket().receives(open());
    assert.deepEqual(webSocket().sent, ['40{"recovery":true,"pid":"P2"}']);
  });
});

describe("polling", () => {
  test("one POST at a time; what is said in one go shares it", async () => {
    const socket = await connectOverPolling();
    socket.emit("a").emit("b");
    await settle();
    socket.emit("c");
    await settle();
    assert.deepEqual(posts().slice(1).map(({ body }) => body), ['42["a"]\x1e42["b"]']);
    await answer(posts()[1], "ok");
    assert.deepEqual(posts()[2].body, '42["c"]');
  });

  test("a payload is no longer than maxPayload, in bytes", async () => {
    const socket = await connectOverPolling({}, { maxPayload: 30 });
    for (const word of ["éééé", "éééé", "éé", "x".repeat(60), "y"]) socket.emit(word); // 14, 14, 10, 66, 7 bytes
    await settle();
    for (let i = 1; i < posts().length; i++) await answer(posts()[i], "ok");
    assert.deepEqual(posts().slice(1).map(({ body }) => body.split("\x1e").length), [2, 1, 1, 1]);
    assert.equal(Buffer.byteLength(posts()[1].body), 29);
  });

  test("binary is base64, and keeps its place", async () => {
    const socket = await connectOverPolling();
    socket.emit("file", new Blob([bytes(0, 255)]), new DataView(bytes(9, 1, 2, 9).buffer, 1, 2));
    socket.emit("after");
    while (posts().length < 2) await settle();
    const [text, blob, view, after] = posts()[1].body.split("\x1e");
    assert.deepEqual([text.slice(0, 4), blob, view, after], ["452-", "bAP8=", "bAQI=", '42["after"]']);
  });

  test("binary comes back as an ArrayBuffer", async () => {
    const socket = await connectOverPolling();
    const heard = listen(socket, "news");
    await answer(gets().at(-1), '451-["news",{"_placeholder":true,"num":0}]', "bAP8=");
    assert.deepEqual(heard, [["news", bytes(0, 255).buffer]]);
  });

  test("base64 that is none is a parse error", async () => {
    const heard = listen(await connectOverPolling(), "disconnect");
    await answer(gets().at(-1), "b%%%");
    assert.equal(heard[0][1], "parse error");
  });

  test("a poll refused or broken is a transport error", async () => {
    for (const breakIt of [(get) => get.answer("{}", 400), (get) => get.fail()]) {
      forget();
      const heard = listen(await connectOverPolling(), "disconnect");
      breakIt(gets().at(-1));
      await settle();
      assert.deepEqual([heard.length, heard[0][1], heard[0][2].message], [1, "transport error", "xhr poll error"]);
    }
  });

  test("the server's close packet is a transport close, and is not answered", async () => {
    const heard = listen(await connectOverPolling(), "disconnect", "news");
    await answer(gets().at(-1), '42["news"]', "1");
    assert.deepEqual(heard.map(([event, reason]) => [event, reason]), [["news", undefined], ["disconnect", "transport close"]]);
    assert.equal(posts().length, 1);
  });

  test("requests that came back count no more", async () => {
    const socket = await connectOverPolling();
    for (let i = 0; i < 5; i++) {
      mock.timers.tick(300);
      await answer(gets().at(-1), "2");
      await answer(posts().at(-1), "ok");
    }
    assert.equal(posts().at(-1).body, "3");
    assert.equal(socket.connected, true);
  });

  test("a POST that hangs is a transport error", async () => {
    const socket = await connectOverPolling();
    const heard = listen(socket, "disconnect");
    socket.emit("hello");
    await settle();
    mock.timers.tick(300);
    await answer(gets().at(-1), "2");
    mock.timers.tick(200);
    await settle();
    assert.equal(heard[0]?.[1], "transport error");
  });

  test("disconnect() sends what was said before, then goodbye, then lets go of the poll", async () => {
    const socket = await connectOverPolling();
    socket.emit("last words").disconnect();
    await settle();
    assert.equal(posts()[1].body, '42["last words"]\x1e41\x1e1');
    assert.equal(gets().at(-1).signal.aborted, false);
    await answer(posts()[1], "ok");
    assert.equal(gets().at(-1).signal.aborted, true);
  });
});

describe("the upgrade", () => {
  const upgrades = ["websocket"];

  /** Up to where the probe has succeeded, and a poll is still under way. */
  async function probed() {
    const socket = await connectOverPolling({}, { upgrades });
    webSocket().opens();
    assert.deepEqual(webSocket().sent, ["2probe"]);
    webSocket().receives("3probe");
    return socket;
  }

  test("waits for the poll and the POST under way, then tells all in order", async () => {
    const socket = await connectOverPolling({}, { upgrades });
    const heard = listen(socket, "news");
    assert.match(webSocket().url, /transport=websocket&sid=E1$/);
    socket.emit("on its way");
    await settle();
    webSocket().onopen();
    webSocket().receives("3probe");
    socket.emit("while upgrading", 1);
    socket.emit("while upgrading", 2);
    await answer(gets().at(-1), '42["news",1]', "2", "6");
    assert.deepEqual(webSocket().sent, ["2probe"]);
    await answer(posts().at(-1), "ok");
    assert.deepEqual(webSocket().sent, ["2probe", "5", '42["while upgrading",1]', '42["while upgrading",2]', "3"]);
    webSocket().receives('42["news",2]');
    socket.emit("after");
    assert.equal(webSocket().sent.at(-1), '42["after"]');
    assert.deepEqual(heard, [["news", 1], ["news", 2]]);
    assert.deepEqual([gets().length, posts().length], [3, 2]);
    assert.equal(socket.io.engine.transport.name, "websocket");
  });

  test("is told to the page", async () => {
    const socket = await probed();
    const heard = listen(socket.io.engine, "upgrade");
    await answer(gets().at(-1), "6");
    assert.deepEqual(heard.map(([, { name }]) => name), ["websocket"]);
  });

  test("does not happen where WebSocket is blocked", async () => {
    globalThis.WebSocket = class { constructor() { throw new Error("blocked"); } };
    const socket = await connectOverPolling({}, { upgrades });
    await answer(gets().at(-1), "6");
    assert.deepEqual([socket.connected, socket.io.engine.transport.name], [true, "polling"]);
  });

  test("does not happen when the probe fails", async () => {
    const socket = await connectOverPolling({}, { upgrades });
    webSocket().onerror({});
    webSocket().onclose({});
    socket.emit("still here");
    await settle();
    assert.equal(posts().at(-1).body, '42["still here"]');
    assert.equal(gets().at(-1).signal.aborted, false);
  });

  test("a WebSocket lost before the upgrade packet gives the word back to polling", async () => {
    const socket = await probed();
    socket.emit("a");
    webSocket().onclose({});
    socket.emit("b");
    await settle();
    assert.equal(posts().at(-1).body, '42["a"]\x1e42["b"]');
    await answer(gets().at(-1), "6");
    await answer(posts().at(-1), "ok");
    assert.equal(gets().length, 4);
    assert.equal(socket.connected, true);
    assert.deepEqual(webSocket().sent, ["2probe"]);
  });

  test("the same when the last poll is already back", async () => {
    const socket = await connectOverPolling({}, { upgrades });
    socket.emit("slow");
    await settle();
    webSocket().onopen();
    webSocket().receives("3probe");
    await answer(gets().at(-1), "6");
    webSocket().onclose({});
    await settle();
    assert.equal(gets().length, 4);
    socket.emit("next");
    await answer(posts().at(-1), "ok");
    assert.equal(posts().at(-1).body, '42["next"]');
  });

  test("disconnect() in the middle leaves over polling", async () => {
    const socket = await probed();
    socket.emit("last words").disconnect();
    await settle();
    assert.equal(posts().at(-1).body, '42["last words"]\x1e41\x1e1');
    assert.equal(webSocket().isClosed, true);
    await answer(gets().at(-1), "6");
    await answer(posts().at(-1), "ok");
    assert.equal(gets().length, 3);
  });

  test("a WebSocket that is given up before it is open closes when it is", async () => {
    const socket = await connectOverPolling({}, { upgrades });
    socket.disconnect();
    await settle();
    assert.equal(webSocket().isClosed, false);
    webSocket().opens();
    assert.equal(webSocket().isClosed, true);
    assert.deepEqual(webSocket().sent, []);
  });

  test("a connection lost in the middle is one disconnection", async () => {
    const socket = await probed();
    const heard = listen(socket, "disconnect");
    gets().at(-1).answer("{}", 400);
    await settle();
    assert.deepEqual(heard.map(([, reason]) => reason), ["transport error"]);
    assert.equal(webSocket().isClosed, true);
  });
});

describe("the ping watch", () => {
  test("answers pings and is patient for pingInterval + pingTimeout", () => {
    const socket = connectOverWebSocket();
    const heard = listen(socket, "disconnect");
    const pings = listen(socket.io, "ping");
    mock.timers.tick(499);
    webSocket().receives("2");
    assert.deepEqual(webSocket().sent, ["3"]);
    mock.timers.tick(499);
    assert.deepEqual([heard, pings], [[], [["ping"]]]);
    mock.timers.tick(1);
    assert.equal(heard[0][1], "ping timeout");
    assert.equal(webSocket().isClosed, true);
  });

  test("other packets do not stand for a ping", () => {
    const heard = listen(connectOverWebSocket(), "disconnect");
    mock.timers.tick(499);
    webSocket().receives("6", '42["news"]');
    mock.timers.tick(1);
    assert.equal(heard.length, 1);
  });
});

describe("reconnection", () => {
  const lost = () => webSocket().onclose({});

  test("waits twice as long each time, up to a limit", () => {
    const socket = connectOverWebSocket();
    const delays = [0, 1, 2, 3, 4, 5000].map((attempt) => socket.io.delay(attempt));
    assert.deepEqual(delays, [1000, 2000, 4000, 5000, 5000, 5000]);
  });

  test("the delay is random by the factor, and never beyond the limit", () => {
    const { io: manager } = connectOverWebSocket();
    const range = (attempt) => [0, 1].map((random) => {
      mock.method(Math, "random", () => random);
      return manager.delay(attempt);
    });
    assert.deepEqual([0, 1, 9].map(range), [[500, 1500], [1000, 3000], [2500, 5000]]);
  });

  test("tries until it succeeds, and tells", () => {
    const socket = connectOverWebSocket();
    const heard = listen(socket, "disconnect", "connect_error", "connect");
    const log = listen(socket.io, "close", "reconnect_attempt", "error", "reconnect_error", "open", "reconnect");
    lost();
    mock.timers.tick(999);
    assert.equal(FakeWebSocket.all.length, 1);
    mock.timers.tick(1);
    assert.equal(FakeWebSocket.all.length, 2);
    webSocket().onerror({});
    mock.timers.tick(2000);
    webSocket().receives(open(), '40{"sid":"S2"}');
    assert.deepEqual(heard.map(([event]) => event), ["disconnect", "connect_error", "connect"]);
    assert.deepEqual(log.map(([event, first]) => [event, Number.isInteger(first) ? first : 0]), [
      ["close", 0], ["reconnect_attempt", 1], ["error", 0], ["reconnect_error", 0],
      ["reconnect_attempt", 2], ["open", 0], ["reconnect", 2],
    ]);
  });

  test("starts again with the first delay after a success", () => {
    connectOverWebSocket();
    lost();
    mock.timers.tick(1000);
    webSocket().receives(open());
    lost();
    mock.timers.tick(1000);
    assert.equal(FakeWebSocket.all.length, 3);
  });

  test("a server that does not answer is a timeout", () => {
    const socket = io("http://server", { forceNew: true, transports: ["websocket"], timeout: 50, reconnection: false });
    const heard = listen(socket, "connect_error");
    mock.timers.tick(50);
    assert.deepEqual(messages(heard), [["connect_error", "timeout"]]);
    assert.equal(webSocket().isClosed, true);
  });

  test("WebSocket first and failing is a connect_error, and is tried again", () => {
    const socket = io("http://server", { forceNew: true, transports: ["websocket", "polling"] });
    const heard = listen(socket, "connect_error");
    webSocket().onerror({});
    assert.deepEqual(messages(heard), [["connect_error", "websocket error"]]);
    mock.timers.tick(1000);
    assert.equal(FakeWebSocket.all.length, 2);
  });

  test("gives up after reconnectionAttempts, and starts again with connect()", () => {
    const socket = io("http://server", { forceNew: true, transports: ["websocket"], reconnectionAttempts: 1 });
    const log = listen(socket.io, "reconnect_failed");
    webSocket().onerror({});
    mock.timers.tick(1000);
    webSocket().onerror({});
    assert.equal(log.length, 1);
    socket.connect();
    assert.equal(FakeWebSocket.all.length, 3);
  });

  test("disconnect() while waiting ends the waiting", () => {
    const socket = connectOverWebSocket();
    lost();
    socket.disconnect();
    mock.timers.tick(10_000);
    assert.equal(FakeWebSocket.all.length, 1);
  });

  test("connect() in a disconnect listener does not connect twice", () => {
    const socket = connectOverWebSocket();
    const attempts = listen(socket.io, "reconnect_attempt");
    socket.on("disconnect", () => socket.connect());
    lost();
    mock.timers.tick(10_000);
    assert.deepEqual(attempts, []);
    assert.equal(FakeWebSocket.all.length, 2);
  });

  test("engine.close() by the page is followed by a reconnection", () => {
    const socket = connectOverWebSocket();
    const heard = listen(socket, "disconnect");
    socket.io.engine.close();
    assert.equal(heard[0][1], "forced close");
    mock.timers.tick(1000);
    assert.equal(FakeWebSocket.all.length, 2);
  });

  test("options changed by the page hold for the next attempt", () => {
    const socket = connectOverWebSocket({ query: { token: "old" } });
    socket.io.opts.query.token = "new";
    lost();
    mock.timers.tick(1000);
    assert.match(webSocket().url, /token=new/);
  });
});

describe("while away", () => {
  const away = () => {
    const socket = connectOverWebSocket();
    webSocket().onclose({});
    return socket;
  };
  const back = () => {
    mock.timers.tick(1000);
    webSocket().receives(open(), '40{"sid":"S2"}');
    return webSocket().sent.slice(1);
  };

  test("events are kept in order and leave before connect is heard", () => {
    const socket = away();
    socket.on("connect", () => socket.emit("c"));
    socket.onAnyOutgoing((event) => sent.push(event));
    const sent = [];
    socket.emit("a").emit("b", bytes(1));
    assert.deepEqual(sent, []);
    assert.deepEqual(back(), ['42["a"]', '451-["b",{"_placeholder":true,"num":0}]', bytes(1), '42["c"]']);
    assert.deepEqual(sent, ["a", "b", "c"]);
  });

  test("volatile ones are dropped", () => {
    away().volatile.emit("a");
    assert.deepEqual(back(), []);
  });

  test("volatile ones are dropped while the network is busy, and the next event is not", () => {
    const socket = connectOverWebSocket();
    webSocket().bufferedAmount = 1;
    socket.volatile.emit("a");
    socket.emit("b");
    assert.deepEqual(webSocket().sent, ['42["b"]']);
  });

  test("a kept event whose time is over is not sent", () => {
    const socket = away();
    const errors = [];
    socket.timeout(500).emit("a", (error) => errors.push(error.message));
    socket.emit("b", () => {});
    assert.deepEqual(back(), ['421["b"]']);
    assert.deepEqual(errors, ["operation has timed out"]);
  });

  test("answers still due fail at the disconnection; those of kept events do not", () => {
    const socket = connectOverWebSocket();
    const replies = [];
    socket.emit("plain", () => replies.push("plain"));
    socket.timeout(60_000).emit("timed", (error) => replies.push(error.message));
    webSocket().onclose({});
    assert.deepEqual(replies, ["socket has been disconnected"]);
    socket.timeout(60_000).emit("kept", (error, value) => replies.push(error, value));
    mock.timers.tick(1000);
    webSocket().onerror({});
    mock.timers.tick(1000);
    back();
    webSocket().receives('432["value"]');
    assert.deepEqual(replies.slice(1), [null, "value"]);
  });
});

describe("a listener that throws", () => {
  /** What a page's window.onerror would hear. */
  function catchUncaught() {
    const uncaught = [];
    const { queueMicrotask } = globalThis;
    mock.method(globalThis, "queueMicrotask", (task) => queueMicrotask(() => {
      try { task(); } catch (error) { uncaught.push(error.message); }
    }));
    return uncaught;
  }

  test("is reported, and stops neither the next listener nor the next packet", async () => {
    const uncaught = catchUncaught();
    const socket = await connectOverPolling();
    socket.on("news", () => { throw new Error("mine"); });
    const heard = listen(socket, "news");
    await answer(gets().at(-1), '42["news",1]', '42["news",2]');
    assert.deepEqual(heard, [["news", 1], ["news", 2]]);
    assert.equal(socket.connected, true);
    assert.deepEqual(uncaught, ["mine", "mine"]);
  });

  test("an error in connect, disconnect or an answer leaves the socket in order", async () => {
    const uncaught = catchUncaught();
    const socket = connectOverWebSocket();
    for (const event of ["connect", "disconnect"]) socket.on(event, () => { throw new Error(event); });
    socket.emit("ask", () => { throw new Error("answer"); });
    webSocket().receives('430[]');
    webSocket().onclose({});
    mock.timers.tick(1000);
    webSocket().receives(open(), '40{"sid":"S2"}');
    assert.deepEqual([socket.connected, socket.id], [true, "S2"]);
    await settle();
    assert.deepEqual(uncaught, ["answer", "disconnect", "connect"]);
  });
});
