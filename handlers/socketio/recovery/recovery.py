"""Connection state recovery: a client that comes back in time has its id, rooms and attributes again, and gets what it
missed.

Only a client that asks for it takes part: `{"recovery": true}` in its auth, or `recovery=true` in the query. It is told
a `pid`, and each event carries its stamp as one more, last argument; it comes back with the pid and the last stamp it
saw. Nothing else is needed, because a room is a log and a stamp is a place in all logs: what the client missed is what
its rooms hold of later stamps. Where a room has forgotten some of that, the client is a newcomer.

Source: Socket.IO, "Connection state recovery"; the wire format is that of Node's socket.io 4.8.
"""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..engineio.errors import attempt
from ..engineio.heartbeat import Deadlines
from ..engineio.room import Entry, Room, Slice

if TYPE_CHECKING:
    from ..client import Client

MAX_AWAY = 10_000
"""How many clients may be away at once; beyond, who left first is forgotten first."""
MARKS = 50
"""In how many parts the window is divided: how exactly the age of what was said is known."""
BEATS = 10
"""In how many beats all clients' rooms are looked through for what is too old, so that none takes long."""
PROTOCOL_KEYS = frozenset({"pid", "offset", "recovery"})
"""What clients say of their recovery in their auth; it is not the application's."""


EVENT = re.compile(r"(?:2|5\d+-)(?:/[^,]*,)?\[")
"""How an event begins that asks for no acknowledgement: its type, its attachments, its namespace."""


def with_offset(entry: Entry) -> Entry:
    """Return an event with its offset as one more, last argument; return any other entry as it is."""
    text, *attachments = entry.packets
    if not isinstance(text.data, str) or not EVENT.match(text.data):
        return entry
    marked = text._replace(data=f'{text.data[:-1]},"{entry.offset}"]')
    return Entry(entry.offset, [marked, *attachments], entry.volatile)


class RecoveryTrail:
    """What is needed to find out what one client missed: where it was, and since when."""

    __slots__ = ("entered", "left", "pid", "resent_from")

    def __init__(self, pid: str = "") -> None:
        self.pid = pid or secrets.token_urlsafe(15)
        self.entered: dict[Room, int] = {}
        """The rooms the client is in, and the stamp from which on it has been there."""
        self.left: list[Entry] = []
        """What it heard in rooms that it has left since."""
        self.resent_from: int | None = None
        """The stamp after which it was sent again what it had missed, while it may have closed because of that."""

    def enter(self, room: Room, offset: int) -> None:
        """The client is in a room, from this stamp on."""
        if room not in self.entered:
            self.entered[room] = offset
            room.retain()

    def leave(self, room: Room) -> None:
        """The client is in a room no more; what it heard there may still have to be sent again."""
        entered = self.entered.pop(room, None)
        if entered is not None:
            self.left += room.after(entered)
            room.release()

    def end(self) -> None:
        """The client will not come back."""
        for room in self.entered:
            room.release()
        self.entered, self.left = {}, []

    def forget_through(self, offset: int) -> None:
        """Forget what is too old to be asked for."""
        for room in self.entered:
            room.forget_through(offset)
        if self.left:
            self.left = [entry for entry in self.left if entry.offset > offset]

    def missed(self, offset: int) -> Slice | None:
        """Return what the client was to hear after this stamp; None where a room has forgotten some of it."""
        entries = [entry for entry in self.left if entry.offset > offset]
        for room, entered in self.entered.items():
            since = max(offset, entered)
            if room.forgotten > since:
                return None
            entries += room.after(since)
        entries.sort(key=lambda entry: entry.offset)
        return Slice([entry.derive(with_offset) for entry in entries])


class Recovery:
    """The clients of one server that take part, online or away.

    window: seconds that one may be away; 0: nobody takes part.
    grace: seconds that one may be away without having left, as far as others are told.
    """

    def __init__(self, window: float, grace: float) -> None:
        self._clients: dict[str, Client] = {}
        self._away: Deadlines[Client] = Deadlines(window)
        self._unnoticed: Deadlines[Client] = Deadlines(min(grace, window))
        self._marks: deque[tuple[float, int]] = deque()
        self._retained: set[Room] = set()
        self._horizon = 0
        self._unsearched: list[Client] = []

    def __len__(self) -> int:
        return len(self._clients)

    def wants(self, auth: Mapping[str, Any], query: Mapping[str, str]) -> bool:
        """Whether a client that says so takes part."""
        asks = auth.get("recovery") is True or "pid" in auth or query.get("recovery") in ("true", "1")
        return asks and self._away.wait > 0

    def begin(self, client: Client, pid: str = "") -> RecoveryTrail:
        """Let a client take part; `pid`: that which it was told by an earlier server."""
        trail = RecoveryTrail(pid)
        self._clients[trail.pid] = client
        return trail

    def find(self, pid: Any) -> Client | None:
        """Return the client of a pid, online or away."""
        return self._clients.get(pid) if isinstance(pid, str) else None

    def lost(self, client: Client, now: float) -> bool:
        """A client is away. Return whether others are to be told at once."""
        self._away.begin(client, now)
        for forgotten in self._away.beyond(MAX_AWAY):
            attempt(forgotten.expire)
        if self._unnoticed.wait:
            self._unnoticed.begin(client, now)
        return not self._unnoticed.wait

    def restore_away(self, client: Client, since: float, present: bool, now: float) -> None:
        """A client is away that an earlier server had lost; they come in the order in which they were.

        present: whether others have not been told, and have still to be when its grace time is over.
        """
        self._away.begin(client, since)
        if present:
            self._unnoticed.begin(client, now)

    def away(self, client: Client, now: float) -> float:
        """Return for how many seconds a client has been away; 0 for one that is online."""
        return self._away.waited(client, now)

    @property
    def window(self) -> float:
        """Seconds that a client may be away."""
        return self._away.wait

    def hold(self, client: Client) -> None:
        """A client asks to come back: keep it until it is answered."""
        self._away.end(client)

    def wait_again(self, client: Client, now: float) -> None:
        """A client did not come back after all."""
        self._away.begin(client, now)

    def back(self, client: Client) -> bool:
        """A client is back. Return whether others were told that it had left."""
        self._away.end(client)
        return not self._unnoticed.end(client)

    def announce_all(self) -> None:
        """Nobody will come back: tell of those of whom others have not been told."""
        for client in self._unnoticed.beyond(0):
            attempt(client.run_disconnect_hooks)

    def forget(self, client: Client, trail: RecoveryTrail) -> None:
        """A client will not come back."""
        self._away.end(client)
        self._unnoticed.end(client)
        del self._clients[trail.pid]
        trail.end()

    def retains(self, room: Room) -> bool:
        """Whether what is said in a room is kept for others than clients."""
        return room in self._retained

    def retain(self, room: Room) -> None:
        """Keep what is said in a room for as long as clients may be away, for others who may come back to it."""
        if self._away.wait > 0 and room not in self._retained:
            self._retained.add(room)
            room.retain()

    def beat(self, now: float, offset: int, late: float = 0.0) -> None:
        """Let those go whose time is over, and what is too old to be asked for."""
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
            # Whoever is left of the last search comes first, or with a short window would never be looked at.
            self._unsearched = self._unsearched or list(self._clients.values())

    def _forget_old(self) -> None:
        for _ in range(min(len(self._unsearched), len(self._clients) // BEATS + 1)):
            trail = self._unsearched.pop().trail
            if trail is not None:
                trail.forget_through(self._horizon)


def read_offset(auth: Mapping[str, Any]) -> int:
    """Return the stamp that a client names as the last it saw; 0 for one that has heard nothing yet."""
    offset = auth.get("offset")
    return int(offset) if isinstance(offset, str) and offset.isdecimal() and len(offset) < 20 else 0
