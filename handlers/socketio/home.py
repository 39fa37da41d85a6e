"""Where a hub runs: its process, thread and event loop."""

from __future__ import annotations

import logging
import os
from asyncio import AbstractEventLoop, get_running_loop
from threading import current_thread, get_ident

from tornado.process import task_id

logger = logging.getLogger(__name__)


class Home:
    """The process that made a hub, and the thread that started it."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._thread = 0
        self._loop: AbstractEventLoop | None = None

    def settle(self) -> None:
        """Remember the calling thread and its loop; warn after a fork."""
        self._thread, self._loop = get_ident(), running_loop()
        if task_id() is not None or os.getpid() != self._process:
            logger.warning(
                "process %d serves this hub beside others, by a fork: the clients of one do not hear what is said in "
                "another, and cannot poll there. Serve with one process (no fork_processes, and server.start() without "
                "a number): several need a backplane, which shares what is said", os.getpid(),
            )  # fmt: skip

    @property
    def is_elsewhere(self) -> bool:
        """Whether another loop runs here than the hub was started on."""
        return self._loop is not None and running_loop() is not self._loop

    def check(self) -> None:
        """Raise RuntimeError outside the hub's thread and loop."""
        here = running_loop()
        if here is self._loop or self._thread == 0:
            return
        same_thread = get_ident() == self._thread
        if here is not None or not same_thread:
            where = "on another event loop" if same_thread else f"in another thread than {current_thread().name}"
            raise RuntimeError(
                f"the hub runs {where}: write hub.threadsafe.of(…).emit(…), .enter, .leave or .disconnect, "
                "which may be called from anywhere; an answer is that of "
                "asyncio.run_coroutine_threadsafe(…, loop).result(), whose coroutine may use all of the hub"
            )


def running_loop() -> AbstractEventLoop | None:
    """Return the loop that runs in this thread; None if none does."""
    try:
        return get_running_loop()
    except RuntimeError:
        return None
