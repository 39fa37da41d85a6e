// The table of clients: the server sorts and filters them, and sends a page of rows at a time.
"use strict";

const EVERY = 2000; // milliseconds from one page to the next
const ROWS = 50; // of a page
const CARRIERS = { websocket: "WebSocket", polling: "Long-polling", away: "away" };

const table = find("#table");
const query = { sort: "seconds", descending: true, offset: 0, text: "" };
let asked = 0; // the number of the last question: answers to earlier ones are too late

function askClients() {
  if (!socket.connected || document.hidden) return;
  const number = ++asked;
  socket.emit("clients", query, (answer) => number === asked && answer.rows && showClients(answer));
}

function showClients({ total, found, offset, rows }) {
  query.offset = offset;
  const some = found ? `${count(offset + 1)} to ${count(offset + rows.length)} of ${count(found)}` : "";
  write(find("#found"), query.text ? `${some || "none"} found, ${count(total)} in all` : some || "none");
  find(".none", table).hidden = found > 0 || !query.text;
  find("[name=back]").disabled = offset === 0;
  find("[name=on]").disabled = offset + rows.length >= found;
  showRows(find("tbody", table), rows, clientRow, writeClient);
  for (const head of findAll("[data-sort]", table)) {
    const order = query.descending ? "descending" : "ascending";
    head.setAttribute("aria-sort", head.dataset.sort === query.sort ? order : "none");
  }
}

function clientRow() {
  const row = document.createElement("tr");
  row.append(Object.assign(document.createElement("th"), { scope: "row" }));
  for (let cell = 1; cell <= findAll("[data-sort]", table).length; cell++) row.append(document.createElement("td"));
  const button = part("button", "Send away");
  button.type = "button";
  row.lastChild.append(button);
  return row;
}

function writeClient(row, { namespace, id, address, name, transport, seconds, rooms, backlog, events }) {
  const carrier = CARRIERS[transport] ?? transport;
  writeCells(row, [address, name, carrier, span(seconds), namespace, count(rooms), bytes(backlog), count(events)]);
  row.cells[6].className = backlog >= 1e5 ? "warn" : "";
  const button = find("button", row);
  button.setAttribute("aria-label", `Send ${name || "the client"} at ${address} away`);
  button.onclick = () => sendAway({ namespace, id, name, address });
}

function sendAway({ namespace, id, name, address }) {
  if (!confirm(`Close the connection of ${name || "the client"} at ${address}? Its page does not come back by itself.`)) return;
  socket.emit("send_away", namespace, id, (refusal) => {
    write(find("#answer"), refusal?.message ?? `${name || address} was sent away.`);
    askClients();
  });
}

function ask(changes) {
  Object.assign(query, changes);
  askClients();
}

for (const head of findAll("[data-sort]", table)) {
  head.addEventListener("click", () => {
    const { sort } = head.dataset;
    ask({ sort, descending: sort === query.sort ? !query.descending : ["seconds", "rooms", "backlog", "events"].includes(sort), offset: 0 });
  });
}

find("[name=text]").addEventListener("input", ({ target }) => ask({ text: target.value.trim(), offset: 0 }));
find("[name=back]").addEventListener("click", () => ask({ offset: Math.max(0, query.offset - ROWS) }));
find("[name=on]").addEventListener("click", () => ask({ offset: query.offset + ROWS }));
find("form", table).addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("visibilitychange", askClients);
setInterval(askClients, EVERY);
