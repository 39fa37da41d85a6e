"""An Engine.IO session.

Positions in rooms, and the transport that reads for it.

So an upgrade moves no data: the session replaces its `transport`, and the new one reads on from the same positions. A
session ends in one way, `close(reason)`, which calls its listener exactly once.

Source: Engine.IO protocol, revision 4.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from .codec.packet import MESSAGE, Packet, PacketType
from .errors import BadRequest, ProtocolError, attempt
from .handshake import Handshake
from .limits import GRACE, Throttle
from .reader import Reader, Sender
from .reasons import CloseReason
from .room import EMPTY, Room, Slice

if TYPE_CHECKING:
    from .engine import Engine

logger = logging.getLogger(__name__)


TOLD: frozenset[CloseReason] = frozenset({"forced close", "slow consumer", "rate limited", "transport error"})
"""Reasons of the server: a client in the middle of an upgrade must be told about them."""


class Transport(Sender, Protocol):
    """Sends a session's entries, and receives the client's packets."""

    name: str

    def release(self) -> None:
        """Release a session that continues on another transport."""

    def end(self, farewell: Slice, reason: CloseReason) -> None:
        """Send the last entries, then tell the client of the close."""


class Candidate(Transport, Protocol):
    """A transport to which a session can upgrade."""

    def answer_probe(self) -> None:
        """Send the pong that answers the probe."""


class Listener(Protocol):
    """Receives the messages of one session."""

    def on_message(self, data: str | bytes) -> None:
        """Handle a message; raise ProtocolError if it violates the protocol."""

    def on_close(self, reason: CloseReason) -> None:
        """Handle the end of the session; called once."""


class Silence:
    """Listener of a session until its own is set."""

    def on_message(self, data: str | bytes) -> None:
        """Do nothing: there is no listener yet."""

    def on_close(self, reason: CloseReason) -> None:
        """Do nothing: there is no listener yet."""


class Session(Reader):
    """One client of the engine, on any transport."""

    __slots__ = (
        "_candidate",
        "_throttle",
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
        """Whether the candidate transport has sent its probe."""
        self.fault = ""
        """The client's violation of a protocol or limit, for the log; "" if none."""
        self.closed_by_client = False
        """Whether the client sent CLOSE, so its network was not the reason."""
        self._candidate: Candidate | None = None
        self._throttle = Throttle(engine.rate, now) if engine.rate else None
        self.room = Room(sid)
        """The room of this session alone."""
        self.enter(self.room)

    def __repr__(self) -> str:
        return f"<Session {self.sid} over {self.transport.name}: {self.reason or 'open'}>"

    @property
    def log_fields(self) -> dict[str, str]:
        """The session's fields for log records."""
        about = {"id": self.sid, "address": self.handshake.remote_ip, "transport": self.transport.name}
        endings = {"reason": self.reason or "", "fault": self.fault}
        return about | {name: said for name, said in endings.items() if said}

    # -- sending

    def send(self, data: str | bytes) -> None:
        """Send one message to this client."""
        self.engine.delivery.publish([self.room], [Packet(MESSAGE, data)])

    # -- receiving

    def spend(self) -> float:
        """Count a received packet; return the seconds to pause reading."""
        if self._throttle is None:
            return 0.0
        now = self.engine.delivery.loop.time()
        wait = self._throttle.take(now)
        if not wait:
            return 0.0
        self.engine.counters.rate_limited += 1
        pause = self._throttle.pause(now, wait)
        if self._throttle.exhausted:
            self.fault = f"rate={self.engine.rate:g} packets a second exceeded for {GRACE:g} s"
            self.close("rate limited")
        return pause

    def receive(self, packet: Packet, transport: Transport) -> None:
        """Handle a packet from one of the session's transports."""
        if self.reason is not None:
            self._receive_late(packet, transport)
        elif transport is not self.transport:
            self._receive_probe(packet, transport)
        elif packet.type is MESSAGE:
            self.receive_message(packet.data, transport)
        elif packet.type is PacketType.PONG:
            self.engine.pong(self)
        elif packet.type is PacketType.PING and self.engine.pinged(self):
            self.engine.delivery.publish([self.room], [Packet(PacketType.PONG, packet.data)])
        elif packet.type is PacketType.PING:
            self.fail(ProtocolError("a ping, which only the server sends"), transport)

    def _receive_late(self, packet: Packet, transport: Transport) -> None:
        """Tell a client that completes its upgrade that the session is closed.

        Unread entries are sent before that.
        """
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
        """Handle the data of a MESSAGE from the session's current transport."""
        if self.reason is None:
            try:
                self.listener.on_message(data)
            except ProtocolError as error:
                self.fail(error, transport)
            except Exception:
                logger.exception("a message of %s failed", self.sid)

    def fail(self, error: ProtocolError, transport: Transport) -> None:
        """Close a transport after a protocol error; close the session if current."""
        if transport is self._candidate:
            logger.debug("%s (%s) sent %s, upgrading", self.sid, self.handshake.remote_ip, error)
            self.abandon_upgrade()
        elif transport is self.transport and self.reason is None:
            logger.debug("%s (%s) sent %s", self.sid, self.handshake.remote_ip, error)
            self.fault = str(error)
            self.close("parse error")

    def lost(self, transport: Transport, reason: CloseReason, fault: str = "") -> None:
        """Handle the loss of a transport; fault: the client's violation, if any."""
        if transport is self.transport:
            self.fault = self.fault or fault
            self.close(reason)
            self.abandon_upgrade()
        elif transport is self._candidate:
            self.abandon_upgrade()

    # -- upgrade

    def begin_upgrade(self, candidate: Candidate) -> None:
        """Let another transport probe.

        Raises BadRequest if the session is upgrading, or has upgraded.
        """
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
            self.fail(ProtocolError(f"{packet}, but a probe was expected"), transport)

    def _complete_upgrade(self, candidate: Candidate) -> None:
        old, self.transport = self.transport, candidate
        self.engine.counters.upgraded += 1
        self._end_upgrade()
        old.release()
        self.delivery.schedule(self)

    def abandon_upgrade(self) -> None:
        """Release the candidate; the session stays on its transport."""
        candidate = self._candidate
        if self.probed and self.reason is None:
            self.engine.resuming.begin(self, self.engine.now())
        self._end_upgrade()
        if candidate is not None:
            self.engine.counters.not_upgraded += 1
            candidate.release()

    def resume(self) -> None:
        """Note that the client polls again after a failed upgrade."""
        self.engine.resuming.end(self)

    def _end_upgrade(self) -> None:
        self._candidate, self.probed = None, False
        self.engine.upgrading.end(self)

    # -- end

    def close(self, reason: CloseReason) -> None:
        """Close the session; only the first reason counts.

        Unread entries are sent before, if the transport is ready.
        """
        if self.reason is not None:
            return
        self.delivery.offer_pending()
        if reason == "slow consumer":
            self.fault = f"max_backlog={self.engine.delivery.max_backlog} bytes exceeded: it reads too slowly"
        # The unread entries of a slow consumer have a gap.
        farewell = EMPTY if reason == "slow consumer" else self.read()
        self.reason = reason
        self.engine.counters.closed[reason] += 1
        self.engine.forget(self)
        self.leave_all()
        try:
            self.transport.end(farewell, reason)
        except Exception:
            logger.exception("closing %r failed", self)
        # A client whose probe was answered no longer polls, so its candidate must tell it that the session is closed.
        if not (self.probed and reason in TOLD):
            attempt(self.abandon_upgrade)
        try:
            self.listener.on_close(reason)
        except Exception:
            logger.exception("on_close of %s failed", self.sid)
