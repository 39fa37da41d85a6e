"""Nodes that end, are killed, or hang, over a real Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cluster_guest import Guest
from conftest import JS, ROOT, Server
from redis_server import RedisServer
from socketio import AsyncClient

pytestmark = pytest.mark.slow

CAME, LEFT = "One more person is online", "Someone went home"


def board(redis: RedisServer, name: str, *options: str) -> Server:
    command = [sys.executable, "server.py", "--address=127.0.0.1", "--port={port}", "--database=:memory:"]
    return Server(*command, f"--redis={redis.url}", "--redis-prefix=board", f"--node={name}", *options)


@pytest.fixture(scope="module")
def nodes(start: Callable[[Server], Server], redis: RedisServer) -> list[Server]:
    """Two nodes that stay."""
    return [start(board(redis, name)) for name in "ab"]


@asynccontextmanager
async def guests(*servers: Server) -> AsyncIterator[list[Guest]]:
    """Clients of these servers, which disconnect in the end."""
    come = [await Guest().connect(server) for server in servers]
    try:
        yield come
    finally:
        await asyncio.gather(*(guest.drop() for guest in come))


# -- a node that ends


@pytest.mark.gen_test
async def test_a_client_of_a_node_with_a_state_file_misses_nothing_on_its_way_there_and_back(
    start: Callable[[Server], Server], redis: RedisServer, nodes: list[Server], tmp_path: Path
) -> None:
    restarted = start(board(redis, "r", "--drain=1", f"--state={tmp_path / 'state'}"))
    async with guests(nodes[0], restarted) as (ann, bob):
        await ann.post("before")
        await bob.until(lambda: bob.posts)
        await asyncio.to_thread(restarted.stop)
        await ann.post("while the node is down")
        await bob.connect(nodes[1])
        assert bob.recovered
        await ann.post("while the client is elsewhere")
        await bob.drop()
        await ann.post("while the client is away")
        await asyncio.to_thread(restarted.start)
        await bob.connect(restarted)
        await ann.post("after")
        await bob.until(lambda: "after" in bob.posts)
        assert (bob.recovered, bob.posts) == (True, ann.posts)


@pytest.mark.gen_test
async def test_a_node_that_ends_announces_nobody_who_comes_back_in_the_grace_time(
    start: Callable[[Server], Server], redis: RedisServer
) -> None:
    # In a cluster of their own, because clients count as online after the test.
    options = ("--redis-prefix=grace", "--presence-grace=30", "--drain=1")
    staying, ending = (start(board(redis, name, *options)) for name in "se")
    async with guests(staying, ending, ending) as (ann, bob, cid):
        await ann.until(lambda: ann.news[-1:] == [(CAME, 3)])
        told = list(ann.news)
        await asyncio.to_thread(ending.stop)
        for guest in (bob, cid):
            await guest.connect(staying)
            assert guest.recovered
        await ann.post("all are here")
        assert ann.news == told


# -- a node that is killed, or hangs

LOST = 300
"""How many clients the killed node has."""


def plain_node(redis: RedisServer, name: str) -> Server:
    return Server(sys.executable, ROOT / "tests" / "support" / "cluster_server.py", redis.url, name, "patient")


@pytest.fixture(scope="module")
def plain_nodes(start: Callable[[Server], Server], redis: RedisServer) -> list[Server]:
    """Two nodes that do what their clients say."""
    return [start(plain_node(redis, name)) for name in "xy"]


@pytest.mark.gen_test
async def test_each_client_of_a_killed_node_is_told_of_once_and_comes_back_with_all_it_missed(
    start: Callable[[Server], Server], redis: RedisServer, plain_nodes: list[Server]
) -> None:
    doomed = start(plain_node(redis, "d"))
    async with guests(*plain_nodes) as watchers, guests(*[doomed] * LOST) as lost:
        ids = {guest.id for guest in lost}
        ann, bob = watchers
        for watcher in watchers:
            await watcher.emit("enter", watcher.id, "watchers")
        await ann.shout("before")
        for guest in lost[::2]:  # the others have not received it yet
            await guest.until(lambda guest=guest: guest.heard)
        doomed.send_signal(signal.SIGKILL)
        for watcher in watchers:
            await watcher.until(lambda watcher=watcher: len(watcher.named("lost")) == LOST)
            assert {id_ for id_, _ in watcher.named("lost")} == ids
            assert {count for _, count in watcher.named("lost")} == {2}
        await ann.shout("meanwhile")
        await asyncio.gather(*(guest.drop() for guest in lost))
        await asyncio.gather(*(guest.connect(plain_nodes[index % 2]) for index, guest in enumerate(lost)))
        await bob.shout("after")
        for guest in lost:
            await guest.until(lambda guest=guest: ["after"] in guest.named("said"))
            assert guest.recovered
            assert guest.heard == [("said", ["before"]), ("said", ["meanwhile"]), ("said", ["after"])]
        for watcher in watchers:
            await watcher.until(lambda watcher=watcher: ["after"] in watcher.named("said"))
            assert len(watcher.named("lost")) == LOST


@pytest.mark.gen_test
async def test_a_node_that_hangs_is_gone_and_is_right_again_when_it_goes_on(
    start: Callable[[Server], Server], redis: RedisServer, nodes: list[Server]
) -> None:
    hanging = start(board(redis, "h"))
    async with guests(*nodes, hanging) as (ann, bob, cid):
        for guest in (ann, bob, cid):  # what each node has written before is read by all, then
            await guest.post(f"{guest.id} is here")
        for watcher in (ann, bob):
            await watcher.until(lambda watcher=watcher: len(watcher.posts) == 3)
            await watcher.here()
            assert watcher.online == 3
            watcher.heard.clear()
        cid.heard.clear()
        hanging.send_signal(signal.SIGSTOP)
        for watcher in (ann, bob):
            await watcher.until(lambda watcher=watcher: watcher.news and watcher.online == 2)
            assert watcher.news == [(LEFT, 2)]
        await ann.post("while a node hangs")
        hanging.send_signal(signal.SIGCONT)
        await hanging.logged("took this one for gone")
        for watcher in (ann, bob):
            await watcher.until(lambda watcher=watcher: watcher.online == 3)
        await cid.until(lambda: cid.posts)
        await cid.here()
        await cid.until(lambda: cid.online == 3)
        await bob.post("afterwards")
        for watcher in (ann, bob, cid):
            await watcher.until(lambda watcher=watcher: len(watcher.posts) == 2)
            assert watcher.posts == ["while a node hangs", "afterwards"]
        assert ann.news == bob.news == [(LEFT, 2)]
        await asyncio.to_thread(hanging.stop, kill=True)
        for watcher in (ann, bob):
            await watcher.until(lambda watcher=watcher: len(watcher.news) == 2)
            assert watcher.news[1:] == [(LEFT, 2)]


# -- one sequence

EVENTS = int(os.environ.get("CLUSTER_EVENTS", "2100"))
"""How many events three nodes have to put in one order; by hand, 10,000."""


async def listen(server: Server) -> tuple[AsyncClient, list[list[Any]]]:
    """Connect python-socketio's client, and return it with all that it will hear."""
    client, heard = AsyncClient(reconnection=False), []
    client.on("said", lambda *args: heard.append([*args]))
    await client.connect(server.url, transports=["websocket"])
    return client, heard


@pytest.mark.gen_test
async def test_official_clients_of_two_kinds_hear_one_sequence_at_three_nodes(
    start: Callable[[Server], Server], redis: RedisServer, plain_nodes: list[Server], node: str
) -> None:
    servers = [*plain_nodes, start(plain_node(redis, "z"))]
    shouts = -(-EVENTS // 6)
    command = [node, JS / "shouts.mjs", str(shouts), str(6 * shouts), *(server.url for server in servers)]
    pipes: dict[str, Any] = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "limit": 1 << 24}
    script = await asyncio.create_subprocess_exec(*command, **pipes)
    assert script.stdin is not None
    assert script.stdout is not None
    ours = [await listen(server) for server in servers]
    assert await script.stdout.readline() == b"ready\n"
    script.stdin.write(b"go\n")
    for count in range(shouts):
        for who, (client, _) in enumerate(ours):
            await client.emit("shout", (f"py {who}", count))
    theirs = json.loads(await script.stdout.readline())
    assert await script.wait() == 0
    while not all(len(heard) == 6 * shouts for _, heard in ours):
        await asyncio.sleep(0.01)
    for client, _ in ours:
        await client.disconnect()
    first, *others = [*theirs, *(heard for _, heard in ours)]
    assert all(other == first for other in others)
    for who in ("js 0", "js 1", "js 2", "py 0", "py 1", "py 2"):
        assert [count for speaker, count in first if speaker == who] == list(range(shouts))
