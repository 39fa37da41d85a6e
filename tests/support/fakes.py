"""A loop whose time the test sets, and a recording transport."""

from __future__ import annotations

from collections.abc import Callable

from handlers.socketio.engineio.codec.packet import Packet, PacketType
from handlers.socketio.engineio.engine import Engine
from handlers.socketio.engineio.handshake import Handshake
from handlers.socketio.engineio.reasons import CloseReason
from handlers.socketio.engineio.room import Slice
from handlers.socketio.engineio.session import Session

MESSAGE = PacketType.MESSAGE


class FakeLoop:
    """Time stands still until `advance`; what was called soon runs in `turn`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._soon: list[Callable[[], None]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[[], None], /) -> None:
        self._soon.append(callback)

    call_soon_threadsafe = call_soon

    def turn(self) -> None:
        """Run what was called soon, and what that calls."""
        while self._soon:
            self._soon.pop(0)()

    def advance(self, seconds: float, engine: Engine) -> None:
        """Let time pass, with a beat every period and at the end."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + engine.period)
            engine.beat()
            self.turn()


class FakeTransport:
    """Keeps what it reads, in order, unless its socket is stuck."""

    def __init__(self, name: str = "polling") -> None:
        self.name = name
        self.session: Session
        self.stuck = False
        self.received: list[str | bytes] = []
        self.ended: CloseReason | None = None
        self.released = False
        self.probes_answered = 0

    burst = 0

    @property
    def ready(self) -> bool:
        return not self.stuck

    def deliver(self, unread: Slice) -> bool:
        if not self.stuck:
            self._take(unread)
        return not self.stuck

    def answer_probe(self) -> None:
        self.probes_answered += 1

    def release(self) -> None:
        self.released = True

    def end(self, farewell: Slice, reason: CloseReason) -> None:
        if not self.stuck:
            self._take(farewell)
        assert self.ended is None, "ended twice"
        self.ended = reason

    def _take(self, unread: Slice) -> None:
        for entry in unread.entries:
            self.received += [p.data if p.type is MESSAGE else str(p) for p in entry.packets]

    def brings(self, data: str | bytes) -> None:
        """Let the client send a message."""
        self.session.receive(Packet(MESSAGE, data), self)

    def brings_packet(self, type_: PacketType, data: str = "") -> None:
        """Let the client send a packet."""
        self.session.receive(Packet(type_, data), self)


class Recorder:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.messages: list[str | bytes] = []
        self.closed: list[CloseReason] = []

    def on_message(self, data: str | bytes) -> None:
        self.messages.append(data)

    def on_close(self, reason: CloseReason) -> None:
        self.closed.append(reason)


HANDSHAKE = Handshake({}, "192.0.2.1", {})


def connect(engine: Engine, name: str = "polling") -> FakeTransport:
    """Open a session over a fake transport."""
    transport = FakeTransport(name)
    transport.session = engine.open(transport, HANDSHAKE)
    return transport


def started(engine: Engine) -> FakeLoop:
    """Start an engine on a fake loop."""
    loop = FakeLoop()
    engine.start(loop)
    return loop
