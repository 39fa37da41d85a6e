// The posts of the list, ordered by id, each with its line. Between them are other lines, in the order of arrival.

import { continues, postLine } from "./post.js";
import { dayOf, showDay, showTime } from "./times.js";

export class Posts {
  _lines = new Map(); // by id
  _posts = new WeakMap(); // by line
  _gone = new Set(); // ids of deleted posts, which a history that was read before may still have

  constructor(list) {
    this._list = list;
  }

  get ids() {
    return [...this._lines.keys()];
  }

  get oldest() {
    return this.of(this._list.querySelector(".post"))?.id;
  }

  get newest() {
    return this.of(this.predecessor(Infinity))?.id;
  }

  /** Return the line of an id; undefined if it is not on the page. */
  lineOf(id) {
    return this._lines.get(id);
  }

  /** Return the post of a line; undefined if it has none. */
  of(line) {
    return this._posts.get(line);
  }

  /** Return the last line that belongs before a post. */
  predecessor(id) {
    let line = this._list.lastElementChild;
    while (line && !(this.of(line)?.id < id)) line = line.previousElementSibling;
    return line;
  }

  /** Insert a post behind a line; before: null for the beginning. */
  insert(post, before) {
    if (this._gone.has(post.id)) return;
    if (this._lines.has(post.id)) {
      this.update(post);
      return;
    }
    const line = postLine(post);
    this._lines.set(post.id, line);
    this._posts.set(line, post);
    if (before) before.after(line);
    else this._list.prepend(line);
    this.join(line);
    this.join(this._following(line));
  }

  /** Show a change, unless a later one is shown; several nodes may send them in another order. */
  update(post) {
    if (post.gone) this._gone.add(post.id);
    const line = this._lines.get(post.id);
    const shown = this.of(line);
    if (!line || (post.revision ?? 0) <= (shown.revision ?? 0)) return;
    if (post.gone) this._remove(line, post.id);
    else this._show(line, { mine: shown.mine, ...post });
  }

  /** Change what only this browser knows of a post. */
  amend(id, more) {
    const line = this._lines.get(id);
    if (line) this._show(line, { ...this.of(line), ...more });
  }

  /** Remove a line from the page, of a post or not. */
  drop(line) {
    this._lines.delete(this.of(line)?.id);
    line.remove();
  }

  clear() {
    this._list.replaceChildren();
    this._lines.clear();
  }

  /** Show whether a post continues the one before it, or begins a day. */
  join(line) {
    const post = this.of(line);
    if (!post) return;
    let other = line.previousElementSibling;
    line.classList.toggle("joined", continues(post, this.of(other)));
    while (other && !this.of(other)) other = other.previousElementSibling;
    showDay(line, other && dayOf(this.of(other).at) === dayOf(post.at) ? undefined : post.at);
  }

  /** Show all times and days again: another day has begun. */
  showDays() {
    this._list.querySelectorAll("time").forEach(showTime);
    this._list.querySelectorAll("[data-day]").forEach((line) => showDay(line, this.of(line).at));
  }

  _following(line) {
    let next = line.nextElementSibling;
    while (next && !this.of(next)) next = next.nextElementSibling;
    return next;
  }

  _show(line, post) {
    this._posts.set(line, post);
    [...line.children].forEach((part) => part.matches(".tools") || part.remove());
    line.prepend(...postLine(post).childNodes);
  }

  _remove(line, id) {
    const next = this._following(line);
    this._lines.delete(id);
    line.remove();
    this.join(next);
  }
}
