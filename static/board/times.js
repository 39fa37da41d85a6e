// Times of posts: without the date if today, else with it; updated at midnight.

import { element } from "./page.js";

const CHECK = 1000; // milliseconds between two checks of the date; a timer for midnight would be late after sleep

const clock = new Intl.DateTimeFormat([], { timeStyle: "short" });
const calendar = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });

/** Return the day of a time, in the local time zone. */
export const dayOf = (at) => new Date(at).toDateString();

/** Set the text of a `time` element, relative to today. */
export function showTime(time) {
  const date = new Date(time.dateTime);
  time.textContent = (dayOf(date) === dayOf(Date.now()) ? clock : calendar).format(date);
}

export function when(at) {
  const time = element("time", "");
  time.dateTime = new Date(at).toISOString();
  time.title = calendar.format(at);
  showTime(time);
  return time;
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
