"""Nodes that end, are killed, or hang, over a real Redis."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cluster_guest import Guest
from conftest import Server
from redis_server import RedisServer

pytestmark = pytest.mark.slow


def node(redis: RedisServer, name: str, *options: str) -> Server:
    board = [sys.executable, "server.py", "--address=127.0.0.1", "--port={port}", "--database=:memory:"]
    return Server(*board, f"--redis={redis.url}", f"--node={name}", *options)


@pytest.fixture(scope="module")
def nodes(start: Callable[[Server], Server], redis: RedisServer) -> list[Server]:
    """Two nodes that stay."""
    return [start(node(redis, name)) for name in "ab"]


@asynccontextmanager
async def guests(*servers: Server) -> AsyncIterator[list[Guest]]:
    """Clients of these servers, which disconnect in the end."""
    come = [await Guest().connect(server) for server in servers]
    try:
        yield come
    finally:
        for guest in come:
            await guest.drop()


# -- a node that ends


@pytest.mark.gen_test(timeout=60)
async def test_a_client_of_a_node_with_a_state_file_misses_nothing_on_its_way_there_and_back(
    start: Callable[[Server], Server], redis: RedisServer, nodes: list[Server], tmp_path: Path
) -> None:
    restarted = start(node(redis, "r", "--drain=1", f"--state={tmp_path / 'state'}"))
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


@pytest.mark.gen_test(timeout=60)
async def test_a_node_that_ends_announces_nobody_who_comes_back_in_the_grace_time(
    start: Callable[[Server], Server], redis: RedisServer
) -> None:
    staying, ending = (start(node(redis, name, "--presence-grace=30", "--drain=1")) for name in "se")
    async with guests(staying, ending, ending) as (ann, bob, cid):
        await ann.until(lambda: ann.news[-1:] == [("One more person is online", 3)])
        told = list(ann.news)
        await asyncio.to_thread(ending.stop)
        for guest in (bob, cid):
            await guest.connect(staying)
            assert guest.recovered
        await ann.post("all are here")
        assert ann.news == told
