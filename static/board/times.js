// Times of posts, which age: now, 5 min. ago, the time of today, the date. Updated each minute, and at midnight.

import { element } from "./page.js";

const CHECK = 1000; // milliseconds between two checks of the date; a timer for midnight would be late after sleep
const AGING = 20_000; // milliseconds between two looks at young times
const MINUTE = 60_000;
const HOUR = 60; // minutes

const clock = new Intl.DateTimeFormat([], { timeStyle: "short" });
const calendar = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });
const weekday = new Intl.DateTimeFormat([], { dateStyle: "full" });
const ago = new Intl.RelativeTimeFormat([], { numeric: "auto", style: "short" });

/** Return the day of a time, in the local time zone. */
export const dayOf = (at) => new Date(at).toDateString();

const daysAgo = (days) => new Date(new Date().setDate(new Date().getDate() - days));

function words(date) {
  const minutes = Math.floor((Date.now() - date) / MINUTE);
  if (Math.abs(minutes) < 1) return ago.format(0, "second");
  if (minutes > 0 && minutes < HOUR) return ago.format(-minutes, "minute");
  return (dayOf(date) === dayOf(Date.now()) ? clock : calendar).format(date);
}

/** Set the text of a `time` element, relative to this moment. */
export function showTime(time) {
  const date = new Date(time.dateTime);
  time.textContent = words(date);
  time.classList.toggle("young", Date.now() - date < HOUR * MINUTE);
}

export function when(at) {
  const time = element("time", "");
  time.dateTime = new Date(at).toISOString();
  time.title = calendar.format(at);
  time.setAttribute("aria-live", "off"); // a screen reader does not read out that it ages
  showTime(time);
  return time;
}

function dayName(at) {
  const days = [0, 1].find((each) => dayOf(daysAgo(each)) === dayOf(at));
  const name = days === undefined ? weekday.format(at) : new Intl.RelativeTimeFormat([], { numeric: "auto" }).format(-days, "day");
  return name.charAt(0).toLocaleUpperCase() + name.slice(1);
}

/** Head a line with its day; at: undefined for no head. */
export function showDay(line, at) {
  delete line.dataset.day;
  if (at === undefined || line.matches(".unshown")) return;
  line.dataset.day = dayName(at);
}

/** Call a listener when a new day begins. */
export function onNewDay(listener) {
  let today = dayOf(Date.now());
  setInterval(() => {
    const day = dayOf(Date.now());
    if (day === today) return;
    today = day;
    listener();
  }, CHECK);
}

setInterval(() => document.querySelectorAll("time.young").forEach(showTime), AGING);
