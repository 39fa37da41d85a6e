"""The log of what an application's methods raise.

Clients decide how often a method fails: the same failure is logged a few times a minute, so that none can fill the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import Any

from .methods import EventMethod

logger = logging.getLogger(__name__)

MAX_A_MINUTE = 10
"""How often the same failure is logged: the same exception, raised at the same line."""
MAX_KNOWN = 1000
"""Failures that are counted; beyond, the oldest is forgotten."""


class Failures:
    """The failures of one hub's methods. clock: returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: dict[Hashable, tuple[float, int]] = {}
        self.tell: Callable[[Any, BaseException], None] | None = None
        """Called with each failure for a client: the test kit raises it in the test."""

    def log(self, method: EventMethod, client: object | None, error: BaseException) -> None:
        """Log what a method raised, with the traceback.

        client: the one that it was called for; None: the hub's own work.
        """
        if self.tell is not None and client is not None:
            self.tell(client, error)
        number, left_out = self._count((method.name, type(error), _place_of(error)))
        if number > MAX_A_MINUTE:
            return
        more = "" if number < MAX_A_MINUTE else "; more of this minute are left out"
        more += f"; {left_out} of earlier minutes were left out" if left_out else ""
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

    def _count(self, failure: Hashable) -> tuple[int, int]:
        """Return the number of this minute, and those left out before."""
        now = self._clock()
        began, number = self._counts.pop(failure, (now, 0))
        left_out = 0
        if now - began >= 60:
            began, number, left_out = now, 0, max(0, number - MAX_A_MINUTE)
        if len(self._counts) >= MAX_KNOWN:
            del self._counts[next(iter(self._counts))]
        self._counts[failure] = began, number + 1
        return number + 1, left_out


def _place_of(error: BaseException) -> tuple[str, int]:
    """Return the file and line that raised an error."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return ("", 0) if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
