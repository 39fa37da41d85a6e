"""An Engine.IO session: a set of places in rooms, and whichever transport reads for it at the moment.

An upgrade therefore moves nothing: the session flips its `transport`, and the new one reads on from the same place. A
session ends in one way, `close(reason)`, and tells its listener so exactly once.

Source: Engine.IO protocol, revision 4.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Protocol

from tornado.httputil import parse_cookie

from .codec.packet import MESSAGE, Packet, PacketType
from .errors import BadRequest, ProtocolError, attempt
from .limits import GRACE, TokenBucket
from .reader import Reader, Sender
from .reasons import CloseReason
from .room import EMPTY, Room, Slice

if TYPE_CHECKING:
    from .engine import Engine

logger = logging.getLogger(__name__)


TOLD: frozenset[CloseReason] = frozenset({"forced close", "slow consumer", "rate limited", "transport error"})
"""For these, a client that upgrades has to be told that its session is over: it did nothing to end it."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """The request that opened a session. What has the name of an attribute of Tornado's request has its shape."""

    headers: Mapping[str, str]
    remote_ip: str
    query_arguments: Mapping[str, list[bytes]]
    """All values of each query parameter that is not the protocol's own."""
    host: str = ""
    """Host, and port where the client named one, as a trusted proxy tells it."""
    protocol: str = "http"
    """`http` or `https`."""
    path: str = ""

    @property
    def query(self) -> dict[str, str]:
        """The last value of each query parameter that is not the protocol's own."""
        return {name: values[-1].decode("utf-8", "replace") for name, values in self.query_arguments.items()}

    @property
    def cookies(self) -> SimpleCookie:
        """The cookies by their names, `cookies["name"].value`; those that cannot be read are left out."""
        cookies = SimpleCookie()
        for name, value in parse_cookie(self.headers.get("Cookie", "")).items():
            with suppress(CookieError):
                cookies[name] = value
        return cookies


class Transport(Sender, Protocol):
    """What sends for a session, and brings what the client sends."""

    name: str

    def release(self) -> None:
        """Let go of a session that goes on with another transport."""

    def end(self, farewell: Slice, reason: CloseReason) -> None:
        """Send the last that was said to the session, and tell the peer that it is over."""


class Candidate(Transport, Protocol):
    """A transport that can take over from another."""

    def answer_probe(self) -> None:
        """Send the pong that its probe waits for."""


class Listener(Protocol):
    """What a session talks to: one for each session."""

    def on_message(self, data: str | bytes) -> None:
        """Take what the client sent; raise ProtocolError where it may not."""

    def on_close(self, reason: CloseReason) -> None:
        """Take note that the session is over. Called once."""


class Silence:
    """The listener of a session that has none yet."""

    def on_message(self, data: str | bytes) -> None:
        """Ignore it."""

    def on_close(self, reason: CloseReason) -> None:
        """Ignore it."""


class Session(Reader):
    """One client of the engine, whatever carries it."""

    __slots__ = (
        "_allowance",
        "_candidate",
        "closed_by_client",
        "engine",
        "fault",
        "handshake",
        "listener",
        "opened_at",
        "probed",
        "room",
        "sid",
    )

    def __init__(self, engine: Engine, sid: str, transport: Transport, handshake: Handshake, now: float) -> None:
        super().__init__(engine.delivery)
        self.engine = engine
        self.transport: Transport = transport
        self.sid = sid
        self.listener: Listener = Silence()
        self.handshake = handshake
        self.opened_at = now
        self.probed = False
        """Whether a transport has probed that is to take over."""
        self.fault = ""
        """What the client did that it may not."""
        self.closed_by_client = False
        """Whether the client said that it closes: its network was not the reason."""
        self._candidate: Candidate | None = None
        self._allowance = TokenBucket(engine.rate, now) if engine.rate else None
        self.room = Room(sid)
        """The room that this session alone is in."""
        self.enter(self.room)

    def __repr__(self) -> str:
        return f"<Session {self.sid} over {self.transport.name}: {self.reason or 'open'}>"

    @property
    def log_fields(self) -> dict[str, str]:
        """Who this is, as the fields of a line in the log."""
        about = {"id": self.sid, "address": self.handshake.remote_ip, "transport": self.transport.name}
        endings = {"reason": self.reason or "", "fault": self.fault}
        return about | {name: said for name, said in endings.items() if said}

    # -- sending

    def send(self, data: str | bytes) -> None:
        """Send one message to this client."""
        self.engine.delivery.publish([self.room], [Packet(MESSAGE, data)])

    # -- receiving

    def spend(self) -> float:
        """Count a packet that has come; return the seconds for which its transport is to bring no more."""
        if self._allowance is None:
            return 0.0
        pause = self._allowance.spend(self.engine.now)
        if pause:
            self.engine.counters.rate_limited += 1
            if self._allowance.exhausted:
                self.fault = f"rate={self.engine.rate:g} packets a second exceeded for {GRACE:g} s"
                self.close("rate limited")
        return pause

    def receive(self, packet: Packet, transport: Transport) -> None:
        """Take a packet that one of the transports of this session brings."""
        if self.reason is not None:
            self._receive_late(packet, transport)
        elif transport is not self.transport:
            self._receive_probe(packet, transport)
        elif packet.type is MESSAGE:
            self.receive_message(packet.data, transport)
        elif packet.type is PacketType.PONG:
            self.engine.pong(self)
        elif packet.type is PacketType.PING:
            self.fail(ProtocolError("a ping, which only the server sends"), transport)

    def _receive_late(self, packet: Packet, transport: Transport) -> None:
        """Tell a client that completes its upgrade that the session is over, and what it has not heard before."""
        candidate = self._candidate
        if candidate is None or transport is not candidate or self.reason is None:
            return
        if packet.type is PacketType.UPGRADE and self.engine.lingering(self.sid):
            candidate.end(self.read(), self.reason)
            self.engine.told(self)
            self.engine.counters.not_upgraded += 1
            self._end_upgrade()
        else:
            self.abandon_upgrade()

    def receive_message(self, data: str | bytes, transport: Transport) -> None:
        """Take what a MESSAGE carries, from the transport that carries the session."""
        if self.reason is None:
            try:
                self.listener.on_message(data)
            except ProtocolError as error:
                self.fail(error, transport)
            except Exception:
                logger.exception("a message of %s failed", self.sid)

    def fail(self, error: ProtocolError, transport: Transport) -> None:
        """Close a transport that brought what cannot be read, and the session where that is the one that carries it."""
        if transport is self._candidate:
            logger.debug("%s (%s) sent %s, upgrading", self.sid, self.handshake.remote_ip, error)
            self.abandon_upgrade()
        elif transport is self.transport and self.reason is None:
            logger.debug("%s (%s) sent %s", self.sid, self.handshake.remote_ip, error)
            self.fault = str(error)
            self.close("parse error")

    def lost(self, transport: Transport, reason: CloseReason, fault: str = "") -> None:
        """Take note that a transport is gone, and by what fault of the client."""
        if transport is self.transport:
            self.fault = self.fault or fault
            self.close(reason)
            self.abandon_upgrade()
        elif transport is self._candidate:
            self.abandon_upgrade()

    # -- upgrade

    def begin_upgrade(self, candidate: Candidate) -> None:
        """Let another transport probe. Raises BadRequest where one has, or has taken over."""
        if self._candidate is not None or self.transport.name == "websocket":
            raise BadRequest(f"{self.sid} is upgrading, or has upgraded")
        self._candidate = candidate
        self.engine.upgrading.begin(self, self.engine.now())

    def _receive_probe(self, packet: Packet, transport: Transport) -> None:
        candidate = self._candidate
        if candidate is None or transport is not candidate:
            return
        if packet == (PacketType.PING, "probe"):
            self.probed = True
            candidate.answer_probe()
            self.delivery.schedule(self)
        elif packet.type is PacketType.UPGRADE:
            self._complete_upgrade(candidate)
        else:
            self.fail(ProtocolError(f"{packet}, where a probe is due"), transport)

    def _complete_upgrade(self, candidate: Candidate) -> None:
        old, self.transport = self.transport, candidate
        self.engine.counters.upgraded += 1
        self._end_upgrade()
        old.release()
        self.delivery.schedule(self)

    def abandon_upgrade(self) -> None:
        """Part with the candidate; the transport that carries the session goes on with it."""
        candidate = self._candidate
        if self.probed and self.reason is None:
            self.engine.resuming.begin(self, self.engine.now())
        self._end_upgrade()
        if candidate is not None:
            self.engine.counters.not_upgraded += 1
            candidate.release()

    def resume(self) -> None:
        """Take note that the client is on its old transport again, after an upgrade that failed."""
        self.engine.resuming.end(self)

    def _end_upgrade(self) -> None:
        self._candidate, self.probed = None, False
        self.engine.upgrading.end(self)

    # -- end

    def close(self, reason: CloseReason) -> None:
        """End the session; only the first reason counts. What was said to it before still goes out where it can."""
        if self.reason is not None:
            return
        self.delivery.offer_pending()
        if reason == "slow consumer":
            self.fault = f"max_backlog={self.engine.delivery.max_backlog} bytes exceeded: it reads too slowly"
        # What is left to a slow consumer has a gap.
        farewell = EMPTY if reason == "slow consumer" else self.read()
        self.reason = reason
        self.engine.counters.closed[reason] += 1
        self.engine.forget(self)
        self.leave_all()
        try:
            self.transport.end(farewell, reason)
        except Exception:
            logger.exception("%r did not close as it should", self)
        # A client that was told that it may upgrade polls no more: it hears from its candidate that the server closed.
        if not (self.probed and reason in TOLD):
            attempt(self.abandon_upgrade)
        try:
            self.listener.on_close(reason)
        except Exception:
            logger.exception("the end of %s failed", self.sid)
