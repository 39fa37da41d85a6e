// The text of a post as nodes: code in `backticks` and ``` fences, addresses as links. All else stays text.

import { element } from "./page.js";

const FENCE = /^```[^\n`]*\n([^]*?\S[^]*?)\n?^```[ \t]*$/gm;
const INLINE = /`([^`\n]*[^`\s][^`\n]*)`/g;
const LINK = /https?:\/\/[^\s<>"]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|www\.[^\s<>"]+/gi;
const LETTER = /[\p{L}\p{N}_]/u;

/** As URL.canParse, which Safari 16 does not have. */
function isAddress(text) {
  try {
    return Boolean(new URL(text));
  } catch {
    return false;
  }
}

/** Return the URL of a web or mail address; undefined for neither. */
function urlOf(address) {
  if (/^https?:/i.test(address)) return address;
  if (/^www\.[^.]/i.test(address)) return `https://${address}`;
  return address.includes("@") ? `mailto:${address}` : undefined;
}

function link(address) {
  const anchor = element("a", "", address);
  anchor.href = new URL(urlOf(address)).href;
  anchor.rel = "noopener nofollow";
  anchor.target = "_blank";
  return anchor;
}

/** Remove the end of the sentence from an address: "(see https://a.example/b)." */
function withoutEnd(address) {
  const end = address.at(-1);
  const isLoose = end === ")" && address.split(")").length > address.split("(").length;
  return isLoose || /[.,;:!?'’”»\]}]/.test(end) ? withoutEnd(address.slice(0, -1)) : address;
}

/** Return the text with what is found replaced; make: returns a node of a match and its rest as text, or undefined. */
function replace(text, pattern, make, between = (part) => [part]) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    const [node, rest = ""] = make(match) ?? [];
    if (!node) continue;
    nodes.push(...between(text.slice(end, match.index)), node);
    end = match.index + match[0].length - rest.length;
  }
  return [...nodes, ...between(text.slice(end))];
}

function makeLink({ 0: found, index, input }) {
  const address = withoutEnd(found);
  const isInside = index > 0 && !/^http/i.test(found) && LETTER.test(input[index - 1]);
  if (isInside || !isAddress(urlOf(address))) return undefined;
  return [link(address), found.slice(address.length)];
}

const withLinks = (text) => replace(text, LINK, makeLink);

const withCode = (text) => replace(text, INLINE, ([, code]) => [element("code", "", code)], withLinks);

/** Return the text of a post as nodes. */
export function nodesOf(text) {
  const blocks = replace(text, FENCE, ([, code]) => [element("pre", "", element("code", "", code))]);
  return blocks.flatMap((part, index) => {
    if (typeof part !== "string") return [part];
    const after = index > 0 ? part.replace(/^\n/, "") : part; // the block itself breaks the line
    return withCode(index < blocks.length - 1 ? after.replace(/\n$/, "") : after);
  });
}
