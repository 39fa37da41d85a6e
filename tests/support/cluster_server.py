"""A node that does what its clients say: `python cluster_server.py URL`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tornado.web import Application

from handlers.socketio import Hub, SocketIOHandler, routes
from handlers.socketio.cluster import join_cluster
from handlers.socketio.operations import serve


class Told(SocketIOHandler):
    """Does what its client says."""

    remembered = ("color",)

    def on_shout(self, *args: Any) -> None:
        self.broadcast("said", *args)

    def on_others(self, *args: Any) -> None:
        self.others.emit("said", *args)

    def on_tell(self, room: str, *args: Any) -> None:
        self.to(room).emit("said", *args)

    def on_except(self, room: str, *args: Any) -> None:
        self.except_(room).emit("said", *args)

    def on_volatile(self, *args: Any) -> None:
        self.volatile.emit("said", *args)

    def on_enter(self, who: str, room: str) -> None:
        self.to(who).enter(room)

    def on_leave(self, who: str, room: str) -> None:
        self.to(who).leave(room)

    def on_kick(self, who: str) -> None:
        self.to(who).disconnect()


class Joined:
    """Keeps a hub in its cluster."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __aenter__(self) -> None:
        self._node = await join_cluster(self._hub, sys.argv[1], emitters="emitters" in sys.argv)
        if "patient" in sys.argv:  # however busy the machine of the tests is, Redis counts as there
            self._node.cluster.patience = 60

    async def __aexit__(self, *_: object) -> None:
        await self._node.leave()


async def main() -> None:
    hub = Hub({"/": Told})
    await serve(Application(routes(hub)), hub, port=0, address="127.0.0.1", lifespan=Joined(hub), drain=1)


asyncio.run(main())
