// A walk through the members of the official client: each is there in ours, or stands in a list of what is left out.
// docs/browser-client.md has the same list, with reasons.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { io as official, protocol } from "socket.io-client";
import { loadClient } from "./support.mjs";

const ours = loadClient();
const DOCS = readFileSync(new URL("../../docs/browser-client.md", import.meta.url), "utf8");

/** Members that ours has not, on purpose; with an underscore, they are not for pages anyway. */
const LEFT_OUT = {
  Socket: ["ack", "ackPacket", "ids", "flags", "subEvents", "packet", "onpacket", "onopen", "onerror", "onclose",
    "onevent", "emitEvent", "onack", "onconnect", "onconnect_error", "ondisconnect", "emitBuffered", "destroy",
    "notifyOutgoingListeners", "acks", "emitReserved"],
  Manager: ["backoff", "encoder", "decoder", "subs", "skipReconnect", "setTimeoutFn", "clearTimeoutFn",
    "maybeReconnectOnOpen", "onopen", "onping", "ondata", "ondecoded", "onerror", "onclose", "onreconnect", "cleanup",
    "reconnect", "disconnect", "emitReserved"],
  Engine: ["binaryType", "writeBuffer", "prevBufferLen", "pingInterval", "pingTimeout", "pingTimeoutTimer", "hostname",
    "port", "secure", "upgrade", "upgrades", "transports", "callbacks", "setTimeoutFn", "clearTimeoutFn",
    "cookieJar", "transportsByName", "onHandshake", "flush", "sendPacket", "onClose", "onError", "onPacket", "onDrain",
    "probe", "filterUpgrades", "createTransport", "setTransport", "open", "onOpen",
    "emitReserved"],
};

function members(object) {
  const names = new Set(Object.keys(object));
  for (let each = Object.getPrototypeOf(object); each && each !== Object.prototype; each = Object.getPrototypeOf(each)) {
    Object.getOwnPropertyNames(each).forEach((name) => names.add(name));
  }
  return [...names].filter((name) => !/^_|^constructor$/.test(name)).sort();
}

function samples(io) {
  const socket = io("http://localhost:1", { autoConnect: false, forceNew: true, transports: ["polling"] });
  const manager = socket.io;
  manager.open();
  const { engine } = manager;
  engine.on("error", () => {});
  engine.close();
  return { Socket: socket, Manager: manager, Engine: engine };
}

describe("what the official client has, ours has", () => {
  const theirs = samples(official);
  const own = samples(ours);
  for (const kind of ["Socket", "Manager", "Engine"]) {
    test(kind, () => {
      const missing = members(theirs[kind]).filter((name) => !(name in own[kind]));
      assert.deepEqual(missing.filter((name) => !LEFT_OUT[kind].includes(name)), []);
    });
  }

  test("io", () => {
    for (const name of ["connect", "Manager", "Socket", "protocol"]) assert.ok(name in ours, name);
    assert.equal(ours.protocol, protocol);
  });

  test("what is left out and could be missed stands in the docs", () => {
    for (const name of ["retries", "ackTimeout", "tryAllTransports", "rememberUpgrade", "transportOptions", "parser"]) {
      assert.match(DOCS, new RegExp(`\`${name}\``));
    }
  });
});

describe("options of the manager may be read and changed", () => {
  const { Manager: manager } = samples(ours);
  const OPTIONS = {
    reconnection: false, reconnectionAttempts: 3, reconnectionDelay: 10, reconnectionDelayMax: 20,
    randomizationFactor: 0, timeout: 7,
  };
  for (const [name, value] of Object.entries(OPTIONS)) {
    test(name, () => {
      assert.notEqual(manager[name](), value);
      assert.equal(manager[name](value), manager);
      assert.equal(manager[name](), value);
    });
  }
});

describe("the emitter", () => {
  for (const remove of ["off", "removeListener", "removeAllListeners", "removeEventListener"]) {
    for (const add of ["on", "addEventListener"]) {
      test(`${add}, then ${remove}`, () => {
        const { Socket: socket } = samples(ours);
        const heard = [];
        const listener = (value) => heard.push(value);
        socket[add]("said", listener);
        assert.deepEqual(socket.listeners("said"), [listener]);
        socket[remove]("said", listener);
        assert.equal(socket.hasListeners("said"), false);
        socket[add]("said", listener)[remove]("said");
        assert.equal(socket.hasListeners("said"), false);
        socket[add]("said", listener)[remove]();
        assert.equal(socket.hasListeners("said"), false);
        assert.deepEqual(heard, []);
      });
    }
  }
});
