// History: loads the newest posts, or those around the one that the address names, and others when the reader scrolls.

import { showProblem } from "./composer.js";
import { socket } from "./connection.js";
import { log } from "./lines.js";
import { find } from "./page.js";

const PAGES = 3; // of posts, that the page shows at most
const NEAR = 300; // pixels from an end at which more posts are loaded

const box = find("log");
const older = find("older");
let isAsking = false;

/** Show the post that the address names, or the newest ones. */
export async function begin() {
  const id = named();
  if (id) await goTo(id);
  else await greet();
}

/** Return the id in the address: `#<id>`; undefined if there is none. */
function named() {
  const [, id] = /^#(\d{1,16})$/.exec(location.hash) ?? [];
  return id && Number(id);
}

/** Show the post that the address names now. */
function follow() {
  if (named()) goTo(named()).catch(() => {});
}

/** Show a post among those around it. */
async function goTo(id) {
  if (log.goTo(id)) return;
  const { posts, more, later } = await ask({ around: id });
  if (!posts.length) {
    await greet();
    return;
  }
  older.hidden = !more;
  log.showOnly(posts, !later);
  if (!log.goTo(id)) showProblem("This post is not there any more: these are around it.");
}

/** Show the newest posts, and what has changed of the others on the page meanwhile. */
export async function greet() {
  const known = log.highest;
  let { posts, more } = await ask({});
  if (more && log.hasGap(posts)) log.detachFromEnd();
  if (more) older.hidden = false;
  refresh(posts, more, Math.max(known, posts.at(-1)?.id ?? 0));
  for (let pages = 0; pages < PAGES && more && log.oldest < posts[0]?.id; pages++) {
    const before = posts[0].id;
    ({ posts, more } = await ask({ before }));
    refresh(posts, more, before - 1);
  }
}

function refresh(posts, more, to) {
  log.addPast(posts);
  const from = more ? posts[0]?.id : 0;
  log.removeMissing(posts, from ?? Infinity, to);
}

/** Ask the server for posts; on an error the button says why, and asks again. */
async function ask(wanted) {
  const { posts = [], more = true, later, error, message } = await socket.emitWithAck("history", wanted);
  older.textContent = error ?? message ?? "Show older posts";
  return { posts, more, later };
}

/** Ask for posts that continue the list, one question after the other. */
async function extend(wanted, add) {
  if (isAsking || !socket.connected) return;
  isAsking = true;
  try {
    add(await ask(wanted));
  } catch {
    // The connection is lost: this works again after the reconnection.
  } finally {
    isAsking = false;
  }
}

function askForOlder() {
  if (older.hidden) return;
  extend({ before: log.oldest }, ({ posts, more }) => {
    older.hidden = !more;
    log.addPast(posts);
  });
}

function askForLater() {
  if (log.end) extend({ after: log.end }, ({ posts, later }) => log.addLater(posts, !later));
}

older.addEventListener("click", askForOlder);
box.addEventListener("scroll", () => {
  if (box.scrollTop < NEAR) askForOlder();
  else if (box.scrollHeight - box.scrollTop - box.clientHeight < NEAR) askForLater();
});
addEventListener("hashchange", follow);
addEventListener("click", ({ target }) => target.closest?.("a")?.hash === location.hash && follow()); // to the same again

log.onNewest(() => {
  log.clear();
  greet().catch(() => {});
});
