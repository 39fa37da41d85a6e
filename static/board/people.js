// The people online, and those typing.

import { element, find } from "./page.js";
import { avatar } from "./post.js";

const TYPING = 4000; // milliseconds without `typing` after which a person has stopped typing

const button = find("who");
const panel = find("people");
const names = find("names");
const naming = find("naming");
const trouble = find("trouble");
const typing = find("typing");

const typists = new Map(); // timers, by name

function count(online) {
  for (const place of document.querySelectorAll(".online")) place.textContent = online;
}

/** Show `{online, names, more, trouble}`: the data of one `here` event, so its numbers agree. */
export function show(here) {
  const lines = here.names.map((name) => element("li", "", avatar(name), element("bdi", "", name)));
  if (here.more) lines.push(element("li", "", `and ${here.more} more`));
  const named = here.names.length + here.more;
  const unnamed = here.online - named;
  names.replaceChildren(...lines);
  count(here.online);
  if (!named) naming.textContent = "Nobody has given a name yet.";
  else naming.textContent = unnamed > 0 ? `${named} by name, ${unnamed} without` : "All by name";
  trouble.hidden = !here.trouble;
  trouble.textContent = here.trouble && `Posts are not being saved at the moment: ${here.trouble}.`;
}

/** Show that the people online are not known. */
export function forget() {
  count("–");
  names.replaceChildren();
  naming.textContent = "";
}

export function startTyping(name) {
  clearTimeout(typists.get(name));
  typists.set(name, setTimeout(stopTyping, TYPING, name));
  showTyping();
}

export function stopTyping(name) {
  clearTimeout(typists.get(name));
  if (typists.delete(name)) showTyping();
}

function showTyping() {
  const who = [...typists.keys()].map((name) => element("bdi", "", name || "Someone"));
  if (!who.length) typing.replaceChildren();
  else if (who.length === 1) typing.replaceChildren(who[0], " is typing…");
  else if (who.length === 2) typing.replaceChildren(who[0], " and ", who[1], " are typing…");
  else typing.replaceChildren("Several people are typing…");
}

// On small screens a button opens the list. (Safari 16 has no popovers.)

function open(isOpen) {
  panel.classList.toggle("open", isOpen);
  button.setAttribute("aria-expanded", isOpen);
}

button.addEventListener("click", () => open(!panel.classList.contains("open")));
addEventListener("pointerdown", ({ target }) => panel.contains(target) || button.contains(target) || open(false));
addEventListener("keydown", ({ key }) => key === "Escape" && open(false));
