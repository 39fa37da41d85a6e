// Shared by the tests: the clients, the server they talk to, and how checks become tests.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import { WebSocket } from "ws";
import { run } from "./checks.mjs";

const PEER = fileURLToPath(new URL("./peer.mjs", import.meta.url));
export const CLIENT = fileURLToPath(new URL("../../handlers/socketio/browser/socket.io.js", import.meta.url));

/** How many checks run at once: few where heartbeats leave little time. */
const CONCURRENCY = Number(process.env.CONCURRENCY ?? 8);

export const TRANSPORTS = {
  "polling, then WebSocket": undefined,
  "WebSocket only": ["websocket"],
  "polling only": ["polling"],
};

/** Our client, as a page has it: a classic script that leaves one global. */
export function loadClient() {
  globalThis.WebSocket ??= WebSocket;
  vm.runInThisContext(readFileSync(CLIENT, "utf8"), { filename: CLIENT });
  return globalThis.io;
}

/** The server at SERVER_URL or, without one, a peer of our own in a process of its own. */
export async function findServer(settings = {}) {
  const url = process.env.SERVER_URL?.replace(/\/$/, "");
  return url ? { url, stop() {} } : startPeer(settings);
}

async function startPeer(settings) {
  const env = { ...process.env, PORT: 0, PING_INTERVAL: 300, PING_TIMEOUT: 2000, ...settings };
  const peer = spawn(process.execPath, [PEER], { env, stdio: ["ignore", "pipe", "inherit"] });
  const [greeting] = await once(peer.stdout, "data");
  const [port] = /\d+/.exec(greeting);
  return { url: `http://localhost:${port}`, stop: () => peer.kill() };
}

/** A suite for each way of transport; `newer` names the checks a client is too old for, and why. */
export function describeChecks(title, io, server, checks, newer = {}) {
  for (const [name, transports] of Object.entries(TRANSPORTS)) {
    describe(`${title}, ${name}`, { concurrency: CONCURRENCY }, () => {
      for (const [sentence, check] of Object.entries(checks)) {
        const options = { skip: newer[sentence] ?? false, timeout: 60_000 };
        test(sentence, options, () => run(check, { io, url: server.url, transports }));
      }
    });
  }
}
