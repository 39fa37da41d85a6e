// Posts on their way: each is sent until it is acknowledged, one after the other, under a key by which the server knows
// it again. So it arrives once, whatever happens to the connection or to the page meanwhile.

import { complain, giveBack } from "./composer.js";
import { socket } from "./connection.js";
import * as lines from "./lines.js";
import { keeper } from "./page.js";

const PATIENCE = 10_000; // milliseconds for an answer; the post is sent again then

const kept = keeper("sessionStorage"); // of this tab alone: two that send the same would do no harm, but no good
const waiting = [kept.get("outbox")].flat().filter((post) => post?.key);
let isSending = false;

const save = () => kept.set("outbox", waiting);

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

// crypto.randomUUID is only there over TLS.
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export function post(text, name) {
  waiting.push({ key: newKey(), text, name });
  save();
  lines.addPending(waiting.at(-1));
  send();
}

/** Show what was on its way when the page was left. */
export function restore() {
  waiting.forEach(lines.addPending);
}

/** The key of a post that everyone got, if it is the one on its way from here. */
export function keyOf({ text, name }) {
  const [sent] = waiting;
  return sent?.text === text && sent.name === name ? sent.key : undefined;
}

/** Send what waits, unless that is under way. */
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
  const answer = await socket.timeout(PATIENCE).emitWithAck("post", post).catch(() => null);
  if (answer === null) return;
  const { id, wait, error, message } = answer ?? {};
  if (wait) {
    complain(`${error}. What you wrote follows then.`);
    await pause(wait);
    complain("");
    return;
  }
  waiting.shift();
  save();
  lines.settle(post.key);
  if (id === undefined) giveBack(post.text, error ?? message ?? "The server did not take it: post it again.");
}
