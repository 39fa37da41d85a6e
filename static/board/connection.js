// The connection: what state it is in, and when it is tried again.

import { find } from "./page.js";

const LONGEST = 30; // seconds between two attempts
const TRANSPORTS = { websocket: "WebSocket", polling: "long-polling" };

const state = find("state");
const transport = find("transport");
const away = find("away");
const now = find("now");

/** The page says when to reconnect, so that it can say in how many seconds. */
export const socket = io({ reconnection: false });

let attempts = 0;
let timer;
let wasConnected = false;

function show(name, text) {
  state.dataset.state = name;
  state.textContent = text;
  transport.textContent = socket.connected ? TRANSPORTS[socket.io.engine.transport.name] : "";
}

function showAway(text) {
  away.hidden = !text;
  away.firstElementChild.textContent = text;
}

function countDown(due) {
  const left = Math.ceil((due - Date.now()) / 1000);
  if (left <= 0) return tryAgain();
  showAway(`Reconnecting in ${left} s`);
  timer = setTimeout(countDown, 200, due);
}

function tryAgain() {
  clearTimeout(timer);
  showAway("Reconnecting…");
  socket.connect();
}

function wait() {
  clearTimeout(timer);
  show("connecting", wasConnected ? "Reconnecting…" : "Connecting…");
  const seconds = Math.min(2 ** attempts++, LONGEST) * (0.5 + Math.random()); // random, lest all return at once
  countDown(Date.now() + 1000 * seconds);
}

function lose() {
  if (!navigator.onLine) {
    clearTimeout(timer);
    show("away", "Offline");
    showAway("Offline. What you post is sent later.");
  } else if (socket.active) {
    wait();
  } else {
    show("away", "Disconnected");
    showAway("The server has ended the connection. Connect again?");
  }
}

socket.on("connect", () => {
  attempts = 0;
  wasConnected = true;
  clearTimeout(timer);
  showAway("");
  show("connected", "Connected");
  socket.io.engine.on("upgrade", () => show("connected", "Connected"));
});
socket.on("connect_error", lose);
socket.on("disconnect", lose);

now.addEventListener("click", tryAgain);
addEventListener("online", () => socket.connected || tryAgain());
addEventListener("offline", () => socket.connected || lose());
