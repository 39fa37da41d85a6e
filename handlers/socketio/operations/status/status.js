// The status page: keeps the samples of the last ten minutes and draws them once a second. Times are the server's; a
// plot ends at the newest sample, and the time between two servers stays empty.
"use strict";

const SPAN = 600; // seconds, and the width of a plot in units of its viewBox
const HEIGHT = 100;
const GAP = 3; // seconds without a sample after which a line is interrupted
const LATE = 2; // seconds without a sign of life after which a node is shown as silent
const SILENCE = 3000; // milliseconds without a message after which the server is shown as silent

const find = (selector, root = document) => root.querySelector(selector);
const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Set a text only if it differs, because browsers lay out and screen readers speak each change. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// ---- Numbers and times for people

const round = (value, digits) => value.toLocaleString("en", { maximumFractionDigits: digits });
const count = (value) => round(value, value < 10 ? 1 : 0);
const duration = (value) => (value < 1 ? `${round(1000 * value, value < 0.01 ? 1 : 0)} ms` : `${round(value, 2)} s`);

function bytes(value) {
  if (value < 1e6) return `${round(value / 1e3, 0)} kB`;
  return value < 1e9 ? `${round(value / 1e6, 1)} MB` : `${round(value / 1e9, 2)} GB`;
}

function span(seconds) {
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  return minutes ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(seconds)} s`;
}

const today = () => new Date().toDateString();

function clock(at) {
  const date = new Date(1000 * at);
  const day = date.toDateString() === today() ? "" : `${date.toLocaleDateString()} `;
  return day + date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}

// ---- Plots

/** Return the smallest round number that is at least `most`. */
function ceiling(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= most);
}

/** Return the points of a line, in runs without gaps. */
function runs(samples, of, end, top) {
  const found = [];
  let before = -Infinity;
  for (const { at, [of]: value } of samples) {
    if (value === null) continue;
    if (at - before > GAP) found.push([]);
    const [x, y] = [SPAN - (end - at), HEIGHT * (1 - value / top)];
    found[found.length - 1].push(`${x.toFixed(1)} ${y.toFixed(2)}`);
    before = at;
  }
  return found;
}

const asLine = (run) => `M${run.join("L")}${run.length === 1 ? "h0" : ""}`;
const foot = (point) => `${point.split(" ")[0]} ${HEIGHT}`;
const asArea = (run) => `M${foot(run[0])}L${run.join("L")}L${foot(run[run.length - 1])}Z`;

/** One figure of the page, with a line for each of its paths. */
class Plot {
  constructor(name, format, least) {
    this.figure = document.getElementById(name);
    this.format = format;
    this.least = least;
    this.names = findAll("b", this.figure).map(({ dataset }) => dataset.of);
  }

  draw(samples, end) {
    const most = Math.max(...this.names.flatMap((name) => samples.map((sample) => sample[name])));
    const top = ceiling(Math.max(most, this.least));
    for (const name of this.names) {
      const found = runs(samples, name, end, top);
      find(`.line[data-of=${name}]`, this.figure).setAttribute("d", found.map(asLine).join(""));
      find(`.area[data-of=${name}]`, this.figure).setAttribute("d", found.map(asArea).join(""));
    }
    write(find(".ceiling", this.figure), this.format(top));
    write(find(".most span", this.figure), this.format(most));
  }

  /** Show the numbers of one sample and, if it is not the newest, its place. */
  read(sample, place) {
    for (const name of this.names) {
      const value = sample[name];
      write(find(`b[data-of=${name}]`, this.figure), value === null ? "not known" : this.format(value));
    }
    const cursor = find(".cursor", this.figure);
    cursor.hidden = place === null;
    cursor.style.left = `${(100 * place) / SPAN}%`;
  }
}

const plots = [
  new Plot("online", count, 5),
  new Plot("deliveries", count, 10),
  new Plot("events", count, 10),
  new Plot("lag", duration, 0.005),
  new Plot("memory", bytes, 5e7),
];

// ---- Samples

let samples = [];
let now = null;
let looked = null; // the time of the sample that a person looks at; null: the newest
let scheduled = false;

const newest = () => samples[samples.length - 1];

/** Add samples, and drop those older than the plots are long. */
function keep(more) {
  const since = more[0].at;
  samples = samples.filter(({ at }) => at < since).concat(more);
  const end = newest().at;
  samples = samples.filter(({ at }) => at >= end - SPAN);
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
    for (const plot of plots) plot.draw(samples, newest().at);
    readMoment();
  }
  if (now) {
    write(find("#uptime"), `Running for ${span((newest()?.at ?? now.began) - now.began)}`);
    showCounts();
    showHandlers();
    showNodes();
    showRefusals();
  }
}

function readMoment() {
  const end = newest().at;
  const sample = samples.find(({ at }) => at === looked);
  if (!sample) looked = null;
  for (const plot of plots) plot.read(sample ?? newest(), sample ? SPAN - (end - looked) : null);
  write(find("#moment"), sample ? `At ${clock(looked)}, ${span(end - looked)} ago` : "The last ten minutes");
}

function showCounts() {
  const { clients, closed, behind, backlog, refused } = now;
  const all = Object.values(clients).reduce((one, other) => one + other);
  const counts = { ...clients, ...closed, all, behind, refused };
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
  [name, count(online), heard].forEach((text, index) => write(row.cells[index], text));
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
  const near = samples.filter(({ at }) => Math.abs(at - time) < GAP);
  looked = near.sort((one, other) => Math.abs(one.at - time) - Math.abs(other.at - time))[0]?.at ?? null;
  if (looked === newest()?.at) looked = null;
  schedule();
}

function step(by) {
  const index = samples.findIndex(({ at }) => at === looked);
  const next = (index < 0 ? samples.length - 1 : index) + by;
  lookAt(samples[Math.max(0, Math.min(next, samples.length - 1))]?.at);
}

for (const area of findAll(".plot")) {
  area.addEventListener("pointermove", ({ clientX }) => {
    const { left, width } = area.getBoundingClientRect();
    if (newest()) lookAt(newest().at - SPAN * (1 - (clientX - left) / width));
  });
  area.addEventListener("pointerleave", () => lookAt(NaN));
}

document.addEventListener("keydown", ({ key, altKey, ctrlKey, metaKey }) => {
  if (altKey || ctrlKey || metaKey) return;
  if (key === "ArrowLeft") step(-1);
  else if (key === "ArrowRight") step(1);
  else if (key === "Escape") lookAt(NaN);
});

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

socket.on("connect", showHeard);
socket.on("history", (more) => more.length && keep(more));
socket.on("now", (told) => {
  now = told;
  if (told.sample) keep([told.sample]);
  schedule();
  showHeard();
});
socket.on("connect_error", ({ message }) => socket.active || show("away", message));
socket.on("disconnect", () => (socket.active ? show("connecting", "Reconnecting…") : show("away", "Disconnected")));
