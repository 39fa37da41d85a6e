"""server.py with a namespace that counts aloud.

For tests of its start and its end.

Everyone is told `number`, the id of the process, and a number that grows by one, from its first client until it ends.
Its last words are "counted to" and the last number.

    python tests/support/counting_server.py --port=0 --state=FILE
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tornado.ioloop import PeriodicCallback
from tornado.options import define, options
from tornado.web import Application

import server
from handlers.options import read_options
from handlers.socketio import Hub, SocketIOHandler
from server import NAMESPACES

define("period", default=20, type=int, help="milliseconds from one number to the next")

logger = logging.getLogger(__name__)


class CountingHandler(SocketIOHandler):
    """Remembers a name, and takes its time where it is asked to."""

    remembered: ClassVar = ("name",)
    name = ""

    def on_name(self, name: str) -> None:
        self.name = name

    def on_whoami(self) -> list[Any]:
        return [self.id, self.name, self.recovered, sorted(self.rooms), self.online]

    def on_join(self, room: str) -> None:
        self.enter(room)

    async def on_work(self, seconds: float) -> str:
        logger.info("works")
        await asyncio.sleep(seconds)
        return "done"

    async def on_disconnect(self, reason: str) -> None:
        if self.name:
            await asyncio.sleep(0.1)
            logger.info("%s has left: %s", self.name, reason)


make_board = server.make_app


class Counter:
    """Counts, while there is somebody to hear it."""

    def __init__(self) -> None:
        self.number = 0

    def make_app(self, **settings: Any) -> Application:
        """Make the application of server.py, and begin to count."""
        application = make_board(**settings)
        self.hub: Hub = application.settings["hub"]
        PeriodicCallback(self.count, options.period).start()
        return application

    def count(self) -> None:
        """Say the next number."""
        if "/" in self.hub.namespaces and self.hub.namespaces["/"].known:
            self.number += 1
            self.hub.of("/").emit("number", os.getpid(), self.number)


async def main() -> None:
    """Count until the server ends."""
    counter = Counter()
    server.make_app = counter.make_app  # type: ignore[assignment]
    await server.main()
    print(f"counted to {counter.number}", flush=True)


if __name__ == "__main__":
    NAMESPACES["/"] = CountingHandler  # type: ignore[assignment]
    read_options()
    asyncio.run(main())
