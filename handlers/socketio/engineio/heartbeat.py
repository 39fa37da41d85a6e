"""Deadlines for many at the cost of a few: one beat looks after all clients, however many there are.

All who wait for the same thing wait equally long, so whoever began first is due first, and a dict in insertion order is
a queue of deadlines: a beat looks at the first key and stops at the first that is not due.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import islice, takewhile
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Deadlines(Generic[T]):
    """Who waits for one thing, each for `wait` seconds."""

    __slots__ = ("_due", "wait")

    def __init__(self, wait: float) -> None:
        self.wait = wait
        self._due: dict[T, float] = {}

    def __len__(self) -> int:
        return len(self._due)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._due))

    def __contains__(self, who: T) -> bool:
        return who in self._due

    def waited(self, who: T, now: float) -> float:
        """Return for how many seconds one has waited; 0 for one who does not wait."""
        return now - (self._due[who] - self.wait) if who in self._due else 0.0

    def is_due(self, who: T, now: float) -> bool:
        """Whether the time of one that waits is over."""
        deadline = self._due.get(who)
        return deadline is not None and deadline <= now

    def begin(self, who: T, now: float) -> None:
        """Let one wait, from now on; whoever waits already begins anew. Nobody may begin before the last who began."""
        self._due.pop(who, None)
        self._due[who] = now + self.wait

    def end(self, who: T) -> bool:
        """Let one wait no more; return whether it did."""
        return self._due.pop(who, None) is not None

    def beyond(self, number: int) -> list[T]:
        """Take out those who began first, down to this number."""
        over = list(islice(self._due, max(0, len(self._due) - number)))
        for who in over:
            del self._due[who]
        return over

    def due(self, now: float, late: float = 0.0) -> list[T]:
        """Take out those whose time is over.

        late: seconds for which nobody could look after them. Where that is half of `wait` or more, what they are waited
            for may have come, and lie unread: all begin anew.
        """
        return list(self.take_due(now, late))

    def take_due(self, now: float, late: float = 0.0) -> dict[T, float]:
        """Take out those whose time is over; return them with the moment at which it was."""
        if late >= self.wait / 2 > 0:
            self._due = dict.fromkeys(self._due, now + self.wait)
        over = dict(takewhile(lambda item: item[1] <= now, self._due.items()))
        for who in over:
            del self._due[who]
        return over


class Heartbeat(Generic[T]):
    """Who is at rest until the next ping, and who owes a pong.

    Source: Engine.IO protocol, revision 4, "Heartbeat": the server pings `interval` seconds after the last pong;
    whoever does not answer within `timeout` seconds is gone.
    """

    __slots__ = ("_owing", "_resting")

    def __init__(self, interval: float, timeout: float) -> None:
        self._resting: Deadlines[T] = Deadlines(interval)
        self._owing: Deadlines[T] = Deadlines(timeout)

    def __len__(self) -> int:
        return len(self._resting) + len(self._owing)

    def watch(self, who: T, now: float) -> None:
        """Begin with one."""
        self._resting.begin(who, now)

    def pong(self, who: T, now: float) -> None:
        """Take an answer; one that nobody asked for is harmless."""
        if self._owing.end(who):
            self._resting.begin(who, now)

    def is_overdue(self, who: T, now: float) -> bool:
        """Whether one owes a pong for too long, unless the beat that will say so comes late."""
        return self._owing.is_due(who, now)

    def forgives(self, late: float) -> bool:
        """Whether a beat that comes late by these seconds restarts the deadlines of pongs: they may lie unread."""
        return late >= self._owing.wait / 2

    def forget(self, who: T) -> None:
        """End with one."""
        if not self._resting.end(who):
            self._owing.end(who)

    def beat(self, now: float, late: float = 0.0) -> tuple[list[T], list[T]]:
        """Return those who owe a pong for too long, and those who are to be pinged and owe one from now on.

        late: seconds by which this beat comes late.
        """
        gone = self._owing.due(now, late)
        rested = self._resting.take_due(now)
        for who, due in rested.items():
            # The client's time begins when the ping was due, unless nobody could have sent it then.
            self._owing.begin(who, now if self.forgives(late) else due)
        return gone, list(rested)
