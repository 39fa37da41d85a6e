"""The log of what an application's methods raise.

Clients decide how often a method fails: the same failure is logged a few times a minute, so that none can fill the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import Any

from .engineio.limits import RateLimit
from .methods import EventMethod

logger = logging.getLogger(__name__)

MAX_A_MINUTE = 10
"""How often the same failure is logged, at once and on average: the same exception, raised at the same line."""
MAX_KNOWN = 1000
"""Failures that are counted; beyond, the oldest is forgotten."""


class Repeats(RateLimit):
    """Limits how often a failure is logged, and counts the rest."""

    __slots__ = ("left_out",)

    def __init__(self) -> None:
        super().__init__(MAX_A_MINUTE, 60)
        self.left_out = 0


class Failures:
    """The failures of one hub's methods. clock: returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[Hashable, Repeats] = {}
        self.tell: Callable[[Any, BaseException], None] | None = None
        """Called with each failure for a client: the test kit raises it in the test."""

    def log(self, method: EventMethod, client: object | None, error: BaseException) -> None:
        """Log what a method raised, with the traceback.

        client: the one that it was called for; None: the hub's own work.
        """
        if self.tell is not None and client is not None:
            self.tell(client, error)
        repeats, now = self._repeats_of((method.name, type(error), _place_of(error))), self._clock()
        if repeats.take(now):
            repeats.left_out += 1
            return
        more = f"; {repeats.left_out} more were left out" if repeats.left_out else ""
        wait = repeats.wait(now)
        more += f"; more of the next {wait:.0f} s are left out" if wait else ""
        repeats.left_out = 0
        about = "" if client is None else f" for {client!r}"
        about += "" if method.event is None else f" on {method.event!r:.80}"
        if isinstance(error, asyncio.CancelledError):
            logger.warning("%s was cancelled%s%s", method.name, about, more)
        else:
            logger.error("%s failed%s%s", method.name, about, more, exc_info=error)

    def reject(self, client: object, describe: Callable[[], str]) -> None:
        """Tell the test kit of an event that no method answers."""
        if self.tell is not None:
            self.tell(client, AssertionError(describe()))

    def _repeats_of(self, failure: Hashable) -> Repeats:
        repeats = self._known.pop(failure, None) or Repeats()
        if len(self._known) >= MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[failure] = repeats
        return repeats


def _place_of(error: BaseException) -> tuple[str, int]:
    """Return the file and line that raised an error."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return ("", 0) if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
