"""A server that sends numbers and reports its clients, for fault tests.

It runs in a process of its own.

PORT=0 PING_INTERVAL=0.5 PING_TIMEOUT=3 python tests/support/fault_server.py
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tornado.netutil import bind_sockets
from tornado.web import Application

from handlers.socketio import Hub, SocketIOHandler, event_stream, routes
from handlers.socketio.engineio.http_server import Server
from handlers.socketio.engineio.websocket import protocol
from handlers.socketio.operations.sockets import listening_socket


class StageHandler(SocketIOHandler):
    hub: Hub

    def on_say(self, number: int) -> None:
        self.broadcast("number", number)

    def on_census(self) -> dict[str, int]:
        return {
            "online": self.online,
            "sessions": len(self.hub.sessions),
            "streams": len(self.hub.streams),
            "descriptors": len(list(Path("/dev/fd").iterdir())),
        }

    async def on_until(self, expected: dict[str, int]) -> dict[str, int]:
        """Wait until the census is as expected.

        Descriptors come and go with polls, and may be two more.
        """
        most = expected.pop("descriptors", sys.maxsize - 2) + 2
        while not (expected.items() <= (census := self.on_census()).items() and census["descriptors"] <= most):
            await asyncio.sleep(0.01)
        return census

    def on_jump(self, seconds: float) -> None:
        """Set the clock."""
        clock, clock_ns = time.time, time.time_ns
        time.time = lambda: clock() + seconds
        time.time_ns = lambda: clock_ns() + int(seconds * 1e9)


def make_app(**options: Any) -> Application:
    handler: Any = type("ThisStageHandler", (StageHandler,), {})
    handler.hub = Hub({"/": handler}, **options)
    return Application([*routes(handler.hub), *event_stream(handler.hub)], log_function=lambda _: None)


async def main() -> None:
    protocol.CLOSING = 1.0
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    options = {name: float(os.environ[name.upper()]) for name in ("ping_interval", "ping_timeout")}
    bound = bind_sockets(int(os.environ["PORT"]), "0.0.0.0", backlog=4096)
    sockets = [listening_socket(listening) for listening in bound]
    server = Server(make_app(**options), idle=1)
    server.add_sockets(sockets)
    print(f"Listening on port {sockets[0].getsockname()[1]}...", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
