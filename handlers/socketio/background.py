"""Background tasks, which end with their client or hub."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import Disconnected
from .home import running_loop
from .methods import EventMethod

if TYPE_CHECKING:
    from .client import Client
    from .hub import Hub

T = TypeVar("T")


class Background:
    """The tasks of one hub: its own, and those of its clients."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._tasks: dict[Client | None, set[asyncio.Task[Any]]] = {}
        self.closed = False
        """Whether the hub was closed, and has accepted nobody since: nothing may begin."""

    def spawn(self, work: Coroutine[Any, Any, T], owner: Client | None = None) -> asyncio.Task[T]:
        """Run a coroutine until it ends, or its owner does.

        Raises TypeError for what is no coroutine; Disconnected, and closes it, if the client has left; RuntimeError
        likewise if the hub was closed, or in another thread.
        """
        if not inspect.iscoroutine(work):
            raise TypeError(f"spawn needs a coroutine, got {work!r:.80}: write spawn(self.work()), of an async method")
        try:
            self._check(owner)
        except Exception:
            work.close()
            raise
        whose = type(self._hub).__name__ if owner is None else owner.namespace.handler.__name__
        method = EventMethod(f"{whose}.spawn({work.__name__})", self.spawn)
        task = asyncio.get_running_loop().create_task(work, name=method.name)
        self._tasks.setdefault(owner, set()).add(task)
        task.add_done_callback(partial(self._done, owner, method))
        return task

    def _check(self, owner: Client | None) -> None:
        self._hub.home.check()
        if running_loop() is None:
            raise RuntimeError("no event loop runs yet: call spawn in `async def main()`, or in a method of a handler")
        if self.closed:
            raise RuntimeError("the hub is closed: nothing can be spawned that it would have to cancel at once")
        if owner is not None and _has_left(owner):
            raise Disconnected(f"{owner.id} has left: what is to run without it is spawned by the hub, hub.spawn(…)")

    def _done(self, owner: Client | None, method: EventMethod, task: asyncio.Task[Any]) -> None:
        tasks = self._tasks[owner]
        tasks.discard(task)
        if not tasks:
            del self._tasks[owner]
        error = None if task.cancelled() else task.exception()
        # A task that waits for an answer of its client learns so that the client has left.
        is_end = isinstance(error, Disconnected) and owner is not None and _has_left(owner)
        if error is not None and not is_end:
            self._hub.failures.log(method, owner, error)

    def end(self, owner: Client | None) -> None:
        """Cancel the tasks of a client that has left."""
        for task in list(self._tasks.get(owner, ())):
            task.cancel()

    def close(self) -> None:
        """Cancel all tasks, and accept no more."""
        self.closed = True
        for owner in list(self._tasks):
            self.end(owner)


def _has_left(client: Client) -> bool:
    """Return whether the leaving hooks have run; the client may still return."""
    namespace = client.namespace
    return client.left or (client.id in namespace.known and client.id not in namespace.clients)
