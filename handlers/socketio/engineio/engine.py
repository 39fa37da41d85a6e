"""The engine: Engine.IO sessions by sid, and one beat for all their deadlines.

It knows packets, not namespaces, and no sockets: transports come to it with requests, and the loop, a clock that can
also call soon, is passed in.

Source: Engine.IO protocol, revision 4.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from typing import Any, Protocol

from .codec.packet import Packet, PacketType
from .counters import Counters
from .declared import check_heartbeat, check_number
from .delivery import Delivery, Loop
from .errors import SessionUnknown, attempt
from .heartbeat import Deadlines, Heartbeat
from .limits import Admission
from .reasons import CloseReason
from .session import Handshake, Listener, Session, Transport

logger = logging.getLogger(__name__)

RESUME = 5.0
"""Seconds within which a client polls again whose upgrade failed after it had let go of its last poll."""
PING = (Packet(PacketType.PING),)


class Closable(Protocol):
    """A session, or a listener to an event stream."""

    def close(self, reason: CloseReason) -> None:
        """End it; only the first reason counts."""


class Engine:
    """All sessions of one server.

    accept: called with each new session, returns what listens to it.
    ping_interval, ping_timeout, upgrade_timeout: seconds.
    max_payload: bytes of one packet or of one POST.
    max_backlog: bytes that a room keeps for readers who are behind.
    rate: packets a second that one client may send, two seconds' worth of them at once; 0: any number.
    max_clients: how many may be in; 0: any number.
    max_per_address: how many of one address may be in; handshake_rate: how many may come a second; 0: any number.
    compress: bytes from which on a message to a WebSocket is compressed, for clients that can; 0: none is.
    """

    def __init__(
        self,
        accept: Callable[[Session], Listener],
        *,
        ping_interval: float = 25,
        ping_timeout: float = 20,
        max_payload: int = 1_000_000,
        upgrade_timeout: float = 10,
        max_backlog: int = 1 << 20,
        rate: float = 1000,
        max_clients: int = 0,
        max_per_address: int = 0,
        handshake_rate: float = 0,
        compress: int = 0,
    ) -> None:
        check_heartbeat("ping_interval", ping_interval)
        check_heartbeat("ping_timeout", ping_timeout)
        check_heartbeat("upgrade_timeout", upgrade_timeout)
        check_number("max_payload", max_payload, "bytes", zero=False, whole=True)
        check_number("max_backlog", max_backlog, "bytes", zero=False, whole=True)
        check_number("rate", rate, "packets a second", zero=True)
        check_number("max_clients", max_clients, "clients", zero=True, whole=True)
        check_number("max_per_address", max_per_address, "clients", zero=True, whole=True)
        check_number("handshake_rate", handshake_rate, "handshakes a second", zero=True)
        check_number("compress", compress, "bytes", zero=True, whole=True)
        self.accept = accept
        self.ping_interval = ping_interval
        self.ping_timeout = ping_timeout
        self.max_payload = max_payload
        self.rate = rate
        self._limits = (max_clients, max_per_address, handshake_rate)
        self.compress = compress
        self.upgrade_timeout = upgrade_timeout
        self.loop: Loop | None = None
        self.settings: dict[str, Any] = {}
        """The settings of the application that serves the engine, from its first request on."""
        self._settings_adopted = False
        self.delivery = Delivery(max_backlog)
        self.draining = False
        """Whether the server is about to end; whoever sends clients here is told so."""
        self._reset()

    def _reset(self) -> None:
        self.counters = Counters()
        self.sessions: dict[str, Session] = {}
        self.admission = Admission(*self._limits)
        self.upgrading: Deadlines[Session] = Deadlines(self.upgrade_timeout)
        self.resuming: Deadlines[Session] = Deadlines(RESUME)
        self._lingering: dict[str, Session] = {}
        self._lingering_deadlines: Deadlines[Session] = Deadlines(self.ping_timeout)
        self._heartbeat: Heartbeat[Session] = Heartbeat(self.ping_interval, self.ping_timeout)
        self._beaten = self.late = 0.0
        """When the last beat was, and by how many seconds it was late: the server was busy, or stopped."""

    def start(self, loop: Loop, offset: int = 0) -> None:
        """Begin on a loop, with no session. The caller also has `beat` called every `period` seconds.

        offset: first offset; must exceed every offset of earlier runs, so that clients cannot confuse them.
        """
        if self.loop is not None:
            self._reset()
        self.loop = loop
        self.delivery.start(loop, offset, self.counters)
        self._beaten = loop.time()

    def now(self) -> float:
        """Seconds on the clock of the loop; raise RuntimeError where the engine was not started."""
        return self.delivery.loop.time()

    def call_soon_threadsafe(self, action: Callable[[], Any]) -> None:
        """Call on the thread of the loop; do nothing where the engine was not started."""
        self.delivery.loop.call_soon_threadsafe(action)

    def adopt_settings(self, settings: dict[str, Any]) -> None:
        """Share the settings of the first application that serves the engine, and add to them what is set here."""
        if not self._settings_adopted:
            self._settings_adopted = True
            settings.update(self.settings)
            self.settings = settings

    # -- sessions

    def open(self, transport: Transport, handshake: Handshake) -> Session:
        """Open a session that this transport carries. Raises what `accept` raises; there is no session then."""
        now = self.now()
        session = Session(self, secrets.token_urlsafe(15), transport, handshake, now)
        self.sessions[session.sid] = session
        self.admission.enter(handshake.remote_ip)
        self._heartbeat.watch(session, now)
        self.counters.opened[transport.name] += 1
        logger.info(
            "%s (%s) connected over %s", session.sid, handshake.remote_ip, transport.name, extra=session.log_fields
        )
        try:
            session.listener = self.accept(session)
        except BaseException:
            self._discard(session)
            raise
        return session

    def _discard(self, session: Session) -> None:
        """Drop a session whose listener could not be made; its transport is told by the exception."""
        if session.reason is None:
            session.reason, session.fault = "transport error", "its listener could not be made"
            self.counters.closed[session.reason] += 1
            self.forget(session)
            session.leave_all()

    def open_packet(self, session: Session) -> Packet:
        """The OPEN packet, which tells the client what the server expects of it. Times are milliseconds."""
        upgrades = [] if session.transport.name == "websocket" else ["websocket"]
        opening = {
            "sid": session.sid,
            "upgrades": upgrades,
            "pingInterval": round(self.ping_interval * 1000),
            "pingTimeout": round(self.ping_timeout * 1000),
            "maxPayload": self.max_payload,
        }
        return Packet(PacketType.OPEN, json.dumps(opening, separators=(",", ":")))

    def find(self, sid: str) -> Session:
        """Return the open session of this sid; raise SessionUnknown where there is none, or its time is over."""
        session = self.sessions.get(sid)
        if session is None or self.is_overdue(session):
            raise SessionUnknown(f"no session {sid[:40]!r}: it ended, or the server was restarted")
        return session

    def forget(self, session: Session) -> None:
        """Drop a session that is over."""
        del self.sessions[session.sid]
        self.admission.leave(session.handshake.remote_ip)
        self._heartbeat.forget(session)
        self.resuming.end(session)
        lasted = self.now() - session.opened_at
        ending = f"{session.reason}: {session.fault}" if session.fault else session.reason
        logger.info(
            "%s (%s) disconnected from %s after %.1f s: %s",
            session.sid, session.handshake.remote_ip, session.transport.name, lasted, ending,
            extra={**session.log_fields, "seconds": round(lasted, 3)},
        )  # fmt: skip

    def linger(self, session: Session) -> None:
        """Remember, for a ping timeout, a session whose client has still to be told that it is over."""
        self._lingering[session.sid] = session
        self._lingering_deadlines.begin(session, self.now())

    def lingering(self, sid: str) -> Session | None:
        """Return the session of this sid whose client has still to be told that it is over."""
        return self._lingering.get(sid)

    def told(self, session: Session) -> None:
        """Forget a departed session: its client is told."""
        if self._lingering.pop(session.sid, None) is not None:
            self._lingering_deadlines.end(session)

    def close(self, reason: CloseReason = "server shutting down") -> None:
        """End all sessions. Clients are told nothing that would keep them from coming back."""
        for session in list(self.sessions.values()):
            self.end(session, reason)

    def end(self, reader: Closable, reason: CloseReason) -> None:
        """Close one of many; where that fails, log it, so that those behind it have their turn."""
        try:
            reader.close(reason)
        except Exception:
            logger.exception("%r did not close as it should", reader)

    # -- deadlines

    @property
    def period(self) -> float:
        """Seconds from beat to beat: short enough to notice a dead client in good time."""
        return min(0.1, min(self.ping_interval, self.ping_timeout) / 10)

    def beat(self) -> None:
        """Look after everybody's deadlines."""
        now = self.now()
        self.late, self._beaten = now - self._beaten - self.period, now
        gone, rested = self._heartbeat.beat(now, self.late)
        for session in gone:
            self.end(session, "ping timeout")
        if rested:
            self.delivery.publish([session.room for session in rested], PING)
        for session in self.upgrading.due(now, self.late):
            logger.debug("%s did not complete its upgrade within %g s", session.sid, self.upgrade_timeout)
            attempt(session.abandon_upgrade)
        for session in self.resuming.due(now, self.late):
            self.end(session, "transport close")
        for session in self._lingering_deadlines.due(now, self.late):
            del self._lingering[session.sid]

    def is_overdue(self, session: Session) -> bool:
        """Whether the next beat will end this session: its client must not see the period of the beats."""
        now = self.now()
        return self._heartbeat.is_overdue(session, now) and not self._heartbeat.forgives(
            now - self._beaten - self.period
        )

    def pong(self, session: Session) -> None:
        """Take note that a client is alive."""
        self._heartbeat.pong(session, self.now())
