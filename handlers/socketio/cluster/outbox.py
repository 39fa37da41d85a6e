"""The outbox: what this node sends and has not read back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ..actions import Action
from .stream_format import ServerEvent

OVERHEAD = 500
"""Approximate bytes that an entry needs in addition to its data."""


class Unread:
    """One entry that was not read back."""

    __slots__ = ("content", "fields", "number", "performed", "size", "speaker", "written_at")

    def __init__(self, number: int, content: Action | ServerEvent, fields: dict[str, str], speaker: str) -> None:
        self.number = number
        self.content = content
        self.fields = fields
        self.speaker = speaker
        """Id of the client whose handler acts, or ""."""
        self.performed = False
        """Whether it has happened here already, because Redis was away."""
        self.written_at: float | None = None
        """When it was handed to Redis, by the loop's clock; None: it has to be."""
        self.size = OVERHEAD + len(fields["data"])


class Outbox:
    """Entries by number, oldest first.

    limit: bytes; beyond it the oldest are dropped.
    """

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._entries: deque[Unread] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Unread]:
        return iter(self._entries)

    def add(self, entry: Unread) -> list[Unread]:
        """Add the newest entry; return the oldest beyond the limit."""
        self._entries.append(entry)
        self.size += entry.size
        dropped = []
        while self.size > self._limit and len(self._entries) > 1:
            dropped.append(self._pop())
        return dropped

    def read_back(self, number: int) -> list[Unread]:
        """Remove and return all entries up to this number, which was read."""
        read = []
        while self._entries and self._entries[0].number <= number:
            read.append(self._pop())
        return read

    def take_unwritten(self, now: float) -> list[Unread]:
        """Return the entries to write, and mark them as written."""
        unwritten = []
        for entry in reversed(self._entries):
            if entry.written_at is not None:
                break
            entry.written_at = now
            unwritten.append(entry)
        return unwritten[::-1]

    def write_again(self) -> None:
        """Mark all entries as unwritten."""
        for entry in self._entries:
            entry.written_at = None

    @property
    def oldest_written_at(self) -> float | None:
        """When the oldest entry was handed to Redis, if it was."""
        return self._entries[0].written_at if self._entries else None

    def _pop(self) -> Unread:
        entry = self._entries.popleft()
        self.size -= entry.size
        return entry
