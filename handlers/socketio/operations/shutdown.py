"""Graceful shutdown: close sessions in stages, wait for handlers.

Stages keep ten thousand clients from reconnecting at once. Sessions with a running handler are closed last, so that
their clients still get the answer if there is time.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import threading
from collections.abc import Collection
from weakref import WeakKeyDictionary, WeakSet

from tornado.httpserver import HTTPServer

from .. import Hub

STAGE = 50
"""Minimum number of sessions to close at once."""
PAUSES = 20
"""Maximum number of stages in the time that there is."""
PARTING = 0.8
"""Share of the time for closing sessions; the rest is for handlers to finish."""
CANCELLING = 1.0
"""Seconds that a cancelled handler has to finish."""

logger = logging.getLogger(__name__)

_events: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakSet[asyncio.Event]] = WeakKeyDictionary()
"""The shutdown events of each loop, because a loop has one handler of a signal."""


def shutdown_event() -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set.

    A signal sets all such events of the loop, and one after that ends the process. Raises RuntimeError in a thread that
    gets no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("only the main thread gets signals: call asyncio.run(main()) there")
    loop, shutdown = asyncio.get_running_loop(), asyncio.Event()
    events = _events.setdefault(loop, WeakSet())
    events.add(shutdown)

    def on_signal(number: signal.Signals) -> None:
        if all(event.is_set() for event in events):
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
            # For process 1, as in a container, the kernel has no default action.
            os._exit(128 + number)
        for event in events:
            event.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    return shutdown


async def drain(server: HTTPServer, hub: Hub, seconds: float, *, may_return: bool) -> None:
    """Stop accepting, close sessions in stages, wait for handlers.

    seconds: time for all of this; handlers that still run then are cancelled.
    may_return: whether sessions can be recovered on the next server; otherwise all clients are announced as gone. In a
    cluster they can, on any node.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    hub.draining = True
    server.stop()
    await close_sessions(hub, PARTING * seconds)
    if not (may_return or hub.backplane.keeps_sessions):
        hub.recovery.announce_all()
    await wait_for_handlers(hub.running, end - loop.time())
    await server.close_all_connections()


async def close_sessions(hub: Hub, seconds: float) -> None:
    """Close all sessions in stages within this time.

    Busy ones when their handler ends.
    """
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + seconds, seconds / PAUSES
    while hub.sessions and (left := end - loop.time()) > 0:
        number = max(STAGE, math.ceil(len(hub.sessions) / max(1, round(left / pause))))
        hub.close_idle(number)
        if hub.sessions:
            await asyncio.sleep(min(pause, left))
    hub.close()


async def wait_for_handlers(running: Collection[asyncio.Future[None]], seconds: float) -> None:
    """Wait for running handlers, and cancel those that take longer than this."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while running and (left := end - loop.time()) > 0:
        await asyncio.wait(running, timeout=left)
    if running:
        logger.warning("%d handlers did not finish in time, cancelled: a longer drain waits for them", len(running))
        for handler in running:
            handler.cancel()
        await asyncio.wait(running, timeout=CANCELLING)
