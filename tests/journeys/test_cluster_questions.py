"""Questions of two nodes and a server of Node's, over Redis."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import JS, ROOT, Server
from redis_server import RedisServer
from socketio import AsyncClient

from handlers.socketio import Hub, SocketIOHandler
from handlers.socketio.cluster import join_cluster
from handlers.socketio.testing import connect

pytestmark = pytest.mark.slow
KINDS = ["ours", "other", "theirs"]


@pytest.fixture(scope="module", params=["streams", "classic"])
def adapter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def servers(start: Callable[[Server], Server], redis: RedisServer, node: str, adapter: str) -> list[Server]:
    """Two nodes of ours, `a` and `b`, and a server of Node's."""
    classic = ["classic"] if adapter == "classic" else []
    ours = [sys.executable, ROOT / "tests" / "support" / "cluster_server.py", redis.url, *classic]
    commands = [[*ours, "a"], [*ours, "b"], [node, JS / "cluster.mjs", Path(redis.path), *classic]]
    return [start(Server(*command)) for command in commands]


class Guest:
    """A client with a name, which answers questions."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.client = AsyncClient(reconnection=False)
        self.client.on("question", lambda text: f"{name} says {text}")

    @property
    def id(self) -> str:
        id_ = self.client.get_sid()
        assert id_ is not None
        return id_

    async def ask(self, event: str, *args: Any) -> Any:
        """Let its server do something, and return the answer."""
        return await self.client.call(event, args or None, timeout=20)


@pytest.fixture
def guests(io_loop, servers: list[Server]) -> Iterator[list[Guest]]:
    """A client of each server."""
    guests = [Guest(name) for name in KINDS]

    async def come() -> None:
        for guest, server in zip(guests, servers, strict=True):
            await guest.client.connect(server.url, transports=["websocket"], auth={"name": guest.name})

    async def leave() -> None:
        for guest in guests:
            await guest.client.disconnect()

    io_loop.run_sync(come)
    yield guests
    io_loop.run_sync(leave)


ASKED_BY = pytest.mark.parametrize("asker", [0, 2], ids=["ours", "theirs"])


@ASKED_BY
@pytest.mark.gen_test
async def test_clients_of_all_servers_acknowledge(guests: list[Guest], asker: int) -> None:
    assert sorted(await guests[asker].ask("ask")) == ["other says x", "ours says x", "theirs says x"]
    for guest in guests:
        assert await guests[asker].ask("ask one", guest.id) == f"{guest.name} says one"


@ASKED_BY
@pytest.mark.gen_test
async def test_clients_of_all_servers_are_fetched(guests: list[Guest], asker: int, adapter: str) -> None:
    for guest in guests:
        await guests[asker].client.emit("enter", (guest.id, "red"))
    expected = {guest.id: ({guest.id, "red"}, {"name": guest.name}) for guest in guests}
    found: dict[str, Any] = {}
    while found != expected:  # a question may overtake a broadcast on its way to Node's server
        found = {id_: (set(rooms), shown) for id_, rooms, shown in await guests[asker].ask("fetch")}
        assert found.keys() == expected.keys()
    for guest in guests:
        assert await guests[asker].ask("fetch auth", guest.id) == {"name": guest.name}
    if adapter == "classic":
        assert set(await guests[2].ask("rooms")) == {"red", *expected}


@ASKED_BY
@pytest.mark.gen_test
async def test_servers_answer_each_other(guests: list[Guest], asker: int, adapter: str) -> None:
    before = [len(await guest.ask("noted")) for guest in guests]
    await guests[asker].client.emit("note", ("hello", b"\x01", {"a": 1}))
    assert await guests[asker].ask("sum") == [3, 3]
    noted = [(await guest.ask("noted"))[number:] for guest, number in zip(guests, before, strict=True)]
    # With the classic adapter Node's servers write JSON, which has no bytes.
    one = {"type": "Buffer", "data": [1]} if adapter == "classic" and asker == 2 else b"\x01"
    said = [["hello", one, {"a": 1}]]
    assert noted == [[] if number == asker else said for number in range(3)]


@pytest.mark.gen_test
@pytest.mark.parametrize("emitters", [False, True])
async def test_a_namespace_by_expression_is_asked_on_all_nodes_while_it_is_in_use(
    redis: RedisServer, emitters: bool
) -> None:
    hubs = [Hub({re.compile("/game-[0-9]+"): SocketIOHandler}) for _ in range(2)]
    nodes = [
        await join_cluster(hub, redis.url, prefix="games", node=name) for hub, name in zip(hubs, "cd", strict=True)
    ]
    try:
        ann, bob = [await connect(hub, "/game-1") for hub in hubs]
        for hub in hubs:
            while hub.online("/game-1") < 2:
                await asyncio.sleep(0.01)
            found = await hub.of("/game-1").fetch()
            assert ({client.id for client in found}, found.missing) == ({ann.id, bob.id}, [])
        assert [client.id for client in await hubs[0].of("/game-1").to(bob.id).fetch()] == [bob.id]
        assert await hubs[0].of("/game-2").fetch() == []
        with redis.client() as operator:
            assert len(operator.pubsub_channels("games#/game-1#*")) == 3
            ann.disconnect()
            bob.disconnect()
            while operator.pubsub_channels("games#/game-1#*"):
                await asyncio.sleep(0.05)
            assert len(operator.pubsub_channels("games#/#*")) == 3
        assert [node.cluster.dropped for node in nodes] == [{}, {}]
    finally:
        for node in nodes:
            await node.leave()
    with redis.client() as operator:
        while operator.pubsub_channels("games*"):
            await asyncio.sleep(0.02)


@pytest.mark.gen_test
async def test_a_node_that_hangs_is_named_and_fails_nothing(guests: list[Guest], servers: list[Server]) -> None:
    servers[1].send_signal(signal.SIGSTOP)
    try:
        assert await guests[0].ask("missing", 0.5) == [["b"], ["b"], ["b"], 2, 2, 1]
    finally:
        servers[1].send_signal(signal.SIGCONT)
    assert await guests[1].ask("missing", 5) == [[], [], [], 3, 3, 2]
