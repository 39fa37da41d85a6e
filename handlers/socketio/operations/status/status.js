// The status page: keeps the samples of the last ten minutes, on request those of the day, and draws them once a second.
// Times are the server's; a plot ends at the newest sample, and the time between two servers stays empty.
"use strict";

const SECONDS = 600; // of which there is a sample each
const DAY = 86400;
const GAP = 3; // seconds without a sample after which a line is interrupted
const LATE = 2; // seconds without a sign of life after which a node is shown as silent
const SILENCE = 3000; // milliseconds without a message after which the server is shown as silent

// ---- Samples

let samples = []; // one a second, of ten minutes
let minutes = []; // one a minute, of a day
let now = null;
let looked = null; // the time of the sample that a person looks at; null: the newest
let scheduled = false;

const newest = () => samples[samples.length - 1];

/** What is shown: a span of seconds, the interval of its samples, and that after which a line is interrupted. */
function readRange() {
  const span = Number(find("#range [aria-pressed=true]").value);
  return span > SECONDS ? { span, every: 60, gap: 180 } : { span, every: 1, gap: GAP };
}

/** Return the samples of a range; the newest stands for the minute that is not over. */
function samplesOf({ span, every }) {
  const end = newest().at;
  const all = every === 1 ? samples : [...minutes.filter(({ at }) => at < end), newest()];
  return all.filter(({ at }) => at >= end - span);
}

/** Add samples, and drop those older than `span` seconds. */
function add(list, more, span) {
  const since = more[0].at;
  const all = list.filter(({ at }) => at < since).concat(more);
  const end = all[all.length - 1].at;
  return all.filter(({ at }) => at >= end - span);
}

function keep(more) {
  samples = add(samples, more, SECONDS);
  schedule();
}

function keepMinutes(more) {
  if (more.length) minutes = add(minutes, more, DAY);
  schedule();
}

/** Draw when the browser paints next, because it does not paint hidden pages. */
function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    draw();
  });
}

let day = today();
setInterval(() => {
  if (day === today()) return;
  day = today();
  schedule();
}, 1000); // not one timer for midnight, because that would be late after the machine slept

function draw() {
  if (newest()) {
    const range = readRange();
    for (const plot of plots) plot.draw(samplesOf(range), newest().at, range);
    readMoment();
  }
  if (now) {
    write(find("#uptime"), `Running for ${span((newest()?.at ?? now.began) - now.began)}`);
    showCounts();
    showPlaces();
    showHandlers();
    showNodes();
    showRefusals();
  }
}

function readMoment() {
  const end = newest().at;
  const range = readRange();
  const sample = samplesOf(range).find(({ at }) => at === looked);
  if (!sample) looked = null;
  for (const plot of plots) plot.read(sample ?? newest(), sample ? 1 - (end - looked) / range.span : null);
  const past = sample ? `At ${clock(looked)}, ${span(end - looked)} ago` : `The last ${ago(range.span)}`;
  write(find("#moment"), past);
}

function showCounts() {
  const { clients, closed, behind, backlog, refused, places } = now;
  const all = Object.values(clients).reduce((one, other) => one + other);
  const counts = { ...clients, ...closed, ...places, all, behind, refused };
  for (const cell of findAll("[data-count]")) {
    const name = cell.dataset.count;
    write(cell, name === "backlog" ? bytes(backlog) : count(counts[name] ?? 0));
  }
}

function showHandlers() {
  find("#handlers .none").hidden = now.handlers.length > 0;
  find("#handlers table").hidden = now.handlers.length === 0;
  showRows(find("#handlers tbody"), now.handlers, handlerRow, writeHandler);
}

/** Show a list in a table, with as many rows as it has elements. */
function showRows(body, list, makeRow, writeRow) {
  while (body.rows.length > list.length) body.deleteRow(-1);
  while (body.rows.length < list.length) body.append(makeRow());
  list.forEach((element, index) => writeRow(body.rows[index], element));
}

function showPlaces() {
  const { namespaces, rooms } = now.places;
  const prefix = namespaces.length > 1; // else it is the only one
  showRows(find("#namespaces tbody"), namespaces, nodeRow, (row, { name, clients, rooms: number }) =>
    writeCells(row, [name, count(clients), count(number)]));
  showRows(find("#rooms tbody"), rooms, nodeRow, (row, { namespace, name, clients, kept }) =>
    writeCells(row, [prefix ? `${namespace} ${name}` : name, count(clients), bytes(kept)]));
}

function writeCells(row, texts) {
  texts.forEach((text, index) => write(row.cells[index], text));
}

function showNodes() {
  find("#nodes").hidden = now.nodes.length === 0;
  showRows(find("#nodes tbody"), now.nodes, nodeRow, writeNode);
}

function nodeRow() {
  const row = document.createElement("tr");
  row.append(Object.assign(document.createElement("th"), { scope: "row" }));
  row.append(document.createElement("td"), document.createElement("td"));
  return row;
}

function writeNode(row, { name, online, silent }) {
  const isSilent = silent > LATE;
  const heard = silent === null ? "this node" : isSilent ? `${span(silent)} ago` : "now";
  writeCells(row, [name, count(online), heard]);
  row.cells[2].className = isSilent ? "failed" : "";
}

function handlerRow() {
  const row = document.createElement("tr");
  const head = Object.assign(document.createElement("th"), { scope: "row" });
  head.append(part("span", ""), " ", part("small", ""));
  row.append(head, ...["calls", "errors", "mean", "within"].map(() => document.createElement("td")));
  return row;
}

function writeHandler(row, { namespace, event, calls, errors, mean, within }) {
  const [head, ...cells] = row.cells;
  write(find("span", head), event);
  write(find("small", head), namespace);
  const texts = [count(calls), count(errors), duration(mean), within === null ? "over 10 s" : duration(within)];
  texts.forEach((text, index) => write(cells[index], text));
  cells[1].className = errors ? "failed" : "";
}

function showRefusals() {
  const list = find("#refusals ol");
  find("#refusals .none").hidden = now.refusals.length > 0;
  const shown = JSON.stringify([today(), now.refusals]); // times change with the day
  if (list.dataset.shown === shown) return;
  list.dataset.shown = shown;
  list.replaceChildren(...now.refusals.map(refusalLine));
}

function refusalLine({ at, address, message, hint }) {
  const line = document.createElement("li");
  const time = part("time", clock(at));
  time.dateTime = new Date(1000 * at).toISOString();
  line.append(time, " ", part("code", address), " ", part("strong", message), " ", part("span", hint));
  return line;
}

function part(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text });
}

// ---- Looking back

function lookAt(time) {
  const range = readRange();
  const near = newest() ? samplesOf(range).filter(({ at }) => Math.abs(at - time) < range.gap) : [];
  looked = near.sort((one, other) => Math.abs(one.at - time) - Math.abs(other.at - time))[0]?.at ?? null;
  if (looked === newest()?.at) looked = null;
  schedule();
}

function step(by) {
  const shown = newest() ? samplesOf(readRange()) : [];
  const index = shown.findIndex(({ at }) => at === looked);
  const next = (index < 0 ? shown.length - 1 : index) + by;
  lookAt(shown[Math.max(0, Math.min(next, shown.length - 1))]?.at);
}

for (const area of findAll(".plot")) {
  area.addEventListener("pointermove", ({ clientX }) => {
    const { left, width } = area.getBoundingClientRect();
    if (newest()) lookAt(newest().at - readRange().span * (1 - (clientX - left) / width));
  });
  area.addEventListener("pointerleave", () => lookAt(NaN));
}

document.addEventListener("keydown", ({ key, altKey, ctrlKey, metaKey, target }) => {
  if (altKey || ctrlKey || metaKey || target.matches("input, .scroll")) return; // the arrows are theirs
  if (key === "ArrowLeft") step(-1);
  else if (key === "ArrowRight") step(1);
  else if (key === "Escape") lookAt(NaN);
});

find("#range").addEventListener("click", ({ target }) => {
  if (target.type !== "button") return;
  for (const button of findAll("#range button")) button.setAttribute("aria-pressed", button === target);
  lookAt(NaN);
  if (readRange().every > 1) askMinutes();
});

/** Ask for the day's samples, which most pages never show. */
function askMinutes() {
  socket.emit("minutes", (more) => keepMinutes(more));
}

// ---- The connection

const socket = io("/status", { recovery: false });
let silence;

function show(state, text) {
  clearTimeout(silence);
  document.body.dataset.state = state;
  write(find("#state"), text);
}

/** Show that messages arrive, until none has for SILENCE: a blocked server is still connected. */
function showHeard() {
  show("connected", "Live");
  silence = setTimeout(showSilent, SILENCE, Date.now() / 1000);
}

function showSilent(since) {
  show("silent", `Nothing heard since ${clock(since)}`);
  silence = setTimeout(showSilent, SILENCE, since); // again, because after midnight its text has the date
}

socket.on("connect", () => {
  showHeard();
  if (readRange().every > 1) askMinutes();
  askClients();
});
socket.on("history", (more) => more.length && keep(more));
socket.on("now", (told) => {
  now = told;
  if (told.sample) keep([told.sample]);
  if (told.newest_minute) keepMinutes([told.newest_minute]);
  schedule();
  showHeard();
});
socket.on("connect_error", ({ message }) => socket.active || show("away", message));
socket.on("disconnect", () => (socket.active ? show("connecting", "Reconnecting…") : show("away", "Disconnected")));
