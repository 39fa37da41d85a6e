// History: loads the newest posts at the start, and older ones when the reader scrolls up.

import { socket } from "./connection.js";
import { log } from "./lines.js";
import { find } from "./page.js";

const PAGES = 3; // of posts, that the page shows at most
const NEAR = 300; // pixels from the top at which older posts are loaded

const box = find("log");
const older = find("older");
let isAsking = false;

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
  const { posts = [], more = true, error, message } = await socket.emitWithAck("history", wanted);
  older.textContent = error ?? message ?? "Show older posts";
  return { posts, more };
}

async function askForOlder() {
  if (isAsking || older.hidden || !socket.connected) return;
  isAsking = true;
  try {
    const { posts, more } = await ask({ before: log.oldest });
    older.hidden = !more;
    log.addPast(posts);
  } catch {
    // The connection is lost: the button works again after the reconnection.
  } finally {
    isAsking = false;
  }
}

older.addEventListener("click", askForOlder);
box.addEventListener("scroll", () => box.scrollTop < NEAR && askForOlder());

log.onNewest(() => {
  log.clear();
  greet().catch(() => {});
});
