"""A timer that repeats, by the clock of the loop.

Tornado's PeriodicCallback goes by the time of day: it would rest for an hour where that is set back by an hour.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle, get_running_loop
from collections.abc import Callable


class RepeatingTimer:
    """Calls back again and again, with the interface of Tornado's PeriodicCallback.

    callback: what it raises goes to the loop's exception handler; the timer goes on.
    seconds: from one call to the next.
    """

    def __init__(self, callback: Callable[[], object], seconds: float) -> None:
        self._callback = callback
        self._seconds = seconds
        self._handle: TimerHandle | None = None

    def start(self) -> None:
        """Begin on the running loop."""
        if self._handle is None:
            self._call_later(get_running_loop())

    def stop(self) -> None:
        """Call back no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def is_running(self) -> bool:
        """Whether it was started and not stopped."""
        return self._handle is not None

    def _call_later(self, loop: AbstractEventLoop) -> None:
        self._handle = loop.call_later(self._seconds, self._run, loop)

    def _run(self, loop: AbstractEventLoop) -> None:
        self._call_later(loop)
        self._callback()
