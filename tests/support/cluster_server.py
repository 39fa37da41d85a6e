"""A node that does what its clients say: `python cluster_server.py URL [NAME]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tornado.web import Application

from handlers.socketio import Hub, SocketIOHandler, event, routes
from handlers.socketio.cluster import join_cluster
from handlers.socketio.operations import serve

WORDS = ("emitters", "patient", "classic")
NAME = "".join(argument for argument in sys.argv[2:] if argument not in WORDS)


class Told(SocketIOHandler):
    """Does what its client says."""

    remembered = ("color",)

    def authenticate(self, auth: dict[str, Any]) -> None:
        if "name" in auth:
            self.shown = {"name": auth["name"]}

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

    async def on_ask(self) -> list[Any]:
        return [*(await self.everyone.call("question", "x", timeout=5)).values()]

    @event("ask one")
    async def on_ask_one(self, id_: str) -> Any:
        return (await self.to(id_).call("question", "one", timeout=5)).popitem()[1]

    async def on_fetch(self) -> list[Any]:
        return [[client.id, [client.id, *client.rooms], client.shown] for client in await self.everyone.fetch()]

    @event("fetch auth")
    async def on_fetch_auth(self, id_: str) -> Any:
        return (await self.to(id_).fetch())[0].auth

    async def on_sum(self) -> list[Any]:
        return [*(await self.settings["hub"].call_nodes("/", "sum", 1, 2)).values()]

    def on_note(self, *args: Any) -> None:
        self.settings["hub"].emit_to_nodes("/", "note", *args)

    def on_noted(self) -> list[Any]:
        return self.settings["noted"]

    async def on_missing(self, seconds: float) -> list[Any]:
        everyone = self.everyone
        fetched, acks = await everyone.fetch(seconds), await everyone.call("question", "x", timeout=seconds)
        answers = await self.settings["hub"].call_nodes("/", "sum", 1, 2, timeout=seconds)
        return [fetched.missing, acks.missing, answers.missing, len(fetched), len(acks), len(answers)]

    @classmethod
    def clients_lost(cls, hub: Hub, namespace: str, ids: list[str]) -> None:
        for id_ in ids:
            hub.of(namespace).to("watchers").emit("lost", id_, hub.online(namespace))

    @classmethod
    def node_event(cls, hub: Hub, namespace: str, event: str, *args: Any) -> Any:
        if event == "sum":
            return sum(args)
        hub.settings["noted"].append(args)
        return None


class Joined:
    """Keeps a hub in its cluster."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __aenter__(self) -> None:
        kind: dict[str, Any] = {}
        if "classic" in sys.argv:
            kind = {"adapter": "classic", "prefix": "classic"}
        elif "patient" in sys.argv:  # a cluster of their own, beside boards that use the same Redis
            kind = {"prefix": "patient"}
        self._node = await join_cluster(self._hub, sys.argv[1], node=NAME, emitters="emitters" in sys.argv, **kind)
        if "patient" in sys.argv:  # however busy the machine of the tests is, Redis counts as there
            self._node.cluster.patience = 60

    async def __aexit__(self, *_: object) -> None:
        await self._node.leave()


async def main() -> None:
    hub = Hub({"/": Told})
    await serve(
        Application(routes(hub), hub=hub, noted=[]), hub, port=0, address="127.0.0.1", lifespan=Joined(hub), drain=1
    )


asyncio.run(main())
