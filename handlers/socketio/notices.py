"""Warnings about mistakes of an application, each logged once.

What clients send decides when some of them are logged: those are few a minute, so that no client can fill the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable

from .engineio.limits import RateLimit

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
        self._of_clients = RateLimit(MAX_A_MINUTE, 60)

    def warn(self, key: Hashable, text: str, *args: object) -> None:
        """Log a warning, unless one with this key was logged."""
        if key not in self._known:
            self._log(key, text, *args)

    def mention(self, key: Hashable, text: str) -> None:
        """Log, at INFO, what may be a mistake, unless it was logged."""
        if key not in self._known:
            self._log(key, text, level=logging.INFO)

    def warn_of_client(self, key: Hashable, describe: Callable[[], str]) -> None:
        """Log a warning whose key a client has chosen."""
        now = self._clock()
        if key in self._known or self._of_clients.take(now):
            return
        wait = self._of_clients.wait(now)
        more = f" (further warnings about what clients send are left out for {wait:.0f} s)" if wait else ""
        self._log(key, describe() + more)

    def _log(self, key: Hashable, text: str, *args: object, level: int = logging.WARNING) -> None:
        if len(self._known) >= MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[key] = None
        logger.log(level, text, *args)
