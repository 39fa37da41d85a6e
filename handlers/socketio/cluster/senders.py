"""Which entries of other nodes are doubles, and which are missing.

A node numbers what it writes, and writes it again if its connection broke: so a number that was read is a double. A
number that was left out is an entry that was removed from the stream before this node could read it, or that its node
had no room for.
"""

from __future__ import annotations

from collections import OrderedDict

MAX_SENDERS = 1000
"""Maximum number of nodes whose last number is remembered."""


class Senders:
    """The number of the last entry of each node."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._excused: set[str] = set()

    def excuse(self) -> None:
        """Count nothing as missing before the next entry of each node."""
        self._excused = set(self._numbers)

    def missing(self, uid: str, number: int) -> int | None:
        """Return how many entries are missing before this; None: a double."""
        last = self._numbers.get(uid, number - 1)
        if number <= last:
            return None
        self._numbers[uid] = number
        self._numbers.move_to_end(uid)
        if len(self._numbers) > MAX_SENDERS:
            self._numbers.popitem(last=False)
        is_excused = uid in self._excused
        self._excused.discard(uid)
        return 0 if is_excused else number - last - 1
