"""The last ten minutes of a server, a sample a second, for whoever comes to look at them.

A sample asks only for what is known already, and does not go through the clients: it is taken whether anybody looks on
or not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from ... import Hub
from ..lag import LoopLag
from ..process import resident_bytes

PERIOD = 1.0
"""Seconds from one sample to the next."""
KEPT = 600
"""How many are kept."""
LOOKS = 100
"""Of how many looks at the loop a sample tells: ten seconds' worth, where the loop is in time."""


class Sample(NamedTuple):
    """How a server was at one moment; what is told by the second is so since the sample before."""

    at: float
    """Seconds since 1970."""
    online: int
    """How many people were there."""
    deliveries: float
    """Deliveries a second."""
    events: float
    """Events of clients a second."""
    lag_p50: float
    """Seconds that the event loop was late at most in half of the looks."""
    lag_p99: float
    """The same in 99 of 100 looks."""
    memory: int | None
    """Bytes that the process occupied; None where the system does not tell."""


class Samples:
    """The last samples of one server, the oldest first."""

    def __init__(self, hub: Hub, lag: LoopLag) -> None:
        self._hub = hub
        self._lag = lag
        self._kept: deque[Sample] = deque(maxlen=KEPT)
        self._before: tuple[float, int, int] | None = None

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._kept)

    @property
    def last(self) -> Sample | None:
        """The newest; None before the first."""
        return self._kept[-1] if self._kept else None

    def take(self, online: int, now: float, at: float) -> Sample:
        """Take one, and return it. `now`: seconds on a clock that never goes back; `at`: seconds since 1970."""
        counters = self._hub.counters
        before, deliveries, events = self._before or (now, counters.deliveries, counters.events)
        elapsed = max(now - before, 1e-9)
        sample = Sample(
            at=round(at, 3),
            online=online,
            deliveries=round((counters.deliveries - deliveries) / elapsed, 1),
            events=round((counters.events - events) / elapsed, 1),
            lag_p50=round(self._lag.quantile(0.5, LOOKS), 6),
            lag_p99=round(self._lag.quantile(0.99, LOOKS), 6),
            memory=resident_bytes(),
        )
        self._before = (now, counters.deliveries, counters.events)
        self._kept.append(sample)
        return sample
