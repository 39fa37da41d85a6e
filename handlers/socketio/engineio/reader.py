"""A reader: positions in rooms, and the transport that sends entries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from .reasons import CloseReason
from .room import EMPTY, Room, Slice, merge

View = Callable[[Slice], Slice]
"""Converts entries to what one kind of reader is sent."""


class Sender(Protocol):
    """Sends the entries of a reader."""

    burst: int
    """Bytes to send at once to a reader that was slow; 0: all."""

    @property
    def ready(self) -> bool:
        """Whether the last entries are sent completely."""

    def deliver(self, unread: Slice) -> bool:
        """Send entries unless the last are not sent completely; return whether sent."""


class Scheduler(Protocol):
    """Schedules readers to catch up."""

    def schedule(self, reader: Reader) -> None:
        """Let a reader catch up in the next tick."""

    def offer_pending(self) -> None:
        """Notify readers of published entries."""


class Reader(ABC):
    """Reads the entries of its rooms, in order, when it is scheduled.

    It keeps a position only for rooms with unread entries, which are few.
    """

    __slots__ = (
        "_requeued", "_rooms", "_views", "delivery", "joined_at", "lagging", "reason", "scheduled", "transport",
        "unread_from",
    )  # fmt: skip

    transport: Sender

    def __init__(self, delivery: Scheduler) -> None:
        self.delivery = delivery
        self.reason: CloseReason | None = None
        """Why the reader is closed; None while it is open."""
        self.unread_from: dict[Room, int] = {}
        """Rooms with unread entries → position of the first."""
        self.joined_at: dict[Room, int] | None = None
        """Rooms joined while entries were pending → first position to read."""
        self.scheduled = False
        """Whether the reader will catch up in this tick or the next."""
        self.lagging = False
        """Whether the transport was not ready at the last catch-up."""
        self._rooms: set[Room] = set()
        self._views: dict[Room, View] | None = None
        self._requeued: list[Slice] = []

    @property
    def unread_bytes(self) -> int:
        """About how many bytes of its rooms it has not read."""
        waiting = sum(entry.size for part in self._requeued for entry in part.entries)
        for room, position in self.unread_from.items():
            if length := room.end - room.start:
                waiting += room.size * (room.end - max(position, room.start)) // length
        return waiting

    def enter(self, room: Room, view: View | None = None) -> None:
        """Read a room from now on.

        view: converts its entries for this reader.
        """
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
        """Stop reading a room; entries published before are still delivered."""
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
        """Deliver these entries later, in order with the rooms' entries."""
        if unread:
            self._requeued.append(unread)
            self.delivery.schedule(self)

    def has_gap(self, room: Room) -> bool:
        """Return whether the room has forgotten entries that are unread here."""
        return self.unread_from.get(room, room.end) < room.start

    def notify(self, room: Room, position: int) -> None:
        """Remember that a room has entries to read from this position on.

        A reader may close, or leave the room, while others are served: a closed one reads no more.
        """
        if self.reason is None and room not in self.unread_from:
            if self.joined_at is not None:
                position = self.joined_at.pop(room, position)
                self.joined_at = self.joined_at or None
            self.unread_from[room] = position
            room.pending_readers += 1

    def deliver_now(self, room: Room, published: Slice) -> bool:
        """Deliver new entries directly.

        Return False if older ones are unread or unsent.
        """
        if self.unread_from or self._requeued or self.joined_at is not None or self.reason is not None:
            return False
        if self._views is not None and room in self._views:
            published = published.derive(self._views[room])
        return self.transport.deliver(published)

    def catch_up(self) -> None:
        """Deliver unread entries if the transport is ready.

        Called after all rooms have offered.
        """
        self.scheduled = False
        if self.reason is not None:
            return
        if self.transport.ready:
            unread = self.read()
            if self.lagging and self.transport.burst:
                # Written bytes are not shared with other readers, and stay in memory until they are sent.
                unread, rest = unread.split(self.transport.burst)
                self.requeue(rest)
            self.transport.deliver(unread)
        self.lagging = bool(self.unread_from or self._requeued)

    def read(self) -> Slice:
        """Return all unread offered entries, in order."""
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
        """Close this reader; only the first reason counts."""

    def leave_all(self) -> None:
        """Leave all rooms, and drop unread entries."""
        for room in list(self._rooms):
            self.leave(room)
        self._requeued = []

    def _read_room(self, room: Room) -> Slice:
        position = self.unread_from.pop(room, None)
        if position is None:
            return EMPTY
        unread = room.since(position)
        room.reader_done()
        return unread.derive(self._views[room]) if self._views is not None and room in self._views else unread
