// The people online, and those typing.

import { element, find, random, storage } from "./page.js";
import { avatar, called } from "./post.js";

const TYPING = 4000; // milliseconds without `typing` after which a person has stopped typing

const button = find("who");
const panel = find("people");
const list = find("names");
const trouble = find("trouble");
const typing = find("typing");

const stored = storage("localStorage");
const typists = new Map(); // timers, by person

/** What proves to the server that this browser is the same person: all tabs are one, and keep its name. */
export const secret = stored.get("secret")?.length >= 16 ? stored.get("secret") : random(16);
stored.set("secret", secret);

/** The person of this browser, `{id, name, moderator}`; the name may have a number that the server has put behind it. */
export const you = { id: undefined, name: "", moderator: false };

/** Return the button with which a moderator sends a person away, at its second press. */
function sendAway({ id }) {
  const button = element("button", "away", "Send away");
  button.type = "button";
  button.addEventListener("click", () => {
    if (button.textContent === "Sure?") list.dispatchEvent(new CustomEvent("sendaway", { detail: id }));
    else button.textContent = "Sure?";
  });
  return button;
}

function line(person) {
  const isYou = person.id === you.id;
  const name = element("bdi", "", called(person));
  const parts = [avatar(person), element("span", "", name, isYou ? " (you)" : "")];
  return element("li", isYou ? "you" : "", ...parts, ...(you.moderator && !isYou ? [sendAway(person)] : []));
}

/** Show `{online, people, more, trouble, you?}`: the data of one `here` event, so its numbers agree. */
export function show(here) {
  Object.assign(you, here.you);
  const others = here.people.filter(({ id }) => id !== you.id);
  const isHere = others.length < here.people.length;
  const listed = [...(isHere || here.you ? [you] : []), ...others];
  const more = here.online - listed.length;
  list.replaceChildren(...listed.map(line), ...(more > 0 ? [element("li", "more", `and ${more} more`)] : []));
  panel.classList.remove("stale");
  for (const place of document.querySelectorAll(".online")) place.textContent = here.online;
  trouble.hidden = !here.trouble;
  trouble.textContent = here.trouble && `Posts are not being saved at the moment: ${here.trouble}.`;
}

export const onSendAway = (listener) => list.addEventListener("sendaway", ({ detail }) => listener(detail));

/** Show that the people may have changed: the connection is lost. */
export function doubt() {
  panel.classList.add("stale");
}

export function startTyping(person) {
  const { id } = person;
  if (id === you.id) return;
  clearTimeout(typists.get(id)?.timer);
  typists.set(id, { who: called(person), timer: setTimeout(stopTyping, TYPING, id) });
  showTyping();
}

export function stopTyping(id) {
  clearTimeout(typists.get(id)?.timer);
  if (typists.delete(id)) showTyping();
}

function showTyping() {
  const who = [...typists.values()].map(({ who }) => element("bdi", "", who));
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
