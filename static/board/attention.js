// Notifies of new posts while the page is hidden: a number in the title and, if switched on, a sound.

import { find, storage } from "./page.js";

const QUIET = 2000; // minimum milliseconds between two sounds

const button = find("sound");
const stored = storage("localStorage");
const title = document.title;

let unread = 0;
let isOn = stored.get("sound") === true;
let context;
let sounded = -Infinity;

function show() {
  button.setAttribute("aria-pressed", isOn);
}

/** Start the AudioContext in an event handler, because browsers allow sounds only after the page was used. */
function allow() {
  if (!isOn) return;
  context ??= new AudioContext();
  context.resume();
}

/** Play a short, soft tone. */
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

/** Notify of one new post. */
export function notify() {
  if (isOn) sound();
  if (!document.hidden) return;
  unread++;
  document.title = `(${unread}) ${title}`;
}

/** Reset the number of unread posts if the page is visible. */
export function clearUnread() {
  if (document.hidden) return;
  unread = 0;
  document.title = title;
}

button.addEventListener("click", () => {
  isOn = !isOn;
  stored.set("sound", isOn);
  show();
  allow();
  if (isOn) sound();
});

addEventListener("pointerup", allow);
addEventListener("keydown", allow);

show();
