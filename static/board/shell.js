// Registers the service worker, which keeps the shell of the page. It needs TLS or localhost, and the page works without.

const base = new URL("../../", import.meta.url);

async function register() {
  const { serviceWorker } = navigator;
  if (!serviceWorker || serviceWorker.controller) return;
  await serviceWorker.register(new URL("worker.js", base));
  const { active } = await serviceWorker.ready;
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
  active.postMessage([base.href, ...loaded]);
}

addEventListener("load", () => register().catch(() => {}));
