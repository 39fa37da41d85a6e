// The page of the board: it lists what the server says, answers what is said to it alone, and shows whether it is
// connected.
"use strict";

const messages = document.getElementById("messages");
const state = document.getElementById("state");
const socket = io();

/** Show a line of a kind ("news" or "private"); whatever it says is text. */
function list(kind, label, text) {
  const follow = window.innerHeight + window.scrollY >= document.body.scrollHeight - 40;
  const line = document.createElement("li");
  line.className = kind;
  line.textContent = `${label}: ${text}`;
  messages.append(line);
  if (follow) line.scrollIntoView({ block: "end" });
}

function show(name, text) {
  state.dataset.state = name;
  state.textContent = text;
}

socket.on("news", ({ msg, count }) => list("news", "News", `${msg} (${count})`));

socket.on("private", ({ msg }) => {
  list("private", "Private", msg);
  socket.emit("private", { msg: "Thank you for your message" });
});

socket.on("connect", () => show("connected", "Connected"));
socket.on("connect_error", () => show("connecting", "Connecting…"));
socket.on("disconnect", () => show(socket.active ? "connecting" : "away", socket.active ? "Reconnecting…" : "Disconnected"));
