"""The engine: Engine.IO sessions by sid, one order for all that is said, one beat for all deadlines.

It knows packets, not namespaces, and no sockets: transports come to it with requests, and a loop, a clock that can also
call soon, is passed in.

What is said goes into rooms at once and reaches the readers a tick later: however much was said in a tick, each
transport is asked once to catch up.

Source: Engine.IO protocol, revision 4.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from .codec.packet import Packet, PacketType
from .counters import Counters
from .errors import SessionUnknown, attempt
from .heartbeat import Deadlines, Heartbeat
from .limits import Admission
from .reader import Reader
from .reasons import CloseReason
from .room import Entry, Room
from .session import Handshake, Listener, Session, Transport

logger = logging.getLogger(__name__)

TICK = 0.01
"""Seconds after which readers are left to the next round of the loop, so that others have their turn."""
TURN = 16
"""How many readers catch up between two looks at the clock."""
RESUME = 5.0
"""Seconds within which a client polls again whose upgrade failed after it had let go of its last poll."""
PING = (Packet(PacketType.PING),)


class Loop(Protocol):
    """What the engine needs of an event loop."""

    def time(self) -> float:
        """Seconds on a clock that never goes back."""

    def call_soon(self, callback: Callable[[], Any], /) -> Any:
        """Call back in the next round."""

    def call_soon_threadsafe(self, callback: Callable[[], Any], /) -> Any:
        """The same from another thread."""


class Closable(Protocol):
    """A session, or a listener to an event stream."""

    def close(self, reason: CloseReason) -> None:
        """End it; only the first reason counts."""


class Trim:
    """What is behind the readers of a room in the queue: when it is its turn, they had theirs."""

    __slots__ = ("_limit", "_offered", "_room")

    def __init__(self, room: Room, limit: int) -> None:
        self._room = room
        self._offered = room.offered
        self._limit = limit

    def catch_up(self) -> None:
        """Forget what is too much to be kept, and part with those who have still to read it."""
        room = self._room
        if (room.awaited or room.retainers) and room.trim(self._limit, self._offered):
            for reader in [reader for reader in room.readers if reader.lags(room)]:
                attempt(reader.close, "slow consumer")


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
        self.accept = accept
        self.ping_interval = ping_interval
        self.ping_timeout = ping_timeout
        self.max_payload = max_payload
        self.max_backlog = max_backlog
        self.rate = rate
        self._limits = (max_clients, max_per_address, handshake_rate)
        self.compress = compress
        self.upgrade_timeout = upgrade_timeout
        self.loop: Loop | None = None
        self.settings: dict[str, Any] = {}
        """The settings of the application that serves the engine, from its first request on."""
        self._settings_adopted = False
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
        self.offset = self._first = 0
        """The stamp of what was said last."""
        self._stirred: list[Room] = []
        self._awake: deque[Reader | Trim] = deque()
        self._scheduled = False
        self._beaten = self.late = 0.0
        """When the last beat was, and by how many seconds it was late: the server was busy, or stopped."""

    def start(self, loop: Loop, offset: int = 0) -> None:
        """Begin on a loop, with nobody there. Whoever calls this also has `beat` called every `period` seconds.

        stamp: a number above all stamps of earlier lives of this server, lest clients take new stamps for old ones.
        """
        if self.loop is not None:
            self._reset()
        self.loop, self.offset, self._first = loop, offset, offset
        self._beaten = loop.time()

    def skip_offsets_to(self, offset: int) -> None:
        """Have all stamps from now on be above one of an earlier life."""
        ahead = max(0, offset - self.offset)
        self.offset += ahead
        self._first += ahead

    @property
    def said(self) -> int:
        """How many things have been said."""
        return self.offset - self._first

    def now(self) -> float:
        """Seconds on the clock of the loop."""
        return self._running_loop().time()

    def _running_loop(self) -> Loop:
        if self.loop is None:
            raise RuntimeError("nobody has connected yet, and the engine was not started: nothing can be said")
        return self.loop

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
        """Return the open session of this sid; raise SessionUnknown where there is none."""
        self.beat()
        session = self.sessions.get(sid)
        if session is None:
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

    def pop_lingering(self, sid: str) -> Session | None:
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
            self.publish([session.room for session in rested], PING)
        for session in self.upgrading.due(now, self.late):
            logger.debug("%s did not complete its upgrade within %g s", session.sid, self.upgrade_timeout)
            attempt(session.abandon_upgrade)
        for session in self.resuming.due(now, self.late):
            self.end(session, "transport close")
        for session in self._lingering_deadlines.due(now, self.late):
            del self._lingering[session.sid]

    def look_after(self, session: Session) -> None:
        """Beat now if the time of this session is over: its client must not see the period of the beats."""
        if self._heartbeat.is_overdue(session, self.now()):
            self.beat()

    def pong(self, session: Session) -> None:
        """Take note that a client is alive."""
        self._heartbeat.pong(session, self.now())

    # -- saying

    def publish(
        self, rooms: Iterable[Room], packets: Sequence[Packet], *, volatile: bool = False, event: bool = False
    ) -> None:
        """Say one thing in rooms that have no reader in common. Everything that is said is said here."""
        self.offset += 1
        entry = Entry(self.offset, packets, volatile, event)
        for room in rooms:
            if not (room.readers or room.retainers):
                continue
            room.publish(entry)
            self.counters.deliveries += len(room.readers)
            if not room.stirred:
                room.stirred = True
                self._stirred.append(room)
        if self._stirred:
            self._schedule()

    def schedule(self, reader: Reader) -> None:
        """Have one reader catch up, who may be ready now."""
        if not reader.awake:
            reader.awake = True
            self._awake.append(reader)
        self._schedule()

    def offer_pending(self) -> None:
        """Offer what was said to the readers, without letting them read yet."""
        stirred, self._stirred = self._stirred, []
        for room in stirred:
            self._offer(room, room.offer(), room.readers)

    def _offer(self, room: Room, place: int, readers: Iterable[Reader]) -> None:
        for reader in readers:
            reader.offer(room, place)
            if not reader.awake:
                reader.awake = True
                self._awake.append(reader)
        if room.size > self.max_backlog:
            self._awake.append(Trim(room, self.max_backlog))

    def call_soon(self, action: Callable[[], Any]) -> None:
        """Have something done in the next round of the loop."""
        self._running_loop().call_soon(action)

    def call_soon_threadsafe(self, action: Callable[[], Any]) -> None:
        """Have something done on the thread of the loop; nothing where nobody has connected yet."""
        if self.loop is not None:
            self.loop.call_soon_threadsafe(action)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._running_loop().call_soon(self._tick)

    def _tick(self) -> None:
        self._scheduled = False
        until = self.now() + TICK
        stirred, self._stirred = self._stirred, []
        several = in_several(stirred)
        for number, room in enumerate(stirred):
            if number % TURN == TURN - 1 and self.now() > until:
                self._stirred += stirred[number:]
                self.offer_pending()
                break
            self._broadcast(room, several, until)
        awake = self._awake
        if len(awake) > TURN:
            self._answer_first(stirred, until)
        while awake:
            for _ in range(min(len(awake), TURN)):
                awake.popleft().catch_up()
            if awake and self.now() > until:
                self._schedule()
                return

    def _answer_first(self, rooms: Sequence[Room], until: float) -> None:
        """Let those read who alone were spoken to: they have asked, and the others hear what everyone is told."""
        for room in rooms:
            if len(room.readers) == 1 and self.now() <= until:
                (reader,) = room.readers
                reader.catch_up()

    def _broadcast(self, room: Room, several: set[Reader], until: float) -> None:
        """Write what was said in a room to whoever has nothing else to read; offer it to the others.

        That is what most broadcasts come to, and it is half the work.
        """
        place = room.offer()
        said, readers, missed = room.since(place), list(room.readers), []
        for start in range(0, len(readers), TURN):
            if start and self.now() > until:
                missed += readers[start:]
                break
            turn = readers[start : start + TURN]
            missed += [reader for reader in turn if reader in several or not reader.take(room, said)]
        self._offer(room, place, missed)
        room.forget_read()


def in_several(rooms: Iterable[Room]) -> set[Reader]:
    """Return the readers who are in more than one of these rooms."""
    seen: set[Reader] = set()
    several: set[Reader] = set()
    for room in rooms:
        several.update(seen.intersection(room.readers))
        seen.update(room.readers)
    return several
