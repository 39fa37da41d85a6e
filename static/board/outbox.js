// Pending posts: sent one after the other, each until it is acknowledged. The server ignores a key that it knows, so a
// post arrives exactly once, even if the connection is lost or the page is reloaded meanwhile.

import { restoreDraft, showProblem } from "./composer.js";
import { socket } from "./connection.js";
import { log } from "./lines.js";
import { storage } from "./page.js";

const ANSWER_TIMEOUT = 10_000; // milliseconds; then the post is sent again

const stored = storage("sessionStorage"); // not shared by tabs, because each would send the posts
const waiting = [stored.get("outbox")].flat().filter((post) => post?.key);
let isSending = false;

const save = () => stored.set("outbox", waiting);

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

// crypto.randomUUID exists only over TLS.
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export function post(text, name) {
  waiting.push({ key: newKey(), text, name });
  save();
  log.addPending(waiting.at(-1));
  send();
}

/** Show the posts that were pending when the page was closed. */
export function restore() {
  waiting.forEach((post) => log.addPending(post));
}

/** Return the key of a received post if it is the one being sent here. */
export function keyOf({ text, name }) {
  const [sent] = waiting;
  return sent?.text === text && sent.name === name ? sent.key : undefined;
}

/** Send all pending posts, unless already sending. */
export async function send() {
  if (isSending) return;
  isSending = true;
  try {
    while (waiting.length && socket.connected) await sendOne(waiting[0]);
  } finally {
    isSending = false;
  }
}

async function sendOne(post) {
  const answer = await socket.timeout(ANSWER_TIMEOUT).emitWithAck("post", post).catch(() => null);
  if (answer === null) return;
  const { id, wait, error, message } = answer ?? {};
  if (wait) {
    showProblem(`${error}. Your post is sent then.`);
    await pause(wait);
    showProblem("");
    return;
  }
  waiting.shift();
  save();
  log.settle(post.key);
  if (id === undefined) restoreDraft(post.text, error ?? message ?? "The server did not accept it: post it again.");
}
