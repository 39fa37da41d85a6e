// What the official client hears of the help desk of examples/port, as JSON: { what was tried: what came }.
//
//     node tests/js/port.mjs http://127.0.0.1:3006
//
// "never" is an acknowledgement that has not come when that of a later event has.

import { once } from "node:events";
import { io } from "socket.io-client";

const url = process.argv[2];
const heard = {};

/** A client that has come in, with all that it hears. */
async function visit(token, namespace = "/", options = {}) {
  const socket = io(url + namespace, { forceNew: true, auth: { token }, query: { from: "Rome" }, reconnection: false, ...options });
  socket.heard = [];
  socket.onAny((event, ...args) => socket.heard.push([event, ...args]));
  await Promise.race([once(socket, "connect"), once(socket, "connect_error").then(([error]) => (socket.error = error))]);
  return socket;
}

/** The acknowledgement, all its arguments. */
function ask(socket, event, ...args) {
  return new Promise((resolve) => socket.emit(event, ...args, (...answer) => resolve(answer)));
}

/** The next event of a name that this client hears, or has heard already. */
async function next(socket, event) {
  const found = () => socket.heard.findIndex(([name]) => name === event);
  while (found() < 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const [[, ...args]] = socket.heard.splice(found(), 1);
  return args.map((arg) => (Buffer.isBuffer(arg) ? [...arg] : arg));
}

function refusal({ error }) {
  return error ? { message: error.message, data: error.data ?? null } : "in";
}

for (const transport of ["websocket", "polling"]) {
  const transports = [transport];
  const note = (what, came) => (heard[`${what} (${transport})`] = came);
  const [ann, bob] = [await visit("s3cret-ann", "/", { transports }), await visit("s3cret-bob", "/", { transports })];

  note("a login", await next(ann, "welcome"));
  note("an unknown token", refusal(await visit("guess", "/", { transports })));
  note("no auth", refusal(await visit(undefined, "/", { transports, auth: undefined })));
  note("a refusal without words", refusal(await visit("s3cret-bob", "/admin", { transports })));
  note("a namespace that is not there", refusal(await visit("s3cret-ann", "/nobody", { transports })));

  note("enter a room", await ask(ann, "join", "lobby"));
  note("enter a second room", await ask(bob, "join", "lobby"));
  note("who joins is told to the others", await next(ann, "joined"));
  note("an acknowledgement of two values", await ask(bob, "say", "lobby", "hello"));
  note("what is said in a room", [await next(ann, "said"), await next(bob, "said")]);
  note("leave a room", await ask(bob, "leave", "lobby"));
  await ask(ann, "say", "lobby", "alone");
  note("who stays hears", await next(ann, "said"));
  bob.emit("private message", "Ann", "psst");
  note("an event whose name has a blank", await next(ann, "private message"));
  note("a method that returns nothing", await ask(bob, "private message", "nobody", "psst"));
  note("a room that is closed", await ask(ann, "close_room", "lobby"));
  await ask(ann, "say", "lobby", "nobody hears this");
  note("what a client has not heard", [ann, bob].map(({ heard }) => heard.filter(([name]) => name === "said")));

  note("the session", await ask(bob, "rename", "Robert"));
  note("bytes", [await ask(ann, "upload", Buffer.from([1, 2, 3])), await next(ann, "uploaded")]);
  ann.on("question", (question, answer) => answer(`${question}? yes`));
  note("a call", await ask(ann, "ask", "really", 20));
  note("a call that nobody answers", await ask(bob, "ask", "really", 0.1));
  ann.off("question");
  ann.on("question", (question, answer) => answer(1, 2));
  note("a call that is answered by two values", await ask(ann, "ask", "how many", 20));
  note("another namespace", await ask(await visit("s3cret-ann", "/admin", { transports }), "count"));
  await ask(bob, "join", "clock");
  const [first] = await next(bob, "tick");
  const [second] = await next(bob, "tick");
  note("a background task", second - first);
  await ask(bob, "leave", "clock");

  const mistakes = {
    "an event that nobody declared": ask(ann, "opne", 1),
    "too few arguments": ask(ann, "join"),
    "too many arguments": ask(ann, "fail", 1),
    "a handler that fails": ask(ann, "fail"),
  };
  const answered = {};
  for (const [what, answer] of Object.entries(mistakes)) answer.then((came) => (answered[what] = came));
  note("an answer after all that", await ask(ann, "leave", "nowhere"));
  for (const what of Object.keys(mistakes)) note(what, answered[what] ?? "never");
  const order = [];
  await Promise.all([0.3, 0].map((seconds) => ask(ann, "wait", seconds).then(([waited]) => order.push(waited))));
  note("a slow handler, and one that comes after it", order);

  const gone = once(bob, "disconnect");
  bob.emit("quit");
  note("a client that the server sends away", await gone.then(([reason]) => reason));
  note("the others hear of a client that was sent away", await next(ann, "left"));
  (await visit("s3cret-bob", "/", { transports })).disconnect();
  note("the others hear of a client that leaves", await next(ann, "left"));
  (await visit("s3cret-bob", "/", { transports })).io.engine.close();
  note("the others hear of a connection that closes", await next(ann, "left"));
  ann.disconnect();
}

process.stdout.write(`${JSON.stringify(heard, undefined, 1)}\n`, () => process.exit());
