// The mark before the first post that came while nobody looked: the connection was lost, or the page was hidden or closed.

import { element, storage } from "./page.js";

const mark = element("li", "mark", "New since you were away");
const stored = storage("localStorage");
const read = Number(stored.get("read")) || Infinity; // the id of the last post that was seen at an earlier visit
const reasons = new Set(["closed"]);
let from = Infinity; // the lowest id of the posts that came meanwhile

export function begin(why) {
  if (!reasons.size) from = Infinity;
  reasons.add(why);
}

export function end(why) {
  reasons.delete(why);
}

/** Note that a post has come. */
export function note(id) {
  const isKnown = reasons.has("closed") && !(id > read);
  if (reasons.size && !isKnown) from = Math.min(from, id);
}

/** Remember for the next visit that all posts up to this one were seen. */
export function remember(id) {
  if (id && !document.hidden) stored.set("read", id);
}

/** Put the mark before its line, if that is on the page; return the lines whose neighbours have changed. */
export function place(posts) {
  const first = posts.lineOf(from);
  const separated = mark.nextElementSibling;
  if (first && first === separated) return [];
  mark.remove();
  first?.before(mark);
  return [separated, first];
}
