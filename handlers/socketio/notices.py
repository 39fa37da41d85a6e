"""Warnings about mistakes of an application, each logged once.

What clients send decides when some of them are logged: those are few a minute, so that no client can fill the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable

logger = logging.getLogger(__name__)

MAX_A_MINUTE = 10
"""Lines a minute that clients can cause."""
MAX_KNOWN = 1000
"""Warnings that are known to have been logged; beyond, the oldest may be logged once more."""


class Notices:
    """The warnings of one hub. clock: returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[Hashable, None] = {}
        self._minute = float("-inf")
        self._left = 0

    def warn(self, key: Hashable, text: str) -> None:
        """Log a warning, unless one with this key was logged."""
        if key not in self._known:
            self._log(key, text)

    def warn_of_client(self, key: Hashable, describe: Callable[[], str]) -> None:
        """Log a warning whose key a client has chosen."""
        if key in self._known or not self._take_turn():
            return
        more = "" if self._left else " (further warnings about what clients send are left out for a minute)"
        self._log(key, describe() + more)

    def _log(self, key: Hashable, text: str) -> None:
        if len(self._known) >= MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[key] = None
        logger.warning("%s", text)

    def _take_turn(self) -> bool:
        now = self._clock()
        if now - self._minute >= 60:
            self._minute, self._left = now, MAX_A_MINUTE
        if not self._left:
            return False
        self._left -= 1
        return True
