// Our client with a fake WebSocket, a fake fetch and a fake clock, and the words in which tests speak of them.

import { afterEach, beforeEach, mock } from "node:test";
import { loadClient } from "./support.mjs";

export const io = loadClient();
const HANDSHAKE = { sid: "E1", upgrades: [], pingInterval: 300, pingTimeout: 200, maxPayload: 100 };

export class FakeWebSocket {
  static all = [];
  bufferedAmount = 0;
  sent = [];
  isClosed = false;
  readyState = 0;

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    FakeWebSocket.all.push(this);
  }

  send(data) {
    this.sent.push(data);
  }

  close() {
    this.isClosed = true;
  }

  opens() {
    this.readyState = 1;
    this.onopen();
  }

  receives(...packets) {
    for (const data of packets) this.onmessage({ data });
  }
}

let requests;

function fakeFetch(url, { method, body, signal, ...options }) {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new Error("aborted"));
    const answer = (text, status = 200) => {
      signal.removeEventListener("abort", abort);
      resolve(new Response(text, { status }));
    };
    signal.addEventListener("abort", abort);
    requests.push({ url: new URL(url), method, body, signal, options, answer, fail: () => reject(new TypeError("failed")) });
  });
}

export const gets = () => requests.filter(({ method }) => method === "GET");
export const posts = () => requests.filter(({ method }) => method === "POST");
export const webSocket = () => FakeWebSocket.all.at(-1);

/** Let all that is ready happen: promises, and the reading of blobs. */
export async function settle() {
  for (let i = 0; i < 10; i++) await new Promise(setImmediate);
}

export async function answer(request, ...packets) {
  request.answer(packets.join("\x1e"));
  await settle();
}

export const open = (handshake = {}) => "0" + JSON.stringify({ ...HANDSHAKE, ...handshake });

export function connectOverWebSocket(options = {}, url = "http://server/", client = io) {
  const socket = client(url, { forceNew: true, transports: ["websocket"], recovery: false, ...options });
  webSocket().receives(open(), `40${socket.nsp === "/" ? "" : `${socket.nsp},`}{"sid":"S1"}`);
  webSocket().sent.length = 0;
  return socket;
}

export async function connectOverPolling(options = {}, handshake = {}) {
  const socket = io("http://server/", { forceNew: true, recovery: false, ...options });
  await answer(gets()[0], open(handshake));
  await answer(gets()[1], '40{"sid":"S1"}');
  await answer(posts()[0], "ok");
  return socket;
}

/** Time passes while no timer runs, as in a computer that sleeps. */
export const sleep = (ms) => mock.timers.setTime(Date.now() + ms);

/** Forget what was dialled and asked so far. */
export function forget() {
  requests = [];
  FakeWebSocket.all = [];
}

/** What a socket hears, as [event, ...arguments]. */
export function listen(emitter, ...events) {
  const log = [];
  for (const event of events) emitter.on(event, (...args) => log.push([event, ...args]));
  return log;
}

export const messages = (log) => log.map(([event, error]) => [event, error?.message]);
export const bytes = (...values) => Uint8Array.from(values);

beforeEach(() => {
  forget();
  globalThis.WebSocket = FakeWebSocket;
  globalThis.fetch = fakeFetch;
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  mock.method(Math, "random", () => 0.5);
});

afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

