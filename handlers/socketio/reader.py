"""A reader: places in rooms, and what is behind them still to be read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

from .room import EMPTY, Room, Slice, merge

if TYPE_CHECKING:
    from .engine import Engine

Reason = Literal[
    "transport close",
    "transport error",
    "ping timeout",
    "parse error",
    "forced close",
    "slow consumer",
    "server shutting down",
]
"""Why a reader is no more."""


class Reader(ABC):
    """Somebody who is in rooms and reads what is said there, in order, when the engine lets it catch up."""

    __slots__ = ("_kept", "_places", "_stamped", "awake", "behind", "engine", "late", "reason")

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.reason: Reason | None = None
        """Why it is over; None while it is not."""
        self.behind: dict[Room, None] = {}
        """Rooms that hold something unread."""
        self.awake = False
        """Whether the engine is about to let it catch up."""
        self.late = False
        """Whether it could not read when it was told to."""
        self._places: dict[Room, int] = {}
        self._stamped: set[Room] | None = None
        self._kept: list[Slice] = []

    def enter(self, room: Room, stamped: bool = False) -> None:
        """Read a room from now on; `stamped`: with the stamp of each event as its last argument."""
        if room in self._places or self.reason is not None:
            return
        self._places[room] = room.end
        room.readers[self] = None
        if stamped:
            self._stamped = self._stamped or set()
            self._stamped.add(room)

    def leave(self, room: Room) -> None:
        """Read a room no more; what was said there so far is kept for this reader."""
        if room not in self._places:
            return
        self.keep(self._take(room))
        del self._places[room], room.readers[self]
        if self._stamped is not None:
            self._stamped.discard(room)

    def keep(self, unread: Slice) -> None:
        """Put something aside that is to be read besides what the rooms hold."""
        if unread:
            self._kept.append(unread)
            self.engine.wake(self)

    def lags(self, room: Room) -> bool:
        """Whether the room has forgotten what this reader has not read."""
        return self._places.get(room, room.end) < room.start

    def catch_up(self) -> None:
        """Let whatever carries this reader read; called by the engine alone, once all rooms have offered."""
        self.awake = False
        if self.reason is None:
            self.write()
            self.late = bool(self.behind)

    @abstractmethod
    def write(self) -> None:
        """Read, and write what was read, unless the last is still on its way."""

    @abstractmethod
    def close(self, reason: Reason) -> None:
        """End this reader; only the first reason counts."""

    def read(self) -> Slice:
        """Take what was said since the last time, in order."""
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
        for room in list(self._places):
            self.leave(room)
        self._kept = []

    def _take(self, room: Room) -> Slice:
        unread = room.since(self._places[room])
        self._places[room] = room.end
        if room in self.behind:
            del self.behind[room]
            room.taken()
        if self._stamped is not None and room in self._stamped:
            return unread.stamped
        return unread
