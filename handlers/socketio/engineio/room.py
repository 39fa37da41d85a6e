"""A room is a log of what was said in it; whoever is in it reads the log from a place of their own.

Nothing is copied into a reader's queue, so a room costs the same however many read it. An entry encodes itself at most
once for each transport, and readers who stand at the same place share one slice of the log, joined once.

A room forgets what all its readers have read, unless it is retained for readers who may come back. While one of them is
behind, or for those who are away, it keeps at most `limit` bytes of what the others have had; the reader whose place is
forgotten with the rest has lagged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .codec.deflate import deflate
from .codec.packet import Packet, encode_payload, frame

if TYPE_CHECKING:
    from .reader import Reader

T = TypeVar("T")

ENTRY_OVERHEAD = 200
"""About what Python spends on an entry besides its data, in bytes."""


class Entry:
    """Something said: one packet, or a text with its attachments.

    stamp: its place among all that was said on this server.
    volatile: whether a reader who cannot read at once does without it.
    event: whether it is an event that asks for no answer; such a one may be written with its stamp.
    """

    __slots__ = (
        "_deflated",
        "_frames",
        "_payload",
        "_stamped",
        "event",
        "offset",
        "packets",
        "recoverable",
        "size",
        "volatile",
    )

    def __init__(self, offset: int, packets: Sequence[Packet], volatile: bool = False, event: bool = False) -> None:
        self.offset = offset
        self.packets = packets
        self.volatile = volatile
        self.event = event
        self.recoverable = event and not volatile
        """Whether a client who comes back has missed it."""
        self.size = ENTRY_OVERHEAD
        for packet in packets:
            self.size += len(packet.data)
        self._frames: bytes | None = None
        self._deflated: bytes | None = None
        self._payload: str | None = None
        self._stamped: Entry | None = None

    @property
    def frames(self) -> bytes:
        """The packets as WebSocket frames."""
        if self._frames is None:
            packets = self.packets
            self._frames = frame(packets[0]) if len(packets) == 1 else b"".join(map(frame, packets))
        return self._frames

    def deflated(self, threshold: int) -> bytes:
        """The packets as WebSocket frames, those of `threshold` bytes and more compressed."""
        if self._deflated is None:
            parts = [frame(packet, deflate if len(packet.data) >= threshold else None) for packet in self.packets]
            self._deflated = b"".join(parts)
        return self._deflated

    @property
    def payload(self) -> str:
        """The packets as part of the body of a poll."""
        if self._payload is None:
            self._payload = encode_payload(self.packets)
        return self._payload

    @property
    def stamped(self) -> Entry:
        """The same with its stamp as the last argument of the event (Socket.IO, connection state recovery)."""
        if not self.event:
            return self
        if self._stamped is None:
            text, *attachments = self.packets
            assert isinstance(text.data, str)
            marked = text._replace(data=f'{text.data[:-1]},"{self.offset}"]')
            self._stamped = Entry(self.offset, [marked, *attachments], self.volatile)
        return self._stamped


class Slice:
    """Entries in the order in which they were said, written at most once in each way."""

    __slots__ = ("_frames", "_stamped", "_written", "entries")

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self._frames: bytes | None = None
        self._stamped: Slice | None = None
        self._written: dict[Callable[..., Any], Any] | None = None

    def __bool__(self) -> bool:
        return bool(self.entries)

    @property
    def frames(self) -> bytes:
        """All entries as WebSocket frames."""
        if self._frames is None:
            entries = self.entries
            self._frames = entries[0].frames if len(entries) == 1 else b"".join([entry.frames for entry in entries])
        return self._frames

    def deflated(self, threshold: int) -> bytes:
        """All entries as WebSocket frames, those of `threshold` bytes and more compressed."""
        return b"".join([entry.deflated(threshold) for entry in self.entries])

    @property
    def payloads(self) -> list[str]:
        """All entries as the parts of the body of a poll."""
        return [entry.payload for entry in self.entries]

    @property
    def stamped(self) -> Slice:
        """The same entries, each event with its stamp."""
        if self._stamped is None:
            self._stamped = Slice([entry.stamped for entry in self.entries])
        return self._stamped

    def written(self, write: Callable[[Sequence[Entry]], T]) -> T:
        """The entries as this function writes them; readers who use the same share the result."""
        if self._written is None:
            self._written = {}
        if write not in self._written:
            self._written[write] = write(self.entries)
        result: T = self._written[write]
        return result

    def split(self, size: int) -> tuple[Slice, Slice]:
        """Return the first entries, as many as have about this many bytes and one at least, and the rest."""
        for count, entry in enumerate(self.entries, 1):
            size -= entry.size
            if size <= 0:
                return Slice(self.entries[:count]), Slice(self.entries[count:])
        return self, EMPTY

    def without_volatile(self) -> Slice:
        """What a reader gets who could not read at the time."""
        if not any(entry.volatile for entry in self.entries):
            return self
        return Slice([entry for entry in self.entries if not entry.volatile])


EMPTY = Slice(())


def merge(slices: Iterable[Slice]) -> Slice:
    """Join slices of several rooms into one, in the order in which their entries were said."""
    entries = [entry for part in slices for entry in part.entries]
    entries.sort(key=lambda entry: entry.offset)
    return Slice(entries)


class Room:
    """A log and its readers. Places are counted from the first entry ever said."""

    __slots__ = (
        "_entries",
        "_last",
        "_last_end",
        "_last_place",
        "_size",
        "awaited",
        "forgotten",
        "name",
        "offered",
        "readers",
        "retainers",
        "start",
        "stirred",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.readers: dict[Reader, None] = {}
        self.retainers = 0
        """How many may come back for what was said here."""
        self.start = 0
        """Place of the oldest entry that is kept."""
        self.forgotten = 0
        """Stamp of the newest recoverable entry that is kept no more."""
        self.stirred = False
        """Whether something was said that its readers have not been told of."""
        self.awaited = 0
        """How many readers were told and have not read."""
        self._entries: list[Entry] = []
        self._size = 0
        self.offered = 0
        """Place after the newest entry that readers were told of."""
        self._last = EMPTY
        self._last_place = self._last_end = -1

    def __repr__(self) -> str:
        return f"<Room {self.name!r}: {len(self.readers)} readers, places {self.start} to {self.end}>"

    @property
    def end(self) -> int:
        """Place of the entry that will be said next."""
        return self.start + len(self._entries)

    @property
    def size(self) -> int:
        """Bytes of what is kept, and of what Python spends on it."""
        return self._size

    def publish(self, entry: Entry) -> None:
        """Append an entry to the log."""
        self._entries.append(entry)
        self._size += entry.size

    def since(self, place: int) -> Slice:
        """Return what was offered from this place on, as far as it is kept."""
        if place >= self.offered:
            return EMPTY
        if self._last_place != place or self._last_end != self.offered:
            self._last = Slice(self._entries[max(0, place - self.start) : self.offered - self.start])
            self._last_place, self._last_end = place, self.offered
        return self._last

    def after(self, offset: int) -> list[Entry]:
        """Return the recoverable entries said after a stamp, as far as they are kept."""
        return [entry for entry in self._entries if entry.recoverable and entry.offset > offset]

    def offer(self) -> int:
        """Have all that was said offered to the readers from now on; return the place from which it is new to them."""
        place, self.offered = self.offered, self.end
        self.stirred = False
        return place

    def taken(self) -> None:
        """Note that a reader who was told has read, or reads no more; forget the log when it was the last."""
        self.awaited -= 1
        if not self.awaited:
            self.forget_read()

    def retain(self) -> None:
        """Keep what is said, within limits, for one more who may come back."""
        self.retainers += 1

    def release(self) -> None:
        """One of those will not come back."""
        self.retainers -= 1
        self.forget_read()

    def trim(self, limit: int, end: int) -> bool:
        """Forget the oldest, down to `limit` bytes, of what is before a place; return whether anything had to go."""
        if self._size <= limit:
            return False
        count, size = 0, self._size
        while size > limit and self.start + count < end:
            size -= self._entries[count].size
            count += 1
        self._forget(count)
        return count > 0

    def forget_through(self, offset: int) -> None:
        """Forget what was said up to a stamp, unless somebody has still to read it."""
        if self._entries and self._entries[0].offset <= offset and not self.awaited and not self.stirred:
            self._forget(sum(1 for entry in self._entries if entry.offset <= offset))

    def forget_read(self) -> None:
        """Forget the log, unless somebody has still to read it or may come back for it."""
        if not self.awaited and not self.stirred and not self.retainers:
            self._forget(len(self._entries))

    def _forget(self, count: int) -> None:
        if not count:
            return
        gone = self._entries[:count]
        del self._entries[:count]
        self.start += count
        self._size -= sum(entry.size for entry in gone)
        self.forgotten = next((entry.offset for entry in reversed(gone) if entry.recoverable), self.forgotten)
        self._last, self._last_place = EMPTY, -1
