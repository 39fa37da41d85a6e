// Pending posts: sent one after the other, each until it is acknowledged. The server ignores a key that it knows, so a
// post arrives exactly once, even if the connection is lost or the page is reloaded meanwhile.

import { restoreDraft, showProblem } from "./composer.js";
import { socket } from "./connection.js";
import { log } from "./lines.js";
import { pause, random, storage } from "./page.js";
import { you } from "./people.js";

const ANSWER_TIMEOUT = 10_000; // milliseconds; then the post is sent again

const stored = storage("sessionStorage"); // not shared by tabs, because each would send the posts
const waiting = [stored.get("outbox")].flat().filter((post) => post?.key);
let isSending = false;

const save = () => stored.set("outbox", waiting);

export function post(text, name) {
  waiting.push({ key: random(16), text, name });
  save();
  addPending(waiting.at(-1));
  send();
}

/** Show the posts that were pending when the page was closed. */
export function restore() {
  waiting.forEach(addPending);
}

function addPending(post) {
  log.addPending({ ...post, person: you.id });
}

/** Return the key of a received post if it is the one being sent here. */
export function keyOf({ text, person }) {
  const [sent] = waiting;
  return sent?.text === text && person === you.id ? sent.key : undefined;
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
