// What any client must be able to do against any server that runs the check application. The same
// checks run under Node and in a browser page, so nothing here belongs to either; each is an async
// function of { io, url, transports }, where transports may be undefined: the client's default.

const PATIENCE = 30_000;
const PING_PATIENCE = 30_000; // a server's default is a ping every 25 s

export const checks = {
  async "a socket connects and has an id of its own"(context) {
    const socket = open(context);
    is(socket.connected, false);
    is(socket.active, true);
    await connected(socket);
    is(socket.connected, true);
    is(socket.disconnected, false);
    is(typeof socket.id, "string");
    same((await acked(socket, "whoami"))[0].id, socket.id);
  },

  async "the transport is the one asked for, or the upgrade"(context) {
    const socket = open(context);
    await connected(socket);
    const { engine } = socket.io;
    const [first = "polling"] = context.transports ?? [];
    const last = context.transports?.at(-1) ?? "websocket";
    if (first === last) return is(engine.transport.name, last);
    if (engine.transport.name !== last) await heard(engine, "upgrade");
    is(engine.transport.name, last);
    same(await acked(socket, "echo", "after the upgrade"), ["after the upgrade"]);
  },

  async "an acknowledgement brings back any JSON"(context) {
    const socket = open(context);
    const values = ["", "é 漢 🙂 \u0000 \u001e \"", 0, -1.5, true, null, [], {}, { deep: [{ a: [1, null] }] }];
    same(await acked(socket, "echo", ...values), values);
    same(await acked(socket, "echo"), []);
  },

  async "the server sends events with several arguments"(context) {
    const socket = open(context);
    const said = heard(socket, "said");
    socket.emit("say", "a", { b: 2 }, ["c"]);
    same((await said).slice(0, 3), ["a", { b: 2 }, ["c"]]);
  },

  async "the server's question is answered"(context) {
    const socket = open(context);
    socket.once("question", (what, answer) => answer(what, "yes", { n: 1 }));
    const answered = heard(socket, "answer");
    socket.emit("ask", "is it?");
    same((await answered).slice(0, 3), ["is it?", "yes", { n: 1 }]);
  },

  async "binary goes out and comes back, wherever it sits"(context) {
    const socket = open(context);
    const whole = Uint8Array.from({ length: 300 }, (_, i) => i % 256);
    const [buffer, more] = await acked(socket, "echo", whole.buffer, {
      view: whole.subarray(10, 13),
      deep: [{ words: new Uint16Array(whole.buffer, 2, 1), data: new DataView(whole.buffer, 5, 2) }],
      text: "between",
      empty: new Uint8Array(0),
    });
    same(bytes(buffer), [...whole]);
    same(bytes(more.view), [10, 11, 12]);
    same(bytes(more.deep[0].words), [2, 3]);
    same(bytes(more.deep[0].data), [5, 6]);
    same(bytes(more.empty), []);
    is(more.text, "between");
  },

  async "binary travels in events and in answers to the server"(context) {
    const socket = open(context);
    const said = heard(socket, "said");
    socket.emit("say", { file: Uint8Array.of(1, 2, 3) });
    same(bytes((await said)[0].file), [1, 2, 3]);
    socket.once("question", (data, answer) => answer([data]));
    const answered = heard(socket, "answer");
    socket.emit("ask", Uint8Array.of(4, 5));
    same(bytes((await answered)[0][0]), [4, 5]);
  },

  async "a Blob is sent as its bytes, in its turn"(context) {
    const socket = open(context);
    const order = collect(socket, "said", 3);
    socket.emit("say", "before");
    socket.emit("say", new Blob(["blob"]));
    socket.emit("say", "after");
    const [before, blob, after] = await order;
    same([before, bytes(blob), after], ["before", [...new TextEncoder().encode("blob")], "after"]);
  },

  async "events keep their order, also through the upgrade"(context) {
    const socket = open(context);
    const down = collect(socket, "burst", 500);
    const up = [];
    socket.emit("burst", 500);
    await connected(socket);
    const answers = Array.from({ length: 500 }, async (_, i) => up.push(...(await acked(socket, "echo", i))));
    await Promise.all(answers);
    same(await down, [...Array(500).keys()]);
    same(up, [...Array(500).keys()]);
  },

  async "traffic both ways loses nothing while the upgrade happens"(context) {
    const socket = open(context);
    const said = [];
    socket.on("said", (i) => said.push(i));
    for (let i = 0; i < 40; i++) {
      socket.emit("say", i);
      await acked(socket, "echo", i);
    }
    same(said, [...Array(40).keys()]);
  },

  async "volatile events are dropped while away and sent while connected"(context) {
    const socket = open(context);
    const said = heard(socket, "said");
    socket.volatile.emit("say", "too early");
    await acked(socket, "echo");
    // It is dropped, too, while a poll's POST waits for its answer, which a slow machine gives late.
    const again = setInterval(() => socket.volatile.emit("say", "in time"), 20);
    is((await said.finally(() => clearInterval(again)))[0], "in time");
  },

  async "rooms: told only to who is in"(context) {
    const [inside, outside] = [open(context), open(context)];
    const room = `room ${Math.random()}`;
    const told = [];
    outside.on("told", (data) => told.push(data));
    await acked(inside, "join", room);
    await acked(outside, "join", room);
    await acked(outside, "leave", room);
    const heardIt = heard(inside, "told");
    await acked(outside, "tell", room, { hello: "room" });
    same((await heardIt)[0], { hello: "room" });
    await acked(outside, "echo");
    same(told, []);
  },

  async "a broadcast reaches everyone, the sender too"(context) {
    const sockets = [open(context), open(context), open(context)];
    await Promise.all(sockets.map(connected));
    const word = `word ${Math.random()}`;
    const all = sockets.map((socket) => heardWhen(socket, "shout", (data) => data === word));
    sockets[0].emit("shout", word);
    await Promise.all(all);
  },

  async "auth is an object or a function"(context) {
    const { recovery, ...plain } = (await acked(open(context, "/", { auth: { who: "me" } }), "whoami"))[0].auth;
    same(plain, { who: "me" });
    const socket = open(context, "/custom", { auth: (send) => setTimeout(send, 10, { who: "later" }) });
    is((await acked(socket, "whoami"))[0].auth.who, "later");
  },

  async "namespaces share a connection and part one by one"(context) {
    const { io, url, transports } = context;
    const first = io(`${url}/`, { transports, forceNew: true });
    const custom = tracked(context.sockets, first.io.socket("/custom"));
    await Promise.all([connected(first), connected(custom)]);
    is(first.io, custom.io);
    is(first.id === custom.id, false);
    same(await acked(custom, "echo", "custom", Uint8Array.of(1)).then(([word]) => word), "custom");
    custom.disconnect();
    same(await acked(first, "echo", "still here"), ["still here"]);
    custom.connect();
    await connected(custom);
  },

  async "io() shares a manager, but for forceNew and the same namespace twice"({ io, url, transports }) {
    const [one, other] = [`/${Math.random()}`, `/${Math.random()}`];
    const manager = (nsp, options) => io(url + nsp, { transports, autoConnect: false, ...options }).io;
    const shared = manager(one);
    is(manager(other), shared);
    is(manager(one) === shared, false);
    is(manager(`/${Math.random()}`, { forceNew: true }) === shared, false);
    is(manager(`/${Math.random()}`, { path: "/elsewhere" }) === shared, false);
  },

  async "autoConnect: false waits for connect()"(context) {
    const socket = open(context, "/", { autoConnect: false });
    is(socket.active, false);
    const echoed = acked(socket, "echo", "kept until then");
    socket.connect();
    same(await echoed, ["kept until then"]);
  },

  async "a refusal brings message and data, and can be overcome"(context) {
    const socket = open(context, "/refuse");
    const [error] = await heard(socket, "connect_error");
    is(error instanceof Error, true);
    same([error.message, error.data], ["Not allowed", { code: 7 }]);
    socket.auth = { token: "secret" };
    socket.connect();
    await connected(socket);
  },

  async "a refused socket is no longer active"(context) {
    const socket = open(context, "/refuse");
    await heard(socket, "connect_error");
    is(socket.active, false);
  },

  async "an unknown namespace is refused"(context) {
    const [error] = await heard(open(context, "/nowhere"), "connect_error");
    is(error.message, "Invalid namespace");
  },

  async "reserved event names throw"(context) {
    const socket = open(context);
    for (const name of ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]) {
      let error;
      try { socket.emit(name); } catch (thrown) { error = thrown; }
      is(error?.message, `"${name}" is a reserved event name`);
    }
    same(await acked(socket, "echo", "fine"), ["fine"]);
  },

  async "on, once, off, listeners and hasListeners"(context) {
    const socket = open(context);
    const calls = [];
    const on = (data) => calls.push(`on ${data}`);
    const once = (data) => calls.push(`once ${data}`);
    socket.on("said", on).once("said", once);
    is(socket.hasListeners("said"), true);
    is(socket.listeners("said").length, 2);
    socket.emit("say", 1).emit("say", 2);
    await acked(socket, "echo");
    same(calls, ["on 1", "once 1", "on 2"]);
    socket.off("said", on);
    is(socket.hasListeners("said"), false);
  },

  async "catch-all listeners hear what comes in"(context) {
    const socket = open(context);
    const calls = [];
    const hear = (who) => (event, data) => event === "said" && calls.push([who, data]);
    const last = hear("last");
    socket.onAny(last).prependAny(hear("first"));
    is(socket.listenersAny().length, 2);
    socket.emit("say", 1);
    await acked(socket, "echo");
    same(calls, [["first", 1], ["last", 1]]);
    socket.offAny(last);
    is(socket.listenersAny().length, 1);
    socket.offAny();
    is(socket.listenersAny().length, 0);
  },

  async "catch-all listeners hear what goes out"(context) {
    const socket = open(context);
    const calls = [];
    socket.onAnyOutgoing((event, data) => calls.push([event, data]));
    socket.emit("say", 1);
    await acked(socket, "echo", 2);
    same(calls, [["say", 1], ["echo", 2]]);
    socket.offAnyOutgoing();
    is(socket.listenersAnyOutgoing().length, 0);
  },

  async "timeout() gives the answer, or an error when it does not come"(context) {
    const socket = open(context);
    await connected(socket);
    const ask = (ms, ...args) => new Promise((resolve) => socket.timeout(ms).emit(...args, (...reply) => resolve(reply)));
    same(await ask(PATIENCE, "echo", 1, 2), [null, 1, 2]);
    const [error] = await ask(20, "mute");
    is(error.message, "operation has timed out");
  },

  async "emitWithAck() resolves, and rejects when its time is over"(context) {
    const socket = open(context);
    is(await socket.emitWithAck("echo", "a", "b"), "a");
    is(await socket.timeout(PATIENCE).emitWithAck("echo", "c"), "c");
    is(await failed(socket.timeout(20).emitWithAck("mute")), "operation has timed out");
  },

  async "answers that can no longer come fail at once"(context) {
    const socket = open(context);
    await connected(socket);
    const lost = [socket.emitWithAck("mute"), socket.timeout(PATIENCE).emitWithAck("mute")].map(failed);
    socket.io.engine.close();
    same(await Promise.all(lost), Array(2).fill("socket has been disconnected"));
  },

  async "with retries, events go out one by one, and again until they are answered"(context) {
    const socket = open(context, "/", { retries: 2, ackTimeout: PATIENCE });
    const sent = [];
    socket.onAnyOutgoing((event, value) => sent.push(value));
    const answered = [];
    const last = new Promise((resolve) => {
      for (const i of [1, 2, 3]) {
        socket.emit("echo", i, (error, value) => {
          answered.push([error, value, sent.length]);
          if (i === 3) resolve();
        });
      }
    });
    await last;
    same(answered, [1, 2, 3].map((i) => [null, i, i]));
    is(await failed(socket.timeout(20).emitWithAck("mute")), "operation has timed out");
    is(sent.length, 6);
  },

  async "with tryAllTransports, the WebSocket connects where polling fails"(context) {
    const transportOptions = { polling: { path: "/no/polling/" } };
    const transports = ["polling", "websocket"];
    const socket = open({ ...context, transports }, "/", { tryAllTransports: true, transportOptions });
    await connected(socket);
    is(socket.io.engine.transport.name, "websocket");
    same(await acked(socket, "echo", "there"), ["there"]);
  },

  async "compress() changes nothing"(context) {
    const socket = open(context);
    same(await new Promise((resolve) => socket.compress(true).emit("echo", 1, resolve)), 1);
  },

  async "kicked by the server: it stays away until connect()"(context) {
    const socket = open(context);
    await connected(socket);
    const id = socket.id;
    socket.emit("kick");
    is((await heard(socket, "disconnect"))[0], "io server disconnect");
    same([socket.connected, socket.active, socket.id], [false, false, undefined]);
    socket.connect();
    await connected(socket);
    is(socket.id === id, false);
  },

  async "cut off by the network: it comes back, and what was said meanwhile arrives"(context) {
    const socket = open(context);
    await connected(socket);
    const reconnected = heard(socket.io, "reconnect");
    socket.emit("cut");
    is((await heard(socket, "disconnect"))[0], "transport close");
    is(socket.active, true);
    const said = heard(socket, "said");
    socket.emit("say", "while away");
    is((await said)[0], "while away");
    is((await reconnected)[0], 1);
  },

  async "disconnect() is final, until connect()"(context) {
    const socket = open(context);
    await connected(socket);
    const gone = heard(socket, "disconnect");
    is(socket.disconnect(), socket);
    is((await gone)[0], "io client disconnect");
    same([socket.connected, socket.active, socket.id], [false, false, undefined]);
    const echoed = acked(socket.connect(), "echo", "back");
    same(await echoed, ["back"]);
  },

  async "disconnect() before the connection is there, then connect()"(context) {
    const socket = open(context);
    socket.disconnect().connect();
    await connected(socket);
  },

  async "the server's pings are heard and answered"(context) {
    const socket = open(context);
    let disconnects = 0;
    socket.on("disconnect", () => disconnects++);
    await connected(socket);
    await heard(socket.io, "ping", PING_PATIENCE);
    same(await acked(socket, "echo", "alive"), ["alive"]);
    is(disconnects, 0);
  },

  async "long texts go through"(context) {
    const socket = open(context);
    const text = "é漢🙂.".repeat(30_000);
    same(await acked(socket, "echo", text), [text]);
  },

  async "what is more than a payload together goes out in several"(context) {
    const socket = open(context);
    await connected(socket);
    const text = "é".repeat(150_000);
    const answers = Array.from({ length: 6 }, (_, i) => acked(socket, "echo", i, text));
    for (const [i, answer] of answers.entries()) same(await answer, [i, text]);
  },

  async "no server: connect_error each time, then reconnect_failed"(context) {
    const { io, transports } = context;
    const socket = io("http://localhost:9", { transports, forceNew: true, reconnectionDelay: 10, reconnectionAttempts: 2 });
    const events = [];
    socket.on("connect_error", (error) => events.push(error instanceof Error));
    socket.io.on("reconnect_attempt", (attempt) => events.push(attempt));
    await heard(socket.io, "reconnect_failed");
    same(events, [true, 1, true, 2, true]);
    is(socket.active, true);
  },

  async "reconnection: false leaves it at one attempt"(context) {
    const socket = open(context, "/", { reconnection: false });
    await connected(socket);
    socket.emit("cut");
    await heard(socket, "disconnect");
    socket.io.on("reconnect_attempt", () => { throw new Error("not asked for"); });
    socket.connect();
    await connected(socket);
  },
};

/** Only where the server restores sessions of clients that ask. */
export const recoveryChecks = {
  async "a session is recovered with what it missed, once and in order"(context) {
    const options = { auth: { recovery: true }, reconnectionDelay: 300, randomizationFactor: 0 };
    const [socket, friend] = [open(context, "/", options), open(context)];
    const room = `room ${Math.random()}`;
    const told = collect(socket, "told", 4);
    await acked(socket, "join", room);
    await acked(friend, "tell", room, "before");
    await heardWhen(friend, "shout", () => true, () => friend.emit("shout", "go on"));
    const { id } = socket;
    is(socket.recovered, false);
    socket.emit("cut");
    await heard(socket, "disconnect");
    await acked(friend, "tell", room, "missed 1");
    await acked(friend, "tell", room, "missed 2");
    await connected(socket);
    same([socket.recovered, socket.id], [true, id]);
    await acked(friend, "tell", room, "after");
    same(await told, ["before", "missed 1", "missed 2", "after"]);
  },
};

/** Run checks one after the other; resolves to an array of { name, ok, error }. */
export async function runAll(context, selection = checks) {
  const results = [];
  for (const [name, check] of Object.entries(selection)) {
    const error = await run(check, context).then(() => undefined, (reason) => String(reason?.stack ?? reason));
    results.push({ name, ok: error === undefined, error });
  }
  return results;
}

/** Run one check, and leave nothing connected behind. */
export async function run(check, context) {
  const sockets = [];
  try {
    await check({ ...context, sockets, io: (...args) => tracked(sockets, context.io(...args)) });
  } finally {
    for (const socket of sockets) socket.disconnect();
  }
}

// ---- The words of the checks

function tracked(sockets, socket) {
  sockets.push(socket);
  return socket;
}

function open({ io, url, transports }, nsp = "/", options = {}) {
  return io(url + nsp, { transports, forceNew: true, reconnectionDelay: 20, ...options });
}

async function connected(socket) {
  if (!socket.connected) await heard(socket, "connect");
}

/** The arguments of an event. */
function heard(emitter, event, patience) {
  return within(`event "${event}"`, (resolve) => emitter.once(event, (...args) => resolve(args)), patience);
}

function heardWhen(emitter, event, matches, start = () => {}) {
  return within(`event "${event}"`, (resolve) => {
    emitter.on(event, function listener(...args) {
      if (!matches(...args)) return;
      emitter.off(event, listener);
      resolve(args);
    });
    start();
  });
}

/** The first argument of each of `count` events. */
function collect(emitter, event, count) {
  const values = [];
  return within(`${count} of "${event}"`, (resolve) => {
    emitter.on(event, (value) => values.push(value) === count && resolve(values));
  });
}

/** The arguments of the answer. */
function acked(socket, ...args) {
  return within(`the answer to "${args[0]}"`, (resolve) => socket.emit(...args, (...reply) => resolve(reply)));
}

async function failed(promise) {
  return promise.then((value) => `resolved to ${value}`, (error) => error.message);
}

function within(what, start, patience = PATIENCE) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} did not come`)), patience);
    start((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}

const bytes = (data) =>
  [...(ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data))];

function is(actual, expected) {
  if (!Object.is(actual, expected)) throw new Error(`${String(actual)} is not ${String(expected)}`);
}

function same(actual, expected) {
  const [left, right] = [canonical(actual), canonical(expected)];
  if (left !== right) throw new Error(`${left.slice(0, 300)} is not ${right.slice(0, 300)}`);
}

/** JSON in which undefined and the order of keys do not matter. */
function canonical(value) {
  const sort = (key, each) =>
    each && Object.getPrototypeOf(each) === Object.prototype ? Object.fromEntries(Object.entries(each).sort()) : each;
  return JSON.stringify(value, sort) ?? "undefined";
}
