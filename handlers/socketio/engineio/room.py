"""A room is a log.

Each reader reads it from its own position.

No entry is copied into a queue of a reader, so the cost of a room does not depend on the number of readers. An entry is
encoded at most once for each transport, and readers at the same position share one slice of the log, joined once.

A room forgets entries that all its readers have read, unless it is retained for clients that may reconnect. For slow
readers and clients that are away it keeps at most `limit` bytes of entries that others have read; a reader whose
position is forgotten has a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .codec.packet import Packet

if TYPE_CHECKING:
    from .reader import Reader

D = TypeVar("D", bound="Derivable")
T = TypeVar("T")

ENTRY_OVERHEAD = 200
"""Approximate bytes that an entry needs in addition to its data."""


class Derivable:
    """A value that remembers what functions have made of it."""

    __slots__ = ("_derived",)

    _derived: tuple[tuple[Callable[..., Any], Any], ...]
    """Pairs of a function and its result. For one or two pairs a dictionary would need three times the memory."""

    def derive(self: D, make: Callable[[D], T]) -> T:
        """Return the result of a function of this value.

        It is called once; all readers share the result.
        """
        for known, made in self._derived:
            if known is make:
                derived: T = made
                return derived
        result = make(self)
        if result is not self:
            self._derived += ((make, result),)
        return result


class Entry(Derivable):
    """One published message: packets that belong together.

    offset: its number among all entries of the server.
    volatile: whether readers that cannot read at once miss it.
    replayable: whether it is sent again to clients that reconnect.
    """

    __slots__ = ("offset", "packets", "replayable", "size", "volatile")

    def __init__(
        self, offset: int, packets: Sequence[Packet], volatile: bool = False, replayable: bool = False
    ) -> None:
        self._derived = ()
        self.offset = offset
        self.packets = packets
        self.volatile = volatile
        self.replayable = replayable
        size = ENTRY_OVERHEAD
        for _, data in packets:
            size += len(data)
        self.size = size


class Slice(Derivable):
    """Entries in order, encoded at most once for each function."""

    __slots__ = ("entries",)

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._derived = ()
        self.entries = entries

    def __bool__(self) -> bool:
        return bool(self.entries)

    def split(self, size: int) -> tuple[Slice, Slice]:
        """Return the first entries, about `size` bytes, and the rest."""
        for count, entry in enumerate(self.entries, 1):
            size -= entry.size
            if size <= 0:
                return Slice(self.entries[:count]), Slice(self.entries[count:])
        return self, EMPTY

    def without_volatile(self) -> Slice:
        """Return the entries for a reader that could not read at once."""
        if not any(entry.volatile for entry in self.entries):
            return self
        return Slice([entry for entry in self.entries if not entry.volatile])


EMPTY = Slice(())


def merge(slices: Iterable[Slice]) -> Slice:
    """Merge slices of several rooms into one, in order of offset."""
    entries = [entry for part in slices for entry in part.entries]
    entries.sort(key=lambda entry: entry.offset)
    return Slice(entries)


class Room:
    """A log and its readers.

    Positions are counted from the first entry ever published.
    """

    __slots__ = (
        "_entries",
        "_last",
        "_last_end",
        "_last_position",
        "forgotten",
        "has_unoffered",
        "name",
        "offered_end",
        "pending_readers",
        "readers",
        "retain_count",
        "size",
        "start",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.readers: dict[Reader, None] = {}
        self.retain_count = 0
        """Number of clients and streams that may reconnect and need the log."""
        self.start = 0
        """Position of the oldest kept entry."""
        self.forgotten = 0
        """Offset of the newest replayable entry that was forgotten."""
        self.has_unoffered = False
        """Whether entries were published and not offered yet."""
        self.pending_readers = 0
        """Number of readers that were notified and have not read."""
        self._entries: list[Entry] = []
        self.size = 0
        """Bytes of the kept entries, with Python's overhead."""
        self.offered_end = 0
        """Position after the last offered entry."""
        self._last = EMPTY
        self._last_position = self._last_end = -1

    def __repr__(self) -> str:
        return f"<Room {self.name!r}: {len(self.readers)} readers, positions {self.start} to {self.end}>"

    @property
    def end(self) -> int:
        """Position of the next entry."""
        return self.start + len(self._entries)

    def append(self, entry: Entry) -> None:
        """Append an entry to the log."""
        self._entries.append(entry)
        self.size += entry.size

    def since(self, position: int) -> Slice:
        """Return the offered entries from this position on, if still kept."""
        if position >= self.offered_end:
            return EMPTY
        if self._last_position != position or self._last_end != self.offered_end:
            self._last = Slice(self._entries[max(0, position - self.start) : self.offered_end - self.start])
            self._last_position, self._last_end = position, self.offered_end
        return self._last

    def after(self, offset: int) -> list[Entry]:
        """Return the kept replayable entries after an offset."""
        return [entry for entry in self._entries if entry.replayable and entry.offset > offset]

    def offer(self) -> Slice:
        """Offer published entries to the readers, and return them."""
        position, self.offered_end = self.offered_end, self.start + len(self._entries)
        self.has_unoffered = False
        self._last = Slice(self._entries[position - self.start :])
        self._last_position, self._last_end = position, self.offered_end
        return self._last

    def reader_done(self) -> None:
        """A notified reader is done.

        Forget the log if it was the last.
        """
        self.pending_readers -= 1
        if not self.pending_readers:
            self.forget_read()

    def retain(self) -> None:
        """Keep the log, within limits, for one more client that may reconnect."""
        self.retain_count += 1

    def release(self) -> None:
        """Stop keeping the log for one client, which cannot reconnect any more."""
        self.retain_count -= 1
        self.forget_read()

    def trim(self, limit: int, end: int) -> bool:
        """Forget the oldest entries before `end`, down to `limit` bytes.

        Returns whether any was forgotten.
        """
        if self.size <= limit:
            return False
        count, size = 0, self.size
        while size > limit and self.start + count < end:
            size -= self._entries[count].size
            count += 1
        self._forget(count)
        return count > 0

    def forget_through(self, offset: int) -> None:
        """Forget entries up to an offset, unless a reader still needs them."""
        if self._entries and self._entries[0].offset <= offset and not self.pending_readers and not self.has_unoffered:
            self._forget(sum(1 for entry in self._entries if entry.offset <= offset))

    def forget_read(self) -> None:
        """Forget the log, unless a reader needs it or may reconnect."""
        if not self.pending_readers and not self.has_unoffered and not self.retain_count and self._entries:
            self._forget(len(self._entries))

    def _forget(self, count: int) -> None:
        for entry in self._entries[:count]:
            self.size -= entry.size
            if entry.replayable:
                self.forgotten = entry.offset
        del self._entries[:count]
        self.start += count
        self._last, self._last_position = EMPTY, -1
