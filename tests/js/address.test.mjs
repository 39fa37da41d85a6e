// Which server is dialled: every kind of address, through each transport, with the page at https://page.example:8443.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { loadClient } from "./support.mjs";

const io = loadClient();
const PAGE = "https://page.example:8443/room/index.html?theme=dark#top";
let dialled;

beforeEach(() => {
  dialled = [];
  globalThis.location = new URL(PAGE);
  globalThis.WebSocket = class {
    constructor(url, protocols) {
      dialled.push(url);
      this.protocols = protocols;
    }
    close() {}
  };
  globalThis.fetch = (url) => {
    dialled.push(String(url));
    return new Promise(() => {});
  };
});

afterEach(() => {
  delete globalThis.location;
  delete io.source;
});

/** What each transport dials: [scheme://host:port, path, query], and the namespace. */
function dial(address, options = {}) {
  const seen = {};
  for (const transport of ["websocket", "polling"]) {
    const socket = io(address, { forceNew: true, transports: [transport], ...options });
    const { protocol, host, pathname, search, username, password, hash } = new URL(dialled.at(-1));
    assert.deepEqual([username, password, hash], ["", "", ""]);
    seen[transport] = [`${protocol}//${host}`, pathname, search.replace(`&transport=${transport}`, "")];
    seen.nsp = socket.nsp;
    socket.disconnect();
  }
  return seen;
}

function expectDialled(address, options, [secure, host, path, search, nsp]) {
  const s = secure ? "s" : "";
  assert.deepEqual(dial(address, options), {
    websocket: [`ws${s}://${host}`, path, search],
    polling: [`http${s}://${host}`, path, search],
    nsp,
  });
}

describe("an address", () => {
  const [PATH, SEARCH] = ["/socket.io/", "?EIO=4"];
  const there = (isSecure, host, nsp = "/", search = SEARCH) => [isSecure, host, PATH, search, nsp];
  const here = (nsp = "/", search = SEARCH) => there(true, "page.example:8443", nsp, search);
  const TABLE = [
    ["http://news.example.com", there(false, "news.example.com")],
    ["https://news.example.com/", there(true, "news.example.com")],
    ["ws://news.example.com", there(false, "news.example.com")],
    ["wss://news.example.com", there(true, "news.example.com")],
    ["https://my-lb.eu-west-1.elb.amazonaws.com/chat", there(true, "my-lb.eu-west-1.elb.amazonaws.com", "/chat")],
    ["http://http.ws.example:8080/ws/http", there(false, "http.ws.example:8080", "/ws/http")],
    ["wss://https.wss.example:8080/http://ws", there(true, "https.wss.example:8080", "/http://ws")],
    ["HTTPS://News.Example.COM/Chat", there(true, "news.example.com", "/Chat")],
    ["http://server:80/a", there(false, "server", "/a")],
    ["wss://server:443/a", there(true, "server", "/a")],
    ["http://server:443/a", there(false, "server:443", "/a")],
    ["https://server:80/a", there(true, "server:80", "/a")],
    ["http://[::1]:3000/v6", there(false, "[::1]:3000", "/v6")],
    ["wss://[2001:db8::1]", there(true, "[2001:db8::1]")],
    ["https://ws:http@news.example.com/chat", there(true, "news.example.com", "/chat")],
    ["http://server/chat?at=http://ws#http", there(false, "server", "/chat", "?at=http%3A%2F%2Fws&EIO=4")],
    ["http://server?token=a%26b", there(false, "server", "/", "?token=a%26b&EIO=4")],
    ["http://server/#/route", there(false, "server")],
    ["https://bücher.example/é 漢", there(true, "xn--bcher-kva.example", "/é 漢")],
    ["http://server/100%", there(false, "server", "/100%")],
    ["http://server/50% off/%C3%A9/%ff", there(false, "server", "/50% off/%C3%A9/%ff")],
    ["http://server/a/../b/./", there(false, "server", "/a/../b/./")],
    ["//news.example.com/chat", there(true, "news.example.com", "/chat")],
    ["//[::1]:3000", there(true, "[::1]:3000")],
    ["news.example.com/chat?x=1", there(true, "news.example.com", "/chat", "?x=1&EIO=4")],
    ["localhost:3000/ws", there(true, "localhost:3000", "/ws")],
    ["ws:3000", there(true, "ws:3000")],
    ["[::1]:3000/v6", there(true, "[::1]:3000", "/v6")],
    ["/chat", here("/chat")],
    ["/chat?x=ws://a", here("/chat", "?x=ws%3A%2F%2Fa&EIO=4")],
    ["/", here()],
    ["", here()],
    [undefined, here()],
    [null, here()],
    [new URL("wss://news.example.com:8080/b?x=1#c"), there(true, "news.example.com:8080", "/b", "?x=1&EIO=4")],
  ];
  for (const [address, expected] of TABLE) {
    test(`${address}`, () => expectDialled(address, {}, expected));
  }

  test("options alone mean the page's own server", () => {
    const manager = io({ forceNew: true, transports: ["websocket"] }).io;
    assert.match(dialled.at(-1), /^wss:\/\/page\.example:8443\/socket\.io\//);
    manager.engine.close();
  });

  test("in a page of http a bare host is reached by http", () => {
    globalThis.location = new URL("http://page.example/");
    expectDialled("news.example.com", {}, there(false, "news.example.com"));
  });

  test("without a page, a bare host is reached by https, and a path alone says nothing", () => {
    delete globalThis.location;
    expectDialled("news.example.com:3000/a", {}, there(true, "news.example.com:3000", "/a"));
    assert.throws(() => io("/chat"), TypeError);
  });

  for (const address of ["ftp://server/", "file:///index.html", "news://ws.example"]) {
    test(`${address} is refused, and the error says what to write`, () => {
      const message = `use http:, https:, ws: or wss:, not ${address}`;
      assert.throws(() => io(address), { message });
    });
  }

  test("in a page of a file the page's own server is none", () => {
    globalThis.location = new URL("file:///index.html");
    assert.throws(() => io(), { message: "use http:, https:, ws: or wss:, not file:///" });
    expectDialled("http://server", {}, there(false, "server"));
  });
});

describe("the path", () => {
  const TABLE = [
    ["/live", "/live/"],
    ["/live/", "/live/"],
    ["live", "/live/"],
    ["/ws/http", "/ws/http/"],
    ["//evil.example/x", "//evil.example/x/"],
    ["/a?b#c", "/a%3Fb%23c/"],
  ];
  for (const [path, expected] of TABLE) {
    test(path, () => expectDialled("https://server", { path }, [true, "server", expected, "?EIO=4", "/"]));
  }

  test("ends as it is given with addTrailingSlash: false", () => {
    const options = { path: "/live", addTrailingSlash: false };
    expectDialled("https://server", options, [true, "server", "/live", "?EIO=4", "/"]);
  });
});

describe("a script that a server serves", () => {
  const [OWN, OTHER] = ["https://page.example:8443/board/socket.io/", "http://api.example/live/"];
  const here = (path, nsp = "/", search = "?EIO=4") => [true, "page.example:8443", path, search, nsp];
  const api = (path, nsp = "/") => [false, "api.example", path, "?EIO=4", nsp];
  const TABLE = [
    [`${OWN}socket.io.js`, undefined, {}, here("/board/socket.io/")],
    [`${OWN}socket.io.js?v=1#top`, "", {}, here("/board/socket.io/")],
    [`${OWN}socket.io.esm.js`, "/", {}, here("/board/socket.io/")],
    [`${OWN}socket.io.js?next=/other/socket.io.css`, "/", {}, here("/board/socket.io/")],
    [`${OWN}socket.io.js`, "/chat?x=1", {}, here("/board/socket.io/", "/chat", "?x=1&EIO=4")],
    [`${OWN}socket.io.js`, "https://page.example:8443/chat", {}, here("/board/socket.io/", "/chat")],
    [`${OWN}socket.io.js`, "wss://page.example:8443", {}, here("/board/socket.io/")],
    [`${OWN}socket.io.js`, undefined, { path: "/socket.io" }, here("/socket.io/")],
    [`${OWN}socket.io.js`, undefined, { path: undefined }, here("/board/socket.io/")],
    [`${OWN}socket.io.js`, "http://api.example", {}, api("/socket.io/")],
    [`${OWN}socket.io.js`, "//page.example:8443", {}, here("/board/socket.io/")],
    [`${OWN}socket.io.js`, "https://page.example", {}, [true, "page.example", "/socket.io/", "?EIO=4", "/"]],
    [`${OWN}socket.io.js`, "http://api.example", { path: "/live" }, api("/live/")],
    ["https://page.example:8443/socket.io.js", undefined, {}, here("/")],
    ["https://page.example:8443/caf%C3%A9/a%20b/socket.io.js", undefined, {}, here("/caf%C3%A9/a%20b/")],
    [`${OTHER}socket.io.js`, undefined, {}, api("/live/")],
    [`${OTHER}socket.io.js`, "/chat", {}, api("/live/", "/chat")],
    [`${OTHER}socket.io.js`, PAGE, {}, here("/socket.io/", "/room/index.html", "?theme=dark&EIO=4")],
    ["https://page.example:8443/static/bundle.js", undefined, {}, here("/socket.io/")],
    ["data:text/javascript,socket.io.js", undefined, {}, here("/socket.io/")],
    ["file:///home/socket.io.js", undefined, {}, here("/socket.io/")],
    ["", undefined, {}, here("/socket.io/")],
  ];
  for (const [source, address, options, expected] of TABLE) {
    test(`${source} finds ${address} ${JSON.stringify(options)}`, () => {
      io.source = source;
      expectDialled(address, options, expected);
    });
  }

  test("serves a page of a file, and one that is none", () => {
    for (const page of [new URL("file:///index.html"), new URL("about:srcdoc"), undefined]) {
      globalThis.location = page;
      io.source = `${OTHER}socket.io.js`;
      expectDialled(undefined, {}, api("/live/"));
    }
  });

  test("shares a connection by where it goes", () => {
    io.source = `${OWN}socket.io.js`;
    const own = ["/a", "/b", "https://page.example:8443/c"].map((address) => io(address, { transports: ["websocket"] }).io);
    own.push(io("/d", { transports: ["websocket"], path: "/board/socket.io/" }).io);
    const other = io("/e", { transports: ["websocket"], path: "/socket.io/" }).io;
    assert.equal(new Set(own).size, 1);
    assert.notEqual(other, own[0]);
    for (const manager of [own[0], other]) manager.engine.close();
  });
});

describe("the query", () => {
  const query = (address, options) => dial(address, options).polling[2];

  test("of the address and of the options are joined", () =>
    assert.equal(query("http://server?a=1&b=1", { query: { b: 2, c: "é&" } }), "?a=1&b=2&c=%C3%A9%26&EIO=4"));
  test("may be a text", () => assert.equal(query("http://server", { query: "?a=1" }), "?a=1&EIO=4"));
  test("may not change the protocol's own", () =>
    assert.equal(query("http://server?EIO=3", { query: { transport: "x" } }).replace(/&?transport=\w+/, ""), "?EIO=4"));
});

test("http, ws and the same port said or not are one server, and share a connection", () => {
  const addresses = ["http://ws.example/a", "ws://ws.example/b", "http://ws.example:80/c", "//ws.example/d"];
  globalThis.location = new URL("http://page.example/");
  const managers = new Set(addresses.map((address) => io(address, { transports: ["websocket"] }).io));
  const others = ["https://ws.example/a", "http://ws.example:8080/a", "http://http.example/a"];
  for (const address of others) managers.add(io(address, { transports: ["websocket"] }).io);
  assert.equal(managers.size, 1 + others.length);
  for (const manager of managers) manager.engine.close();
});
