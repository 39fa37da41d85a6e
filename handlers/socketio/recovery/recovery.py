"""Connection state recovery: a client that reconnects in time keeps its state.

It gets its id, rooms and attributes back, and the events that it missed. Only clients that ask for it take part:
`{"recovery": true}` in the auth, or `recovery=true` in the query. The server sends such a client a `pid`, and each
event with its offset as one more, last argument; the client reconnects with the pid and the last offset it has. A
room is a log and an offset is a position in all logs, so the missed events are the entries of its rooms after that
offset. If a room has forgotten some of them, the client gets a new session.

Source: Socket.IO, "Connection state recovery"; the wire format is that of Node's socket.io 4.8.
"""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Hashable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from ..engineio.errors import attempt
from ..engineio.heartbeat import Deadlines
from ..engineio.offsets import read_offset, write_offset
from ..engineio.room import Entry, Room, Slice

MAX_AWAY = 10_000
"""Maximum number of clients that are away; beyond it the oldest are forgotten."""
MARKS = 50
"""Number of (time, offset) marks in the window: the precision to which the age of entries is known."""
BEATS = 10
"""Number of beats over which the search for old entries is spread, so that no beat takes long."""
PROTOCOL_KEYS = frozenset({"pid", "offset", "recovery"})
"""Keys of the auth that belong to recovery and are hidden from the application."""


EVENT = re.compile(r"(?:2|5\d+-)(?:/[^,]*,)?\[")
"""Start of an event without acknowledgement: type, number of attachments, namespace."""


def with_offsets(unread: Slice) -> Slice:
    """Return entries as a recoverable client is sent them."""
    return Slice([entry.derive(_with_offset) for entry in unread.entries])


def _with_offset(entry: Entry) -> Entry:
    """Return an event with its offset as last argument.

    Return other entries unchanged.
    """
    text, *attachments = entry.packets
    if not isinstance(text.data, str) or not EVENT.match(text.data):
        return entry
    marked = text._replace(data=f'{text.data[:-1]},"{write_offset(entry.offset)}"]')
    return Entry(entry.offset, [marked, *attachments], entry.volatile)


class RecoveryTrail:
    """The rooms of one client, and since when, to find missed events."""

    __slots__ = ("entered", "left", "pid", "resent_from")

    def __init__(self, pid: str = "") -> None:
        self.pid = pid or secrets.token_urlsafe(15)
        self.entered: dict[Room, int] = {}
        """The client's rooms, each with the offset at which the client entered."""
        self.left: list[Entry] = []
        """Entries that were read in rooms that the client has left since."""
        self.resent_from: int | None = None
        """Offset after which missed events were sent again, while those may be why the connection closes; else None."""

    def enter(self, room: Room, offset: int) -> None:
        """Add a room that the client entered at this offset."""
        if room not in self.entered:
            self.entered[room] = offset
            room.retain()

    def leave(self, room: Room) -> None:
        """Remove a room.

        Keep its entries, because they may have to be sent again.
        """
        entered = self.entered.pop(room, None)
        if entered is not None:
            self.left += room.after(entered)
            room.release()

    def end(self) -> None:
        """Release all rooms: the client cannot reconnect any more."""
        for room in self.entered:
            room.release()
        self.entered, self.left = {}, []

    def forget_through(self, offset: int) -> None:
        """Forget entries up to this offset: too old to be asked for."""
        for room in self.entered:
            room.forget_through(offset)
        if self.left:
            self.left = [entry for entry in self.left if entry.offset > offset]

    def missed(self, offset: int) -> Slice | None:
        """Return the client's entries after this offset; None if some are forgotten."""
        entries = [entry for entry in self.left if entry.offset > offset]
        for room, entered in self.entered.items():
            since = max(offset, entered)
            if room.forgotten > since:
                return None
            entries += room.after(since)
        entries.sort(key=lambda entry: entry.offset)
        return with_offsets(Slice(entries))


class Recoverable(Hashable, Protocol):
    """A client, as far as recovery knows it."""

    trail: RecoveryTrail | None

    def run_disconnect_hooks(self) -> None:
        """Tell the application that the client has left."""

    def expire(self) -> None:
        """Remove the client finally."""


C = TypeVar("C", bound=Recoverable)


class Recovery(Generic[C]):
    """The clients of one server in recovery, online or away.

    window: seconds that a client may be away; 0: no client takes part.
    grace: seconds to wait before `on_disconnect` announces that a client is away.
    """

    def __init__(self, window: float, grace: float) -> None:
        self._clients: dict[str, C] = {}
        self._away: Deadlines[C] = Deadlines(window)
        self._unnoticed: Deadlines[C] = Deadlines(min(grace, window))
        self._marks: deque[tuple[float, int]] = deque()
        self._retained: set[Room] = set()
        self._horizon = 0
        self._unsearched: list[C] = []

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def clients(self) -> list[C]:
        """All clients that take part, online or away."""
        return list(self._clients.values())

    def wants(self, auth: Mapping[str, Any], query: Mapping[str, str]) -> bool:
        """Return whether a client with this auth and query takes part."""
        asks = auth.get("recovery") is True or "pid" in auth or query.get("recovery") in ("true", "1")
        return asks and self._away.wait > 0

    def begin(self, client: C, pid: str = "") -> RecoveryTrail:
        """Register a client and return its trail.

        pid: the one that an earlier server gave the client; by default a new one.
        """
        trail = RecoveryTrail(pid)
        self._clients[trail.pid] = client
        return trail

    def find(self, pid: Any) -> C | None:
        """Return the client of a pid, online or away."""
        return self._clients.get(pid) if isinstance(pid, str) else None

    def lost(self, client: C, now: float) -> bool:
        """Register a client as away; return whether to announce that at once."""
        self._away.begin(client, now)
        for forgotten in self._away.beyond(MAX_AWAY):
            attempt(forgotten.expire)
        if self._unnoticed.wait:
            self._unnoticed.begin(client, now)
        return not self._unnoticed.wait

    def restore_away(self, client: C, since: float, present: bool, now: float) -> None:
        """Register a client restored as disconnected. Call in order of disconnection.

        since: when it was lost, in seconds of the loop's clock.
        present: whether that is not announced yet, and must be when the grace time is over.
        """
        self._away.begin(client, since)
        if present:
            self._unnoticed.begin(client, now)

    def away(self, client: C, now: float) -> float:
        """Return the seconds that a client has been away; 0 if online."""
        return self._away.waited(client, now)

    @property
    def window(self) -> float:
        """Maximum seconds that a client may be away."""
        return self._away.wait

    def hold(self, client: C) -> None:
        """Stop the deadline of a client that reconnects, until it is answered."""
        self._away.end(client)

    def wait_again(self, client: C, now: float) -> None:
        """Start the deadline again: the client did not complete its return."""
        self._away.begin(client, now)

    def back(self, client: C) -> bool:
        """Register a client as back; return whether its absence was announced."""
        self._away.end(client)
        return not self._unnoticed.end(client)

    def announce_all(self) -> None:
        """Announce all absences that are not announced yet: no client can return."""
        for client in self._unnoticed.beyond(0):
            attempt(client.run_disconnect_hooks)

    def forget(self, client: C, trail: RecoveryTrail) -> None:
        """Remove a client that cannot reconnect any more."""
        self._away.end(client)
        self._unnoticed.end(client)
        del self._clients[trail.pid]
        trail.end()

    def retains(self, room: Room) -> bool:
        """Return whether a room's log is kept for event streams, too."""
        return room in self._retained

    def retain(self, room: Room) -> None:
        """Keep a room's log for the window, for resuming event streams."""
        if self._away.wait > 0 and room not in self._retained:
            self._retained.add(room)
            room.retain()

    def beat(self, now: float, offset: int, late: float = 0.0) -> None:
        """Expire clients whose time is over, and forget old entries.

        now, late: seconds, as in `Deadlines.due`. offset: that of the last entry.
        """
        for client in self._unnoticed.due(now, late):
            attempt(client.run_disconnect_hooks)
        for client in self._away.due(now, late):
            attempt(client.expire)
        self._mark(now, offset)
        self._forget_old()

    def _mark(self, now: float, offset: int) -> None:
        window = self._away.wait
        if not (self._clients or self._retained) or (self._marks and now < self._marks[-1][0] + window / MARKS):
            return
        self._marks.append((now, offset))
        horizon = None
        while self._marks[0][0] < now - window:
            horizon = self._marks.popleft()[1]
        if horizon is not None:
            for room in self._retained:
                room.forget_through(horizon)
            self._horizon = horizon
            # Finish the last search first; with a short window its last clients would never be searched otherwise.
            self._unsearched = self._unsearched or list(self._clients.values())

    def _forget_old(self) -> None:
        for _ in range(min(len(self._unsearched), len(self._clients) // BEATS + 1)):
            trail = self._unsearched.pop().trail
            if trail is not None:
                trail.forget_through(self._horizon)


def offset_of(auth: Mapping[str, Any]) -> int:
    """Return the last offset that a client has.

    0 if it has none yet.
    """
    return read_offset(auth.get("offset"))
