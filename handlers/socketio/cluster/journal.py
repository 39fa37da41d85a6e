"""The journal: recent events, for clients that come from other nodes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping

from ..actions import EMIT, Action
from ..engineio.room import ENTRY_OVERHEAD
from .stream_format import ServerEvent

MAX_BYTES = 64 << 20
"""Bytes of events that a node keeps."""
CLEAN_UP = 1000
"""Number of forgotten events after which their places are freed."""


class Journal:
    """Events in the order of the stream.

    window: seconds for which they are kept.
    """

    def __init__(self, window: float) -> None:
        self.complete_after = 0
        """The events after this offset are all there, as far as they are not too old."""
        self._window = window
        self._offsets: list[int] = []
        self._events: list[Action | None] = []
        self._start = 0
        self._size = 0

    def __len__(self) -> int:
        return len(self._offsets) - self._start

    def add(self, offset: int, event: Action | ServerEvent | None) -> None:
        """Add the newest event, and forget those that are too old.

        What no client can miss is ignored.
        """
        if not isinstance(event, Action) or event.kind is not EMIT or event.volatile:
            return
        if not self._window or (self._offsets and offset <= self._offsets[-1]):
            return
        self._offsets.append(offset)
        self._events.append(event)
        self._size += _size(event)
        oldest = offset - (int(self._window * 1000) << 64)
        while self._offsets[self._start] < oldest or self._size > MAX_BYTES:
            self._forget_oldest()

    def restart(self, offset: int) -> None:
        """Forget all events: some before this offset are missing."""
        self._offsets, self._events, self._start, self._size = [], [], 0, 0
        self.complete_after = max(self.complete_after, offset)

    def missed(
        self, namespace: str, id_: str, rooms: Mapping[str, int], offset: int
    ) -> list[tuple[int, Action]] | None:
        """Return a client's events after an offset; None if some are forgotten.

        rooms: names of the client's rooms, each with the offset at which it entered.
        """
        if offset < self.complete_after:
            return None
        return [
            (at, event)
            for at, event in self._after(offset)
            if event.namespace == namespace and _is_for(event, id_, {name for name in rooms if rooms[name] < at})
        ]

    def _after(self, offset: int) -> Iterator[tuple[int, Action]]:
        for index in range(bisect_right(self._offsets, offset, self._start), len(self._offsets)):
            event = self._events[index]
            assert event is not None
            yield self._offsets[index], event

    def _forget_oldest(self) -> None:
        event = self._events[self._start]
        assert event is not None
        self.complete_after = max(self.complete_after, self._offsets[self._start])
        self._size -= _size(event)
        self._events[self._start] = None
        self._start += 1
        if self._start >= CLEAN_UP:
            del self._offsets[: self._start], self._events[: self._start]
            self._start = 0


def _size(event: Action) -> int:
    return ENTRY_OVERHEAD + sum(len(packet.data) for packet in event.packets)


def _is_for(event: Action, id_: str, rooms: Collection[str]) -> bool:
    included = not event.rooms or id_ in event.rooms or any(name in rooms for name in event.rooms)
    return included and id_ not in event.excepted and not any(name in rooms for name in event.excepted)
