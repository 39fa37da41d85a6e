"""How many packets one client may send: a bucket of tokens that fills again, second by second.

Whoever has none left is not listened to for a moment, and its own socket holds back the rest. Nobody else waits.
"""

from __future__ import annotations

from collections.abc import Callable

BURST = 2
"""Seconds of allowance that a bucket holds."""
MIN_PAUSE = 0.05
"""Seconds for which a client is not listened to, at least: pauses cost, too."""
CALM = 1.0
"""Seconds without a pause, after which a client counts as one that keeps to its allowance again."""
PATIENCE = 10.0
"""Seconds for which a client may ask too much."""


class Allowance:
    """The bucket of one client. `rate`: packets a second."""

    __slots__ = ("_at", "_paused_until", "_rate", "_since", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = BURST * rate
        self._at = self._since = now
        self._paused_until = now - CALM

    def spend(self, clock: Callable[[], float]) -> float:
        """Count one packet; return the seconds to wait before the next. The clock is looked at only if need be."""
        self._tokens -= 1
        if self._tokens >= 0:
            return 0.0
        now = clock()
        # Whoever asks on meanwhile does not have to wait longer for it.
        self._tokens = max(-1.0, min(BURST * self._rate, self._tokens + (now - self._at) * self._rate))
        self._at = now
        if self._tokens >= 0:
            return 0.0
        if now - self._paused_until >= CALM:
            self._since = now
        pause = max(MIN_PAUSE, -self._tokens / self._rate)
        self._paused_until = now + pause
        return pause

    @property
    def exhausted(self) -> bool:
        """Whether the client has asked too much for too long."""
        return self._paused_until - self._since > PATIENCE
