"""A repeating timer on the loop's monotonic clock.

Tornado's PeriodicCallback uses the time of day: if that is set back by an hour, it pauses for an hour.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle, get_running_loop
from collections.abc import Callable


class RepeatingTimer:
    """Calls a function periodically; has the interface of Tornado's PeriodicCallback.

    callback: its exceptions go to the loop's exception handler; the timer continues.
    seconds: time between two calls.
    """

    def __init__(self, callback: Callable[[], object], seconds: float) -> None:
        self._callback = callback
        self._seconds = seconds
        self._handle: TimerHandle | None = None

    def start(self) -> None:
        """Start on the running loop."""
        if self._handle is None:
            self._call_later(get_running_loop())

    def stop(self) -> None:
        """Stop the calls."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def is_running(self) -> bool:
        """Return whether the timer is started and not stopped."""
        return self._handle is not None

    def _call_later(self, loop: AbstractEventLoop) -> None:
        self._handle = loop.call_later(self._seconds, self._run, loop)

    def _run(self, loop: AbstractEventLoop) -> None:
        self._call_later(loop)
        self._callback()
