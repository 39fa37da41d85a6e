// Times of posts: a time of today stands alone, any other has its day; also once today has become yesterday.

import { element } from "./page.js";

const LOOK = 1000; // milliseconds between two looks at the calendar; a timer for midnight would sleep with the machine

const clock = new Intl.DateTimeFormat([], { timeStyle: "short" });
const calendar = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });

/** The day of a time, where one is. */
export const dayOf = (at) => new Date(at).toDateString();

/** Write the text of a `time`, as it is right today. */
export function tell(time) {
  const date = new Date(time.dateTime);
  time.textContent = (dayOf(date) === dayOf(Date.now()) ? clock : calendar).format(date);
}

export function when(at) {
  const time = element("time", "");
  time.dateTime = new Date(at).toISOString();
  time.title = calendar.format(at);
  tell(time);
  return time;
}

/** Have something done whenever another day has begun. */
export function onNewDay(listener) {
  let today = dayOf(Date.now());
  setInterval(() => {
    const day = dayOf(Date.now());
    if (day === today) return;
    today = day;
    listener();
  }, LOOK);
}
