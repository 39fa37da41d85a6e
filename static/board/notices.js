// Notices, lines that are not posts: long runs of them are folded.

import { element } from "./page.js";

const MANY = 12; // maximum length of a run that is not folded
const SHOWN = 3; // last notices of a folded run that stay visible
const KEPT = 50; // maximum length of a run; older notices are removed

export const isNotice = (line) => line?.matches(".news, .private") ?? false;

const button = (fold) => fold.firstElementChild;

const isOpen = (fold) => button(fold).getAttribute("aria-expanded") === "true";

/** Fold the run of notices at the end of the list if it is long. */
export function fold(list) {
  const run = [];
  let line = list.lastElementChild;
  for (; isNotice(line); line = line.previousElementSibling) run.unshift(line);
  if (run.length <= MANY) return;
  run.splice(0, Math.max(0, run.length - KEPT)).forEach((notice) => notice.remove());
  const head = line?.matches(".fold") ? line : makeFold(run[0]);
  show(head, run);
}

function makeFold(first) {
  const made = element("button", "");
  made.type = "button";
  made.setAttribute("aria-expanded", false);
  const line = element("li", "fold", made);
  made.addEventListener("click", () => {
    made.setAttribute("aria-expanded", !isOpen(line));
    show(line, runBehind(line));
  });
  first.before(line);
  return line;
}

function runBehind(line) {
  const run = [];
  for (let next = line.nextElementSibling; isNotice(next); next = next.nextElementSibling) run.push(next);
  return run;
}

function show(head, run) {
  const folded = run.slice(0, -SHOWN);
  folded.forEach((notice) => (notice.hidden = !isOpen(head)));
  run.slice(-SHOWN).forEach((notice) => (notice.hidden = false));
  button(head).textContent = isOpen(head) ? "Show fewer" : `${folded.length} earlier notices`;
}
