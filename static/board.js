// The page of the board: what the server says goes where it is shown, and what is posted here goes to the server.

import { announce, hush } from "./board/attention.js";
import { complain, composer, name } from "./board/composer.js";
import { socket } from "./board/connection.js";
import * as lines from "./board/lines.js";
import * as outbox from "./board/outbox.js";
import * as past from "./board/past.js";
import * as people from "./board/people.js";

socket.on("news", ({ msg, count }) => {
  lines.addNotice("news", `News: ${msg} (${count})`);
});

socket.on("private", ({ msg }) => {
  lines.addNotice("private", `Private: ${msg}`);
  socket.emit("private", { msg: "Thank you for your message" });
});

socket.on("post", (post) => {
  const key = outbox.keyOf(post);
  lines.addPost(post, key);
  people.stopTyping(post.name);
  if (!key) announce();
});

socket.on("here", people.show);
socket.on("typing", ({ name }) => people.startTyping(name));

/** Be here under one's name or, where that is refused, under none. */
async function beHere() {
  let answer = await socket.emitWithAck("here", { name: name() });
  if (answer.error) {
    complain(answer.error);
    answer = await socket.emitWithAck("here", {});
  }
  people.show(answer);
}

async function arrive() {
  await beHere().catch(unlessLost);
  if (socket.connected && !socket.recovered) await past.greet().catch(unlessLost);
  if (!socket.connected) return;
  lines.back("connection");
  await outbox.send();
}

/** What fails because the connection is lost again is done by the next one; what fails otherwise stops nothing else. */
function unlessLost(error) {
  if (socket.connected) reportError(error);
}

socket.on("connect", arrive);
socket.on("disconnect", () => {
  lines.leave("connection");
  people.forget();
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) lines.leave("page");
  else lines.back("page");
  hush();
});

composer.addEventListener("post", ({ detail }) => outbox.post(detail, name()));
composer.addEventListener("name", () => socket.connected && beHere().catch(unlessLost));
composer.addEventListener("typing", () => socket.volatile.emit("typing", {}));
outbox.restore();

globalThis.socket = socket; // for the console
