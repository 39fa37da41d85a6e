// The form for posts and the name. It dispatches `post` (detail: the text), `edit` (detail: `{id, text}`), `name` after a
// change, `typing`, and `last` to edit the last own post.

import { find, storage } from "./page.js";

const MAX = 1000; // characters of a post
const FEW = 100; // characters left below which their number is shown
const TYPING = 2000; // minimum milliseconds between two `typing` events

export const composer = find("composer");
const text = find("text");
const nameField = find("name");
const left = find("left");
const send = find("send");
const cancel = find("cancel");
const problem = find("problem");

const stored = storage("localStorage");
let typed = -Infinity;
let editing; // `{id, draft}`: the post that is edited, and the text that was in the field

/** Return the person's name; "" for none. */
export const name = () => nameField.value.trim();

export function showProblem(words) {
  problem.textContent = words;
}

/** Put a text that could not be posted back into the field, before newer text. */
export function restoreDraft(words, why) {
  text.value = [words, text.value].filter(Boolean).join("\n");
  showProblem(why);
  showLeft();
}

/** Let the person edit a post. */
export function edit({ id, text: words }) {
  editing = { id, draft: editing?.draft ?? text.value };
  show(words);
  text.focus();
}

function stopEditing() {
  const { draft } = editing;
  editing = undefined;
  show(draft);
}

function show(words) {
  text.value = words;
  send.textContent = editing ? "Save" : "Post";
  cancel.hidden = !editing;
  showProblem("");
  showLeft();
}

const tidy = (words) => words.replace(/\r\n?/g, "\n").replaceAll("\t", "    ").trim();

const length = (words) => [...words].length;

/** Return why the server would refuse a post, "" if it would not. Checked here too, because the server may be away. */
function findProblem(words) {
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
  showProblem(findProblem(words));
  text.focus();
  if (problem.textContent) return;
  if (editing) {
    say("edit", { id: editing.id, text: words });
    stopEditing();
    return;
  }
  text.value = "";
  showLeft();
  typed = -Infinity;
  say("post", words);
});

/** Ignore the Enter that confirms an input method's proposal; Safari marks that only by keyCode, after compositionend. */
const isEnter = ({ key, keyCode, isComposing }) => key === "Enter" && !isComposing && keyCode !== 229;

cancel.addEventListener("click", () => {
  stopEditing();
  text.focus();
});

text.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && editing && !event.isComposing) stopEditing();
  if (event.key === "ArrowUp" && !text.value && !event.isComposing) {
    event.preventDefault();
    say("last");
  }
  if (!isEnter(event) || event.shiftKey) return;
  event.preventDefault();
  composer.requestSubmit();
});

text.addEventListener("input", () => {
  showProblem("");
  showLeft();
  if (!text.value.trim() || performance.now() < typed + TYPING) return;
  typed = performance.now();
  say("typing");
});

nameField.addEventListener("change", () => {
  stored.set("name", name());
  say("name");
});

nameField.addEventListener("keydown", (event) => {
  if (!isEnter(event)) return;
  event.preventDefault();
  text.focus();
});

/** Take the name over from the other tabs, which belong to the same person. */
stored.onChange("name", (words) => {
  nameField.value = words ?? "";
  say("name");
});

nameField.value = stored.get("name") ?? "";

// A browser opens a dropped file in place of the page.
for (const type of ["dragover", "drop", "paste"]) {
  addEventListener(type, (event) => {
    const { types = [], files = [] } = event.dataTransfer ?? event.clipboardData ?? {};
    if (!types.includes("Files") || types.includes("text/plain")) return;
    event.preventDefault();
    if (files.length) showProblem("Only text can be posted here, no files.");
  });
}
