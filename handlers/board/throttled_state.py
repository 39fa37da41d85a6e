"""A throttle for state that changes often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

S = TypeVar("S")


class ThrottledState:
    """Sends a changed state, at most once in `every` seconds."""

    def __init__(self, send: Callable[[Any], object], every: float = 1) -> None:
        self._send = send
        self._every = every
        self._read: Callable[[], Any] | None = None
        self._sent: Any = None
        self._next = 0.0

    def changed(self, read: Callable[[], Any]) -> None:
        """Schedule a read of the state, which may have changed."""
        if self._read is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:  # the server was closed outside its loop: no client is left
                return
            loop.call_at(max(self._next, loop.time()), self._send_changed)
        self._read = read

    def answer(self, state: S) -> S:
        """Return the state to one client.

        Force the next broadcast if it differs.
        """
        if state != self._sent:
            self._sent = None
        return state

    def _send_changed(self) -> None:
        read, self._read = self._read, None
        state = read() if read is not None else self._sent
        if state != self._sent:
            self._next = asyncio.get_running_loop().time() + self._every
            self._sent = state
            self._send(state)
