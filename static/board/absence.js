// The mark before the first post that came while nobody looked: the connection was lost, or the page was hidden.

import { element } from "./page.js";

const mark = element("li", "mark", "New since you were away");
const reasons = new Set();
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
  if (reasons.size) from = Math.min(from, id);
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
