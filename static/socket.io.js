/**
 * A browser client for Socket.IO v5 over Engine.IO v4. Each part uses those above it; _names are
 * not for pages.
 */
var io = (() => {
  "use strict";

  // Engine.IO packets: a string starts with its type, binary is a message

  const [OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE] = "012345";
  const TYPES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
  const SEPARATOR = "\x1e";

  async function toText(packet) {
    if (typeof packet === "string") return packet;
    const bytes = new Uint8Array(await new Blob([packet]).arrayBuffer());
    return "b" + btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  }

  function decodePacket(packet) {
    if (typeof packet !== "string") return [MESSAGE, packet];
    const [type, data] = [packet[0], packet.slice(1)];
    if (type === "b") return [MESSAGE, Uint8Array.from(atob(data), (char) => char.charCodeAt(0)).buffer];
    if (!/[0-6]/.test(type)) throw new Error("invalid packet");
    return [type, data];
  }

  // Socket.IO messages: <type>[<attachments>-][<namespace>,][<ack id>][<JSON>]

  const [CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR] = [0, 1, 2, 3, 4];
  const BINARY = 3; // added to EVENT or ACK
  const HEAD = /^([0-6])(?:(\d+)-)?(?:(\/[^,]*),)?(\d+)?/;
  const RESERVED = /^(connect(_error)?|disconnect(ing)?|(new|remove)Listener)$/;

  const isBinary = (value) =>
    value instanceof ArrayBuffer || ArrayBuffer.isView(value) || value instanceof Blob;

  function encode(type, nsp, data, id = "") {
    const attachments = [];
    const json = JSON.stringify(data, function (key, value) {
      // Not value: a Buffer's toJSON() made that.
      if (!isBinary(this[key])) return value;
      return { _placeholder: true, num: attachments.push(this[key]) - 1 };
    });
    const head = attachments.length ? `${type + BINARY}${attachments.length}-` : type;
    return [head + (nsp === "/" ? "" : nsp + ",") + id + (json || ""), ...attachments];
  }

  function decode(text, attachments) {
    const [head, type, , nsp = "/", id] = HEAD.exec(text);
    const restore = (key, value) => {
      if (value?._placeholder !== true) return value;
      if (!isBinary(attachments[value.num])) throw new Error("invalid attachment");
      return attachments[value.num];
    };
    const json = text.slice(head.length);
    const data = json && JSON.parse(json, attachments.length ? restore : undefined);
    return { type: type > CONNECT_ERROR ? type - BINARY : +type, nsp, id: id && +id, data };
  }

  /** Returns the message that a packet completes. */
  function decoder() {
    let text, attachments, isPending = false;
    return (packet) => {
      const isText = typeof packet === "string";
      if (isText === isPending) throw new Error("invalid attachment");
      if (isText) [text, attachments] = [packet, []];
      else attachments.push(packet);
      isPending = attachments.length < (HEAD.exec(text)[2] || 0);
      return isPending ? undefined : decode(text, attachments);
    };
  }

  const noop = () => {};

  // As in the DOM, a listener that throws stops neither others nor packets.
  function call(listener, self, args) {
    try {
      listener.apply(self, args);
    } catch (error) {
      queueMicrotask(() => { throw error; });
    }
  }

  function remove(list, matches) {
    const index = list.findIndex(matches);
    if (index >= 0) list.splice(index, 1);
  }

  class Emitter {
    constructor() {
      this._listeners = Object.create(null);
    }

    on(event, listener) {
      (this._listeners[event] ??= []).push(listener);
      return this;
    }

    once(event, listener) {
      const first = (...args) => {
        this.off(event, first);
        listener.apply(this, args);
      };
      first.listener = listener;
      return this.on(event, first);
    }

    /** Without a listener, all of the event; without an event, all. */
    off(event, listener) {
      if (event === undefined) this._listeners = Object.create(null);
      else if (listener) remove(this.listeners(event), (each) => each === listener || each.listener === listener);
      if (event !== undefined && (!listener || !this.hasListeners(event))) delete this._listeners[event];
      return this;
    }

    emit(event, ...args) {
      for (const listener of [...this.listeners(event)]) call(listener, this, args);
      return this;
    }

    listeners(event) {
      return this._listeners[event] ?? [];
    }

    hasListeners(event) {
      return this.listeners(event).length > 0;
    }
  }

  // The other names that the official emitter has.
  const { on, off } = Emitter.prototype;
  Object.assign(Emitter.prototype, {
    addEventListener: on, removeListener: off, removeAllListeners: off, removeEventListener: off,
  });

  const native = { setTimeout: setTimeout.bind(globalThis), clearTimeout: clearTimeout.bind(globalThis) };

  function wait({ useNativeSetTimers }, ...args) {
    const timers = useNativeSetTimers ? native : globalThis;
    const timer = timers.setTimeout(...args);
    return () => timers.clearTimeout(timer);
  }

  const silence = (transport) =>
    Object.assign(transport, { onmessage: noop, onerror: noop, onclose: noop });

  /** Looks like a WebSocket, and can pause. */
  class Polling {
    constructor(session) {
      this.name = "polling";
      silence(this);
      this._session = session;
      this._outbox = [];
      this._abort = new AbortController();
      this._polling = this._poll();
    }

    get bufferedAmount() {
      return this._posting ? 1 : 0;
    }

    send(packet) {
      this._outbox.push(packet);
      this._posting = this._posting || this._post();
    }

    pause() {
      this._paused = true;
      return Promise.all([this._polling, this._posting]);
    }

    resume() {
      this._paused = false;
      this._polling = this._polling.then(() => this._poll());
    }

    /** What was sent still leaves, as from a WebSocket. */
    async close() {
      this._paused = true;
      if (this._session.id && !this._abort.signal.aborted) this.send(CLOSE);
      await this._posting;
      this._abort.abort();
    }

    async _poll() {
      while (!this._paused) {
        const payload = await this._request("GET");
        if (payload !== undefined) payload.split(SEPARATOR).forEach((packet) => this._receive(packet));
      }
    }

    async _post() {
      await null; // what is sent at once shares a request
      while (this._outbox.length) await this._request("POST", await this._payload());
      this._posting = null;
    }

    async _payload() {
      const texts = [];
      let size = 0;
      while (this._outbox.length) {
        const text = this._outbox[0] = await toText(this._outbox[0]);
        size += new Blob([text]).size;
        if (texts.length && size > this._session.maxPayload) break;
        size += SEPARATOR.length;
        texts.push(this._outbox.shift());
      }
      return texts.join(SEPARATOR);
    }

    async _request(method, body) {
      const { opts, patience } = this._session;
      const stop = wait(opts, () => this._fail("timeout"), patience);
      try {
        const response = await fetch(this._session.url(this.name), {
          method,
          body,
          headers: opts.extraHeaders,
          cache: "no-store",
          credentials: opts.withCredentials ? "include" : "same-origin",
          signal: this._abort.signal,
        });
        if (response.ok) return await response.text();
        this._fail(response.status);
      } catch (error) {
        this._fail(error);
      } finally {
        stop();
      }
    }

    _receive(packet) {
      if (packet === CLOSE) this._fail();
      else this.onmessage({ data: packet });
    }

    _fail(cause) {
      this._paused = true;
      this._outbox = [];
      this._abort.abort();
      if (cause) this.onerror(cause);
      this.onclose();
    }
  }

  /** A session, whatever transport carries it. Emits open, packet, message, ping, upgrade, drain, close. */
  class Engine extends Emitter {
    constructor(uri, opts) {
      super();
      this.uri = uri;
      this.opts = opts;
      this.id = undefined;
      this.readyState = "opening";
      this._expect(opts.timeout, "timeout");
      try {
        this._attach(this._dial(opts.transports[0]));
      } catch (error) {
        queueMicrotask(() => this.close("transport error", error));
      }
    }

    url(transport) {
      const sid = this.id && { sid: this.id };
      const url = new URL(this.uri);
      if (transport === "websocket") url.protocol = url.protocol.replace("http", "ws");
      url.pathname = this.opts.path.replace(/\/?$/, this.opts.addTrailingSlash ? "/" : "");
      url.search = new URLSearchParams({ ...this.opts.query, EIO: 4, transport, ...sid });
      return url.href;
    }

    send(data) {
      this._send(typeof data === "string" ? MESSAGE + data : data);
      return this;
    }

    _send(packet) {
      if (this._held) this._held.push(packet);
      else if (this.readyState === "open") this._write(packet);
    }

    /** After sleep, no timer has run yet. */
    isOverdue() {
      if (this.readyState !== "open" || Date.now() <= this._due) return false;
      queueMicrotask(() => this.close("ping timeout"));
      return true;
    }

    _write(packet) {
      this.transport.send(packet);
      this._draining ??= Promise.resolve(this.transport._posting).then(() => {
        this._draining = null;
        this.emit("drain");
      });
    }

    /** Ends with the page: between two polls, no connection does. */
    leave() {
      if (this.readyState !== "open" || this.transport.name !== "polling") return;
      navigator.sendBeacon(this.url("polling"), CLOSE);
    }

    /** The only way out. */
    close(reason = "forced close", error = new Error(reason)) {
      if (this.readyState === "closed") return;
      const wasOpen = this.readyState === "open";
      this._abandon();
      this.readyState = "closed";
      this._stop();
      if (this.transport) silence(this.transport).close();
      this.emit("close", reason, error, wasOpen);
    }

    _dial(name) {
      if (name === "polling") return new Polling(this);
      const socket = new WebSocket(this.url(name), this.opts.protocols ?? []);
      return Object.assign(socket, { name, binaryType: "arraybuffer" });
    }

    _attach(transport) {
      this.transport = transport;
      transport.onmessage = ({ data }) => this._receive(data);
      transport.onclose = () => this.close("transport close");
      transport.onerror = (description) => {
        const message = transport.name === "polling" ? "xhr poll error" : "websocket error";
        this.close("transport error", Object.assign(new Error(message), { description }));
      };
    }

    _expect(ms, reason) {
      this._stop?.();
      this.patience = ms || 2 ** 31 - 1;
      this._due = Date.now() + this.patience;
      this._stop = wait(this.opts, () => this.close(reason), this.patience);
    }

    _receive(packet) {
      try {
        const [type, data] = decodePacket(packet);
        this.emit("packet", { type: TYPES[type], data });
        if (this.readyState === "opening") this._open(type === OPEN && JSON.parse(data));
        else if (type === MESSAGE) this.emit("message", data);
        else if (type === PING) this._pong();
        else if (type === CLOSE) this.close("transport close");
      } catch (error) {
        this.close("parse error", error);
      }
    }

    _open({ sid, upgrades, pingInterval, pingTimeout, maxPayload }) {
      Object.assign(this, { id: sid, maxPayload, readyState: "open" });
      this._expect(pingInterval + pingTimeout, "ping timeout");
      const { upgrade, transports } = this.opts;
      if (upgrade && transports.includes("websocket") && upgrades.includes("websocket")) this._probe();
      this.emit("open");
    }

    _pong() {
      this._expect(this.patience, "ping timeout");
      this._send(PONG);
      this.emit("ping");
    }

    // Probe while polling goes on; then hold what is sent until its last requests are back.

    _probe() {
      try {
        const candidate = this._candidate = this._dial("websocket");
        candidate.onopen = () => candidate.send(PING + "probe");
        candidate.onerror = candidate.onclose = () => this._abandon();
        candidate.onmessage = ({ data }) =>
          data === PONG + "probe" && !this._held ? this._upgrade(candidate) : this._abandon();
      } catch {
        // Polling goes on.
      }
    }

    async _upgrade(candidate) {
      this._held = [];
      await this.transport.pause();
      if (this._candidate !== candidate) return;
      this._candidate = null;
      this._attach(candidate);
      candidate.send(UPGRADE);
      this._release();
      this.emit("upgrade", candidate);
    }

    _abandon() {
      const candidate = this._candidate;
      if (!candidate) return;
      this._candidate = null;
      silence(candidate).onopen = () => candidate.close(); // before, browsers complain
      if (candidate.readyState) candidate.close();
      if (!this._held) return;
      this.transport.resume();
      this._release();
    }

    _release() {
      this._held.forEach((packet) => this._write(packet));
      this._held = null;
    }
  }

  Engine.prototype.write = Engine.prototype.send;

  const [ANY, ANY_OUTGOING] = [Symbol(), Symbol()];

  /** Emits the server's events, connect, disconnect (reason), connect_error (with message, data). */
  class Socket extends Emitter {
    constructor(manager, nsp, opts) {
      super();
      this.io = manager;
      this.nsp = nsp;
      this.auth = opts.auth;
      this.connected = false;
      this.recovered = false;
      this.active = false;
      this.sendBuffer = [];
      this.receiveBuffer = [];
      this._opts = opts;
      this._acks = new Map();
      this._ids = 0;
      this._flags = {};
    }

    get disconnected() {
      return !this.connected;
    }

    connect() {
      const isNew = !this.active;
      this.active = true;
      if (isNew && this.io.engine?.readyState === "open") this._onopen();
      else if (!this.io._timer) this.io.open();
      return this;
    }

    /** Leaves the namespace; the last closes the connection. */
    disconnect() {
      if (this.connected) this._send(encode(DISCONNECT, this.nsp));
      this._retire("io client disconnect");
      return this;
    }

    /** Sends an event, once connected; a last function takes the answer. */
    emit(event, ...args) {
      const flags = this._flags;
      this._flags = {};
      if (RESERVED.test(event)) throw new Error(`"${event}" is a reserved event name`);
      const answer = typeof args[args.length - 1] === "function" && args.pop();
      const id = answer ? this._ids++ : undefined;
      const data = [event, ...args];
      // Encoded now, so that what JSON cannot carry throws here.
      const message = { id, data, packets: encode(EVENT, this.nsp, data, id) };
      if (answer) this._expect(id, answer, flags);
      const isConnected = this.connected && !this.io.engine.isOverdue();
      const isWritable = isConnected && !this.io.engine.transport.bufferedAmount;
      if (flags.volatile && !isWritable) return this;
      if (isConnected) this._transmit(message);
      else this.sendBuffer.push(message);
      return this;
    }

    send(...args) {
      return this.emit("message", ...args);
    }

    /** Resolves to the answer; rejects on disconnect. */
    emitWithAck(event, ...args) {
      this._flags.withError = true;
      return new Promise((resolve, reject) => {
        this.emit(event, ...args, (error, value) => (error ? reject(error) : resolve(value)));
      });
    }

    /** The next event expects its answer in `ms`; its function takes (error, ...args). */
    timeout(ms) {
      this._flags.timeout = ms;
      return this;
    }

    get volatile() {
      this._flags.volatile = true;
      return this;
    }

    compress(compress) {
      this._flags.compress = compress;
      return this;
    }

    _transmit({ data, packets }) {
      super.emit(ANY_OUTGOING, ...data);
      this._send(packets);
    }

    _send(packets) {
      packets.forEach((packet) => this.io.engine.send(packet));
    }

    _expect(id, answer, { timeout, withError = timeout !== undefined }) {
      const settle = (error, ...args) => {
        stop?.();
        this._acks.delete(id);
        remove(this.sendBuffer, (message) => message.id === id);
        if (withError) call(answer, this, [error, ...args]);
        else if (!error) call(answer, this, args);
      };
      const late = new Error("operation has timed out");
      const stop = timeout === undefined ? undefined : wait(this.io.opts, settle, timeout, late);
      this._acks.set(id, settle);
    }

    _onopen() {
      const { engine } = this.io; // auth may answer when it is closed
      const connect = (auth) => {
        const recovery = this._opts.recovery !== false && { recovery: true };
        const data = { ...recovery, ...this._place, ...auth };
        const [packet] = encode(CONNECT, this.nsp, Object.keys(data).length ? data : undefined);
        if (!this.active || this._asked === engine) return; // the answer to the last serves
        this._asked = engine;
        engine.send(packet);
      };
      if (typeof this.auth === "function") call(this.auth, this, [connect]);
      else connect(this.auth);
    }

    _onmessage(message) {
      const { type, data, id } = message;
      if (type === CONNECT || type === CONNECT_ERROR) this._asked = null;
      if (!this.active) {
        // It left before it was answered.
        if (type === CONNECT) this._send(encode(DISCONNECT, this.nsp));
        return;
      }
      if (type === CONNECT) this._onconnect(data);
      else if (type === DISCONNECT) this._retire("io server disconnect");
      else if (type === CONNECT_ERROR) this._onrefused(data);
      else if (type === ACK) this._acks.get(id)?.(null, ...data);
      else if (!Array.isArray(data) || RESERVED.test(data[0])) throw new Error("invalid event");
      else if (this.connected) this._onevent(message);
      else this.receiveBuffer.push(message); // missed ones precede the CONNECT
    }

    _onconnect(data) {
      if (!data?.sid) return this._onrefused({ message: "the server speaks Socket.IO 2, this client speaks 3 and 4" });
      const { sid, pid } = data;
      this.id = sid;
      this.recovered = Boolean(pid) && pid === this._place?.pid;
      if (!this.recovered) this._place = pid && { pid };
      this.connected = true;
      this.receiveBuffer.splice(0).forEach((message) => this._onevent(message));
      while (this.connected && this.sendBuffer.length) this._transmit(this.sendBuffer.shift());
      if (this.connected) super.emit("connect");
    }

    _onrefused({ message, data }) {
      this._retire();
      super.emit("connect_error", Object.assign(new Error(message), { data }));
    }

    _onevent({ data, id }) {
      const args = id === undefined ? data : [...data, this._answer(id)];
      const last = args[args.length - 1];
      if (this._place && typeof last === "string") this._place.offset = last;
      super.emit(ANY, ...args);
      super.emit(...args);
    }

    _answer(id) {
      let asker = this.id;
      return (...args) => {
        if (asker && asker === this.id) this._send(encode(ACK, this.nsp, args, id));
        asker = null;
      };
    }

    _onclose(reason, error, wasOpen = true) {
      const wasConnected = this.connected;
      this.connected = false;
      this.id = undefined;
      this.receiveBuffer = [];
      if (!wasOpen) super.emit("connect_error", error);
      else if (wasConnected) super.emit("disconnect", reason, error);
      this._acks.forEach((settle, id) => {
        if (this.sendBuffer.some((message) => message.id === id)) return;
        settle(new Error("socket has been disconnected"));
      });
    }

    _retire(reason) {
      this.active = false;
      this.io._leave();
      this._onclose(reason);
    }
  }

  Socket.prototype.open = Socket.prototype.connect;
  Socket.prototype.close = Socket.prototype.disconnect;

  for (const [name, key] of [["Any", ANY], ["AnyOutgoing", ANY_OUTGOING]]) {
    Object.assign(Socket.prototype, {
      ["on" + name](listener) {
        return this.on(key, listener);
      },
      ["prepend" + name](listener) {
        (this._listeners[key] ??= []).unshift(listener);
        return this;
      },
      ["off" + name](listener) {
        return this.off(key, listener);
      },
      ["listeners" + name]() {
        return this.listeners(key);
      },
    });
  }

  const DEFAULTS = {
    path: "/socket.io/",
    addTrailingSlash: true,
    transports: ["polling", "websocket"],
    upgrade: true,
    autoConnect: true,
    timeout: 20000,
    reconnection: true,
    reconnectionAttempts: Infinity,
    reconnectionDelay: 1000,
    reconnectionDelayMax: 5000,
    randomizationFactor: 0.5,
  };

  function locate(address) {
    const { href, protocol = "https:" } = globalThis.location ?? {};
    const text = String(address || "/");
    const url = new URL(/^(\w+:)?\//.test(text) ? text : `${protocol}//${text}`, href);
    url.protocol = url.protocol.replace(/^ws/, "http");
    if (/^https?:/.test(url)) return url;
    throw new Error(`the address must begin with http:, https:, ws: or wss:, got: ${url}`);
  }

  function unescapePath(path) {
    return path.replace(/(%[\da-f]{2})+/gi, (escapes) => {
      try {
        return decodeURI(escapes);
      } catch {
        return escapes;
      }
    });
  }

  const isOptions = (value) => value && typeof value === "object" && !value.href;

  /**
   * The connection that sockets share. Emits open, error, close, ping, reconnect and
   * reconnect_attempt, _error, _failed.
   */
  class Manager extends Emitter {
    constructor(address, opts) {
      super();
      if (isOptions(address)) [address, opts] = ["", address];
      const { origin, searchParams } = locate(address);
      this.uri = origin;
      const query = [...searchParams, ...new URLSearchParams(opts?.query ?? "")];
      this.opts = { ...opts, query: Object.fromEntries(query) };
      for (const key in DEFAULTS) this.opts[key] = this.opts[key] ?? DEFAULTS[key];
      this.nsps = new Map();
      this._attempts = 0;
    }

    socket(nsp, opts = this.opts) {
      if (!this.nsps.has(nsp)) this.nsps.set(nsp, new Socket(this, nsp, opts));
      const socket = this.nsps.get(nsp);
      const connects = (opts.autoConnect ?? this.opts.autoConnect) && !socket.active;
      return connects ? socket.connect() : socket;
    }

    open() {
      if (this.engine && this.engine.readyState !== "closed") return this;
      this._stopWaiting();
      this._listen(true);
      this._decode = decoder();
      this.engine = new Engine(this.uri, this.opts)
        .on("open", () => this._onopen())
        .on("message", (data) => this._onmessage(data))
        .on("ping", () => this.emit("ping"))
        .on("close", (...args) => this._onclose(...args));
      return this;
    }

    _stopWaiting() {
      this._timer?.();
      this._timer = undefined;
    }

    /** Random, so that not all return at once. */
    delay(attempt) {
      const { reconnectionDelay, reconnectionDelayMax: max, randomizationFactor } = this.opts;
      const ms = Math.min(reconnectionDelay * 2 ** attempt, max);
      return Math.min(ms * (1 + randomizationFactor * (2 * Math.random() - 1)), max);
    }

    handleEvent({ type }) {
      if (type === "pagehide") this.engine.leave();
      else if (type === "online") this._again();
      else this._doubt();
    }

    /** The page's events reach handleEvent() while there is, or will be, a connection. */
    _listen(isWanted) {
      if (isWanted === this._isListening) return;
      this._isListening = isWanted;
      const listen = isWanted ? globalThis.addEventListener : globalThis.removeEventListener;
      for (const type of ["offline", "online", "pagehide"]) listen?.(type, this);
    }

    /** "offline" is a hint that a VPN or a LAN gives, too: whether it is true, dialling tells. */
    _doubt() {
      const { reconnection, reconnectionAttempts } = this.opts;
      const isDoubtful = reconnection && reconnectionAttempts && new URL(this.uri).hostname !== "localhost";
      if (!isDoubtful || this.engine.readyState !== "open") return;
      this.engine.close("transport close");
      this._again();
    }

    _active() {
      return [...this.nsps.values()].filter((socket) => socket.active);
    }

    _leave() {
      if (this._active().length) return;
      this._stopWaiting();
      this._attempts = 0;
      this.engine?.close();
      this._listen(false);
    }

    _onopen() {
      const attempts = this._attempts;
      this._attempts = 0;
      this.emit("open");
      this._active().forEach((socket) => socket._onopen());
      if (attempts) this.emit("reconnect", attempts);
    }

    _onmessage(data) {
      try {
        const message = this._decode(data);
        if (message) this.nsps.get(message.nsp)?._onmessage(message);
      } catch (error) {
        this.engine.close("parse error", error);
      }
    }

    _onclose(reason, error, wasOpen) {
      if (wasOpen) this.emit("close", reason, error);
      else this.emit("error", error);
      this._active().forEach((socket) => socket._onclose(reason, error, wasOpen));
      if (this._attempts) this.emit("reconnect_error", error);
      if (this.engine.readyState !== "closed") return; // opened again by a listener
      if (this._active().length && this.opts.reconnection) this._retry();
      else this._listen(false);
    }

    _retry() {
      if (this._attempts >= this.opts.reconnectionAttempts) {
        this._attempts = 0;
        this._listen(false);
        this.emit("reconnect_failed");
      } else this._timer = wait(this.opts, () => this._again(), this.delay(this._attempts++));
    }

    _again() {
      if (!this._timer) return;
      this._stopWaiting();
      if (!this.opts.reconnection) return this._listen(false);
      this.emit("reconnect_attempt", this._attempts);
      if (this._active().length) this.open();
    }
  }

  Manager.prototype.connect = Manager.prototype.open;

  for (const name in DEFAULTS) {
    if (!/^(timeout|reconn|random)/.test(name)) continue;
    Manager.prototype[name] = function (...values) {
      if (!values.length) return this.opts[name];
      [this.opts[name]] = values;
      return this;
    };
  }

  const managers = new Map();

  /** Sockets share a connection, but for `forceNew` or the same namespace twice; docs/browser-client.md has the options. */
  function io(address, options) {
    if (isOptions(address)) return io("", address);
    const url = locate(address);
    const opts = { ...options };
    const nsp = unescapePath(url.pathname);
    const key = url.origin + (opts.path || DEFAULTS.path);
    const shared = managers.get(key);
    const isOwn = opts.forceNew || opts.multiplex === false || shared?.nsps.has(nsp);
    const manager = (!isOwn && shared) || new Manager(url, opts);
    if (!isOwn) managers.set(key, manager);
    return manager.socket(nsp, opts);
  }

  return Object.assign(io, { connect: io, Manager, Socket, protocol: 5 });
})();
