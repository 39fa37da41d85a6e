// Socket.IO v5 over Engine.IO v4; docs/browser-client.md is for pages.
var io = (() => {
  "use strict";

  // Engine.IO packets: a string starts with its type, binary is a message

  const TYPES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
  const SEPARATOR = "\x1e";

  const isBinary = (value) =>
    value instanceof ArrayBuffer || ArrayBuffer.isView(value) || value instanceof Blob;

  const encodePacket = ({ type, data = "" }) => (isBinary(data) ? data : TYPES.indexOf(type) + data);

  async function toText(packet) {
    if (typeof packet === "string") return packet;
    const bytes = new Uint8Array(await new Blob([packet]).arrayBuffer());
    return "b" + btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  }

  function decodePacket(packet) {
    if (typeof packet !== "string") return { type: "message", data: packet };
    const data = packet.slice(1);
    const type = TYPES[packet[0]];
    if (type) return { type, data };
    if (packet[0] !== "b") throw new Error("invalid packet");
    return { type: "message", data: Uint8Array.from(atob(data), (char) => char.charCodeAt(0)).buffer };
  }

  // Socket.IO messages: <type>[<attachments>-][<namespace>,][<ack id>][<JSON>]

  const [CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR] = [0, 1, 2, 3, 4];
  const BINARY = 3; // added to EVENT or ACK
  const HEAD = /^([0-6])(?:(\d+)-)?(?:(\/[^,]*),)?(\d+)?/;
  const RESERVED = /^(connect(_error)?|disconnect(ing)?|(new|remove)Listener)$/;

  function encode(type, nsp, data, id = "") {
    const attachments = [];
    const json = JSON.stringify(data, function (key, value) {
      // Not `value`: a Buffer has a toJSON().
      if (type === CONNECT || !isBinary(this[key])) return value;
      return { _placeholder: true, num: attachments.push(this[key]) - 1 };
    });
    const head = attachments.length ? `${type + BINARY}${attachments.length}-` : `${type}`;
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

  // A listener that throws stops nothing else.
  function call(listener, self, args) {
    try {
      listener.apply(self, args);
    } catch (error) {
      queueMicrotask(() => { throw error; });
    }
  }

  const callAll = (listeners, self, args) =>
    [...listeners].forEach((listener) => call(listener, self, args));

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

    off(event, listener) {
      if (!arguments.length) this._listeners = Object.create(null);
      else if (arguments.length === 1) delete this._listeners[event];
      else {
        remove(this.listeners(event), (each) => each === listener || each.listener === listener);
        if (!this.hasListeners(event)) delete this._listeners[event];
      }
      return this;
    }

    emit(event, ...args) {
      callAll(this.listeners(event), this, args);
      return this;
    }

    listeners(event) {
      return this._listeners[event] ?? [];
    }

    hasListeners(event) {
      return this.listeners(event).length > 0;
    }
  }

  function alias({ prototype }, name, ...others) {
    for (const other of others) prototype[other] = prototype[name];
  }

  alias(Emitter, "on", "addEventListener");
  alias(Emitter, "off", "removeListener", "removeAllListeners", "removeEventListener");

  // A page may replace them.
  const NATIVE = {
    setTimeout: setTimeout.bind(globalThis),
    clearTimeout: clearTimeout.bind(globalThis),
  };
  const timersOf = (opts) => (opts.useNativeTimers || opts.useNativeSetTimers ? NATIVE : globalThis);

  const silence = (transport) =>
    Object.assign(transport, { onmessage: noop, onerror: noop, onclose: noop });

  /** A WebSocket that reads the writeBuffer, and can pause. */
  class Polling {
    constructor(engine) {
      this.name = "polling";
      silence(this);
      this._engine = engine;
      this._abort = new AbortController();
      this._polling = this._poll();
    }

    get bufferedAmount() {
      return this._posting ? 1 : 0;
    }

    flush() {
      this._posting ||= this._post();
    }

    pause() {
      this._paused = true;
      return Promise.all([this._polling, this._posting]);
    }

    resume() {
      this._paused = false;
      this._polling = this._polling.then(() => this._poll());
    }

    /** Sent packets still go out. */
    async close() {
      this._paused = true;
      if (this._engine.id && !this._abort.signal.aborted) {
        this._engine.writeBuffer.push({ type: "close" });
        this.flush();
      }
      await this._posting;
      this._abort.abort();
    }

    async _poll() {
      while (!this._paused) {
        const payload = await this._request("GET");
        payload?.split(SEPARATOR).forEach((packet) => this._receive(packet));
      }
    }

    async _post() {
      const { writeBuffer } = this._engine;
      await null; // packets sent in one tick share a request
      while (writeBuffer.length && !this._engine.upgrading && !this._abort.signal.aborted) {
        await this._request("POST", this._payload(writeBuffer));
      }
      this._posting = null;
      if (!writeBuffer.length) this._engine.emit("drain");
    }

    async _payload(packets) {
      const texts = [];
      let size = 0;
      while (packets.length) {
        const text = await toText(encodePacket(packets[0]));
        size += new Blob([text]).size;
        if (texts.length && size > this._engine.maxPayload) break;
        size += SEPARATOR.length;
        texts.push(text);
        packets.shift();
      }
      return texts.join(SEPARATOR);
    }

    async _request(method, body) {
      const opts = this._engine.optionsOf(this.name);
      const timers = timersOf(opts);
      const timer = timers.setTimeout(() => this._fail("timeout"), this._engine.patience);
      try {
        const response = await fetch(this._engine.url(this.name), {
          method,
          body: body && (await body),
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
        timers.clearTimeout(timer);
      }
    }

    _receive(packet) {
      if (packet === "1") this._fail();
      else this.onmessage({ data: packet });
    }

    _fail(cause) {
      this._paused = true;
      this._abort.abort();
      if (cause) this.onerror(cause);
      this.onclose();
    }
  }

  let hadWebSocket = false;

  class Engine extends Emitter {
    constructor(uri, opts) {
      super();
      this.uri = uri;
      this.opts = opts;
      this.id = undefined;
      this.readyState = "opening";
      this.upgrading = false;
      this.writeBuffer = [];
      this._transports = [...opts.transports];
      if (opts.rememberUpgrade && hadWebSocket) this._transports.sort().reverse();
      this._expect(opts.timeout, "timeout");
      this._start();
    }

    optionsOf(transport) {
      return { ...this.opts, ...this.opts.transportOptions?.[transport] };
    }

    url(transport) {
      const url = new URL(this.uri);
      if (transport === "websocket") url.protocol = url.protocol.replace("http", "ws");
      const { path, addTrailingSlash, query } = this.optionsOf(transport);
      url.pathname = path.replace(/\/?$/, addTrailingSlash ? "/" : "");
      url.search = new URLSearchParams({ ...query, EIO: 4, transport, ...(this.id && { sid: this.id }) });
      return url.href;
    }

    send(data, options, sent) {
      if (sent) this.once("flush", sent);
      return this._send("message", data, options);
    }

    flush() {
      if (this.readyState !== "open" || this.upgrading || !this.writeBuffer.length) return;
      if (this.transport.flush) this.transport.flush();
      else {
        this.writeBuffer.splice(0).forEach((packet) => this.transport.send(encodePacket(packet)));
        this._draining ??= Promise.resolve().then(() => {
          this._draining = null;
          this.emit("drain");
        });
      }
      this.emit("flush");
    }

    /** After a sleep, the timer may not have run yet. */
    isOverdue() {
      const isLate = Date.now() > this._deadline;
      if (isLate) queueMicrotask(() => this.close("ping timeout"));
      return isLate;
    }

    /** Close with the page, as a WebSocket does. */
    leave() {
      if (this.readyState !== "open" || this.transport.name !== "polling") return;
      navigator.sendBeacon(this.url("polling"), "1");
    }

    close(reason = "forced close", error = new Error(reason)) {
      if (this.readyState === "closed") return this;
      const wasOpen = this.readyState === "open";
      this._abandon(error);
      this.readyState = "closed";
      timersOf(this.opts).clearTimeout(this._timer);
      if (this.transport) silence(this.transport).close();
      return this.emit("close", reason, error, wasOpen);
    }

    _send(type, data, options) {
      if (this.readyState === "closed") return this;
      const packet = { type, data, options: { compress: options?.compress !== false } };
      this.emit("packetCreate", packet);
      this.writeBuffer.push(packet);
      this.flush();
      return this;
    }

    _start() {
      try {
        this._attach(this._dial(this._transports[0]));
      } catch (error) {
        queueMicrotask(() => this._fail(error));
      }
    }

    _dial(name) {
      if (name === "polling") return new Polling(this);
      if (name !== "websocket") throw new Error(`no transport "${name}"`);
      const { protocols } = this.optionsOf(name);
      return Object.assign(new WebSocket(this.url(name), protocols ?? []), { name, binaryType: "arraybuffer" });
    }

    _attach(transport) {
      this.transport = transport;
      transport.onmessage = ({ data }) => this._receive(data);
      transport.onclose = () => this.close("transport close");
      transport.onerror = (description) => {
        const message = transport.name === "polling" ? "xhr poll error" : "websocket error";
        this._fail(Object.assign(new Error(message), { description }));
      };
    }

    _fail(error) {
      hadWebSocket = false;
      if (this.opts.tryAllTransports && this.readyState === "opening" && this._transports[1]) {
        if (this.transport) silence(this.transport);
        this._transports.shift();
        return this._start();
      }
      this.emit("error", error);
      this.close("transport error", error);
    }

    _expect(ms, reason) {
      const timers = timersOf(this.opts);
      timers.clearTimeout(this._timer);
      this.patience = ms || 2 ** 31 - 1;
      this._deadline = Date.now() + this.patience;
      this._timer = timers.setTimeout(() => this.close(reason), this.patience);
    }

    _receive(received) {
      try {
        const packet = decodePacket(received);
        const { type, data } = packet;
        this.emit("packet", packet).emit("heartbeat");
        if (this.readyState === "opening") this._open(packet);
        else if (type === "message") this.emit("data", data).emit("message", data);
        else if (type === "ping") this._pong();
        else if (type === "close") this.close("transport close");
      } catch (error) {
        this.close("parse error", error);
      }
    }

    _open({ type, data }) {
      if (type !== "open") throw new Error("invalid handshake");
      const handshake = JSON.parse(data);
      const { sid, upgrades, pingInterval, pingTimeout, maxPayload } = handshake;
      Object.assign(this, { id: sid, maxPayload, readyState: "open" });
      this._expect(pingInterval + pingTimeout, "ping timeout");
      if (this.opts.upgrade && this._transports.includes("websocket") && upgrades.includes("websocket")) this._probe();
      this.emit("handshake", handshake).emit("open")._resume();
    }

    _pong() {
      this._expect(this.patience, "ping timeout");
      this._send("pong");
      this.emit("ping").emit("pong");
    }

    // Probe while polling continues, then wait for the last polls.

    _probe() {
      try {
        const candidate = this._candidate = this._dial("websocket");
        candidate.onopen = () => candidate.send("2probe");
        candidate.onerror = candidate.onclose = () => this._abandon(new Error("probe error"));
        candidate.onmessage = ({ data }) =>
          data === "3probe" && !this.upgrading ? this._upgrade(candidate) : this._abandon(new Error("probe error"));
      } catch {
        // Polling continues.
      }
    }

    async _upgrade(candidate) {
      this.upgrading = true;
      this.emit("upgrading", candidate);
      await this.transport.pause();
      if (this._candidate !== candidate) return;
      this._candidate = null;
      this._attach(candidate);
      candidate.send("5");
      this._resume();
      this.emit("upgrade", candidate);
    }

    _abandon(error) {
      const candidate = this._candidate;
      if (!candidate) return;
      this._candidate = null;
      silence(candidate).onopen = () => candidate.close(); // earlier, browsers log it
      if (candidate.readyState) candidate.close();
      if (this.upgrading) this.transport.resume();
      this._resume();
      this.emit("upgradeError", error);
    }

    _resume() {
      hadWebSocket = this.transport.name === "websocket";
      this.upgrading = false;
      this.flush();
    }
  }

  alias(Engine, "send", "write");

  class Socket extends Emitter {
    constructor(manager, nsp, opts = {}) {
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
      this._Any = [];
      this._AnyOutgoing = [];
      this._acks = new Map();
      this._ids = 0;
      this._queue = [];
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

    disconnect() {
      if (this.connected) this._send(encode(DISCONNECT, this.nsp));
      this._retire("io client disconnect");
      return this;
    }

    emit(event, ...args) {
      const flags = this._flags;
      this._flags = {};
      if (RESERVED.test(event)) throw new Error(`"${event}" is a reserved event name`);
      const answer = typeof args.at(-1) === "function" && args.pop();
      const isQueued = this._opts.retries && !flags.volatile;
      const id = answer || isQueued ? this._ids++ : undefined;
      const data = [event, ...args];
      // Values without JSON form throw here.
      const message = { id, data, flags, answer, tries: 0, packets: encode(EVENT, this.nsp, data, id) };
      if (isQueued) {
        this._queue.push(message);
        this._drain();
        return this;
      }
      if (answer) this._expect(id, answer, flags);
      const isConnected = this.connected && !this.io.engine.isOverdue();
      const isBusy = isConnected && this.io.engine.transport.bufferedAmount;
      if (isConnected && !(flags.volatile && isBusy)) this._transmit(message);
      else if (!flags.volatile) this.sendBuffer.push(message);
      return this;
    }

    send(...args) {
      return this.emit("message", ...args);
    }

    emitWithAck(event, ...args) {
      this._flags.withError = true;
      return new Promise((resolve, reject) => {
        this.emit(event, ...args, (error, value) => (error ? reject(error) : resolve(value)));
      });
    }

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

    /** For `retries`: one event at a time. */
    _drain() {
      const [message] = this._queue;
      if (!this.connected || !message || this._acks.has(message.id) || this.io.engine.isOverdue()) return;
      const settle = (...args) => {
        if (!args[0] || message.tries > this._opts.retries) {
          this._queue.shift();
          if (message.answer) call(message.answer, this, args);
        }
        this._drain();
      };
      message.tries++;
      this._expect(message.id, settle, { ...message.flags, withError: true });
      this._transmit(message);
    }

    _transmit({ data, packets, flags }) {
      callAll(this._AnyOutgoing, this, data);
      this._send(packets, flags);
    }

    _send(packets, options) {
      packets.forEach((packet) => this.io.engine.send(packet, options));
    }

    _expect(id, answer, { timeout = this._opts.ackTimeout, withError = timeout !== undefined }) {
      const timers = timersOf(this.io.opts);
      const settle = (error, ...args) => {
        timers.clearTimeout(timer);
        this._acks.delete(id);
        remove(this.sendBuffer, (message) => message.id === id);
        if (withError) call(answer, this, [error, ...args]);
        else if (!error) call(answer, this, args);
      };
      const late = new Error("operation has timed out");
      const timer = timeout !== undefined && timers.setTimeout(settle, timeout, late);
      this._acks.set(id, settle);
    }

    _onopen() {
      const { engine } = this.io; // auth may call back late
      const connect = (auth) => {
        const recovery = (this._opts.recovery ?? this.io.opts.recovery ?? true) && { recovery: true };
        const own = { ...recovery, ...this._place };
        const data = Object.keys(own).length ? { ...own, ...auth } : auth ?? undefined;
        if (!this.active || this._asked === engine) return; // the last answer serves
        this._asked = engine;
        engine.send(...encode(CONNECT, this.nsp, data));
      };
      if (typeof this.auth === "function") call(this.auth, this, [connect]);
      else connect(this.auth);
    }

    _onmessage(message) {
      const { type, data, id } = message;
      if (type === CONNECT || type === CONNECT_ERROR) this._asked = null;
      if (!this.active) {
        // It disconnected before CONNECT was answered.
        if (type === CONNECT) this._send(encode(DISCONNECT, this.nsp));
      } else if (type === CONNECT) this._onconnect(data);
      else if (type === DISCONNECT) this._retire("io server disconnect");
      else if (type === CONNECT_ERROR) this._onrefused(data);
      else if (!Array.isArray(data)) throw new Error("invalid data");
      else if (type === ACK) this._acks.get(id)?.(null, ...data);
      else if (RESERVED.test(data[0])) throw new Error("invalid event");
      else if (this.connected) this._onevent(message);
      else this.receiveBuffer.push(message); // missed events come before the CONNECT
    }

    _onconnect(data) {
      const { sid, pid } = data || {};
      if (!sid) return this._onrefused("no sid: the server speaks Socket.IO 2");
      this.id = sid;
      this.recovered = Boolean(pid) && pid === this._place?.pid;
      if (!this.recovered) this._place = pid && { pid };
      this.connected = true;
      this.receiveBuffer.splice(0).forEach((message) => this._onevent(message));
      while (this.connected && this.sendBuffer.length) this._transmit(this.sendBuffer.shift());
      this._drain();
      if (this.connected) super.emit("connect");
    }

    _onrefused(refusal) {
      const { message = refusal, data } = refusal || {};
      this._retire();
      super.emit("connect_error", Object.assign(new Error(message), { data }));
    }

    _onevent({ data, id }) {
      const args = id === undefined ? data : [...data, this._answer(id)];
      const last = args.at(-1);
      if (this._place && typeof last === "string") this._place.offset = last;
      callAll(this._Any, this, args);
      super.emit(...args);
    }

    /** Answers once, in this session only. */
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

  alias(Socket, "connect", "open");
  alias(Socket, "disconnect", "close");

  for (const name of ["Any", "AnyOutgoing"]) {
    const key = "_" + name;
    Object.assign(Socket.prototype, {
      ["on" + name](listener) {
        this[key].push(listener);
        return this;
      },
      ["prepend" + name](listener) {
        this[key].unshift(listener);
        return this;
      },
      ["off" + name](listener) {
        if (listener) remove(this[key], (each) => each === listener);
        else this[key] = [];
        return this;
      },
      ["listeners" + name]() {
        return this[key];
      },
    });
  }

  const DEFAULTS = {
    addTrailingSlash: true,
    transports: ["polling", "websocket"],
    upgrade: true,
    autoConnect: true,
    // Methods that a manager has, too:
    timeout: 20000,
    reconnection: true,
    reconnectionAttempts: Infinity,
    reconnectionDelay: 1000,
    reconnectionDelayMax: 5000,
    randomizationFactor: 0.5,
  };
  const OTHERS = `path query auth recovery retries ackTimeout forceNew multiplex extraHeaders protocols withCredentials
    tryAllTransports transportOptions rememberUpgrade closeOnBeforeunload useNativeTimers useNativeSetTimers`.split(/\s+/);

  /** Relative to this script. */
  function locate(address) {
    const served = /^http[^?#]*\/(?=socket\.io\.)/.exec(io.source);
    const { href, origin, pathname, protocol = "https:" } = served ? new URL(served) : globalThis.location ?? {};
    const text = String(address || "/");
    const url = new URL(/^(\w+:)?\//.test(text) ? text : `${protocol}//${text}`, href);
    url.protocol = url.protocol.replace(/^ws/, "http");
    url.path = served && origin === url.origin ? pathname : "/socket.io/";
    if (/^https?:/.test(url)) return url;
    throw new Error(`use http:, https:, ws: or wss:, not ${url}`);
  }

  const isOptions = (value) => value && typeof value === "object" && !value.href;

  class Manager extends Emitter {
    constructor(address, opts = {}) {
      super();
      if (isOptions(address)) [address, opts] = ["", address];
      const { origin, path, searchParams } = locate(address);
      this.uri = origin;
      const query = [...searchParams, ...new URLSearchParams(opts.query ?? "")];
      this.opts = { ...opts, path: opts.path ?? path, query: Object.fromEntries(query) };
      for (const key in DEFAULTS) this.opts[key] = this.opts[key] ?? DEFAULTS[key];
      this.nsps = {};
      for (const key in opts) if (!(key in DEFAULTS || OTHERS.includes(key))) console.warn(`no option "${key}"`);
      if (this.opts.autoConnect) this.open();
    }

    socket(nsp, opts = {}) {
      const socket = (this.nsps[nsp] ??= new Socket(this, nsp, opts));
      const isWanted = opts.autoConnect ?? this.opts.autoConnect;
      return isWanted && !socket.active ? socket.connect() : socket;
    }

    open(done) {
      if (this.engine && this.engine.readyState !== "closed") return this;
      this._want(true);
      this._done = done;
      this._decode = decoder();
      this.engine = new Engine(this.uri, this.opts)
        .on("open", () => this._onopen())
        .on("message", (data) => this._onmessage(data))
        .on("ping", () => this.emit("ping"))
        .on("close", (...args) => this._onclose(...args));
      return this;
    }

    disconnect() {
      this._want(false);
      this.engine?.close();
    }

    /** Random: clients return one by one. */
    delay(attempt) {
      const { reconnectionDelay, reconnectionDelayMax: max, randomizationFactor } = this.opts;
      const ms = Math.min(reconnectionDelay * 2 ** attempt, max);
      return Math.min(ms * (1 + randomizationFactor * (2 * Math.random() - 1)), max);
    }

    // Chromium may skip a handleEvent() when a page goes.
    _hear = ({ type }) => {
      if (type === "pagehide") this.engine.leave();
      else if (type === "beforeunload") silence(this.engine.transport ?? {}).close?.();
      else if (type === "online") this._again();
      else this._doubt();
    };

    /** Hear the page's events. */
    _want(isWanted) {
      this._timer = timersOf(this.opts).clearTimeout(this._timer);
      if (!isWanted === !this._isWanted) return;
      this._isWanted = isWanted;
      this._attempts = 0;
      const listen = isWanted ? globalThis.addEventListener : globalThis.removeEventListener;
      for (const type of ["offline", "online", "pagehide"]) listen?.(type, this._hear);
      if (this.opts.closeOnBeforeunload) listen?.("beforeunload", this._hear);
    }

    /** "offline" is often wrong, so try to connect. */
    _doubt() {
      const { reconnection, reconnectionAttempts } = this.opts;
      const isDoubtful = reconnection && reconnectionAttempts && new URL(this.uri).hostname !== "localhost";
      if (!isDoubtful || this.engine.readyState !== "open") return;
      this.engine.close("transport close");
      this._again();
    }

    _active() {
      return Object.values(this.nsps).filter((socket) => socket.active);
    }

    _leave() {
      if (!this._active().length) this.disconnect();
    }

    _onopen() {
      const attempts = this._attempts;
      this._attempts = 0;
      const done = this._done;
      this._done = null;
      this.emit("open");
      if (done) call(done, this, []);
      this._active().forEach((socket) => socket._onopen());
      if (attempts) this.emit("reconnect", attempts);
    }

    _onmessage(data) {
      try {
        const message = this._decode(data);
        if (!message) return;
        this.emit("packet", message);
        this.nsps[message.nsp]?._onmessage(message);
      } catch (error) {
        this.engine.close("parse error", error);
      }
    }

    _onclose(reason, error, wasOpen) {
      const done = this._done;
      if (!wasOpen || reason === "transport error") this.emit("error", error);
      if (wasOpen) this.emit("close", reason, error);
      this._active().forEach((socket) => socket._onclose(reason, error, wasOpen));
      if (this._attempts) this.emit("reconnect_error", error);
      if (this.engine.readyState !== "closed") return; // opened again by a listener
      this._want(this._isWanted && this.opts.reconnection && !done);
      if (this._isWanted) this._retry();
      if (done) call(done, this, [error]);
    }

    _retry() {
      if (this._attempts < this.opts.reconnectionAttempts) {
        this._timer = timersOf(this.opts).setTimeout(() => this._again(), this.delay(this._attempts++));
      } else {
        this._want(false);
        this.emit("reconnect_failed");
      }
    }

    _again() {
      if (!this._timer) return;
      this._want(this.opts.reconnection);
      if (this._isWanted) this.emit("reconnect_attempt", this._attempts);
      if (this._isWanted) this.open();
    }
  }

  alias(Manager, "open", "connect");

  for (const name of Object.keys(DEFAULTS).slice(4)) {
    Manager.prototype[name] = function (value) {
      if (value === undefined) return this.opts[name];
      this.opts[name] = value;
      return this;
    };
  }

  const managers = new Map();

  /** Sockets of several namespaces share a connection. */
  function io(address, options) {
    if (isOptions(address)) return io("", address);
    const url = locate(address);
    const opts = { ...options };
    const [, nsp = "/"] = /^(?:\w+:)?(?:\/\/)?[^/?#]*(\/[^?#]*)?/.exec(address || "");
    const key = url.origin + (opts.path ?? url.path);
    const shared = managers.get(key);
    const isOwn = opts.forceNew || opts.multiplex === false || shared?.nsps[nsp];
    const manager = (!isOwn && shared) || new Manager(url, opts);
    if (!isOwn) managers.set(key, manager);
    return manager.socket(nsp, opts);
  }

  return Object.assign(io, { io, connect: io, Manager, Socket, protocol: 5 });
})();
