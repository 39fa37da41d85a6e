// History: loads the newest posts at the start, and older ones when the reader scrolls up.

import { socket } from "./connection.js";
import { log } from "./lines.js";
import { find } from "./page.js";

const NEAR = 300; // pixels from the top at which older posts are loaded

const box = find("log");
const older = find("older");
let isAsking = false;

/** Show the newest posts, in addition to those on the page. */
export async function greet() {
  const { posts, more } = await ask({});
  if (more && log.hasGap(posts)) log.detachFromEnd();
  if (more) older.hidden = false;
  log.addPast(posts);
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
