// Small things that all parts of the page use.

export const find = (id) => document.getElementById(id);

/** An element with a class and children; strings are text. */
export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

/** What the browser keeps, if it keeps anything: in a private window it may refuse. */
export function keeper(storage) {
  return {
    get(key) {
      try {
        return JSON.parse(globalThis[storage].getItem(key));
      } catch {
        return null;
      }
    },
    set(key, value) {
      try {
        globalThis[storage].setItem(key, JSON.stringify(value));
      } catch {
        // It works all the same until the page is left.
      }
    },
  };
}
