"""Deadlines of all clients, checked by one periodic beat.

All items of one kind wait equally long, so the first that started expires first, and a dict in insertion order is a
queue of deadlines: a beat stops at the first key that has not expired.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import islice, takewhile
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Deadlines(Generic[T]):
    """Items that each expire after `wait` seconds."""

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
        """Return the seconds that an item has waited.

        0 if it does not wait.
        """
        return now - (self._due[who] - self.wait) if who in self._due else 0.0

    def is_due(self, who: T, now: float) -> bool:
        """Return whether an item's deadline has passed."""
        deadline = self._due.get(who)
        return deadline is not None and deadline <= now

    def begin(self, who: T, now: float) -> None:
        """Start or restart the deadline of an item.

        now: must not be less than at the call before.
        """
        self._due.pop(who, None)
        self._due[who] = now + self.wait

    def end(self, who: T) -> bool:
        """Remove an item; return whether it was waiting."""
        return self._due.pop(who, None) is not None

    def beyond(self, number: int) -> list[T]:
        """Remove and return the oldest items, so that `number` remain."""
        over = list(islice(self._due, max(0, len(self._due) - number)))
        for who in over:
            del self._due[who]
        return over

    def due(self, now: float, late: float = 0.0) -> list[T]:
        """Remove and return expired items.

        late: how late this check runs, in seconds. If late ≥ wait/2, restart every deadline, because answers may have
            arrived but not be read yet.
        """
        return list(self.take_due(now, late))

    def take_due(self, now: float, late: float = 0.0) -> dict[T, float]:
        """Remove and return expired items, each with its deadline."""
        if late >= self.wait / 2 > 0:
            self._due = dict.fromkeys(self._due, now + self.wait)
        over = dict(takewhile(lambda item: item[1] <= now, self._due.items()))
        for who in over:
            del self._due[who]
        return over


class Heartbeat(Generic[T]):
    """Sessions waiting for the next ping, owing a pong, or pinging themselves.

    Source: Engine.IO protocol, revision 4, "Heartbeat": the server sends a ping `interval` seconds after the last pong;
    a client that does not answer within `timeout` seconds is gone. In revision 3 the client sends the pings.
    """

    __slots__ = ("_owing", "_pinging", "_resting")

    def __init__(self, interval: float, timeout: float) -> None:
        self._resting: Deadlines[T] = Deadlines(interval)
        self._owing: Deadlines[T] = Deadlines(timeout)
        self._pinging: Deadlines[T] = Deadlines(interval + timeout)

    def __len__(self) -> int:
        return len(self._resting) + len(self._owing) + len(self._pinging)

    def watch(self, who: T, now: float, *, pings: bool = False) -> None:
        """Start the heartbeat of a session; pings: whether its client pings."""
        (self._pinging if pings else self._resting).begin(who, now)

    def pinged(self, who: T, now: float) -> bool:
        """Note a ping of a client; return whether it may send any."""
        pings = who in self._pinging
        if pings:
            self._pinging.begin(who, now)
        return pings

    def pong(self, who: T, now: float) -> None:
        """Restart the interval of a session; ignore a pong without a ping."""
        if self._owing.end(who):
            self._resting.begin(who, now)

    def is_overdue(self, who: T, now: float) -> bool:
        """Return whether a session's pong is overdue."""
        return self._owing.is_due(who, now) or self._pinging.is_due(who, now)

    def forgives(self, late: float) -> bool:
        """Return whether a beat this late restarts the pongs' deadlines."""
        return late >= self._owing.wait / 2

    def forget(self, who: T) -> None:
        """Stop the heartbeat of a session."""
        for waiting in (self._resting, self._owing, self._pinging):
            waiting.end(who)

    def beat(self, now: float, late: float = 0.0) -> tuple[list[T], list[T]]:
        """Return sessions that are overdue, and sessions to ping now.

        late: how late this beat runs, in seconds.
        """
        gone = self._owing.due(now, late) + self._pinging.due(now, late)
        rested = self._resting.take_due(now)
        for who, due in rested.items():
            # The timeout starts when the ping should have been sent, unless the process was blocked then.
            self._owing.begin(who, now if self.forgives(late) else due)
        return gone, list(rested)
