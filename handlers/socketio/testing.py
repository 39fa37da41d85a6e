"""A client for tests of handlers.

Real code, no sockets, a fake clock.

    async def test_everyone_hears_who_comes():
        hub = Hub({"/": BoardHandler})
        ann = await connect(hub)
        bob = await connect(hub, auth={"name": "Bob"})
        assert await ann.receive("news") == {"msg": "One more person is online", "count": 1}
        bob.drop()

It works wherever an asyncio loop runs: pytest-tornado's `gen_test`, AsyncHTTPTestCase, `asyncio.run`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from tornado.escape import parse_qs_bytes
from tornado.httputil import HTTPHeaders

from .engineio.codec.packet import Packet, PacketType
from .engineio.handshake import Handshake
from .engineio.reasons import CloseReason
from .engineio.room import Slice
from .engineio.session import Session
from .errors import Refused
from .hub import Hub
from .message import Decoder, Kind, Message, encode

__all__ = ["Clock", "TestClient", "connect"]


class Clock:
    """The running loop, with a time that stands still until `advance`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._now = 0.0
        self.call_soon = self._loop.call_soon
        self.call_soon_threadsafe = self._loop.call_soon_threadsafe

    def time(self) -> float:
        """Seconds since the hub was started."""
        return self._now

    async def advance(self, seconds: float) -> None:
        """Move time forward: pings are sent and answered, deadlines expire."""
        end = self._now + seconds
        while self._now < end:
            self._now = min(end, self._now + self._hub.period)
            self._hub.beat()
            await asyncio.sleep(0)


class TestClient:
    """A client of a hub, made by `connect`."""

    __test__ = False
    name = "websocket"
    id = ""
    """The client's id in the namespace."""
    recovered = False
    closed: CloseReason | None = None
    """Why the server closed the connection; None while open."""
    session: Session

    def __init__(self, hub: Hub, namespace: str, auth: dict[str, Any], handshake: Handshake) -> None:
        self.silent = False
        """Set to True to leave pings unanswered."""
        self._hub = hub
        self._namespace = namespace
        self._auth = auth
        self._handshake = handshake
        self._decoder = Decoder()
        self._events: deque[list[Any]] = deque()
        self._answering: dict[str, Callable[..., Any]] = {}
        self._acks: dict[int, asyncio.Future[Any]] = {}
        self._last_id = 0
        self._place: dict[str, str] = {}
        self._changed = asyncio.Event()

    # -- what a test says

    async def connect(self, timeout: float = 1) -> None:
        """Connect, or reconnect after `drop`. Raises Refused if the server refuses."""
        self.closed, self._refusal = None, None
        self._decoder = Decoder()
        self.session = self._hub.open(self, self._handshake)
        self.id = ""
        self._send(Message(Kind.CONNECT, self._namespace, {**self._auth, **self._place} or None))
        await self._until(lambda: bool(self.id or self._refusal or self.closed), "an answer to CONNECT", timeout)
        if self._refusal is not None:
            raise Refused(self._refusal["message"], self._refusal.get("data"))

    def emit(self, event: str, *args: Any) -> None:
        """Send an event without acknowledgement."""
        self._send(Message(Kind.EVENT, self._namespace, [event, *args]))

    async def call(self, event: str, *args: Any, timeout: float = 1) -> Any:
        """Send an event and return its acknowledgement (several arguments: a tuple)."""
        self._last_id += 1
        answer = self._acks[self._last_id] = asyncio.get_running_loop().create_future()
        self._send(Message(Kind.EVENT, self._namespace, [event, *args], self._last_id))
        return await asyncio.wait_for(answer, timeout)

    async def receive(self, event: str | None = None, timeout: float = 1) -> Any:
        """Return the argument (several: a tuple) of the next event.

        event: its name; by default any event. Raises AssertionError, with the events that came instead, after `timeout`
        seconds.
        """

        def found() -> list[Any] | None:
            return next((args for args in self._events if event in (None, args[0])), None)

        await self._until(lambda: found() is not None, f"event {event!r}" if event else "an event", timeout)
        args = found()
        assert args is not None
        self._events.remove(args)
        return args[1] if len(args) == 2 else tuple(args[1:])

    @property
    def received(self) -> list[tuple[Any, ...]]:
        """Events received and not yet returned by `receive`: (event, *args)."""
        return [tuple(args) for args in self._events]

    def answer(self, event: str, function: Callable[..., Any]) -> None:
        """Answer an event of the server with the result of a function."""
        self._answering[event] = function

    def disconnect(self) -> None:
        """Leave the namespace with a DISCONNECT packet."""
        self._send(Message(Kind.DISCONNECT, self._namespace))

    def drop(self) -> None:
        """Lose the connection without a DISCONNECT packet."""
        self.session.lost(self, "transport close")

    def brings(self, data: str | bytes) -> None:
        """Send an Engine.IO message unchecked, valid or not."""
        self.session.receive(Packet(PacketType.MESSAGE, data), self)

    def _send(self, message: Message) -> None:
        for part in encode(message):
            self.brings(part)

    async def _until(self, come: Callable[[], bool], what: str, timeout: float) -> None:
        deadline = asyncio.get_running_loop().time() + timeout
        while not come():
            self._changed.clear()
            try:
                left = deadline - asyncio.get_running_loop().time()
                await asyncio.wait_for(self._changed.wait(), max(0.0, left))
            except asyncio.TimeoutError:
                raise AssertionError(f"{what} did not come within {timeout:g} s; there is {self.received}") from None

    # -- the transport

    ready = True
    burst = 0

    def deliver(self, unread: Slice) -> bool:
        """Receive entries."""
        self._take(unread)
        return True

    def release(self) -> None:
        """Do nothing: this client never upgrades."""

    def end(self, farewell: Slice, reason: CloseReason) -> None:
        """Receive the last entries, and store the reason."""
        self._take(farewell)
        self.closed = reason
        self._changed.set()

    def _take(self, unread: Slice) -> None:
        for entry in unread.entries:
            for packet in entry.packets:
                if packet.type is PacketType.PING and not self.silent:
                    asyncio.get_running_loop().call_soon(self.session.receive, Packet(PacketType.PONG), self)
                elif packet.type is PacketType.MESSAGE:
                    self._take_message(self._decoder.add(packet.data))
        self._changed.set()

    def _take_message(self, message: Message | None) -> None:
        if message is None:
            return
        if message.kind is Kind.CONNECT:
            self.id, pid = message.data["sid"], message.data.get("pid")
            self.recovered = pid is not None and pid == self._place.get("pid")
            self._place = {**(self._place if self.recovered else {}), **({"pid": pid} if pid else {})}
        elif message.kind is Kind.CONNECT_ERROR:
            self._refusal = message.data
        elif message.kind is Kind.ACK:
            self._acknowledge(message)
        elif message.kind is Kind.DISCONNECT:
            self._events.append(["disconnect"])
        else:
            self._take_event(message)

    def _acknowledge(self, message: Message) -> None:
        answer = self._acks.pop(message.id or 0, None)
        if answer is not None and not answer.done():
            args = message.data
            answer.set_result(args[0] if len(args) == 1 else tuple(args) or None)

    def _take_event(self, message: Message) -> None:
        args = list(message.data)
        if message.id is None:
            if "pid" in self._place:
                self._place["offset"] = args.pop()
            self._events.append(args)
            return
        function = self._answering.get(args[0])
        if function is None:
            self._events.append(args)
        else:
            answer = Message(Kind.ACK, self._namespace, [function(*args[1:])], message.id)
            asyncio.get_running_loop().call_soon(self._send, answer)


async def connect(
    hub: Hub,
    namespace: str = "/",
    *,
    auth: dict[str, Any] | None = None,
    recovery: bool = False,
    headers: Mapping[str, str] | None = None,
    query: str = "",
    remote_ip: str = "127.0.0.1",
) -> TestClient:
    """Connect a client to a hub and return it.

    recovery: whether the client takes part in recovery. headers, such as Cookie, and query, `"token=…"`, are those of
    its first request. A hub that is not started yet is started on a `Clock`, which is then `hub.loop`. Raises Refused.
    """
    if hub.loop is None:
        hub.start(Clock(hub))
    arguments = parse_qs_bytes(query, keep_blank_values=True)
    handshake = Handshake(HTTPHeaders(headers or {}), remote_ip, arguments, "127.0.0.1", "http", "/socket.io/")
    auth = {**(auth or {}), **({"recovery": True} if recovery else {})}
    client = TestClient(hub, namespace, auth, handshake)
    await client.connect()
    return client
