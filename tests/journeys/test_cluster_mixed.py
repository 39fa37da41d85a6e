"""A node of ours and a server of Node's in one cluster."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import JS, ROOT, Server
from redis_server import RedisServer
from socketio import AsyncClient

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["streams", "classic"])
def servers(
    start: Callable[[Server], Server], redis: RedisServer, node: str, request: pytest.FixtureRequest
) -> dict[str, Server]:
    """One of ours and one of Node's, with each adapter."""
    adapter = [] if request.param == "streams" else [request.param]
    ours = [sys.executable, ROOT / "tests" / "support" / "cluster_server.py", redis.url]
    return {
        "ours": start(Server(*ours, *adapter)),
        "theirs": start(Server(node, JS / "cluster.mjs", Path(redis.path), *adapter)),
    }


class Guest:
    """A client that takes part in no recovery."""

    def __init__(self) -> None:
        self.client = AsyncClient(reconnection=False)
        self.said: list[Any] = []
        self._news = asyncio.Event()
        self.client.on("said", self._hear)
        self.client.on("disconnect", self._news.set)

    @property
    def id(self) -> str:
        id_ = self.client.get_sid()
        assert id_ is not None
        return id_

    def _hear(self, *args: Any) -> None:
        self.said.append(self._without_offset(list(args)))
        self._news.set()

    @staticmethod
    def _without_offset(args: list[Any]) -> list[Any]:
        """Return arguments without the offset that Node sends to all."""
        return args[:-1] if args and isinstance(args[-1], str) and args[-1].count("-") == 1 else args

    async def connect(self, server: Server) -> Guest:
        await self.client.connect(server.url, transports=["websocket"])
        return self

    async def until(self, holds: Callable[[], Any]) -> None:
        async def wait() -> None:
            while not holds():
                self._news.clear()
                await self._news.wait()

        try:
            await asyncio.wait_for(wait(), 20)
        except asyncio.TimeoutError:
            pytest.fail(f"heard {self.said}")


@pytest.fixture
def guests(io_loop, servers: dict[str, Server]) -> Iterator[tuple[Guest, Guest]]:
    """A client of ours and one of Node's server."""
    ours, theirs = Guest(), Guest()

    async def come() -> None:
        await ours.connect(servers["ours"])
        await theirs.connect(servers["theirs"])

    async def leave() -> None:
        for guest in (ours, theirs):
            await guest.client.disconnect()

    io_loop.run_sync(come)
    yield ours, theirs
    io_loop.run_sync(leave)


DIRECTIONS = pytest.mark.parametrize("speaks", [0, 1], ids=["ours to theirs", "theirs to ours"])
VALUES = [1, "é€😀", {"a": [None, True, 1.5]}, [], 2**40, -1, ""]


@DIRECTIONS
@pytest.mark.gen_test
async def test_events_reach_the_clients_of_both(guests: tuple[Guest, Guest], speaks: int) -> None:
    speaker, listener = guests[speaks], guests[1 - speaks]
    await speaker.client.emit("shout", tuple(VALUES))
    await speaker.client.emit("shout", (b"\x01\x02", {"b": b"\x00" * 10}))
    await speaker.client.emit("others", "others")
    await speaker.client.emit("tell", (listener.id, "to one"))
    await speaker.client.emit("except", (speaker.id, "except one"))
    await listener.until(lambda: len(listener.said) == 5)
    await speaker.until(lambda: len(speaker.said) == 2)
    await speaker.client.emit("volatile", "volatile")
    await listener.until(lambda: len(listener.said) == 6)
    await speaker.until(lambda: len(speaker.said) == 3)
    both = [VALUES, [b"\x01\x02", {"b": b"\x00" * 10}]]
    assert listener.said == [*both, ["others"], ["to one"], ["except one"], ["volatile"]]
    assert speaker.said == [*both, ["volatile"]]


@DIRECTIONS
@pytest.mark.gen_test
async def test_rooms_of_both_are_entered_left_and_sent_away(guests: tuple[Guest, Guest], speaks: int) -> None:
    speaker, listener = guests[speaks], guests[1 - speaks]
    await speaker.client.emit("enter", (listener.id, "red"))
    await speaker.client.emit("tell", ("red", "in the room"))
    await listener.until(lambda: listener.said)
    await speaker.client.emit("leave", (listener.id, "red"))
    await speaker.client.emit("tell", ("red", "to nobody"))
    await speaker.client.emit("shout", "to all")
    await listener.until(lambda: len(listener.said) == 2)
    await speaker.until(lambda: speaker.said)
    assert listener.said == [["in the room"], ["to all"]]
    assert speaker.said == [["to all"]]
    await speaker.client.emit("kick", listener.id)
    await listener.until(lambda: not listener.client.connected)
