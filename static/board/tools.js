// The tools of a post: reactions and, if it is one's own, edit and delete. One toolbar moves to the post under the pointer
// or, by the arrow keys in the list, to the post with the focus.

import * as composer from "./composer.js";
import { socket } from "./connection.js";
import { log } from "./lines.js";
import { element, find } from "./page.js";
import { onSendAway, you } from "./people.js";

const REACTIONS = ["👍", "❤️", "😂", "🎉", "😮", "😢"];
const TIMEOUT = 10_000; // milliseconds that the server has to answer

const box = find("log");
const list = find("messages");
const tools = element("div", "tools");
tools.setAttribute("role", "toolbar");
tools.setAttribute("aria-label", "This post");
tools.setAttribute("aria-live", "off"); // a screen reader does not read out that they move

const shown = () => log.find(tools.closest(".post"));
const isOwn = (post) => post?.person === you.id;

function button(label, content, action) {
  const made = element("button", "", content);
  made.type = "button";
  made.title = label;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", () => shown() && action(shown(), made));
  tools.append(made);
  return made;
}

/** Ask the server for a change; say why it refuses. */
async function ask(event, data) {
  if (!socket.connected) {
    composer.showProblem("Not connected: try again when the board is back.");
    return false;
  }
  const answer = await socket.timeout(TIMEOUT).emitWithAck(event, data).catch(() => null);
  const problem = answer ? (answer.error ?? answer.message ?? "") : "The server did not answer: try again.";
  composer.showProblem(problem);
  return !problem;
}

async function react({ id, mine = [] }, reaction) {
  const on = !mine.includes(reaction);
  if (!(await ask("react", { id, reaction, on }))) return;
  const now = (log.find(id)?.mine ?? []).filter((other) => other !== reaction);
  log.amend(id, { mine: on ? [...now, reaction] : now });
}

async function save({ id, text }) {
  if (!(await ask("edit", { id, text }))) composer.edit({ id, text });
}

async function copyLink({ id }, pressed) {
  const link = new URL(`#${id}`, location.href).href;
  try {
    await navigator.clipboard.writeText(link);
    pressed.textContent = "Copied";
  } catch {
    location.hash = id; // no access to the clipboard: the link is in the address bar
  }
}

/** Delete a post at the second press. */
function remove({ id }, pressed) {
  if (pressed.textContent === "Delete?") ask("delete", { id });
  else pressed.textContent = "Delete?";
}

for (const reaction of REACTIONS) button(`React with ${reaction}`, reaction, (post) => react(post, reaction));
const copy = button("Copy link", "Link", copyLink);
const edit = button("Edit", "Edit", composer.edit);
const del = button("Delete", "Delete", remove);

function moveTo(line) {
  if (!line || tools.parentElement === line) return;
  const post = log.find(line);
  edit.hidden = !isOwn(post);
  del.hidden = !isOwn(post) && !you.moderator;
  del.textContent = "Delete";
  copy.textContent = "Link";
  line.append(tools);
}

const lineOf = (event) => event.target.closest?.("#messages .post:not(.unshown)");

list.addEventListener("pointerover", (event) => moveTo(lineOf(event)));
list.addEventListener("focusin", (event) => moveTo(lineOf(event)));
list.addEventListener("click", (event) => {
  const pressed = event.target.closest(".foot button");
  if (pressed) react(log.find(lineOf(event)), pressed.dataset.reaction);
});

// Arrow keys go from post to post; in the tools, from one to the next. Escape goes back.

function neighbour(line, key) {
  const lines = [...list.querySelectorAll(".post:not(.unshown)")];
  const place = lines.indexOf(line);
  if (place < 0) return lines.at(-1);
  return lines[place + (key === "ArrowUp" ? -1 : 1)];
}

function goTo(line) {
  line.tabIndex = -1;
  line.focus();
  line.scrollIntoView({ block: "nearest" });
}

box.addEventListener("keydown", (event) => {
  if (event.key === "Escape") box.focus();
  if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
  const line = neighbour(document.activeElement.closest(".post"), event.key);
  event.preventDefault();
  if (line) goTo(line);
});

onSendAway((person) => ask("send_away", { person }));
composer.composer.addEventListener("edit", ({ detail }) => save(detail));
composer.composer.addEventListener("last", () => {
  const own = [...list.querySelectorAll(".post")].map((line) => log.find(line)).filter(isOwn);
  if (own.length) composer.edit(own.at(-1));
});
