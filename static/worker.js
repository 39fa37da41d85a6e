// The service worker: keeps the shell of the page (its HTML, styles, scripts), so that it opens without a network.
// The network comes first, so that the shell is never an old one; all else passes by.

const CACHE = "shell";
const base = new URL("./", location.href).href;

const isShell = ({ method, url }) => method === "GET" && url.startsWith(base) && /^$|^static\/|^socket\.io\/socket\.io\.js$/.test(pathOf(url));

const pathOf = (url) => url.slice(base.length).replace(/[?#].*/, "");

async function load(request) {
  const response = await fetch(request);
  if (!response.ok) return response;
  const cache = await caches.open(CACHE);
  await cache.delete(request, { ignoreSearch: true }); // of an older version
  await cache.put(request, response.clone());
  return response;
}

async function answer(request) {
  try {
    return await load(request);
  } catch (error) {
    const kept = await caches.match(request, { cacheName: CACHE, ignoreSearch: true });
    if (!kept) throw error;
    return kept;
  }
}

addEventListener("install", () => skipWaiting());
addEventListener("fetch", (event) => isShell(event.request) && event.respondWith(answer(event.request)));

// What the page loaded before this worker was there
addEventListener("message", ({ data }) => {
  for (const url of data) {
    const request = new Request(url);
    if (isShell(request)) load(request).catch(() => {});
  }
});
