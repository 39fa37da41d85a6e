"""The end of the process: told by a signal, it parts with its clients so that they come back to the next one.

Nobody is told to stay away, and nobody who waits for an answer is left without while there is time: those with a
handler in flight are parted with last.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal

from tornado.httpserver import HTTPServer

from .. import Hub

STAGE = 50
"""Clients that are parted with at once, where there are no more than can be within the time."""
PAUSES = 20
"""Into how many parts the time is divided, for as many stages at most."""
PARTING = 0.8
"""The part of the time in which clients are parted with; the rest is for what handlers have still to do."""
CANCELLING = 1.0
"""Seconds that a handler has to end that was cancelled."""

logger = logging.getLogger(__name__)


def shutdown_event() -> asyncio.Event:
    """Return what is set by SIGINT or SIGTERM. The second one ends the process at once."""
    told = asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        if told.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
            # Process 1, as in a container, has no default action.
            os._exit(128 + number)
        told.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    return told


async def drain(server: HTTPServer, hub: Hub, seconds: float, *, may_return: bool) -> None:
    """Accept nobody more, part with all clients in stages, and let their handlers end, within this time.

    may_return: whether clients may come back to the next server; otherwise all have left.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    hub.draining = True
    server.stop()
    await close_sessions(hub, PARTING * seconds)
    if not may_return:
        hub.recovery.announce_all()
    await wait_for_handlers(hub.running, end - loop.time())
    await server.close_all_connections()


async def close_sessions(hub: Hub, seconds: float) -> None:
    """Close all sessions in stages, within this time; those that wait for a handler when it has ended."""
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + seconds, seconds / PAUSES
    while hub.sessions and (left := end - loop.time()) > 0:
        number = max(STAGE, math.ceil(len(hub.sessions) / max(1, round(left / pause))))
        # Those who poll come first: their next request may be a new connection, which nobody accepts.
        for session in hub.idle_sessions[:number]:
            hub.end(session, "server shutting down")
        if hub.sessions:
            await asyncio.sleep(min(pause, left))
    hub.close()


async def wait_for_handlers(running: set[asyncio.Future[None]], seconds: float) -> None:
    """Wait for what runs, and cancel what takes longer than this."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while running and (left := end - loop.time()) > 0:
        await asyncio.wait(running, timeout=left)
    if running:
        logger.warning("%d handlers have not ended within --drain, and are cancelled", len(running))
        for handler in running:
            handler.cancel()
        await asyncio.wait(running, timeout=CANCELLING)
