// What a real client can see of the server's features, as checks against the application of tests/support/feature_server.py. Each is
// an async function of { io, url, transports }; `features` are the server's, `apiChecks` the client's, and `official`
// what only the official client under Node.js can see.

const PATIENCE = 30_000;

// ---- The server's features

export const features = {
  async "rooms: told only to who is in, until they leave"(context) {
    const [ann, bob, eve] = await visitors(context, 3);
    const told = [ann, bob, eve].map((socket) => record(socket, "told"));
    same(await answer(ann, "enter", "lobby"), ["lobby"]);
    same(await answer(bob, "enter", "lobby", "bar"), ["bar", "lobby"]);
    await answer(eve, "say", [["to", "lobby"]], "told", 1);
    same(await answer(bob, "leave", "lobby"), ["bar"]);
    await answer(eve, "say", [["to", "lobby"]], "told", 2);
    await answer(eve, "say", [["to", "nobody is here"]], "told", 3);
    await settled(ann, bob, eve);
    same(told, [[1, 2], [1], []]);
  },

  async "several rooms at once: nobody hears it twice"(context) {
    const [ann, bob, eve] = await visitors(context, 3);
    const told = [ann, bob, eve].map((socket) => record(socket, "told"));
    await answer(ann, "enter", "a", "b", "c");
    await answer(bob, "enter", "c");
    await answer(eve, "say", [["to", "a", "b", "c", ann.id]], "told", 1);
    await answer(eve, "say", [["to", "a"], ["to", "b"], ["to", "c"]], "told", 2);
    await settled(ann, bob, eve);
    same(told, [[1, 2], [1, 2], []]);
  },

  async "each client is a room"(context) {
    const [ann, bob] = await visitors(context, 2);
    const told = [ann, bob].map((socket) => record(socket, "told"));
    await answer(bob, "say", [["to", ann.id]], "told", "psst");
    await answer(bob, "say", [["except_", ann.id]], "told", "not Ann");
    await settled(ann, bob);
    same(told, [["psst"], ["not Ann"]]);
  },

  async "a client's own room stays its own when somebody else enters it"(context) {
    const [ann, bob, eve] = await visitors(context, 3);
    const told = [ann, bob, eve].map((socket) => record(socket, "told"));
    await answer(bob, "enter", ann.id);
    await answer(eve, "say", [["to", ann.id]], "told", "to the room");
    await answer(eve, "say", [["except_", ann.id]], "told", "to others");
    await settled(ann, bob, eve);
    same(told, [["to the room"], ["to the room"], ["to others"]]);
  },

  async "everyone, others, and the client itself"(context) {
    const [ann, bob] = await visitors(context, 2);
    const told = [ann, bob].map((socket) => record(socket, "told"));
    await answer(ann, "say", [], "told", "me");
    await answer(ann, "say", [["others"]], "told", "others");
    await answer(ann, "say", [["everyone"]], "told", "everyone");
    await settled(ann, bob);
    same(told, [["me", "everyone"], ["others", "everyone"]]);
  },

  async "to and except combine in any order, also with others first"(context) {
    const [ann, bob, eve, dan] = await visitors(context, 4);
    const told = [ann, bob, eve, dan].map((socket) => record(socket, "told"));
    await answer(ann, "enter", "a");
    await answer(bob, "enter", "a", "b");
    await answer(eve, "enter", "b", "no");
    const ways = [
      ...permutations([["to", "a"], ["to", "b"], ["except_", "no", ann.id]]),
      ...permutations([["to", "a"], ["to", "b"], ["except_", "no"]]).map((steps) => [["others"], ...steps]),
    ];
    for (const [number, steps] of ways.entries()) await answer(ann, "say", steps, "told", number);
    await settled(ann, bob, eve, dan);
    same(told, [[], [...ways.keys()], [], []]);
  },

  async "others comes anywhere in the combination"(context) {
    const [ann, bob, eve] = await visitors(context, 3);
    const told = [ann, bob, eve].map((socket) => record(socket, "told"));
    await answer(ann, "enter", "a");
    await answer(bob, "enter", "a");
    await answer(eve, "enter", "a", "no");
    const ways = permutations([["to", "a"], ["except_", "no"], ["others"]]);
    for (const [number, steps] of ways.entries()) await answer(ann, "say", steps, "told", number);
    await settled(ann, bob, eve);
    same(told, [[], [...ways.keys()], []]);
  },

  async "volatile combines with all, in any order, and reaches who is ready"(context) {
    const [ann, bob] = await visitors(context, 2);
    const strangers = record(ann, "told");
    await answer(bob, "enter", "a");
    for (const steps of permutations([["to", "a"], ["except_", ann.id], ["volatile"]])) {
      await saidUntilHeard(ann, bob, steps);
    }
    same(strangers, []);
  },

  async "the server's call is answered: nothing, one value, several, bytes"(context) {
    const [ann] = await visitors(context, 1);
    ann.on("question", (...args) => args.pop()(...args));
    same(await answer(ann, "ask", 10, "question"), { answer: null, pending: 0 });
    same(await answer(ann, "ask", 10, "question", { n: 1 }), { answer: { n: 1 }, pending: 0 });
    same(await answer(ann, "ask", 10, "question", 1, "two", [3]), { answer: [1, "two", [3]], pending: 0 });
    const { answer: binary } = await answer(ann, "ask", 10, "question", Uint8Array.of(1, 2));
    same([...new Uint8Array(ArrayBuffer.isView(binary) ? binary : new Uint8Array(binary))], [1, 2]);
  },

  async "a call that is not answered ends with its time, and leaves nothing behind"(context) {
    const [ann] = await visitors(context, 1);
    const asked = heard(ann, "question");
    const result = await answer(ann, "ask", 0.02, "question");
    same(result, { timeout: `${ann.id} did not answer 'question' within 0.02 s`, pending: 0 });
    (await asked).at(-1)("too late");
    same(await answer(ann, "echo", "still here"), "still here");
  },

  async "a call to many gives the answers that came, and names who is missing"(context) {
    const [ann, bob, eve, dan] = await visitors(context, 4);
    await Promise.all([ann, bob, eve].map((socket) => answer(socket, "enter", "lobby")));
    ann.on("who", (reply) => reply("Ann"));
    bob.on("who", (reply) => reply("Bob", "and more"));
    dan.on("who", () => { throw new Error("Dan is not in the lobby"); });
    same(await answer(dan, "ask_many", 1, [["to", "lobby"]], "who"), {
      answers: { [ann.id]: "Ann", [bob.id]: ["Bob", "and more"] },
      missing: [eve.id],
    });
    eve.on("who", (reply) => reply());
    same(await answer(dan, "ask_many", 10, [["to", "lobby"], ["except_", bob.id]], "who"), {
      answers: { [ann.id]: "Ann", [eve.id]: null },
      missing: [],
    });
    same(await answer(dan, "ask_many", 10, [["to", "nobody is here"]], "who"), { answers: {}, missing: [] });
  },

  async "a call to many ends when those who owe an answer leave"(context) {
    const [ann, bob] = await visitors(context, 2);
    bob.on("who", () => bob.disconnect());
    const { id } = bob;
    same(await answer(ann, "ask_many", 100, [["others"]], "who"), { answers: {}, missing: [id] });
  },

  async "authenticate refuses, with data, and lets others of the connection be"(context) {
    const nsp = stage();
    const socket = open(context, nsp, { auth: { refuse: true, name: "Mallory" } });
    const other = tracked(context.sockets, socket.io.socket(stage(), {}));
    const [error] = await heard(socket, "connect_error");
    is(error.message, "Not you");
    is(error.data.code, 7);
    is(error.data.auth.name, "Mallory");
    same([socket.connected, socket.active], [false, false]);
    await connected(other);
    socket.auth = { name: "Ann" };
    socket.connect();
    same((await answer(socket, "whoami")).auth, { name: "Ann" });
    is(socket.connected, true);
  },

  async "before_event refuses an event: its answer says why, and its handler does not run"(context) {
    const [ann] = await visitors(context, 1);
    same(await answer(ann, "forbidden", 1, "x"), {
      message: "Not that",
      data: { event: "forbidden", args: [1, "x"] },
    });
    same(await answer(ann, "forbidden_later"), { message: "Not that either", data: { event: "forbidden_later" } });
    same(await answer(ann, "get"), [null]);
  },

  async "on_any answers events that have no method"(context) {
    const [ann] = await visitors(context, 1);
    same(await answer(ann, "no such event", 1, { a: 2 }), { any: ["no such event", 1, { a: 2 }] });
    same(await answer(ann, "connect_", []), { any: ["connect_", []] });
  },

  async "hooks and helpers are no events"(context) {
    const [ann] = await visitors(context, 1);
    for (const name of ["any", "authenticate", "before_event", "emit", "_say", "on_echo", "__init__"]) {
      same(await answer(ann, name, 1), { any: [name, 1] });
    }
  },

  async "one client's handlers run one after the other, and others do not wait for them"(context) {
    const [ann, bob] = await visitors(context, 2);
    const order = [];
    const slow = answer(ann, "slow", "slow").then((value) => order.push("slow"));
    const quick = answer(ann, "quick one", "quick").then((value) => order.push("quick") && value);
    await answer(bob, "echo");
    await answer(bob, "open_gate");
    same(await quick, ["slow begins", "slow ends", "quick"]);
    await slow;
    same(order, ["slow", "quick"]);
  },

  async "a handler that fails harms nobody"(context) {
    const [ann, bob] = await visitors(context, 2);
    const { id } = ann;
    same(await answer(ann, "fail"), { message: "Internal error" });
    same(await answer(ann, "return_nan"), { message: "Internal error" });
    same(await answer(ann, "echo", 1), 1);
    same(await answer(bob, "echo", 2), 2);
    is(ann.id, id);
  },

  async "namespaces fit a regular expression, and the match is at hand"(context) {
    const nsp = stage();
    const [ann] = await visitors(context, 1, nsp);
    const { namespace, match } = await answer(ann, "whoami");
    same([namespace, match], [nsp, [nsp.slice("/stage-".length)]]);
    const [bob] = await visitors(context, 1, "/");
    same((await answer(bob, "whoami")).match, null);
    for (const unknown of ["/stage-", "/stage-a b", "/stage", "/other", `${nsp}/x`]) {
      const [error] = await heard(open(context, unknown), "connect_error");
      is(error.message, "Invalid namespace");
    }
  },

  async "namespaces keep their clients and their state apart"(context) {
    const [ann] = await visitors(context, 1);
    const other = tracked(context.sockets, ann.io.socket(stage(), {}));
    const told = record(other, "told");
    await answer(ann, "set", "Ann's");
    await answer(ann, "enter", "lobby");
    await answer(other, "enter", "lobby");
    same(await answer(other, "get"), [null]);
    await answer(other, "set", { other: true });
    same(await answer(ann, "get"), ["Ann's"]);
    await answer(ann, "say", [["to", "lobby"]], "told", 1);
    await answer(ann, "say", [["to", other.id]], "told", 2);
    await answer(ann, "say", [["everyone"]], "told", 3);
    await settled(other);
    same(told, []);
    is(ann.io, other.io);
  },

  async "disconnect() sends a client away from its namespace alone"(context) {
    const nsp = stage();
    const [ann] = await visitors(context, 1, nsp);
    const [friend] = await visitors(context, 1, nsp);
    const other = tracked(context.sockets, ann.io.socket(stage(), {}));
    await connected(other);
    await answer(ann, "enter", "b", "a");
    const leaving = Promise.all([heard(friend, "leaving"), heard(friend, "left")]);
    const { id } = ann;
    const gone = heard(ann, "disconnect");
    ann.emit("kick", []);
    is((await gone)[0], "io server disconnect");
    is(ann.active, false);
    const [[leaver, reason, rooms], [left, again, online]] = await leaving;
    same([leaver, reason, rooms], [id, "server namespace disconnect", ["a", "b"]]);
    same([left, again, online], [id, "server namespace disconnect", 1]);
    same(await answer(other, "echo", "still here"), "still here");
  },

  async "disconnect(close=True) sends a client away from all namespaces, for good"(context) {
    const nsp = stage();
    const [ann, friend] = await visitors(context, 2, nsp, { auth: {}, recovery: false });
    const other = tracked(context.sockets, ann.io.socket(stage(), {}));
    await connected(other);
    const left = heard(friend, "left");
    const { id } = ann;
    const gone = [ann, other].map((socket) => heard(socket, "disconnect"));
    ann.emit("kick", [], true);
    for (const [reason] of await Promise.all(gone)) is(reason, "io server disconnect");
    same((await left).slice(0, 2), [id, "server namespace disconnect"]);
    same([ann.active, other.active], [false, false]);
  },

  async "sent away at any moment, also while it upgrades or posts, a client hears it, and stays away"(context) {
    const nsp = stage();
    const visit = async (stay) => {
      const socket = open(context, nsp, { auth: { stay, recovery: true } });
      const goodbyes = record(socket, "goodbye");
      const connects = record(socket, "connect");
      const gone = heard(socket, "disconnect");
      await connected(socket);
      while (stay % 2 && socket.connected) {
        socket.emit("set", stay);
        await sleep(2);
      }
      is((await gone)[0], "io server disconnect");
      is(goodbyes.length, 1);
      await sleep(100);
      same([connects.length, socket.active], [1, false]);
    };
    await Promise.all(Array.from({ length: 24 }, (_, i) => visit(2 * i)));
    await Promise.all(Array.from({ length: 24 }, (_, i) => visit(2 * i + 1)));
    same((await outside(context, nsp, "leave", [], ["nothing"])).clients, []);
  },

  async "a client that connects again before the answer is one client, and its connection stays"(context) {
    const busy = () => {
      for (const end = Date.now() + 30; Date.now() < end; );
    };
    for (const pause of [() => {}, () => sleep(1), busy]) {
      for (const auth of [{}, { wait: true }]) {
        const [main] = await visitors(context, 1);
        const lost = record(main, "disconnect");
        const nsp = stage();
        const other = tracked(context.sockets, main.io.socket(nsp, { auth }));
        for (let i = 0; i < 3; i++) {
          await pause();
          other.disconnect();
          other.connect();
        }
        if (auth.wait) await settled(main);
        const [opener] = await visitors(context, 1, nsp);
        await answer(opener, "open_gate");
        await connected(other);
        await settled(other);
        same((await outside(context, nsp, "leave", [], ["nothing"])).clients.sort(), [opener.id, other.id].sort());
        await settled(main);
        same(lost, []);
      }
    }
  },

  async "what a client cannot decode is not sent to it again and again"(context) {
    const [socket] = await visitors(context, 1, stage(), { auth: { recovery: true } });
    const reasons = record(socket, "disconnect");
    const back = heard(socket, "connect");
    socket.emit("poison");
    await back;
    is(socket.recovered, false);
    await settled(socket);
    same([...new Set(reasons)], ["parse error"]);
  },

  async "newcomers are sent the last N that were kept, after their CONNECT"(context) {
    const nsp = stage();
    const [ann] = await visitors(context, 1, nsp);
    for (let number = 0; number < 5; number++) await answer(ann, "keep", 2, [], "history", number);
    await answer(ann, "keep", 1, [], "topic", { bytes: Uint8Array.of(7) });
    const bob = open(context, nsp);
    const order = [];
    bob.on("connect", () => order.push("connect"));
    bob.on("history", (number) => order.push(number));
    bob.on("topic", ({ bytes }) => order.push(...new Uint8Array(bytes)));
    await settled(bob);
    same(order, ["connect", 3, 4, 7]);
    await answer(ann, "keep", 2, [["to", "lobby"]], "history", "in the lobby");
    await settled(bob);
    same(order.length, 4);
    await answer(bob, "enter", "lobby");
    same(order.slice(4), ["in the lobby"]);
  },

  async "a RequestHandler speaks to whom it means"(context) {
    const nsp = stage();
    const [ann, bob, eve] = await visitors(context, 3, nsp);
    const told = [ann, bob, eve].map((socket) => record(socket, "told"));
    await answer(ann, "enter", "lobby");
    await answer(bob, "enter", "lobby", "bar");
    await outside(context, nsp, "emit", [], ["told", 1]);
    await outside(context, nsp, "emit", [["to", "lobby"], ["except_", bob.id]], ["told", 2]);
    await outside(context, nsp, "emit", [["to", "lobby", eve.id]], ["told", 3]);
    const { clients, rooms } = await outside(context, nsp, "emit", [["to", bob.id]], ["told", 4]);
    same([clients, rooms], [[ann, bob, eve].map(({ id }) => id), ["bar", "lobby"]]);
    await settled(ann, bob, eve);
    same(told, [[1, 2, 3], [1, 3, 4], [1, 3]]);
    await saidUntilHeard(null, eve, [["to", eve.id], ["volatile"]], (steps, args) =>
      outside(context, nsp, "emit", steps, args));
  },

  async "a RequestHandler calls clients, and gets their answers"(context) {
    const nsp = stage();
    const [ann, bob, eve] = await visitors(context, 3, nsp);
    ann.on("who", (reply) => reply("Ann"));
    bob.on("who", (reply) => reply("Bob"));
    const { result, missing } = await outside(context, nsp, "call", [], ["who"], { timeout: 1 });
    same([result, missing], [{ [ann.id]: "Ann", [bob.id]: "Bob" }, [eve.id]]);
  },

  async "a RequestHandler lets many in, out and go"(context) {
    const nsp = stage();
    const [ann, bob, eve] = await visitors(context, 3, nsp);
    same((await outside(context, nsp, "enter", [["except_", eve.id]], ["lobby"])).rooms, ["lobby"]);
    await outside(context, nsp, "leave", [["to", ann.id]], ["lobby"]);
    same(await answer(ann, "enter"), []);
    same(await answer(bob, "enter"), ["lobby"]);
    const gone = heard(bob, "disconnect");
    same((await outside(context, nsp, "disconnect", [["to", "lobby"]])).rooms, []);
    is((await gone)[0], "io server disconnect");
    const cut = [ann, eve].map((socket) => heard(socket, "disconnect"));
    await outside(context, nsp, "disconnect", [], [true]);
    for (const [reason] of await Promise.all(cut)) is(reason, "io server disconnect");
  },

  async "another thread speaks"(context) {
    const nsp = stage();
    const [ann, bob] = await visitors(context, 2, nsp);
    const told = record(ann, "told");
    const strangers = record(bob, "told");
    const last = heardWhen(ann, "told", (number) => number === 20);
    for (let number = 1; number <= 20; number++) {
      await outside(context, nsp, "emit", [["to", ann.id], ["except_", bob.id]], ["told", number], {}, true);
    }
    await last;
    await outside(context, nsp, "enter", [], ["lobby"], {}, true);
    const gone = heard(bob, "disconnect");
    await outside(context, nsp, "disconnect", [["to", bob.id]], [], {}, true);
    await gone;
    same(await answer(ann, "enter"), ["lobby"]);
    same([told, strangers], [[...Array(20).keys()].map((number) => number + 1), []]);
  },

  async "a PeriodicCallback speaks"(context) {
    const socket = open(context, "/clock");
    const ticks = record(socket, "tick");
    await heardWhen(socket, "tick", () => ticks.length === 5);
    same(ticks, ticks.map((_, i) => ticks[0] + i));
  },

  async "1,000 rooms are enough for one client"(context) {
    const [ann] = await visitors(context, 1);
    const rooms = Array.from({ length: 1000 }, (_, i) => `room ${i}`);
    is((await answer(ann, "enter", ...rooms)).length, 1000);
    same(await answer(ann, "enter", "one more"), { message: "One can be in 1000 rooms at most" });
    is((await answer(ann, "enter", "room 5")).length, 1000);
    is((await answer(ann, "leave", "room 5")).length, 999);
    is((await answer(ann, "enter", "one more")).length, 1000);
  },

  async "the name of a room has 200 characters at most"(context) {
    const [ann] = await visitors(context, 1);
    is((await answer(ann, "enter", "é".repeat(200))).length, 1);
    const { message } = await answer(ann, "enter", "é".repeat(201));
    is(message.startsWith("The name of a room has 200 characters at most"), true);
  },

  async "the name of a namespace has 200 characters at most"(context) {
    const fits = stage().padEnd(200, "x");
    await visitors(context, 1, fits);
    const socket = open(context, `${fits}x`);
    const [error] = await heard(socket, "connect_error");
    is(error.message, "The name of a namespace has 200 characters at most");
  },

  async "a connection joins 100 namespaces at most"(context) {
    const [ann] = await visitors(context, 1);
    const others = Array.from({ length: 99 }, () => tracked(context.sockets, ann.io.socket(stage(), {})));
    await Promise.all(others.map(connected));
    const surplus = tracked(context.sockets, ann.io.socket(stage(), {}));
    const [error] = await heard(surplus, "connect_error");
    is(error.message, "A connection can join 100 namespaces at most");
    others[0].disconnect();
    surplus.connect();
    same(await answer(surplus, "echo", "there is room again"), "there is room again");
    same(await answer(ann, "echo", "still here"), "still here");
  },

  async "10 attachments pass, 11 close the connection"(context) {
    const [ann, friend] = await visitors(context, 2);
    const binary = (count) => Array.from({ length: count }, (_, i) => Uint8Array.of(i));
    is((await answer(ann, "echo", binary(10))).length, 10);
    await closedBy(ann, friend, () => ann.emit("echo", binary(11)));
  },

  async "JSON nests 100 deep at most"(context) {
    const [ann, friend] = await visitors(context, 2);
    const nested = (depth) => JSON.parse("[".repeat(depth) + "]".repeat(depth));
    same(await answer(ann, "echo", nested(99)), nested(99));
    await closedBy(ann, friend, () => ann.emit("echo", nested(100)));
    for (const [opening, closing] of [["[", "]"], ['{"a":', "}"], ['[{"a":', "}]"]]) {
      await connected(ann);
      const text = `2${ann.nsp},["echo",${opening.repeat(20_000)}1${closing.repeat(20_000)}]`;
      await closedBy(ann, friend, () => sendRaw(ann, text));
    }
  },

  async "a whole number has 4,300 digits at most"(context) {
    const [ann, friend] = await visitors(context, 2);
    sendRaw(ann, `2${ann.nsp},["echo",${"7".repeat(4300)}]`);
    same(await answer(ann, "echo", "still here"), "still here");
    await closedBy(ann, friend, () => sendRaw(ann, `2${ann.nsp},["echo",${"7".repeat(4301)}]`));
  },

  async "a fraction has 4,300 digits at most"(context) {
    const [ann, friend] = await visitors(context, 2);
    sendRaw(ann, `2${ann.nsp},["echo",0.${"7".repeat(4299)}]`);
    same(await answer(ann, "echo", "still here"), "still here");
    await closedBy(ann, friend, () => sendRaw(ann, `2${ann.nsp},["echo",0.${"7".repeat(4300)}]`));
  },

  async "an unknown event is answered in words, and counted"(context) {
    const [ann] = await visitors(context, 1, "/plain");
    const before = await answer(ann, "unknown_events");
    same(await answer(ann, "no such event", 1), { message: "Unknown event: no such event" });
    is(await answer(ann, "unknown_events") > before, true);
    is(ann.connected, true);
  },

  async "what cannot be encoded raises where it is said, names the place, and reaches nobody"(context) {
    const [ann, bob] = await visitors(context, 2);
    const told = [ann, bob].map((socket) => record(socket, "told"));
    for (const steps of [[], [["others"]], [["to", bob.id, ann.id]], [["volatile"]]]) {
      matches(await answer(ann, "say_nan", "not a number", steps), /args\[1\]\['list'\]\[1\] is nan/);
      matches(await answer(ann, "say_nan", "infinite", steps), /args\[1\] is -inf/);
      matches(await answer(ann, "say_nan", "an object", steps), /args\[1\]\['deep'\]\[0\] is of the type object/);
    }
    await settled(ann, bob);
    same(told, [[], []]);
  },

  async "a client that did not ask for recovery sees no extra argument"(context) {
    const nsp = stage();
    const [plain] = await visitors(context, 1, nsp, { auth: {}, recovery: false });
    const [recovering] = await visitors(context, 1, nsp, { auth: { recovery: true } });
    const told = [plain, recovering].map((socket) => heard(socket, "told"));
    await answer(plain, "say", [["everyone"]], "told", 1, "two");
    const [without, withOffset] = await Promise.all(told);
    same(without, [1, "two"]);
    same(withOffset.slice(0, 2), [1, "two"]);
    matches(withOffset[2], /^\d+-\d+$/);
    same((await answer(recovering, "whoami")).auth, {});
  },
};

// ---- The client's

export const apiChecks = {
  async "timeout() gives the answer, or an error when it does not come"(context) {
    const [ann] = await visitors(context, 1);
    const ask = (ms, ...args) => new Promise((resolve) => ann.timeout(ms).emit(...args, (...all) => resolve(all)));
    same(await ask(PATIENCE, "echo", 1, 2), [null, 1, 2]);
    const [error] = await ask(20, "slow", "never ends");
    is(error.message, "operation has timed out");
  },

  async "emitWithAck() resolves, and rejects when its time is over"(context) {
    const [ann] = await visitors(context, 1);
    is(await ann.emitWithAck("echo", "a", "b"), "a");
    same(await ann.timeout(PATIENCE).emitWithAck("forbidden"), {
      message: "Not that",
      data: { event: "forbidden", args: [] },
    });
    const error = await ann.timeout(20).emitWithAck("slow", "never ends").then(() => null, (reason) => reason);
    is(error.message, "operation has timed out");
  },

  async "volatile events are dropped while away"(context) {
    const ann = open(context, stage(), { autoConnect: false });
    ann.volatile.emit("set", "volatile");
    ann.connect();
    same(await answer(ann, "get"), [null]);
    ann.disconnect();
    ann.emit("set", "kept");
    ann.connect();
    same(await answer(ann, "get"), ["kept"]);
  },

  async "onAny, offAny and onAnyOutgoing hear all"(context) {
    const [ann] = await visitors(context, 1);
    const [incoming, outgoing] = [[], []];
    const hear = (event, number) => incoming.push([event, number]);
    ann.onAny(hear).onAnyOutgoing((event, ...args) => outgoing.push([event, args.length]));
    await answer(ann, "say", [], "told", 1);
    same(incoming, [["told", 1]]);
    ann.offAny(hear);
    await answer(ann, "say", [], "told", 2);
    same(incoming, [["told", 1]]);
    same(outgoing, [["say", 3], ["say", 3]]);
    ann.offAnyOutgoing();
    await answer(ann, "echo");
    is(outgoing.length, 2);
  },

  async "recovered: id, rooms, state and what was missed, once and in order"(context) {
    const nsp = stage();
    const [ann, friend] = await visitors(context, 2, nsp, { auth: { recovery: true }, reconnection: false });
    const told = record(ann, "told");
    const { id } = ann;
    await answer(ann, "enter", "lobby", "bar");
    await answer(ann, "set", "Ann's");
    await answer(ann, "leave", "bar");
    is(ann.recovered, false);
    for (let round = 0; round < 3; round++) {
      const say = (steps, n) => answer(friend, "say", steps, "told", [round, n]);
      await say([["to", "lobby"]], 1);
      await settled(ann);
      await cut(ann);
      await say([["to", "lobby"]], 2);
      await say([["to", "bar"]], "not for Ann");
      await say([["to", id]], 3);
      await say([["volatile"]], "not for who is away");
      await say([["except_", friend.id]], 4);
      await say([["to", "lobby", "bar", id]], 5);
      ann.connect();
      await connected(ann);
      same([ann.recovered, ann.id], [true, id]);
      await say([["everyone"]], 6);
      await settled(ann);
    }
    same(told, [0, 1, 2].flatMap((round) => [1, 2, 3, 4, 5, 6].map((n) => [round, n])));
    same(await answer(ann, "get"), ["Ann's"]);
    const { rooms, recovered, visits, auth } = await answer(ann, "whoami");
    same([rooms, recovered, visits, auth], [["lobby"], true, 4, {}]);
  },

  async "recovered with attachments among what was missed"(context) {
    const [ann, friend] = await visitors(context, 2, stage(), { auth: { recovery: true }, reconnection: false });
    const told = record(ann, "told");
    await cut(ann);
    await answer(friend, "say", [["others"]], "told", Uint8Array.of(1, 2));
    await answer(friend, "say", [["others"]], "told", "text");
    ann.connect();
    await settled(ann);
    is(ann.recovered, true);
    same([...new Uint8Array(told[0])], [1, 2]);
    same(told.slice(1), ["text"]);
  },

  async "recovered when it is asked for in the query, and nothing came yet"(context) {
    const options = { auth: {}, recovery: false, query: { recovery: "true" }, reconnection: false };
    const [ann] = await visitors(context, 1, stage(), options);
    const { id } = ann;
    await cut(ann);
    ann.connect();
    await connected(ann);
    same([ann.recovered, ann.id], [true, id]);
  },

  async "recovered: a volatile event that ends with a text is no place in the log"(context) {
    const [ann, friend] = await visitors(context, 2, stage(), { auth: { recovery: true }, reconnection: false });
    const told = record(ann, "told");
    await answer(friend, "say", [["others"]], "told", "one");
    await settled(ann);
    await saidUntilHeard(friend, ann, [["others"], ["volatile"]], (steps, [event, number]) =>
      answer(friend, "say", steps, event, number, "a text"));
    await cut(ann);
    await answer(friend, "say", [["others"]], "told", "two");
    ann.connect();
    await settled(ann);
    is(ann.recovered, true);
    same(told.filter((each) => typeof each === "string"), ["one", "two"]);
  },

  async "disconnect() forgets: who connects again is a newcomer"(context) {
    const [ann, friend] = await visitors(context, 2, stage(), { auth: { recovery: true } });
    const { id } = ann;
    const left = heard(friend, "left");
    ann.disconnect();
    same((await left).slice(0, 2), [id, "client namespace disconnect"]);
    ann.connect();
    await connected(ann);
    same([ann.recovered, ann.id === id], [false, false]);
    same((await answer(ann, "whoami")).recovered, false);
  },

  async "connect_error brings the data"(context) {
    const [error] = await heard(open(context, stage(), { auth: { refuse: 1 } }), "connect_error");
    is(error instanceof Error, true);
    same([error.message, error.data.code], ["Not you", 7]);
  },

  async "sockets share a connection, unless forceNew"(context) {
    const { io, url, transports } = context;
    const path = "/elsewhere/";
    const [first, second] = [stage(), stage()].map((nsp) => io(url + nsp, { transports, path }));
    const apart = io(url + stage(), { transports, path, forceNew: true });
    await Promise.all([first, second, apart].map(connected));
    is(first.io, second.io);
    is(first.io === apart.io, false);
    is(first.io.engine.id === apart.io.engine.id, false);
  },

  async "reconnectionAttempts: each attempt is told, and in the end that they failed"(context) {
    const socket = context.io("http://127.0.0.1:9", {
      transports: context.transports,
      forceNew: true,
      reconnectionDelay: 5,
      reconnectionDelayMax: 10,
      reconnectionAttempts: 3,
    });
    const events = [];
    socket.on("connect_error", (error) => events.push(["connect_error", error instanceof Error]));
    socket.io.on("reconnect_attempt", (attempt) => events.push(["reconnect_attempt", attempt]));
    socket.io.on("reconnect_error", (error) => events.push(["reconnect_error", error instanceof Error]));
    socket.io.on("reconnect", () => events.push(["reconnect"]));
    await heard(socket.io, "reconnect_failed");
    const attempt = (number) => [["reconnect_attempt", number], ["connect_error", true], ["reconnect_error", true]];
    same(events, [["connect_error", true], ...[1, 2, 3].flatMap(attempt)]);
    same([socket.connected, socket.active], [false, true]);
  },

  async "reconnect tells how many attempts it took"(context) {
    const [ann] = await visitors(context, 1);
    const attempts = [];
    ann.io.on("reconnect_attempt", (attempt) => attempts.push(attempt));
    const reconnected = heard(ann.io, "reconnect");
    ann.emit("cut");
    same(await reconnected, [1]);
    same(attempts, [1]);
    await connected(ann);
  },

  async "extraHeaders reach the handler over polling"(context) {
    const [ann] = await visitors({ ...context, transports: ["polling"] }, 1, stage(), {
      extraHeaders: { "X-Feature": "from the client" },
    });
    same((await answer(ann, "whoami")).feature, "from the client");
  },

  async "query reaches the handler"(context) {
    const [ann] = await visitors(context, 1, stage(), { query: { colour: "dark blue & é" } });
    const { query } = await answer(ann, "whoami");
    is(query.colour, "dark blue & é");
    const bob = open(context, `${stage()}?colour=red`);
    same((await answer(bob, "whoami")).query.colour, "red");
  },

  async "path leads to where it is mounted, and nowhere else"(context) {
    for (const path of ["/elsewhere/", "/elsewhere"]) {
      const [ann] = await visitors(context, 1, stage(), { path });
      same(await answer(ann, "echo", path), path);
    }
    const lost = open(context, stage(), { path: "/nowhere/", reconnection: false });
    const [error] = await heard(lost, "connect_error");
    is(error instanceof Error, true);
  },
};

// ---- What the official client alone can see

export const official = {
  async "extraHeaders reach the handler over WebSocket"(context) {
    const [ann] = await visitors({ ...context, transports: ["websocket"] }, 1, stage(), {
      extraHeaders: { "X-Feature": "from the client" },
    });
    const { feature, transport } = await answer(ann, "whoami");
    same([feature, transport], ["from the client", "websocket"]);
  },

  async "a client that sends 11 attachments is told why the WebSocket closes"(context) {
    const [ann] = await visitors({ ...context, transports: ["websocket"] }, 1, stage(), { reconnection: false });
    const gone = heard(ann, "disconnect");
    ann.emit("echo", Array.from({ length: 11 }, (_, i) => Uint8Array.of(i)));
    const [, details] = await gone;
    is(details.context.code, 1002);
    matches(details.context.reason, /attachments/);
  },
};

// ---- The words of the checks

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A namespace that nobody else is in. */
function stage() {
  return `/stage-${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`;
}

function open({ io, url, transports }, nsp, options = {}) {
  return io(url + nsp, { transports, forceNew: true, reconnectionDelay: 20, ...options });
}

function tracked(sockets, socket) {
  sockets.push(socket);
  return socket;
}

/** So many clients, connected, in a namespace of their own. */
async function visitors(context, count, nsp = stage(), options = {}) {
  const sockets = [];
  for (let i = 0; i < count; i++) {
    const socket = open(context, nsp, options);
    await connected(socket);
    sockets.push(socket);
  }
  return sockets;
}

async function connected(socket) {
  if (!socket.connected) await heard(socket, "connect");
}

/** The first argument of the answer. */
function answer(socket, ...args) {
  return within(`the answer to "${args[0]}"`, (resolve) => socket.emit(...args, resolve));
}

/** Until all that was said to these sockets before has come. */
function settled(...sockets) {
  return Promise.all(sockets.map((socket) => answer(socket, "echo")));
}

/** The first argument of each of an event, as they come. */
function record(socket, event) {
  const values = [];
  socket.on(event, (value) => values.push(value));
  return values;
}

/** The arguments of the next of an event. */
function heard(emitter, event) {
  return within(`event "${event}"`, (resolve) => emitter.once(event, (...args) => resolve(args)));
}

function heardWhen(emitter, event, isIt) {
  return within(`such an event "${event}"`, (resolve) => {
    emitter.on(event, function listener(...args) {
      if (!isIt(...args)) return;
      emitter.off(event, listener);
      resolve(args);
    });
  });
}

/** A client that polls misses what is volatile between two polls, so it is said until it is heard; never twice or late. */
async function saidUntilHeard(speaker, listener, steps, say) {
  say ??= (narrowing, args) => answer(speaker, "say", narrowing, ...args);
  const said = record(listener, "told");
  const from = said.length;
  let number = 0;
  const deadline = Date.now() + PATIENCE;
  while (said.length === from) {
    if (Date.now() > deadline) throw new Error(`none of ${number} volatile events was heard: ${JSON.stringify(steps)}`);
    await say(steps, ["told", number++]);
    await settled(listener);
  }
  same(said.slice(from), [number - 1]);
}

async function cut(socket) {
  const gone = heard(socket, "disconnect");
  socket.emit("cut");
  await gone;
}

/** What a client sends closes its connection, and nobody else's, as a parse error. */
async function closedBy(socket, friend, send) {
  const { id } = socket;
  const left = heardWhen(friend, "left", (leaver) => leaver === id);
  const gone = heard(socket, "disconnect");
  const friendsId = friend.id;
  send();
  is((await left)[1], "parse error");
  matches((await gone)[0], /^transport (close|error)$/);
  same(await answer(friend, "echo", "still here"), "still here");
  is(friend.id, friendsId);
}

/** Sends a text as it is, as one message. */
function sendRaw(socket, text) {
  const { engine } = socket.io;
  if (engine.write) engine.write(text);
  else engine.send(`4${text}`);
}

/** Has a RequestHandler do something with an audience. */
async function outside({ url }, namespace, what, steps, args = [], options = {}, thread = false) {
  const body = JSON.stringify({ namespace, do: what, steps, args, options, thread });
  const response = await fetch(`${url}/outside`, { method: "POST", body });
  if (!response.ok) throw new Error(`/outside answered ${response.status}`);
  return response.json();
}

function permutations(items) {
  if (items.length < 2) return [items];
  return items.flatMap((item, i) => permutations(items.filter((_, j) => j !== i)).map((rest) => [item, ...rest]));
}

function within(what, start) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} did not come`)), PATIENCE);
    start((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}

function is(actual, expected) {
  if (!Object.is(actual, expected)) throw new Error(`${String(actual)} is not ${String(expected)}`);
}

function same(actual, expected) {
  const [left, right] = [canonical(actual), canonical(expected)];
  if (left !== right) throw new Error(`${left.slice(0, 500)} is not ${right.slice(0, 500)}`);
}

function matches(text, expression) {
  if (!expression.test(text)) throw new Error(`${String(text).slice(0, 500)} does not match ${expression}`);
}

/** JSON in which undefined and the order of keys do not matter. */
function canonical(value) {
  const sort = (key, each) =>
    each && Object.getPrototypeOf(each) === Object.prototype ? Object.fromEntries(Object.entries(each).sort()) : each;
  return JSON.stringify(value, sort) ?? "undefined";
}
