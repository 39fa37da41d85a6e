// The words and plots of the status page, for status.js and clients.js.
"use strict";

const WIDTH = 600; // of a plot, in units of its viewBox
const HEIGHT = 100;

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

const percent = (value) => `${round(100 * value, value < 0.1 ? 1 : 0)} %`;

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

/** A time of the past, as briefly as it may be said: 30 s, 5 min, 12 h. */
function ago(seconds) {
  if (seconds < 60) return `${seconds} s`;
  return seconds < 7200 && seconds !== 3600 ? `${seconds / 60} min` : `${seconds / 3600} h`;
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
function runs(samples, of, end, top, range) {
  const found = [];
  let before = -Infinity;
  for (const { at, [of]: value } of samples) {
    if (value === null) continue;
    if (at - before > range.gap) found.push([]);
    const [x, y] = [WIDTH * (1 - (end - at) / range.span), HEIGHT * (1 - value / top)];
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
  /** warn, alarm: numbers from which on they are shown in colour. */
  constructor(name, format, least, warn = Infinity, alarm = Infinity) {
    this.figure = document.getElementById(name);
    this.format = format;
    this.least = least;
    Object.assign(this, { warn, alarm });
    this.names = findAll("b", this.figure).map(({ dataset }) => dataset.of);
  }

  draw(samples, end, range) {
    const most = Math.max(...this.names.flatMap((name) => samples.map((sample) => sample[name])));
    const top = ceiling(Math.max(most, this.least));
    for (const name of this.names) {
      const found = runs(samples, name, end, top, range);
      find(`.line[data-of=${name}]`, this.figure).setAttribute("d", found.map(asLine).join(""));
      find(`.area[data-of=${name}]`, this.figure).setAttribute("d", found.map(asArea).join(""));
    }
    write(find(".ceiling", this.figure), this.format(top));
    write(find(".middle", this.figure), this.format(top / 2));
    const [first, middle] = findAll(".times span", this.figure);
    write(first, `${ago(range.span)} ago`);
    write(middle, ago(range.span / 2));
    write(find(".most span", this.figure), this.format(most));
  }

  /** Show the numbers of one sample and, if it is not the newest, its place. */
  read(sample, place) {
    for (const name of this.names) {
      const value = sample[name];
      const number = find(`b[data-of=${name}]`, this.figure);
      write(number, value === null ? "not known" : this.format(value));
      number.className = value >= this.alarm ? "alarm" : value >= this.warn ? "warn" : "";
    }
    const cursor = find(".cursor", this.figure);
    cursor.hidden = place === null;
    cursor.style.left = `${100 * place}%`;
  }
}

const plots = [
  new Plot("online", count, 5),
  new Plot("deliveries", count, 10),
  new Plot("events", count, 10),
  new Plot("lag", duration, 0.005, 0.1, 0.5),
  new Plot("cpu", percent, 0.1, 0.7, 0.9), // of one processor: more, an event loop cannot use
  new Plot("memory", bytes, 5e7),
  new Plot("bytes", bytes, 1e4),
  new Plot("gone", count, 1),
];
