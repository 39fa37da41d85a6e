"""How often something may happen, and the latest of what changes often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

S = TypeVar("S")


class RateLimit:
    """So many times within so many seconds, whichever seconds these are."""

    def __init__(self, times: int, seconds: float) -> None:
        self.times = times
        self.seconds = seconds
        self._taken: list[float] = []

    def take(self, now: float) -> float:
        """Return 0 where it may happen now, and count that; else how many seconds are to be waited."""
        if len(self._taken) == self.times:
            wait = self._taken[0] + self.seconds - now
            if wait > 0:
                return wait
            del self._taken[0]
        self._taken.append(now)
        return 0


class ThrottledState:
    """Says how something is, at most once within `every` seconds, and only when it has changed."""

    def __init__(self, say: Callable[[Any], None], every: float = 1) -> None:
        self._say = say
        self._every = every
        self._read: Callable[[], Any] | None = None
        self._said: Any = None
        self._next = 0.0

    def changed(self, read: Callable[[], Any]) -> None:
        """Something may have changed: have it read, soon."""
        if self._read is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:  # the server is closed from outside its loop: nobody is left to be told
                return
            loop.call_at(max(self._next, loop.time()), self._pass_on)
        self._read = read

    def answer(self, state: S) -> S:
        """Return what one asks for, apart from the others; what comes next is said even if the others know it."""
        if state != self._said:
            self._said = None
        return state

    def _pass_on(self) -> None:
        read, self._read = self._read, None
        state = read() if read is not None else self._said
        if state != self._said:
            self._next = asyncio.get_running_loop().time() + self._every
            self._said = state
            self._say(state)
