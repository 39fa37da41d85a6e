// One post as a line of the list.

import { element } from "./page.js";
import { nodesOf } from "./text.js";
import { dayOf, when } from "./times.js";

const TINTS = 8;
const TOGETHER = 5 * 60 * 1000; // milliseconds within which posts of one person share a heading

/** Return the name of a person, or what tells a person without one from the others. */
export const called = ({ id, name }) => name || (id ? `Guest ${id.slice(0, 4)}` : "Someone");

/** Return the first character of a person's name, in a tint that is the same for the same person. */
export function avatar({ id, name }) {
  const [initial = ""] = /[\p{L}\p{N}\p{Extended_Pictographic}]/u.exec(name) ?? [];
  const tint = [...(id || name)].reduce((sum, char) => (31 * sum + char.codePointAt(0)) % 65521, 7) % TINTS;
  const made = element("span", id || name ? `avatar tint-${tint}` : "avatar", initial.toUpperCase());
  made.setAttribute("aria-hidden", true);
  return made;
}

/** Return the line of a post; a post without a time is pending. */
export function postLine(post) {
  try {
    return wholeLine(post);
  } catch (error) {
    reportError(error);
    return element("li", "post unshown", element("p", "fate", "This post cannot be shown."));
  }
}

function reactionsOf({ reactions = {}, mine = [] }) {
  return Object.entries(reactions).map(([reaction, count]) => {
    const button = element("button", "", `${reaction} ${count}`);
    button.type = "button";
    button.tabIndex = -1; // the tools of the post are for the keyboard
    button.dataset.reaction = reaction;
    button.setAttribute("aria-pressed", mine.includes(reaction));
    return button;
  });
}

function permalink({ id, at }) {
  const anchor = element("a", "at", when(at));
  anchor.href = `#${id}`;
  anchor.tabIndex = -1; // the tools of the post are for the keyboard
  return anchor;
}

function wholeLine(post) {
  const { text, name, person: id, at, edited } = post;
  const author = { id, name };
  const heading = element("p", "heading", element("bdi", "who", called(author)), " ");
  heading.append(at === undefined ? element("span", "fate", "on its way…") : permalink(post));
  const body = element("div", "text", ...nodesOf(text));
  body.dir = "auto";
  const foot = [...(edited ? [element("span", "fate", "edited")] : []), ...reactionsOf(post)];
  return element("li", "post", avatar(author), heading, body, ...(foot.length ? [element("div", "foot", ...foot)] : []));
}

/** Return whether a post needs no heading after the post before it: same person, same day, soon after. */
export function continues(post, before) {
  if (!before || !(post.person || post.name) || post.person !== before.person || post.name !== before.name) return false;
  return post.at - before.at < TOGETHER && dayOf(post.at) === dayOf(before.at);
}
