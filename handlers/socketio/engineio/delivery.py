"""Delivery of published entries to readers, one tick later, in one order.

A reader catches up once in a tick, however many entries were published. At most broadcasts readers have nothing else
unread; then they are given the new entries directly, which halves the work.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from .codec.packet import Packet
from .counters import Counters
from .errors import attempt
from .offsets import SEQUENCE
from .reader import Reader
from .room import Entry, Room

logger = logging.getLogger(__name__)

TIME_SLICE = 0.01
"""Seconds after which the remaining readers wait for the next round, so that other callbacks run."""
BATCH = 16
"""Number of readers that catch up between two readings of the clock."""


class Loop(Protocol):
    """The part of an event loop that the engine uses."""

    def time(self) -> float:
        """Return the seconds of a monotonic clock."""

    def call_soon(self, callback: Callable[[], Any], /) -> Any:
        """Call back in the next round of the loop."""

    def call_soon_threadsafe(self, callback: Callable[[], Any], /) -> Any:
        """Call back in the next round of the loop, from another thread."""


class NoLoop:
    """The loop of an engine that is not started."""

    def time(self) -> float:
        """Raise RuntimeError, which says how to start the engine."""
        raise RuntimeError("the engine has no event loop yet: it starts with the first client, or by start_clock(hub)")

    def call_soon(self, _: Callable[[], Any], /) -> None:
        """Raise RuntimeError, which says how to start the engine."""
        self.time()

    def call_soon_threadsafe(self, _: Callable[[], Any], /) -> None:
        """Do nothing, because there are no clients yet."""


class BacklogTrim:
    """Queued after a room's readers.

    Trims the log once each had a chance to read.
    """

    __slots__ = ("_limit", "_offered_end", "_room")

    def __init__(self, room: Room, limit: int) -> None:
        self._room = room
        self._offered_end = room.offered_end
        self._limit = limit

    def catch_up(self) -> None:
        """Forget entries beyond the limit, and close readers with a gap."""
        room = self._room
        if (room.pending_readers or room.retain_count) and room.trim(self._limit, self._offered_end):
            for reader in [reader for reader in room.readers if reader.has_gap(room)]:
                attempt(reader.close, "slow consumer")


class Delivery:
    """Publishes entries in rooms, and lets their readers catch up.

    max_backlog: bytes that a room keeps for readers that are behind.
    """

    def __init__(self, max_backlog: int, counters: Counters) -> None:
        self.max_backlog = max_backlog
        self.start(NoLoop(), 0, counters)

    def start(self, loop: Loop, offset: int, counters: Counters) -> None:
        """Start on a loop, with nothing published.

        offset: first offset; must exceed every offset of earlier runs, so that clients cannot confuse them.
        """
        self.loop: Loop = loop
        self.offset = self._first = offset
        """The offset of the newest entry."""
        self.step = SEQUENCE
        """The distance of two offsets."""
        self._counters = counters
        self._unoffered: deque[Room] = deque()
        self._queue: deque[Reader | BacklogTrim] = deque()
        self._is_scheduled = False
        self._sender: Reader | None = None

    @property
    def published(self) -> int:
        """Number of entries published since the start."""
        return (self.offset - self._first) // self.step

    def skip_offsets_to(self, offset: int) -> None:
        """Give later entries offsets above this one, used in an earlier run."""
        ahead = max(0, offset - self.offset)
        self.offset += ahead
        self._first += ahead

    def publish(
        self,
        rooms: Iterable[Room],
        packets: Sequence[Packet],
        *,
        volatile: bool = False,
        replayable: bool = False,
        sender: Reader | None = None,
    ) -> None:
        """Append one entry to rooms that have no reader in common.

        sender: a reader that is served after the others if no other entry waits. Its client may wait for its own
        message before it sends the next, which would delay theirs. Where several wait, it has sent more already: the
        sooner it is served, the more entries the next round joins.

        This is the only way to publish. Raises RuntimeError if the engine is not started.
        """
        self.offset += self.step
        entry = Entry(self.offset, packets, volatile, replayable)
        self._sender = None if self._unoffered else sender
        for room in rooms:
            if not (room.readers or room.retain_count):
                continue
            room.append(entry)
            self._counters.deliveries += len(room.readers)
            if not room.has_unoffered:
                room.has_unoffered = True
                self._unoffered.append(room)
        if self._unoffered and not self._is_scheduled:
            self._schedule_tick()

    def schedule(self, reader: Reader) -> None:
        """Let one reader catch up in the next tick."""
        self._enqueue(reader)
        self._schedule_tick()

    def _enqueue(self, reader: Reader) -> None:
        if not reader.scheduled:
            reader.scheduled = True
            self._queue.append(reader)

    def offer_pending(self) -> None:
        """Notify readers of published entries; they read later."""
        rooms, self._unoffered = self._unoffered, deque()
        for room in rooms:
            self._notify(room, len(room.offer().entries), room.readers)

    def _notify(self, room: Room, count: int, readers: Iterable[Reader]) -> None:
        """Notify readers of a room's newest `count` entries, and schedule them."""
        for reader in readers:
            reader.notify(room, room.offered_end - count)
            self._enqueue(reader)
        if room.size > self.max_backlog:
            self._queue.append(BacklogTrim(room, self.max_backlog))

    def _schedule_tick(self) -> None:
        if not self._is_scheduled:
            self.loop.call_soon(self._tick)
            self._is_scheduled = True

    def _tick(self) -> None:
        self._is_scheduled = False
        until, newest = self.loop.time() + TIME_SLICE, self.offset
        rooms = list(self._unoffered)
        later = readers_of_several(rooms) if len(rooms) > 1 else set()
        if self._sender is not None:
            later.add(self._sender)
            self._sender = None
        while self._unoffered:  # a reader that closes meanwhile has all rooms offered
            late = len(self._unoffered) % BATCH == 0 and self.loop.time() > until
            if late or self.offset != newest:
                # Entries published meanwhile must not overtake entries that wait in another room.
                self.offer_pending()
                break
            self._broadcast(self._unoffered.popleft(), later, until)
        if len(self._queue) > BATCH:
            self._deliver_direct_first(rooms, until)
        if self._queue:
            self._catch_up(until)

    def _broadcast(self, room: Room, later: set[Reader], until: float) -> None:
        """Deliver new entries to readers with nothing else unread; notify the others."""
        published, readers = room.offer(), list(room.readers)
        missed: list[Reader] = []
        last: list[Reader] = []
        failed: list[tuple[Reader, Exception]] = []
        for start in range(0, len(readers), BATCH):
            if start and self.loop.time() > until:
                missed += readers[start:]
                break
            for reader in readers[start : start + BATCH]:
                try:
                    if reader in later:
                        last.append(reader)
                    elif not reader.deliver_now(room, published):
                        missed.append(reader)
                except Exception as error:  # noqa: PERF203 (an error of one reader must not stop the others)
                    failed.append((reader, error))
        if missed or last or room.size > self.max_backlog:
            self._notify(room, len(published.entries), missed + last)
        room.forget_read()
        for reader, raised in failed:  # last, because its listener may publish, and close or move other readers
            self._end_failed(reader, raised)

    def _deliver_direct_first(self, rooms: Sequence[Room], until: float) -> None:
        """Serve rooms with one reader first, because those entries are often answers."""
        for room in rooms:
            if len(room.readers) == 1 and self.loop.time() <= until:
                (reader,) = room.readers
                self._catch_up_one(reader)

    def _catch_up(self, until: float) -> None:
        queue = self._queue
        while queue:
            for _ in range(min(len(queue), BATCH)):
                self._catch_up_one(queue.popleft())
            if queue and self.loop.time() > until:
                self._schedule_tick()
                return

    def _catch_up_one(self, reader: Reader | BacklogTrim) -> None:
        try:
            reader.catch_up()
        except Exception as error:
            self._end_failed(reader, error)

    def _end_failed(self, reader: Reader | BacklogTrim, error: Exception) -> None:
        """Close a reader whose transport has raised; the others go on."""
        logger.error("the transport of %r failed", reader, exc_info=error)
        if isinstance(reader, Reader):
            attempt(reader.close, "transport error")


def readers_of_several(rooms: Iterable[Room]) -> set[Reader]:
    """Return the readers that are in more than one of these rooms."""
    seen: set[Reader] = set()
    several: set[Reader] = set()
    for room in rooms:
        several.update(seen.intersection(room.readers))
        seen.update(room.readers)
    return several
