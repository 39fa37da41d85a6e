// Helpers for all modules of the page.

export const find = (id) => document.getElementById(id);

/** Return an element with a class and children; strings are text. */
export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

const folder = location.pathname.slice(1); // boards below several paths of one host share its storage

/** Return JSON access to localStorage or sessionStorage, by name; either may refuse in a private window. */
export function storage(name) {
  return {
    get(key) {
      try {
        return JSON.parse(globalThis[name].getItem(folder + key));
      } catch {
        return null;
      }
    },
    set(key, value) {
      try {
        globalThis[name].setItem(folder + key, JSON.stringify(value));
      } catch {
        // Not stored: it still works until the page is closed.
      }
    },
    /** Call a listener with a value that another tab has set. */
    onChange(key, listener) {
      addEventListener("storage", (event) => event.key === folder + key && listener(this.get(key)));
    },
  };
}

/** Return so many random bytes in hexadecimal digits; crypto.randomUUID exists only over TLS. */
export const random = (bytes) =>
  Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
