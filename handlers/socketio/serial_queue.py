"""A queue that runs one client's handlers one by one, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

Job = Callable[..., "Awaitable[None] | None"]
"""Finishes at once and returns None, or returns an awaitable that finishes the work. It raises nothing."""


class SerialQueue:
    """A queue of jobs, of which one runs at a time.

    running: mapping in which running tasks register this queue (shared by all queues). An idle queue has no task.
    """

    __slots__ = ("_running", "_waiting", "busy")

    def __init__(self, running: dict[asyncio.Future[None], SerialQueue]) -> None:
        self.busy = False
        """Whether a job runs."""
        self._waiting: deque[tuple[Job, tuple[Any, ...]]] | None = None
        self._running = running

    def take(self, job: Job, *args: Any) -> None:
        """Run a job now, or after the jobs before it."""
        if self.busy:
            self._waiting = self._waiting or deque()
            self._waiting.append((job, args))
        else:
            self.busy = True
            pending = job(*args)
            if pending is None and self._waiting is None:
                self.busy = False
            else:
                self._go_on(pending)

    @property
    def waiting(self) -> int:
        """Number of jobs that have not started."""
        return len(self._waiting or ())

    def clear(self) -> None:
        """Drop the jobs that have not started."""
        if self._waiting is not None:
            self._waiting.clear()

    def _go_on(self, pending: Awaitable[None] | None) -> None:
        while pending is None:
            if not self._waiting:
                self.busy, self._waiting = False, None
                return
            job, args = self._waiting.popleft()
            pending = job(*args)
        job_running = asyncio.ensure_future(pending)
        self._running[job_running] = self
        job_running.add_done_callback(self._done)

    def _done(self, job_running: asyncio.Future[None]) -> None:
        self._running.pop(job_running, None)
        self._go_on(None)
