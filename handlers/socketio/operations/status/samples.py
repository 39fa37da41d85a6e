"""Samples of a server, one a second, for the last ten minutes.

A sample reads only counters and does not go through the clients, because it is taken even if nobody looks at the page.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from ... import Hub
from ..lag import LoopLag
from ..process import resident_bytes

PERIOD = 1.0
"""Seconds between two samples."""
KEPT = 600
"""Number of samples kept."""
LAG_SAMPLES = 100
"""Number of samples of the loop's lag for a quantile: ten seconds if the loop is in time."""


class Sample(NamedTuple):
    """State of a server at one moment.

    Rates are averages since the last sample.
    """

    at: float
    """Seconds since 1970."""
    online: int
    """Clients in the default namespace."""
    deliveries: float
    """Messages delivered a second."""
    events: float
    """Events received from clients a second."""
    lag_p50: float
    """Median lag of the event loop, in seconds."""
    lag_p99: float
    """99th percentile of the event loop's lag, in seconds."""
    memory: int | None
    """Bytes of resident memory; None if the system has no /proc."""


class Samples:
    """The last samples of one server, oldest first."""

    def __init__(self, hub: Hub, lag: LoopLag) -> None:
        self._hub = hub
        self._lag = lag
        self._kept: deque[Sample] = deque(maxlen=KEPT)
        self._before: tuple[float, int, int] | None = None

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._kept)

    @property
    def last(self) -> Sample | None:
        """The newest sample; None before the first."""
        return self._kept[-1] if self._kept else None

    def take(self, online: int, now: float, at: float) -> Sample:
        """Take a sample and return it.

        online: clients in the default namespace. now: seconds on a monotonic clock. at: seconds since 1970.
        """
        counters = self._hub.counters
        before, deliveries, events = self._before or (now, counters.deliveries, counters.events)
        elapsed = max(now - before, 1e-9)
        sample = Sample(
            at=round(at, 3),
            online=online,
            deliveries=round((counters.deliveries - deliveries) / elapsed, 1),
            events=round((counters.events - events) / elapsed, 1),
            lag_p50=round(self._lag.quantile(0.5, LAG_SAMPLES), 6),
            lag_p99=round(self._lag.quantile(0.99, LAG_SAMPLES), 6),
            memory=resident_bytes(),
        )
        self._before = (now, counters.deliveries, counters.events)
        self._kept.append(sample)
        return sample
