"""A reader: places in rooms, and what is behind them still to be read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from .reasons import CloseReason
from .room import EMPTY, Room, Slice, merge

if TYPE_CHECKING:
    from .engine import Engine


class Reader(ABC):
    """Somebody who is in rooms and reads what is said there, in order, when the engine lets it catch up.

    Of most rooms it has read all that was offered to their readers; only for the others it keeps a place.
    """

    __slots__ = ("_kept", "_rooms", "_stamped", "awake", "began", "behind", "engine", "late", "reason")

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.reason: CloseReason | None = None
        """Why it is over; None while it is not."""
        self.behind: dict[Room, int] = {}
        """Rooms that hold something unread, and from which place on."""
        self.began: dict[Room, int] | None = None
        """Rooms that were entered behind something that was not offered yet, and the place after it."""
        self.awake = False
        """Whether the engine is about to let it catch up."""
        self.late = False
        """Whether it could not read when it was told to."""
        self._rooms: set[Room] = set()
        self._stamped: set[Room] | None = None
        self._kept: list[Slice] = []

    def enter(self, room: Room, stamped: bool = False) -> None:
        """Read a room from now on; `stamped`: with the stamp of each event as its last argument."""
        if room in self._rooms or self.reason is not None:
            return
        self._rooms.add(room)
        room.readers[self] = None
        if room.stirred:
            self.began = self.began or {}
            self.began[room] = room.end
        if stamped:
            self._stamped = self._stamped or set()
            self._stamped.add(room)

    def leave(self, room: Room) -> None:
        """Read a room no more; what was said there so far is kept for this reader."""
        if room not in self._rooms:
            return
        if room.stirred:
            self.engine.offer_pending()
        self.keep(self._take(room))
        self._rooms.remove(room)
        del room.readers[self]
        if self._stamped is not None:
            self._stamped.discard(room)

    def keep(self, unread: Slice) -> None:
        """Put something aside that is to be read besides what the rooms hold."""
        if unread:
            self._kept.append(unread)
            self.engine.schedule(self)

    def lags(self, room: Room) -> bool:
        """Whether the room has forgotten what this reader has not read."""
        return self.behind.get(room, room.end) < room.start

    def offer(self, room: Room, place: int) -> None:
        """Take note that what was said in a room since this place is to be read."""
        if room not in self.behind:
            if self.began is not None:
                place = self.began.pop(room, place)
                self.began = self.began or None
            self.behind[room] = place
            room.awaited += 1

    def take(self, room: Room, said: Slice) -> bool:
        """Write what was just said in a room; return False where there is more to read, or the last is on its way."""
        if self.behind or self._kept or self.began is not None or self.reason is not None:
            return False
        return self.deliver(said.stamped if self._stamped is not None and room in self._stamped else said)

    def catch_up(self) -> None:
        """Let whatever carries this reader read; called by the engine alone, once all rooms have offered."""
        self.awake = False
        if self.reason is None:
            self.write()
            self.late = bool(self.behind or self._kept)

    @abstractmethod
    def deliver(self, said: Slice) -> bool:
        """Write this, unless the last is still on its way; return whether it was written."""

    @abstractmethod
    def write(self) -> None:
        """Read, and write what was read, unless the last is still on its way."""

    @abstractmethod
    def close(self, reason: CloseReason) -> None:
        """End this reader; only the first reason counts."""

    def read(self) -> Slice:
        """Take what was offered since the last time, in order."""
        if len(self.behind) == 1 and not self._kept:
            (room,) = self.behind
            unread = self._take(room)
        elif self.behind or self._kept:
            parts = self._kept + [self._take(room) for room in list(self.behind)]
            self._kept = []
            unread = merge(parts)
        else:
            return EMPTY
        return unread.without_volatile() if self.late else unread

    def leave_all(self) -> None:
        """Read nothing any more."""
        for room in list(self._rooms):
            self.leave(room)
        self._kept = []

    def _take(self, room: Room) -> Slice:
        place = self.behind.pop(room, None)
        if place is None:
            return EMPTY
        unread = room.since(place)
        room.taken()
        return unread.stamped if self._stamped is not None and room in self._stamped else unread
