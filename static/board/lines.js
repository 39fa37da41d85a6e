// The list of lines: posts ordered by id, and notices in the order of arrival. It is a window: while the reader follows
// the newest lines, the oldest are removed from the page; while the reader is at the oldest, the newest are removed.

import * as absence from "./absence.js";
import { fold } from "./notices.js";
import { element, find } from "./page.js";
import { postLine } from "./post.js";
import { Posts } from "./posts.js";
import { onNewDay } from "./times.js";

const WINDOW = 300; // lines; few enough to be replaced at once without a delay for a person who types
const PAUSE = 100; // minimum milliseconds between two changes of the page
const GREETING = 1000; // milliseconds that the first lines wait for older posts, so that they do not jump
const NEAR = 40; // pixels from the end that count as the end

const box = find("log");
const list = find("messages");
const pending = find("pending");
const older = find("older");
const newest = find("newest");
const empty = find("empty");

class Log {
  _posts = new Posts(list);
  _isFollowing = true;
  _followedTo = 0; // where the box was scrolled to when it last followed
  _isAtEnd = true; // whether the newest line is in the window
  _unseen = 0;
  _isMovingOn = false; // whether the reader wants later lines, so that the oldest are removed
  _isKnown = false; // whether the history has answered
  _highest = 0; // id that came
  _changes = []; // of the page, collected: it changes at most ten times a second
  _pause = setTimeout(() => this._apply(), GREETING);
  _quiet; // the timer that ends it

  constructor() {
    box.addEventListener("scroll", () => this._scrolled());
    // Follow when the box's height changes: a keyboard on a phone, or a long post in the composer, would hide the end.
    new ResizeObserver(() => this._isFollowing && this._follow()).observe(box);
    newest.addEventListener("click", () => {
      this._goToNewest();
      box.focus({ preventScroll: true });
    });
    onNewDay(() => this._applyQuietly([() => this._posts.showDays()]));
  }

  // For the other modules of the page

  addNotice(kind, text) {
    this._change(() => this._isAtEnd && list.append(element("li", kind, text)));
  }

  /** Add a new post; key: that of the pending line if it was posted here. */
  addPost(post, key) {
    this._change(() => {
      check(post);
      if (key) removePending(key);
      else if (!this._isFollowing) this._unseen++;
      if (!key) absence.note(post.id);
      const before = post.id > this._highest ? list.lastElementChild : this._posts.predecessor(post.id);
      if (this._isAtEnd) this._posts.insert(post, before);
      this._highest = Math.max(this._highest, post.id);
    });
  }

  /** Show a post as it is after a change. */
  addChange(post) {
    this._change(() => {
      check(post);
      this._posts.update(post);
    });
  }

  /** Change what only this browser knows of a post. */
  amend(id, more) {
    this._change(() => this._posts.amend(id, more));
  }

  /** Return the post with an id, or of a line; undefined if there is none. */
  find(idOrLine) {
    return this._posts.of(this._posts.lineOf(idOrLine) ?? idOrLine);
  }

  /** Add older posts, and take over the changes of those that are shown already. */
  addPast(past) {
    this._isKnown = true;
    this._applyQuietly(past.map((post) => () => this._insertPast(post)));
  }

  /** Add posts behind the window, which moves on; isEnd: whether there are no later ones. */
  addLater(posts, isEnd) {
    this._isAtEnd = this._isMovingOn = true;
    this.addPast(posts);
    this._isAtEnd = isEnd && !(this._posts.newest < this._highest); // one may have come meanwhile
    this._isMovingOn = false;
    this._showNewest();
  }

  /** Show these posts alone. */
  showOnly(posts, isEnd) {
    this.clear();
    this._isFollowing = false;
    this.addLater(posts, isEnd);
  }

  /** Go to a post; return whether it is on the page. */
  goTo(id) {
    const line = this._posts.lineOf(id);
    if (!line) return false;
    this._isFollowing = false;
    list.querySelector(".target")?.classList.remove("target");
    line.classList.add("target");
    line.tabIndex = -1;
    line.focus({ preventScroll: true });
    line.scrollIntoView({ block: "center" });
    return true;
  }

  /** Remove the posts from one id up to another that are not among these: they were deleted. */
  removeMissing(past, from, to) {
    const kept = new Set(past.map((post) => post?.id));
    const missing = this._posts.ids.filter((id) => from <= id && id <= to && !kept.has(id));
    this._applyQuietly(missing.map((id) => () => this._posts.update({ id, gone: true, revision: Infinity })));
  }

  /** Return whether posts are missing between the last one shown and these. */
  hasGap(past) {
    return this._highest > 0 && past[0]?.id > this._highest;
  }

  /** The next posts do not continue the list: clear it, or keep them off the page while the reader is further up. */
  detachFromEnd() {
    if (this._isFollowing) this.clear();
    else this._isAtEnd = false;
  }

  /** Empty the list, and follow the newest posts. */
  clear() {
    this._posts.clear();
    this._isFollowing = this._isAtEnd = true;
  }

  get highest() {
    return this._highest;
  }

  get oldest() {
    return this._posts.oldest;
  }

  /** The id of the newest post on the page, if there may be later ones that are not. */
  get end() {
    return this._isAtEnd ? undefined : this._posts.newest;
  }

  addPending(post) {
    const line = postLine(post);
    line.dataset.key = post.key;
    line.classList.add("pending");
    this._change(() => pending.append(line));
    this._goToNewest();
  }

  settle(key) {
    this._change(() => removePending(key));
  }

  /** New lines are not seen from now on: the connection is lost, or the page is hidden. */
  markAway(why) {
    this._change(() => absence.begin(why));
  }

  markPresent(why) {
    this._change(() => absence.end(why));
  }

  /** Call a listener when the reader wants the newest posts and they are not on the page. */
  onNewest(listener) {
    newest.addEventListener("ask", listener);
  }

  // Changes of the page

  _change(work) {
    this._changes.push(work);
    if (!this._pause || this._changes.length >= WINDOW) this._apply();
  }

  _apply() {
    clearTimeout(this._pause);
    this._pause = setTimeout(() => this._applyNext(), PAUSE);
    const seen = this._isFollowing ? null : [...list.children].find((line) => line.offsetTop + line.offsetHeight > box.scrollTop);
    const place = seen?.offsetTop;
    this._changes.splice(0).forEach(attempt);
    fold(list);
    this._trim();
    absence.place(this._posts).forEach((line) => this._posts.join(line));
    empty.hidden = !this._isKnown || !older.hidden || this._posts.oldest !== undefined || pending.childElementCount > 0;
    if (this._isFollowing) this._follow();
    else if (seen?.isConnected && seen.offsetTop !== place) box.scrollTop += seen.offsetTop - place;
    this._showNewest();
  }

  /** Apply changes without having a screen reader read a hundred lines. */
  _applyQuietly(changes) {
    this._changes.push(...changes);
    box.setAttribute("aria-live", "off");
    this._apply();
    clearTimeout(this._quiet);
    this._quiet = setTimeout(() => box.removeAttribute("aria-live"), 1000);
  }

  _applyNext() {
    this._pause = undefined;
    if (this._changes.length) this._apply();
  }

  _insertPast(post) {
    check(post);
    if (post.id > this._highest) absence.note(post.id);
    const before = this._posts.predecessor(post.id);
    if (this._isAtEnd || before !== this._posts.predecessor(Infinity)) this._posts.insert(post, before);
    this._highest = Math.max(this._highest, post.id);
  }

  _trim() {
    const isForward = this._isFollowing || this._isMovingOn;
    while (list.childElementCount > WINDOW) {
      const line = isForward ? list.firstElementChild : list.lastElementChild;
      this._posts.drop(line);
      if (isForward) older.hidden = false;
      else this._isAtEnd = false;
    }
    while (list.firstElementChild?.hidden) list.firstElementChild.remove(); // the button that unfolds them is removed
    this._posts.join(list.querySelector(".post"));
  }

  // Scrolling

  _scrolled() {
    if (this._isFollowing && box.scrollTop === this._followedTo) return; // not by a person; the box may have shrunk
    this._isFollowing = this._isAtEnd && box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
    this._showNewest();
  }

  _follow() {
    box.scrollTop = box.scrollHeight;
    this._followedTo = box.scrollTop;
  }

  _goToNewest() {
    this._isFollowing = this._isAtEnd;
    if (this._isAtEnd) this._change(() => {});
    else newest.dispatchEvent(new Event("ask"));
  }

  _showNewest() {
    newest.hidden = this._isFollowing;
    if (this._isFollowing) this._unseen = 0;
    newest.textContent = this._unseen ? `${this._unseen} new post${this._unseen === 1 ? "" : "s"}` : "Newest";
  }
}

function check(post) {
  if (!Number.isSafeInteger(post?.id)) throw new TypeError(`a post needs a number as its id: ${JSON.stringify(post)}`);
}

/** Report errors of one change, so that those after it are shown. */
function attempt(work) {
  try {
    work();
  } catch (error) {
    reportError(error);
  }
}

function removePending(key) {
  [...pending.children].find((line) => line.dataset.key === key)?.remove();
}

export const log = new Log();
