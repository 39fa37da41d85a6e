"""Samples of a server, of ten minutes and of a day.

One a second is kept for ten minutes, one a minute for a day.

A sample reads only counters and does not go through the clients, because it is taken even if nobody looks at the page.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from ... import Hub
from ..lag import LoopLag
from ..process import cpu_seconds, resident_bytes

PERIOD = 1.0
"""Seconds between two samples."""
KEPT = 600
"""Number of samples kept."""
MINUTE = 60.0
"""Seconds that one coarse sample stands for."""
MINUTES_KEPT = 1440
"""Number of coarse samples kept."""
LAG_SAMPLES = 100
"""Number of samples of the loop's lag for a quantile: ten seconds if the loop is in time."""
LEFT = ("transport close",)
"""Reasons of connections that clients closed."""
LOST = ("transport error", "ping timeout")
"""Reasons of connections that broke."""


class Sample(NamedTuple):
    """State of a server at one moment, or in one minute.

    Rates are averages since the last sample. Of a minute the lag and the memory are the highest.
    """

    at: float
    """Seconds since 1970."""
    online: float
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
    cpu: float
    """Processors that the process kept busy; 1 is all that one event loop can use."""
    sent: float
    """Bytes sent a second."""
    received: float
    """Bytes received a second."""
    gone_left: float
    """Connections a second that clients closed."""
    gone_lost: float
    """Connections a second that broke."""
    gone_ended: float
    """Connections a second that the server closed, for any of its reasons."""


class Totals(NamedTuple):
    """Counters from whose differences rates are made, in the order of Sample."""

    deliveries: float
    events: float
    cpu: float
    sent: float
    received: float
    gone_left: float
    gone_lost: float
    gone_ended: float


def read_totals(hub: Hub) -> Totals:
    """Return the counters of a hub and its process."""
    counters = hub.counters
    traffic = counters.traffic.values()
    left, lost = (sum(counters.closed[reason] for reason in reasons) for reasons in (LEFT, LOST))
    return Totals(
        deliveries=counters.deliveries,
        events=counters.events,
        cpu=cpu_seconds(),
        sent=sum(one.sent for one in traffic),
        received=sum(one.received for one in traffic),
        gone_left=left,
        gone_lost=lost,
        gone_ended=sum(counters.closed.values()) - left - lost,
    )


def summary(samples: list[Sample]) -> Sample:
    """Return one sample for several.

    It has their means, and of lag and memory the highest.
    """
    means = {name: round(sum(values) / len(values), 3) for name, values in _columns(samples)}
    known = [sample.memory for sample in samples if sample.memory is not None]
    lags = {name: max(getattr(sample, name) for sample in samples) for name in ("lag_p50", "lag_p99")}
    return samples[-1]._replace(**{**means, **lags}, memory=max(known, default=None))


def _columns(samples: list[Sample]) -> Iterator[tuple[str, list[float]]]:
    for name, values in zip(Sample._fields, zip(*samples, strict=True), strict=True):
        if name not in ("at", "memory"):
            yield name, list(values)


class Samples:
    """The last samples of one server, oldest first."""

    def __init__(self, hub: Hub, lag: LoopLag) -> None:
        self._hub = hub
        self._lag = lag
        self._kept: deque[Sample] = deque(maxlen=KEPT)
        self._before: tuple[float, Totals] | None = None
        self._minute: list[Sample] = []
        self._minute_began = 0.0
        self.minutes: deque[Sample] = deque(maxlen=MINUTES_KEPT)
        """The coarse samples of the last day, oldest first."""

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
        totals = read_totals(self._hub)
        before, earlier = self._before or (now, totals)
        elapsed = max(now - before, 1e-9)
        rates = {name: (value - getattr(earlier, name)) / elapsed for name, value in totals._asdict().items()}
        sample = Sample(
            at=round(at, 3),
            online=online,
            lag_p50=round(self._lag.quantile(0.5, LAG_SAMPLES), 6),
            lag_p99=round(self._lag.quantile(0.99, LAG_SAMPLES), 6),
            memory=resident_bytes(),
            **{name: round(rate, 3 if name == "cpu" else 1) for name, rate in rates.items()},
        )
        self._before = (now, totals)
        self._kept.append(sample)
        self._add_to_minute(sample, now)
        return sample

    def _add_to_minute(self, sample: Sample, now: float) -> None:
        if not self._minute:
            self._minute_began = now
        self._minute.append(sample)
        if now + PERIOD - self._minute_began >= MINUTE - PERIOD / 2:  # the next sample is of another minute
            self.minutes.append(summary(self._minute))
            self._minute.clear()
