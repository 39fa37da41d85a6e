"""A reader: positions in rooms, and the transport that sends what is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from .reasons import CloseReason
from .room import EMPTY, Entry, Room, Slice, merge

View = Callable[[Entry], Entry]
"""What a reader sees of an entry, where that is not the entry itself."""


class Sender(Protocol):
    """What sends for a reader."""

    burst: int
    """Bytes that a reader is sent at once when it has been slow; 0: all."""

    @property
    def ready(self) -> bool:
        """Whether the last that was delivered has been sent."""

    def deliver(self, unread: Slice) -> bool:
        """Send entries, unless the last are still on their way; return whether they were sent."""


class Scheduler(Protocol):
    """What lets readers catch up."""

    def schedule(self, reader: Reader) -> None:
        """Have a reader catch up in the next tick."""

    def offer_pending(self) -> None:
        """Notify readers of what was published."""


class Reader(ABC):
    """Reads what is published in its rooms, in order, when it is scheduled.

    Of most rooms it has read all that was offered; it keeps a position only for the others.
    """

    __slots__ = (
        "_requeued", "_rooms", "_views", "delivery", "joined_at", "lagging", "reason", "scheduled", "transport",
        "unread_from",
    )  # fmt: skip

    transport: Sender

    def __init__(self, delivery: Scheduler) -> None:
        self.delivery = delivery
        self.reason: CloseReason | None = None
        """Why it ended; None while it is open."""
        self.unread_from: dict[Room, int] = {}
        """Rooms with unread entries → position of the first."""
        self.joined_at: dict[Room, int] | None = None
        """Rooms joined while entries were pending → first position to read."""
        self.scheduled = False
        """Whether it will catch up in this tick, or the next."""
        self.lagging = False
        """Whether it was not ready when it was asked to catch up."""
        self._rooms: set[Room] = set()
        self._views: dict[Room, View] | None = None
        self._requeued: list[Slice] = []

    def enter(self, room: Room, view: View | None = None) -> None:
        """Read a room from now on; `view`: as this function shows its entries."""
        if room in self._rooms or self.reason is not None:
            return
        self._rooms.add(room)
        room.readers[self] = None
        if room.has_unoffered:
            self.joined_at = self.joined_at or {}
            self.joined_at[room] = room.end
        if view is not None:
            self._views = self._views or {}
            self._views[room] = view

    def leave(self, room: Room) -> None:
        """Stop reading a room; what was published there so far is still delivered."""
        if room not in self._rooms:
            return
        if room.has_unoffered:
            self.delivery.offer_pending()
        self.requeue(self._read_room(room))
        self._rooms.remove(room)
        del room.readers[self]
        if self._views is not None:
            self._views.pop(room, None)

    def requeue(self, unread: Slice) -> None:
        """Deliver these entries later, in their order among what the rooms hold."""
        if unread:
            self._requeued.append(unread)
            self.delivery.schedule(self)

    def has_gap(self, room: Room) -> bool:
        """Whether the room has forgotten something that this reader has not read."""
        return self.unread_from.get(room, room.end) < room.start

    def notify(self, room: Room, position: int) -> None:
        """Remember that a room has entries to read from this position on."""
        if room not in self.unread_from:
            if self.joined_at is not None:
                position = self.joined_at.pop(room, position)
                self.joined_at = self.joined_at or None
            self.unread_from[room] = position
            room.pending_readers += 1

    def deliver_now(self, room: Room, published: Slice) -> bool:
        """Deliver what was just published; return False where something is unread, or the last is on its way."""
        if self.unread_from or self._requeued or self.joined_at is not None or self.reason is not None:
            return False
        if self._views is not None and room in self._views:
            published = published.seen_by(self._views[room])
        return self.transport.deliver(published)

    def catch_up(self) -> None:
        """Deliver what is unread, if the transport is ready; called once all rooms have offered."""
        self.scheduled = False
        if self.reason is not None:
            return
        if self.transport.ready:
            unread = self.read()
            if self.lagging and self.transport.burst:
                # What is written now is this reader's alone, and waits for as long as it does not read.
                unread, rest = unread.split(self.transport.burst)
                self.requeue(rest)
            self.transport.deliver(unread)
        self.lagging = bool(self.unread_from or self._requeued)

    def read(self) -> Slice:
        """Return what was offered since the last time, in order."""
        if len(self.unread_from) == 1 and not self._requeued:
            (room,) = self.unread_from
            unread = self._read_room(room)
        elif self.unread_from or self._requeued:
            parts = self._requeued + [self._read_room(room) for room in list(self.unread_from)]
            self._requeued = []
            unread = merge(parts)
        else:
            return EMPTY
        return unread.without_volatile() if self.lagging else unread

    @abstractmethod
    def close(self, reason: CloseReason) -> None:
        """End this reader; only the first reason counts."""

    def leave_all(self) -> None:
        """Leave all rooms, and forget what is unread."""
        for room in list(self._rooms):
            self.leave(room)
        self._requeued = []

    def _read_room(self, room: Room) -> Slice:
        position = self.unread_from.pop(room, None)
        if position is None:
            return EMPTY
        unread = room.since(position)
        room.reader_done()
        return unread.seen_by(self._views[room]) if self._views is not None and room in self._views else unread
