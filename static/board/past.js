// Posts from before: the newest when one comes, older ones as one scrolls up to them.

import { socket } from "./connection.js";
import * as lines from "./lines.js";
import { find } from "./page.js";

const NEAR = 300; // pixels from the beginning that ask for more

const log = find("log");
const older = find("older");
let isAsking = false;

/** Show the newest posts, beside those that are on the page already. */
export async function greet() {
  const { posts, more } = await ask({});
  if (more && lines.leavesHole(posts)) lines.breakOff();
  if (more) older.hidden = false;
  lines.addPast(posts);
}

/** Where there is no answer to show, the button says why, and asks again. */
async function ask(wanted) {
  const { posts = [], more = true, error, message } = await socket.emitWithAck("history", wanted);
  older.textContent = error ?? message ?? "Show older posts";
  return { posts, more };
}

async function askForOlder() {
  if (isAsking || older.hidden || !socket.connected) return;
  isAsking = true;
  try {
    const { posts, more } = await ask({ before: lines.oldest() });
    older.hidden = !more;
    lines.addPast(posts);
  } catch {
    // The connection is lost: one can ask again when it is back.
  } finally {
    isAsking = false;
  }
}

older.addEventListener("click", askForOlder);
log.addEventListener("scroll", () => log.scrollTop < NEAR && askForOlder());

lines.onNewest(() => {
  lines.clear();
  greet().catch(() => {});
});
