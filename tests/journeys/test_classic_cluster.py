"""Boards in a cluster of the classic adapter, over a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from conftest import Server
from redis_server import RedisServer
from test_cluster import Person, health, node, run

from handlers.socketio.cluster import Emitter

pytestmark = pytest.mark.slow


def board(redis: RedisServer, name: str) -> Server:
    return node(redis, name, "--redis-adapter=classic", "--database=:memory:", "--drain=1")


@pytest.fixture(scope="module")
def boards(start: Callable[[Server], Server], redis: RedisServer) -> list[Server]:
    return [start(board(redis, name)) for name in "ab"]


async def meet(*people: Person) -> None:
    """Let all nodes know of all people, by a post of each."""
    for person in people:
        text = f"met {id(person)}"
        await person.post(text)
        for other in people:
            await other.until(lambda other=other, text=text: text in other.posts())
    for person in people:
        person.heard.clear()


async def leave(*people: Person) -> None:
    for person in people:
        await person.client.disconnect()


@pytest.mark.gen_test
async def test_boards_are_one_and_an_emitter_reaches_all(boards: list[Server], redis: RedisServer) -> None:
    ann, bob = await Person().connect(boards[0]), await Person().connect(boards[1])
    await meet(ann, bob)
    await ann.post("from ann")
    await bob.until(lambda: bob.posts() == ["from ann"])
    await bob.post("from bob")
    await ann.until(lambda: ann.posts() == ["from ann", "from bob"])
    with Emitter(redis.url, adapter="classic") as emitter:
        emitter.emit("greeting", "hello")
        for person in (ann, bob):
            await person.until(lambda person=person: ("greeting", "hello") in person.heard)
    with redis.client() as operator:
        assert operator.keys("*") == []
    await bob.client.disconnect()
    await ann.until(lambda: ann.counts()[-1:] == [1])
    await leave(ann)


@pytest.mark.gen_test
async def test_poison_harms_neither_a_board_nor_its_people(boards: list[Server], redis: RedisServer) -> None:
    ann = await Person().connect(boards[0])
    with redis.client() as operator:
        for poison in (b"", b"\xc1", b"\x91" * 2000, b"{", b"\x93\x01", b"[" * 5000):
            operator.publish("socket.io#/#", poison)
            operator.publish("socket.io-request#/#", poison)
            operator.publish("socket.io-nodes", poison)
    with Emitter(redis.url, adapter="classic") as emitter:
        emitter.emit("greeting", "alive")
        await ann.until(lambda: ("greeting", "alive") in ann.heard)
    assert ann.client.connected
    await leave(ann)


@pytest.mark.gen_test
async def test_a_killed_board_s_people_went_home_each_told_once(
    start: Callable[[Server], Server], boards: list[Server], redis: RedisServer
) -> None:
    doomed = start(board(redis, "d"))
    ann, bob = await Person().connect(boards[0]), await Person().connect(boards[1])
    lost = await asyncio.gather(*(Person().connect(doomed) for _ in range(20)))
    await meet(ann, bob, *lost)
    doomed.stop(kill=True)
    for person in (ann, bob):
        await person.until(lambda person=person: len(person.counts()) == 20)
    await ann.post("after they went home")
    await bob.until(bob.posts)
    assert ann.counts() == bob.counts() == [2] * 20
    await leave(ann, bob)


@pytest.mark.gen_test
async def test_while_redis_is_away_each_board_serves_its_own_and_the_rest_is_lost(
    boards: list[Server], redis: RedisServer
) -> None:
    ann, bob = await Person().connect(boards[0]), await Person().connect(boards[1])
    await meet(ann, bob)
    redis.kill()
    for server in boards:
        await server.logged("Redis is away")
    await ann.post("lost for bob")
    await ann.until(lambda: ann.posts() == ["lost for bob"])
    code, body = await health(boards[0])
    assert (code, body["status"]) == (200, "trouble")
    redis.start()
    for server in boards:
        await server.logged("Redis is there")
    await ann.post("after the outage")
    await bob.until(bob.posts)
    assert bob.posts() == ["after the outage"]
    assert "events of other nodes were lost" in (await health(boards[0]))[1]["trouble"][0]
    await leave(ann, bob)


def test_a_prefix_of_a_cluster_of_the_other_kind_ends_the_start_with_one_line(
    boards: list[Server], redis: RedisServer
) -> None:
    ended = run(f"--redis={redis.url}")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "servers with the classic adapter have the prefix 'socket.io': choose" in ended.stderr
    with redis.client() as operator:
        operator.xadd("streams", {"uid": "x"})
    ended = run(f"--redis={redis.url}", "--redis-prefix=streams", "--redis-adapter=classic")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "'streams' is the stream of another cluster: delete it, choose" in ended.stderr


def test_an_unknown_adapter_ends_the_start_with_one_line() -> None:
    ended = run("--redis=redis://localhost", "--redis-adapter=sharded")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "--redis-adapter must be streams or classic, got 'sharded'" in ended.stderr
