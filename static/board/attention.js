// What tells somebody who looks elsewhere that there is a new post: a number in the title and, if one likes, a sound.

import { find, keeper } from "./page.js";

const QUIET = 2000; // milliseconds between two sounds

const button = find("sound");
const kept = keeper("localStorage");
const title = document.title;

let unread = 0;
let isOn = kept.get("sound") === true;
let context;
let sounded = -Infinity;

function show() {
  button.setAttribute("aria-pressed", isOn);
}

/** Browsers allow sounds once somebody has used the page, and some only where that begins them. */
function allow() {
  if (!isOn) return;
  context ??= new AudioContext();
  context.resume();
}

/** A short, soft tone. */
function sound() {
  if (!context || performance.now() < sounded + QUIET) return;
  sounded = performance.now();
  const [tone, volume] = [context.createOscillator(), context.createGain()];
  const end = context.currentTime + 0.4;
  tone.frequency.value = 660;
  volume.gain.setValueAtTime(0.08, context.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.0001, end);
  tone.connect(volume).connect(context.destination);
  tone.start();
  tone.stop(end);
}

/** There is a new post. */
export function announce() {
  if (isOn) sound();
  if (!document.hidden) return;
  unread++;
  document.title = `(${unread}) ${title}`;
}

/** Somebody looks at the page. */
export function hush() {
  if (document.hidden) return;
  unread = 0;
  document.title = title;
}

button.addEventListener("click", () => {
  isOn = !isOn;
  kept.set("sound", isOn);
  show();
  allow();
  if (isOn) sound();
});

addEventListener("pointerup", allow);
addEventListener("keydown", allow);

show();
