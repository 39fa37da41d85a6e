"""The engine: Engine.IO sessions, and one periodic beat for all deadlines.

It knows packets, but neither namespaces nor sockets: transports bring requests to it, and the loop, a clock with
`call_soon`, is passed in.

Source: Engine.IO protocol, revision 4.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any, ClassVar

from .codec.packet import Packet, PacketType
from .counters import Counters
from .declared import check_flag, check_heartbeat, check_number
from .delivery import Delivery, Loop, NoLoop
from .errors import RequestRefused, SessionUnknown, attempt
from .handshake import Handshake
from .heartbeat import Deadlines, Heartbeat
from .limits import Admission
from .reasons import CloseReason
from .session import Listener, Session, Transport

logger = logging.getLogger(__name__)

RESUME = 5.0
"""Seconds in which a client must poll again if its upgrade failed after its last poll was answered."""
PING = (Packet(PacketType.PING),)


class Engine:
    """Engine.IO without Socket.IO: all sessions of one server.

    accept: called with each new session; returns its listener.
    ping_interval, ping_timeout, upgrade_timeout: seconds.
    max_payload: bytes of one packet or of one POST.
    max_backlog: bytes that a room keeps for slow readers.
    rate: packets a second that one client may send, with bursts of two seconds' worth; 0: no limit.
    max_clients: maximum number of clients; 0: no limit.
    max_per_address: maximum number of clients from one address; 0: no limit.
    handshake_rate: handshakes a second from one address; 0: no limit.
    compress: compress WebSocket messages of at least so many bytes, for clients that support it; 0: never.
    allow_eio3: serve clients of Engine.IO 3, too.
    """

    counters_kind: ClassVar[type[Counters]] = Counters

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
        allow_eio3: bool = False,
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
        check_flag("allow_eio3", allow_eio3)
        self.accept = accept
        self.ping_interval = ping_interval
        self.ping_timeout = ping_timeout
        self.max_payload = max_payload
        self.rate = rate
        self._limits = (max_clients, max_per_address, handshake_rate)
        self.compress = compress
        self.allow_eio3 = allow_eio3
        self.upgrade_timeout = upgrade_timeout
        self.sid_prefix = ""
        """What all session ids begin with, for proxies that find a node by them."""
        self.settings: dict[str, Any] = {}
        """Settings of the application that serves the engine, from its first request on."""
        self._settings_adopted = False
        self.draining = False
        """Whether the server shuts down; `/healthz` tells load balancers."""
        self.path = "/socket.io/"
        """Path of the last rules that `routes` made, with a slash at its end."""
        self.is_routed = False
        """Whether any rules lead to it."""
        self.when_started: list[Callable[[], object]] = []
        """Functions to call on the loop when the clock starts there."""
        self._reset()
        self.delivery = Delivery(max_backlog, self.counters)

    def _reset(self) -> None:
        self.counters = self.counters_kind()
        self.sessions: dict[str, Session] = {}
        self.admission = Admission(*self._limits)
        self.upgrading: Deadlines[Session] = Deadlines(self.upgrade_timeout)
        self.resuming: Deadlines[Session] = Deadlines(RESUME)
        self._lingering: dict[str, Session] = {}
        self._lingering_deadlines: Deadlines[Session] = Deadlines(self.ping_timeout)
        self._heartbeat: Heartbeat[Session] = Heartbeat(self.ping_interval, self.ping_timeout)
        self._beaten = self.late = 0.0
        """Time of the last beat, and by how many seconds it was late because the process was busy or stopped."""

    def start(self, loop: Loop, offset: int = 0) -> None:
        """Start on a loop, with no session.

        The caller must call `beat` every `period` seconds.

        offset: first offset; must exceed every offset of earlier runs, so that clients cannot confuse them.
        """
        if self.loop is not None:
            self._reset()
            self.draining = False
        self.delivery.start(loop, offset, self.counters)
        self._beaten = loop.time()

    @property
    def loop(self) -> Loop | None:
        """The loop that the engine runs on; None until it is started."""
        loop = self.delivery.loop
        return None if isinstance(loop, NoLoop) else loop

    def now(self) -> float:
        """Return the seconds of the loop's clock; raise RuntimeError if not started."""
        return self.delivery.loop.time()

    def call_soon_threadsafe(self, action: Callable[[], Any]) -> None:
        """Call an action on the loop's thread; do nothing if not started."""
        self.delivery.loop.call_soon_threadsafe(action)

    def adopt_settings(self, settings: dict[str, Any]) -> None:
        """Share the settings of the first application; add those set here."""
        if not self._settings_adopted:
            self._settings_adopted = True
            settings.update(self.settings)
            self.settings = settings

    def note_refusal(self, address: str, refusal: RequestRefused) -> None:
        """Log and count a refused request; only the log has the hint."""
        logger.info("refused %s: %s (%s)", address, refusal.message, refusal.hint)
        self.counters.refuse(address, refusal, time.time())

    # -- sessions

    def open(self, transport: Transport, handshake: Handshake) -> Session:
        """Open a session on a transport.

        If `accept` raises, the session is dropped and the exception raised.
        """
        now = self.now()
        session = Session(self, self.sid_prefix + secrets.token_urlsafe(15), transport, handshake, now)
        self.sessions[session.sid] = session
        self.admission.enter(handshake.remote_ip)
        self._heartbeat.watch(session, now, pings=handshake.revision == 3)
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
        """Drop a session whose listener could not be made."""
        if session.reason is None:
            session.reason, session.fault = "transport error", "its listener could not be made"
            self.counters.closed[session.reason] += 1
            self.forget(session)
            session.leave_all()

    def open_packet(self, session: Session) -> Packet:
        """Return the OPEN packet, with the engine's times in milliseconds."""
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
        """Return the open session of a sid.

        Raise SessionUnknown if there is none.
        """
        session = self.sessions.get(sid)
        if session is None or self.is_overdue(session):
            raise SessionUnknown(f"no session {sid[:40]!r}: it was closed, or the server was restarted")
        return session

    def forget(self, session: Session) -> None:
        """Remove a closed session, and log it."""
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
        """Keep a closed session until its client is told, or ping timeout."""
        self._lingering[session.sid] = session
        self._lingering_deadlines.begin(session, self.now())

    def lingering(self, sid: str) -> Session | None:
        """Return a closed session by sid if its client is not told."""
        return self._lingering.get(sid)

    def told(self, session: Session) -> None:
        """Drop a lingering session: its client is told."""
        if self._lingering.pop(session.sid, None) is not None:
            self._lingering_deadlines.end(session)

    def close(self, reason: CloseReason = "server shutting down") -> None:
        """Close all sessions.

        No CLOSE packet is sent, because clients would not reconnect after it.
        """
        for session in list(self.sessions.values()):
            attempt(session.close, reason)

    # -- deadlines

    @property
    def period(self) -> float:
        """Seconds between two beats.

        A tenth of the shorter ping time, at most 0.1.
        """
        return min(0.1, min(self.ping_interval, self.ping_timeout) / 10)

    def beat(self) -> None:
        """Handle all deadlines that have passed."""
        now = self.now()
        self.late, self._beaten = now - self._beaten - self.period, now
        gone, rested = self._heartbeat.beat(now, self.late)
        for session in gone:
            attempt(session.close, "ping timeout")
        if rested:
            self.delivery.publish([session.room for session in rested], PING)
        for session in self.upgrading.due(now, self.late):
            logger.debug("%s did not complete its upgrade within %g s", session.sid, self.upgrade_timeout)
            attempt(session.abandon_upgrade)
        for session in self.resuming.due(now, self.late):
            attempt(session.close, "transport close")
        for session in self._lingering_deadlines.due(now, self.late):
            del self._lingering[session.sid]

    def is_overdue(self, session: Session) -> bool:
        """Return whether the next beat will close this session.

        The client must not notice that deadlines are only checked at beats.
        """
        now = self.now()
        return self._heartbeat.is_overdue(session, now) and not self._heartbeat.forgives(
            now - self._beaten - self.period
        )

    def pinged(self, session: Session) -> bool:
        """Restart the heartbeat of a session whose client pings.

        Returns whether it may: in revision 4 the server does.
        """
        return self._heartbeat.pinged(session, self.now())

    def pong(self, session: Session) -> None:
        """Restart the heartbeat of a session that answered a ping."""
        self._heartbeat.pong(session, self.now())
