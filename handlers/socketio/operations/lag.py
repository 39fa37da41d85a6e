"""How late the event loop is: what a callback that is due has to wait for, because another one takes its time.

Each client feels it with each message. Times are seconds; the loop's own timers are up to a millisecond late.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import deque
from itertools import islice

PERIOD = 0.1
"""Seconds from one look to the next."""
RECENT = 600
"""How many looks `quantile` tells of: a minute, where the loop is in time."""
BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class LoopLag:
    """A histogram of how late the loop was, from `start` on."""

    def __init__(self) -> None:
        self.sum = 0.0
        self._counts = [0] * (len(BOUNDS) + 1)
        self._recent: deque[float] = deque(maxlen=RECENT)

    def start(self) -> None:
        """Begin to look, on the loop that is running."""
        self._loop = asyncio.get_running_loop()
        self._expect()

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def observe(self, late: float) -> None:
        """Take note of one look."""
        self.sum += late
        self._counts[bisect_left(BOUNDS, late)] += 1
        self._recent.append(late)

    @property
    def buckets(self) -> list[tuple[float, int]]:
        """How many looks found the loop at most so late, for each bound; the last bound is infinite."""
        total, buckets = 0, []
        for bound, count in zip((*BOUNDS, float("inf")), self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        return buckets

    def quantile(self, share: float, looks: int = RECENT) -> float:
        """How late the loop was at most in this share of the last `looks`, RECENT at most; 0 before the first."""
        ordered = sorted(islice(reversed(self._recent), looks))
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0

    def _expect(self) -> None:
        self._due = self._loop.time() + PERIOD
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        self.observe(max(0.0, self._loop.time() - self._due))
        self._expect()
