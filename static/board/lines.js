// The list of lines: posts ordered by id, and notices in the order of arrival. It is a window: while the reader follows
// the newest lines, the oldest are removed from the page; while the reader is at the oldest, the newest are removed.

import { fold } from "./notices.js";
import { element, find } from "./page.js";
import { continues, postLine } from "./post.js";
import { onNewDay, showTime } from "./times.js";

const WINDOW = 300; // lines; few enough to be replaced at once without a delay for a person who types
const PAUSE = 100; // minimum milliseconds between two changes of the page
const GREETING = 1000; // milliseconds that the first lines wait for older posts, so that they do not jump
const NEAR = 40; // pixels from the end that count as the end

const log = find("log");
const list = find("messages");
const pending = find("pending");
const older = find("older");
const newest = find("newest");
const mark = element("li", "mark", "New since you were away");

const lines = new Map(); // by post id
const posts = new WeakMap(); // by line
const absences = new Set();
const changes = [];

let pause = setTimeout(apply, GREETING);
let isFollowing = true;
let followedTo = 0; // where the log was scrolled to when it last followed
let isAtEnd = true; // whether the newest line is in the window
let unseen = 0;
let last = 0; // the highest id shown
let missedFrom = Infinity; // the lowest id of the posts that came during an absence

// For the other modules of the page

export function addNotice(kind, text) {
  change(() => isAtEnd && list.append(element("li", kind, text)));
}

/** Add a new post; key: that of the pending line if it was posted here. */
export function addPost(post, key) {
  change(() => {
    check(post);
    if (key) removePending(key);
    else if (!isFollowing) unseen++;
    if (!key && absences.size) missedFrom = Math.min(missedFrom, post.id);
    if (isAtEnd) insert(post, post.id > last ? list.lastElementChild : predecessor(post.id));
    last = Math.max(last, post.id);
  });
}

/** Add older posts; those that are shown already are ignored. */
export function addPast(past) {
  changes.push(...past.map((post) => () => insertPast(post)));
  applyQuietly();
}

function insertPast(post) {
  check(post);
  if (absences.size && post.id > last) missedFrom = Math.min(missedFrom, post.id);
  const before = predecessor(post.id);
  if (isAtEnd || before !== predecessor(Infinity)) insert(post, before);
  last = Math.max(last, post.id);
}

function check(post) {
  if (!Number.isSafeInteger(post?.id)) throw new TypeError(`a post needs a number as its id: ${JSON.stringify(post)}`);
}

/** Return whether posts are missing between the last one shown and these. */
export const hasGap = (past) => last > 0 && past[0]?.id > last;

/** The next posts do not continue the list: clear it, or keep them off the page while the reader is further up. */
export function detachFromEnd() {
  if (isFollowing) clear();
  else isAtEnd = false;
}

/** Empty the list, and follow the newest posts. */
export function clear() {
  list.replaceChildren();
  lines.clear();
  isFollowing = isAtEnd = true;
}

export const oldest = () => posts.get(list.querySelector(".post"))?.id;

export function addPending(post) {
  const line = postLine(post);
  line.dataset.key = post.key;
  line.classList.add("pending");
  change(() => pending.append(line));
  goToNewest();
}

export const settle = (key) => change(() => removePending(key));

/** New lines are not seen from now on: the connection is lost, or the page is hidden. */
export function markAway(why) {
  change(() => {
    if (!absences.size) missedFrom = Infinity;
    absences.add(why);
  });
}

export const markPresent = (why) => change(() => absences.delete(why));

// Changes of the page, collected: at most ten times a second

function change(work) {
  changes.push(work);
  if (!pause || changes.length >= WINDOW) apply();
}

function apply() {
  clearTimeout(pause);
  pause = setTimeout(applyNext, PAUSE);
  const seen = isFollowing ? null : [...list.children].find((line) => line.offsetTop + line.offsetHeight > log.scrollTop);
  const place = seen?.offsetTop;
  changes.splice(0).forEach(attempt);
  fold(list);
  trim();
  placeMark();
  if (isFollowing) follow();
  else if (seen?.isConnected && seen.offsetTop !== place) log.scrollTop += seen.offsetTop - place;
  showNewest();
}

/** Apply changes without having a screen reader read a hundred lines. */
function applyQuietly() {
  log.setAttribute("aria-live", "off");
  apply();
  setTimeout(() => log.removeAttribute("aria-live"), 1000);
}

function applyNext() {
  pause = undefined;
  if (changes.length) apply();
}

/** Report errors of one change, so that those after it are shown. */
function attempt(work) {
  try {
    work();
  } catch (error) {
    reportError(error);
  }
}

onNewDay(() => {
  changes.push(() => list.querySelectorAll("time").forEach(showTime));
  applyQuietly();
});

function insert(post, before) {
  if (lines.has(post.id)) return;
  const line = postLine(post);
  lines.set(post.id, line);
  posts.set(line, post);
  if (before) before.after(line);
  else list.prepend(line);
  join(line);
  join(line.nextElementSibling);
}

function predecessor(id) {
  let line = list.lastElementChild;
  while (line && !(posts.get(line)?.id < id)) line = line.previousElementSibling;
  return line;
}

function join(line) {
  const post = posts.get(line);
  if (post) line.classList.toggle("joined", continues(post, posts.get(line.previousElementSibling)));
}

function removePending(key) {
  [...pending.children].find((line) => line.dataset.key === key)?.remove();
}

function trim() {
  while (list.childElementCount > WINDOW) {
    const line = isFollowing ? list.firstElementChild : list.lastElementChild;
    lines.delete(posts.get(line)?.id);
    line.remove();
    if (isFollowing) older.hidden = false;
    else isAtEnd = false;
  }
  while (list.firstElementChild?.hidden) list.firstElementChild.remove(); // the button that unfolds them is removed
  join(list.firstElementChild);
}

function placeMark() {
  const first = lines.get(missedFrom);
  if (first === mark.nextElementSibling && first) return;
  const separated = mark.nextElementSibling;
  mark.remove();
  first?.before(mark);
  join(separated);
  join(first);
}

function showNewest() {
  newest.hidden = isFollowing;
  if (isFollowing) unseen = 0;
  newest.textContent = unseen ? `${unseen} new post${unseen === 1 ? "" : "s"}` : "Newest";
}

function follow() {
  log.scrollTop = log.scrollHeight;
  followedTo = log.scrollTop;
}

log.addEventListener("scroll", () => {
  if (isFollowing && log.scrollTop === followedTo) return; // not scrolled by a person; the log may have shrunk
  isFollowing = isAtEnd && log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
  showNewest();
});

// Follow when the height of the log changes: a keyboard on a phone, or a long post in the composer, would hide the end.
new ResizeObserver(() => isFollowing && follow()).observe(log);

function goToNewest() {
  isFollowing = isAtEnd;
  if (isAtEnd) change(() => {});
  else newest.dispatchEvent(new Event("ask"));
}

newest.addEventListener("click", () => {
  goToNewest();
  log.focus({ preventScroll: true });
});

/** Call a listener when the reader wants the newest posts and they are not on the page. */
export const onNewest = (listener) => newest.addEventListener("ask", listener);
