// Where one writes. It dispatches `post` (detail: the text), `name` when that has changed, and `typing` now and then.

import { find, keeper } from "./page.js";

const MAX = 1000; // characters of a post
const FEW = 100; // characters left that are worth saying
const TYPING = 2000; // milliseconds between two words that one is typing

export const composer = find("composer");
const text = find("text");
const nameField = find("name");
const left = find("left");
const problem = find("problem");

const kept = keeper("localStorage");
let typed = -Infinity;

/** The name one goes by; empty for none. */
export const name = () => nameField.value.trim();

export function complain(words) {
  problem.textContent = words;
}

/** Put back what could not be posted, before what has been written since. */
export function giveBack(words, why) {
  text.value = [words, text.value].filter(Boolean).join("\n");
  complain(why);
  showLeft();
}

const tidy = (words) => words.replace(/\r\n?/g, "\n").replaceAll("\t", "    ").trim();

const length = (words) => [...words].length;

/** What the server would say against it; it is not asked, because it may be away. */
function objection(words) {
  const surplus = length(words) - MAX;
  if (!words) return "There is nothing to post yet: write something.";
  if (surplus > 0) return `Too long by ${surplus.toLocaleString()}: a post has at most ${MAX.toLocaleString()} characters.`;
  const [control] = /(?!\n)\p{Cc}|\p{Cs}/u.exec(words) ?? [];
  if (control) return `There is a control character in it that cannot be posted (number ${control.codePointAt(0)}).`;
  if (!/[^\p{Cc}\p{Cf}\p{Cn}\p{Cs}\p{Z}]/u.test(words)) return "It has no visible character: write something.";
  return "";
}

function showLeft() {
  const rest = MAX - length(text.value.trim());
  left.textContent = rest > FEW ? "" : rest < 0 ? `${(-rest).toLocaleString()} too many` : `${rest} left`;
}

function say(event, detail) {
  composer.dispatchEvent(new CustomEvent(event, { detail }));
}

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  const words = tidy(text.value);
  complain(objection(words));
  text.focus();
  if (problem.textContent) return;
  text.value = "";
  showLeft();
  typed = -Infinity;
  say("post", words);
});

/** Enter in an input method chooses what it proposes; Safari says so by keyCode alone, behind its compositionend. */
const isEnter = ({ key, keyCode, isComposing }) => key === "Enter" && !isComposing && keyCode !== 229;

text.addEventListener("keydown", (event) => {
  if (!isEnter(event) || event.shiftKey) return;
  event.preventDefault();
  composer.requestSubmit();
});

text.addEventListener("input", () => {
  complain("");
  showLeft();
  if (!text.value.trim() || performance.now() < typed + TYPING) return;
  typed = performance.now();
  say("typing");
});

nameField.addEventListener("change", () => {
  kept.set("name", name());
  say("name");
});

nameField.addEventListener("keydown", (event) => {
  if (!isEnter(event)) return;
  event.preventDefault();
  text.focus();
});

nameField.value = kept.get("name") ?? "";
