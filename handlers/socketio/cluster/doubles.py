"""Entries that another node has written twice, because its connection broke."""

from __future__ import annotations

from collections import OrderedDict

MAX_SENDERS = 1000
"""Maximum number of nodes whose last number is remembered."""


class Doubles:
    """The number of the last entry of each node; its numbers rise."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[str, int] = OrderedDict()

    def has(self, uid: str, number: int | None) -> bool:
        """Whether an entry was read before; remember it.

        number: None in entries of Node's servers, which write each once.
        """
        if number is None:
            return False
        if number <= self._numbers.get(uid, -1):
            return True
        self._numbers[uid] = number
        self._numbers.move_to_end(uid)
        if len(self._numbers) > MAX_SENDERS:
            self._numbers.popitem(last=False)
        return False
