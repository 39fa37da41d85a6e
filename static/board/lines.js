// The list of lines: posts in the order of their ids, and notices as they come. It holds a window of what there is: while
// one reads the newest, the oldest leave the page; while one reads the oldest, the newest do.

import { fold } from "./notices.js";
import { element, find } from "./page.js";
import { goesOn, postLine } from "./post.js";
import { onNewDay, tell } from "./times.js";

const WINDOW = 300; // lines: as many as can be replaced at once without keeping somebody waiting who types
const PAUSE = 100; // milliseconds between two changes of the page
const GREETING = 1000; // milliseconds that the first lines wait for the posts from before, lest they jump
const NEAR = 40; // pixels from the end that count as the end

const log = find("log");
const list = find("messages");
const pending = find("pending");
const older = find("older");
const newest = find("newest");
const mark = element("li", "mark", "New since you were away");

const lines = new Map(); // by the ids of their posts
const posts = new WeakMap(); // by their lines
const absences = new Set();
const changes = [];

let pause = setTimeout(apply, GREETING);
let isFollowing = true;
let followedTo = 0; // where the log was scrolled to when it last followed
let isAtEnd = true; // whether the newest line is in the window
let unseen = 0;
let last = 0; // the highest id that was seen
let missedFrom = Infinity; // the lowest id of what came during an absence

// What the rest of the page says

export function addNotice(kind, text) {
  change(() => isAtEnd && list.append(element("li", kind, text)));
}

/** A new post; under the key that it has here, if it was posted here. */
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

/** Posts that were there before, whether one has them or not. */
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

/** Whether there is a hole between what was seen last and these posts. */
export const leavesHole = (past) => last > 0 && past[0]?.id > last;

/** What comes next does not go on where the page ends: begin anew, unless somebody is reading there. */
export function breakOff() {
  if (isFollowing) clear();
  else isAtEnd = false;
}

/** Begin anew with the newest posts. */
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

/** One does not see the lines that come from now on: the connection is lost, or the page is hidden. */
export function leave(why) {
  change(() => {
    if (!absences.size) missedFrom = Infinity;
    absences.add(why);
  });
}

export const back = (why) => change(() => absences.delete(why));

// How the page changes: a few times a second at most, however much is said

function change(work) {
  changes.push(work);
  if (!pause || changes.length >= WINDOW) apply();
}

function apply() {
  clearTimeout(pause);
  pause = setTimeout(goOn, PAUSE);
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

/** Nobody wants a hundred lines read to them. */
function applyQuietly() {
  log.setAttribute("aria-live", "off");
  apply();
  setTimeout(() => log.removeAttribute("aria-live"), 1000);
}

function goOn() {
  pause = undefined;
  if (changes.length) apply();
}

/** Whatever is wrong with one line, those behind it are shown. */
function attempt(work) {
  try {
    work();
  } catch (error) {
    reportError(error);
  }
}

onNewDay(() => {
  changes.push(() => list.querySelectorAll("time").forEach(tell));
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
  if (post) line.classList.toggle("joined", goesOn(post, posts.get(line.previousElementSibling)));
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
  while (list.firstElementChild?.hidden) list.firstElementChild.remove(); // what unfolded them is gone
  join(list.firstElementChild);
}

function placeMark() {
  const first = lines.get(missedFrom);
  if (first === mark.nextElementSibling && first) return;
  const parted = mark.nextElementSibling;
  mark.remove();
  first?.before(mark);
  join(parted);
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
  if (isFollowing && log.scrollTop === followedTo) return; // nobody scrolled; the log may have shrunk since
  isFollowing = isAtEnd && log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
  showNewest();
});

// What changes the height of the log, a keyboard on a phone or a long post in the making, hides nothing of the end.
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

/** Have something done when one wants to see the newest, and they are not on the page. */
export const onNewest = (listener) => newest.addEventListener("ask", listener);
