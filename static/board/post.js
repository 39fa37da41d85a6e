// One post as a line. Whatever somebody wrote is text; addresses in it become links.

import { element } from "./page.js";
import { dayOf, when } from "./times.js";

const TINTS = 8;
const TOGETHER = 5 * 60 * 1000; // milliseconds within which posts of one person need no second heading
const ADDRESS = /https?:\/\/[^\s<>"]+/gi;

/** Safari 16 has no URL.canParse. */
function isAddress(text) {
  try {
    return Boolean(new URL(text));
  } catch {
    return false;
  }
}

function link(address) {
  const anchor = element("a", "", address);
  anchor.href = new URL(address).href;
  anchor.rel = "noopener nofollow";
  anchor.target = "_blank";
  return anchor;
}

/** Without what ends a sentence rather than an address: "(see https://a.example/b)." */
function withoutEnd(address) {
  const end = address.at(-1);
  const isLoose = end === ")" && address.split(")").length > address.split("(").length;
  return isLoose || /[.,;:!?'’”»\]}]/.test(end) ? withoutEnd(address.slice(0, -1)) : address;
}

/** The text as nodes, with its addresses as links. */
export function withLinks(text) {
  const nodes = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = withoutEnd(found);
    if (!isAddress(address)) continue;
    nodes.push(text.slice(end, index), link(address));
    end = index + address.length;
  }
  return [...nodes, text.slice(end)];
}

/** The first character that stands for a name, and one of a few tints, the same for the same name. */
export function face(name) {
  const [initial = ""] = /[\p{L}\p{N}\p{Extended_Pictographic}]/u.exec(name) ?? [];
  const tint = [...name].reduce((sum, char) => (31 * sum + char.codePointAt(0)) % 65521, 7) % TINTS;
  const made = element("span", name ? `face tint-${tint}` : "face", initial.toUpperCase());
  made.setAttribute("aria-hidden", true);
  return made;
}

/** The line of a post; one without a time is on its way. */
export function postLine(post) {
  try {
    return wholeLine(post);
  } catch (error) {
    reportError(error);
    return element("li", "post unshown", element("p", "fate", "This post cannot be shown."));
  }
}

function wholeLine({ text, name, at }) {
  const heading = element("p", "heading", element("bdi", "who", name || "Someone"), " ");
  heading.append(at === undefined ? element("span", "fate", "on its way…") : when(at));
  const body = element("div", "text", ...withLinks(text));
  body.dir = "auto";
  return element("li", "post", face(name), heading, body);
}

/** Whether a post goes on where the other, right before it, ended. */
export function goesOn(post, before) {
  if (!before || !post.name || post.name !== before.name) return false;
  return post.at - before.at < TOGETHER && dayOf(post.at) === dayOf(before.at);
}
