// Notifications of the system for posts that come while the page is hidden: none, those that name the person, or all.

import { find, storage } from "./page.js";
import { you } from "./people.js";
import { called } from "./post.js";

const MODES = ["none", "@name", "all"];
const LABELS = { none: "No notifications", "@name": "Notifications of posts with @ and your name", all: "Notifications of all posts" };
const LONGEST = 200; // characters of a post in a notification

const button = find("bell");
const stored = storage("localStorage");
let mode = MODES.includes(stored.get("notify")) ? stored.get("notify") : "none";

const isAllowed = () => globalThis.Notification?.permission === "granted";

function show() {
  const shown = isAllowed() ? mode : "none";
  button.dataset.mode = shown;
  button.title = LABELS[shown];
  button.querySelector(".unseen").textContent = LABELS[shown];
}

/** Go to the next mode; the browser asks the person once. */
async function change() {
  const isFirst = !isAllowed();
  if (isFirst && (await Notification.requestPermission()) !== "granted") {
    button.title = "This browser does not allow notifications of this page: its settings can change that";
    return;
  }
  mode = MODES[((isFirst ? 0 : MODES.indexOf(mode)) + 1) % MODES.length];
  stored.set("notify", mode);
  show();
}

/** Return whether a post names the person: @Ann, but neither @Anna nor mail@ann.org. */
export function isNamed({ text }) {
  const name = you.name.toLocaleLowerCase();
  if (!name) return false;
  const parts = String(text).toLocaleLowerCase().split(`@${name}`);
  return parts.slice(1).some((after, i) => !/^[\p{L}\p{N}_]/u.test(after) && !/[\p{L}\p{N}_]$/u.test(parts[i]));
}

/** Notify of a post of somebody else. */
export async function announce(post) {
  if (!document.hidden || !isAllowed() || mode === "none" || (mode === "@name" && !isNamed(post))) return;
  const title = called({ id: post.person, name: post.name });
  const options = { body: String(post.text).slice(0, LONGEST), tag: String(post.id), icon: find("icon").src };
  try {
    const notification = new Notification(title, options);
    notification.onclick = () => {
      focus();
      location.hash = post.id;
      notification.close();
    };
  } catch {
    const worker = await navigator.serviceWorker?.getRegistration(); // Android shows those of a service worker alone
    worker?.showNotification(title, options);
  }
}

button.hidden = !globalThis.Notification;
button.addEventListener("click", change);
show();
