// The connection: shows its state, and reconnects.

import { find } from "./page.js";

const LONGEST = 30; // seconds between two attempts
const TRANSPORTS = { websocket: "WebSocket", polling: "long-polling" };

const state = find("state");
const transport = find("transport");
const away = find("away");
const now = find("now");

/** Reconnection is done here, so that the page can show in how many seconds. */
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

function countDown(end) {
  const left = Math.ceil((end - Date.now()) / 1000);
  if (left <= 0) return tryAgain();
  showAway(navigator.onLine ? `Reconnecting in ${left} s` : `Offline: posts are sent later. Trying in ${left} s`);
  timer = setTimeout(countDown, 200, end);
}

function tryAgain() {
  clearTimeout(timer);
  showAway("Reconnecting…");
  socket.connect();
}

function wait() {
  clearTimeout(timer);
  const seconds = Math.min(2 ** attempts++, LONGEST) * (0.5 + Math.random()); // random, so that clients do not all return at once
  countDown(Date.now() + 1000 * seconds);
}

/** Show that the connection is lost, and reconnect. Offline is only a hint, wrong at localhost and behind a VPN. */
function handleLoss() {
  if (socket.active) {
    if (!navigator.onLine) show("away", "Offline");
    else show("connecting", wasConnected ? "Reconnecting…" : "Connecting…");
    wait();
  } else {
    show("away", "Disconnected");
    showAway("The server has closed the connection. Connect again?");
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
socket.on("connect_error", handleLoss);
socket.on("disconnect", handleLoss);

now.addEventListener("click", tryAgain);
addEventListener("online", () => socket.active && !socket.connected && tryAgain());
addEventListener("offline", () => {
  if (location.hostname === "localhost" || !socket.connected) return;
  socket.io.engine.close();
  tryAgain();
});
