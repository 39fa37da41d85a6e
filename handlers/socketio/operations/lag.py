"""Lag of the event loop.

How late callbacks run, because another one takes long.

Each message of each client waits that long. Times are seconds; timers of the loop itself are up to 1 ms late.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import deque
from itertools import accumulate, islice

PERIOD = 0.1
"""Seconds between two samples."""
RECENT = 600
"""Samples that `quantile` can go back: one minute if the loop is in time."""
BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class LoopLag:
    """Histogram of the loop's lag since `start`."""

    def __init__(self) -> None:
        self.sum = 0.0
        self._counts = [0] * (len(BOUNDS) + 1)
        self._recent: deque[float] = deque(maxlen=RECENT)

    def start(self) -> None:
        """Start to take samples on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._expect()

    def observe(self, late: float) -> None:
        """Add one sample, in seconds."""
        self.sum += late
        self._counts[bisect_left(BOUNDS, late)] += 1
        self._recent.append(late)

    @property
    def buckets(self) -> list[tuple[float, int]]:
        """Cumulative counts: (upper bound in seconds, samples up to it).

        The last bound is infinite.
        """
        return list(zip((*BOUNDS, float("inf")), accumulate(self._counts), strict=True))

    def quantile(self, share: float, samples: int = RECENT) -> float:
        """Return the lag that this share of samples did not exceed.

        share: from 0 to 1. samples: at most RECENT. Before the first sample the lag is 0.
        """
        ordered = sorted(islice(reversed(self._recent), samples))
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0

    def _expect(self) -> None:
        self._due = self._loop.time() + PERIOD
        self._loop.call_at(self._due, self._sample)

    def _sample(self) -> None:
        self.observe(max(0.0, self._loop.time() - self._due))
        self._expect()
