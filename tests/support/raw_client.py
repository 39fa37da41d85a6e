"""The words of tests that speak to a server over the network.

    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()           # or server.websocket(): a session on either transport
        await client.send("40")                # one packet, as the wire has it
        assert await client.next() == '40{"sid":…}'

The clients are raw: they answer no ping, and they send what no library would. A line that the server logs at warning
or above fails the test, unless `serve` was told to expect it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import urlencode

import conformance_server
import pytest
from conftest import PATIENCE
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application

from handlers.socketio import Engine, Hub, routes
from handlers.socketio.engineio.http_server import Server as OurHTTPServer

JOURNEY = pytest.mark.gen_test
"""Marks tests that are `async def`; their file imports `io_loop` too."""
KIND: type[HTTPServer] = OurHTTPServer
"""The HTTP server, where a test does not say."""
SEPARATOR = "\x1e"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@pytest.fixture
def io_loop() -> Iterator[IOLoop]:
    """A loop for each test.

    pytest-tornado's is set current in a way that Tornado deprecates.
    """
    loop = IOLoop(make_current=False)
    asyncio.set_event_loop(loop.asyncio_loop)  # type: ignore[attr-defined]
    yield loop
    asyncio.set_event_loop(None)
    loop.close(all_fds=True)


class Clock:
    """The clock of all servers, moved by the test.

    No beat comes but by `beat`.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        """Seconds by which it is ahead."""
        patch.setattr(Engine, "now", lambda engine: engine.delivery.loop.time() + self.ahead)
        patch.setattr(Engine, "period", 3600)
        start = Engine.start

        def note(engine: Engine, *args: Any) -> None:
            self._engines.append(engine)
            start(engine, *args)

        self._engines: list[Engine] = []
        patch.setattr(Engine, "start", note)

    def beat(self, ahead: float) -> None:
        """Put it forward, and have all servers beat."""
        self.ahead = ahead
        for engine in self._engines:
            engine.beat()


class Answer(NamedTuple):
    """The answer to an HTTP request."""

    status: int
    headers: HTTPHeaders
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def packets(self) -> list[str]:
        return self.text.split(SEPARATOR)


class Closed(Exception):
    """The server closed the WebSocket; `code` is its code or None."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


class Line(asyncio.Protocol):
    """A TCP connection; data before its end is read, whatever the end."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._over = False
        self._news = asyncio.Event()
        self.gone = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        self._news.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._over = True
        self._news.set()
        self.gone.set()

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._transport.write(data)

    def end(self) -> None:
        """Send nothing more, but listen (FIN)."""
        self._transport.write_eof()

    def close(self) -> None:
        """Close the connection with a FIN."""
        self._transport.close()

    def abort(self) -> None:
        """Close it, whatever is unsent."""
        self._transport.abort()

    def reset(self) -> None:
        """Break it off (RST)."""
        linger = struct.pack("ii", 1, 0)
        if not self._transport.is_closing():
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    def stop_reading(self, for_good: bool = True) -> None:
        """Read nothing more, until the kernel blocks the server.

        That is soon if reading never resumes.
        """
        if for_good and not self._transport.is_closing():
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self._transport.pause_reading()

    def read_on(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    async def take(self, count: int) -> bytes:
        """Wait for this many bytes; raise EOFError when the connection ends before."""
        while len(self._data) < count:
            await self._more()
        taken = bytes(self._data[:count])
        del self._data[:count]
        return taken

    async def take_until(self, mark: bytes) -> bytes:
        """Wait for bytes up to a mark, and take them with it."""
        while (end := self._data.find(mark)) < 0:
            await self._more()
        return await self.take(end + len(mark))

    async def ended(self) -> None:
        """Wait until the server has closed it."""
        while not self._over:
            await self._more()
        assert self._data == b""

    async def answer(self, method: str = "GET") -> Answer:
        """Wait for the answer to the request that was sent."""
        status_line, _, fields = (await self.take_until(b"\r\n\r\n")).decode("latin-1").partition("\r\n")
        status, headers = int(status_line.split()[1]), HTTPHeaders.parse(fields.rstrip("\r\n"))
        length = 0 if method == "HEAD" or status in (101, 204, 304) else int(headers.get("Content-Length", 0))
        answer = Answer(status, headers, await self.take(length))
        if status >= 400 and headers.get("Content-Type") == "application/json" and "code" in answer.json:
            assert answer.text == json.dumps(answer.json, separators=(",", ":")), "a refusal has no blanks"
        return answer

    async def rest(self) -> bytes:
        """Return what comes until the server closes or falls silent."""
        with suppress(asyncio.TimeoutError):
            while not self._over:
                await self._more()
        return bytes(self._data)

    async def _more(self) -> None:
        if self._over:
            raise EOFError("the server closed the connection")
        self._news.clear()
        await asyncio.wait_for(self._news.wait(), PATIENCE)


class Polling:
    """A session over long-polling; `opening` is what the server opened it with."""

    def __init__(self, server: Server, answer: Answer) -> None:
        self.server, self.opening = server, json.loads(answer.text[1:])
        self.sid: str = self.opening["sid"]
        self._unread: list[str] = []

    async def begin_get(self) -> Line:
        """Send a GET; its answer is waited for elsewhere."""
        return await self.server.send("GET", address(sid=self.sid))

    async def hold(self) -> Line:
        """Send a GET that the server holds.

        A harmless POST behind it was answered, so the GET has been read.
        """
        line = await self.begin_get()
        assert (await self.post("3")).text == "ok"
        return line

    async def get(self) -> list[str]:
        """Poll once."""
        answer = await self.server.request("GET", address(sid=self.sid))
        assert answer.status == 200, answer
        return answer.packets

    async def post(self, *packets: str) -> Answer:
        """POST packets as one payload."""
        return await self.server.request("POST", address(sid=self.sid), body=SEPARATOR.join(packets).encode())

    async def begin_post(self, body: bytes, announced: int) -> Line:
        """Begin a POST of `announced` bytes with these."""
        headers = {"Content-Length": str(announced)}
        line = await self.server.send("POST", address(sid=self.sid), headers)
        line.write(body)
        return line

    async def send(self, *packets: str | bytes) -> Answer:
        """Send packets, whatever becomes of them."""
        return await self.post(*(p if isinstance(p, str) else "b" + base64.b64encode(p).decode() for p in packets))

    async def next(self) -> str | bytes:
        """Wait for the next packet."""
        while not self._unread:
            self._unread = [packet for packet in await self.get() if packet != "6"]
        packet = self._unread.pop(0)
        return base64.b64decode(packet[1:], validate=True) if packet.startswith("b") else packet

    async def ended(self) -> None:
        """Wait until the server has closed and forgotten the session.

        It has nothing more to say.

        A client that did what it may not is not told by a last poll.
        """
        answer = await self.server.request("GET", address(sid=self.sid))
        if answer.status == 200:
            assert answer.packets == ["1"]
            await self.forgotten()
        else:
            assert (answer.status, answer.json["code"]) == (400, 1)

    async def forgotten(self) -> None:
        """Check that the server does not know the session any more."""
        answer = await self.server.request("GET", address(sid=self.sid))
        assert (answer.status, answer.json["code"]) == (400, 1)


class WebSocket(Line):
    """A WebSocket, frame by frame."""

    opening: Any = None
    sid = ""

    def send_frame(self, opcode: int, data: bytes = b"", *, final: bool = True, masked: bool = True) -> None:
        """Send one frame (RFC 6455 §5.2)."""
        size = len(data)
        long = size if size < 126 else 126 if size < 1 << 16 else 127
        head = bytes([opcode | 0x80 * final, long | 0x80 * masked])
        head += struct.pack("!H", size) if long == 126 else struct.pack("!Q", size) if long == 127 else b""
        if masked:
            mask = os.urandom(4)
            head, data = head + mask, _mask(mask, data)
        self.write(head + data)

    async def send(self, *packets: str | bytes) -> None:
        """Send packets, each in a frame."""
        for packet in packets:
            self.send_frame(*((TEXT, packet.encode()) if isinstance(packet, str) else (BINARY, packet)))

    async def frame(self) -> tuple[int, bytes]:
        """Wait for a frame; return its opcode and data."""
        opcode, size = await self.take(2)
        if size == 126:
            (size,) = struct.unpack("!H", await self.take(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.take(8))
        assert opcode & 0x80, "a packet is one frame"
        assert size < 128 or opcode in (0x81, 0x82), "a server masks nothing"
        return opcode & 0x0F, await self.take(size)

    async def next(self) -> str | bytes:
        """Wait for the next packet; raise Closed when the server closes."""
        try:
            opcode, data = await self.frame()
        except EOFError:
            raise Closed(None) from None
        if opcode == CLOSE:
            self.send_frame(CLOSE, data)
            raise Closed(struct.unpack("!H", data[:2])[0] if data else None)
        assert opcode in (TEXT, BINARY), opcode
        return data.decode() if opcode == TEXT else data

    async def ended(self) -> int | None:
        """Wait until the server closes silently; return its code."""
        try:
            packet = await self.next()
        except Closed as closed:
            return closed.code
        raise AssertionError(f"{packet!r} came where the end was due")


Client = Polling | WebSocket


class Server:
    """A server on this machine, as its clients see it.

    tls: the context of its clients; None if the server has no TLS.
    """

    def __init__(self, port: int, application: Application | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.port, self.application, self.tls = port, application, tls
        self.lines: list[Line] = []
        """The connections that were opened, in order."""
        self.http: HTTPServer | None = None
        self.reuses = False
        """Whether connections are used again that are kept alive, as browsers do; who wants so hangs up in the end."""
        self._idle: list[Line] = []

    async def connect(self, kind: type[Line] = Line) -> Any:
        """Open a TCP connection."""
        _, line = await asyncio.get_running_loop().create_connection(kind, "127.0.0.1", self.port, ssl=self.tls)
        self.lines = [*(each for each in self.lines if not each.gone.is_set()), line]
        return line

    async def send(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Line:
        """Send a request on a connection of its own."""
        line: Line = await self.connect()
        line.write(self.head(method, path, headers, body) + body)
        return line

    def head(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
        """Write the head of a request."""
        fields = {"Host": f"127.0.0.1:{self.port}"}
        fields |= {"Content-Length": str(len(body))} if method not in ("GET", "HEAD") or body else {}
        lines = [f"{name}: {value}" for name, value in {**fields, **(headers or {})}.items()]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")

    async def request(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        """Send a request and wait for its answer."""
        while self._idle:
            line = self._idle.pop()
            line.write(self.head(method, path, headers, body) + body)
            try:
                return await self._answer(line, method)
            except EOFError:
                continue
        return await self._answer(await self.send(method, path, headers, body), method)

    async def _answer(self, line: Line, method: str) -> Answer:
        answer = await line.answer(method)
        if self.reuses and answer.headers.get("Connection") != "close":
            self._idle.append(line)
        else:
            line.close()
        return answer

    async def poll(self) -> Polling:
        """Open a session over long-polling."""
        answer = await self.request("GET", address())
        assert answer.status == 200, answer
        return Polling(self, answer)

    async def handshake(self, headers: dict[str, str] | None = None, **parameters: str | None) -> WebSocket:
        """Ask for a WebSocket; what the server answers is waited for elsewhere."""
        socket: WebSocket = await self.connect(WebSocket)
        path = address(**{"transport": "websocket", **parameters})
        socket.write(self.head("GET", path, {**UPGRADE, **(headers or {})}))
        return socket

    async def websocket(self, sid: str | None = None) -> WebSocket:
        """Open a WebSocket: a new session, or a candidate of this sid."""
        socket = await self.handshake(sid=sid)
        answer = await socket.answer()
        assert answer.status == 101, answer
        if sid is None:
            opening = str(await socket.next())
            socket.opening = json.loads(opening[1:])
            socket.sid = socket.opening["sid"]
        return socket

    async def open(self, transport: str) -> Any:
        """Open a session on the transport of this name."""
        return await (self.poll() if transport == "polling" else self.websocket())

    async def hang_up(self) -> None:
        """Close all connections."""
        for line in self.lines:
            line.abort()
        for line in self.lines:
            await line.gone.wait()


UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def address(**parameters: str | None) -> str:
    """Return the path of a request; None leaves a parameter out."""
    query = {"EIO": "4", "transport": "polling", **parameters}
    return "/socket.io/?" + urlencode({name: value for name, value in query.items() if value is not None})


def _mask(mask: bytes, data: bytes) -> bytes:
    key = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(key, "big") ^ int.from_bytes(data, "big")).to_bytes(len(data), "big")


NOTICES = "handlers.socketio.notices"


class _Loud(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == NOTICES:
            return  # about mistakes of an application, which many tests make; test_mistakes looks at them
        if record.name != "tornado.access" or record.levelno >= logging.ERROR:  # a refusal is no fault of the server
            self.lines.append(f"{record.name}: {record.getMessage()}")


@asynccontextmanager
async def serve(
    application: Application, expect: str = "", kind: type[HTTPServer] | None = None, **options: Any
) -> AsyncIterator[Server]:
    """Serve an application.

    expect: what the one loud line of the log says; "" for no such line.
    """
    (listening,) = bind_sockets(0, "127.0.0.1")
    http = (kind or KIND)(application, **options)
    http.add_sockets([listening])
    server, loud = Server(listening.getsockname()[1], application), _Loud()
    server.reuses, server.http = True, http
    logging.getLogger().addHandler(loud)
    try:
        yield server
    finally:
        http.stop()
        await server.hang_up()
        await http.close_all_connections()
        logging.getLogger().removeHandler(loud)
    unexpected = [line for line in loud.lines if not expect or expect not in line]
    assert unexpected == []
    assert len(loud.lines) == bool(expect)


async def join(client: Client, namespace: str = "/", auth: Any = None) -> str:
    """Join a namespace; return the sid there."""
    prefix = "40" if namespace == "/" else f"40{namespace},"
    await client.send(prefix + ("" if auth is None else json.dumps(auth)))
    packet = await client.next()
    assert isinstance(packet, str)
    assert packet.startswith(prefix), packet
    return str(json.loads(packet.removeprefix(prefix))["sid"])


async def echo(client: Client, word: str = "still here") -> None:
    """Have the peer echo a word: nothing else may come before."""
    await client.send(f'4299["echo",{json.dumps(word, ensure_ascii=False)}]')
    assert await client.next() == f"4399[{json.dumps(word, ensure_ascii=False)}]"


def witnessed(**options: Any) -> tuple[Application, asyncio.Queue[str]]:
    """The check application, and a queue of its clients' leaving reasons.

    Those of its main namespace.
    """
    reasons: asyncio.Queue[str] = asyncio.Queue()

    class Witnessed(conformance_server.MainHandler):
        def on_disconnect(self, reason: str) -> None:
            reasons.put_nowait(reason)

    return Application(
        routes(Hub({**conformance_server.NAMESPACES, "/": Witnessed}, **options), origins=["*"])
    ), reasons


async def reason_of(reasons: asyncio.Queue[str]) -> str:
    """Wait for the next reason."""
    return await asyncio.wait_for(reasons.get(), PATIENCE)
