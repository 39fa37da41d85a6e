// The page of the board: connects the server's events with the modules that show them, and the composer with the server.

import { remember } from "./board/absence.js";
import { clearUnread, notify } from "./board/attention.js";
import { composer, name, showProblem } from "./board/composer.js";
import { socket } from "./board/connection.js";
import * as history from "./board/history.js";
import { log } from "./board/lines.js";
import { announce } from "./board/notifications.js";
import * as outbox from "./board/outbox.js";
import { pause } from "./board/page.js";
import * as people from "./board/people.js";
import "./board/shell.js";
import "./board/tools.js";

socket.on("news", ({ msg, count }) => {
  log.addNotice("news", `News: ${msg} (${count})`);
});

socket.on("private", ({ msg }) => {
  log.addNotice("private", `Private: ${msg}`);
  socket.emit("private", { msg: "Thank you for your message" });
});

socket.on("post", (post) => {
  const key = outbox.keyOf(post);
  log.addPost(post, key);
  people.stopTyping(post.person);
  if (!key) {
    notify();
    if (post.person !== people.you.id) announce(post);
  }
  remember(post.id);
});

socket.on("change", (post) => log.addChange(post));
socket.on("here", people.show);
socket.on("typing", people.startTyping);

/** Send `here` with the person's name or, if that is refused, without a name. */
async function announcePresence() {
  const { secret } = people;
  let answer = await socket.emitWithAck("here", { name: name(), secret });
  if (answer.wait) {
    await pause(answer.wait);
    return announcePresence();
  }
  if (answer.error) {
    showProblem(answer.error);
    answer = await socket.emitWithAck("here", { secret });
  }
  people.show(answer);
}

let hasBegun = false;

async function arrive() {
  await announcePresence().catch(unlessLost);
  if (socket.connected && !socket.recovered) await (hasBegun ? history.greet() : history.begin()).catch(unlessLost);
  if (!socket.connected) return;
  hasBegun = true;
  log.markPresent("connection");
  log.markPresent("closed");
  remember(log.highest);
  await outbox.send();
}

/** Report an error, unless the connection was lost: then the next connection does the work again. */
function unlessLost(error) {
  if (socket.connected) reportError(error);
}

socket.on("connect", arrive);
socket.on("disconnect", () => {
  log.markAway("connection");
  people.doubt();
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) log.markAway("page");
  else log.markPresent("page");
  remember(log.highest);
  clearUnread();
});

composer.addEventListener("post", ({ detail }) => outbox.post(detail, name()));
composer.addEventListener("name", () => socket.connected && announcePresence().catch(unlessLost));
composer.addEventListener("typing", () => socket.volatile.emit("typing", {}));
outbox.restore();

globalThis.socket = socket; // for the console
