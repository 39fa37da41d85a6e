"""Emitters outside of a cluster, and what its clients hear."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest
from conftest import JS, ROOT, Server
from redis_server import RedisServer
from test_classic_format import POISONS, VECTORS
from test_cluster_mixed import VALUES, Guest

from handlers.socketio.cluster import AsyncEmitter, ClusterError, Emitter

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def servers(start: Callable[[Server], Server], redis: RedisServer, node: str) -> dict[str, Server]:
    """Nodes of both kinds with streams, and a classic one."""
    return {
        "ours": start(Server(sys.executable, ROOT / "tests" / "support" / "cluster_server.py", redis.url, "emitters")),
        "theirs": start(Server(node, JS / "cluster.mjs", Path(redis.path))),
        "classic": start(Server(node, JS / "cluster.mjs", Path(redis.path), "classic")),
    }


@asynccontextmanager
async def guests(*servers: Server) -> AsyncIterator[list[Guest]]:
    come = [await Guest().connect(server) for server in servers]
    yield come
    for guest in come:
        await guest.client.disconnect()


CLUSTERS = pytest.mark.parametrize(
    ("adapter", "prefix", "names"),
    [("streams", "socket.io", ["ours", "theirs"]), ("classic", "classic", ["classic", "classic"])],
)


@CLUSTERS
@pytest.mark.gen_test
async def test_an_emitter_does_with_all_clients_what_an_audience_does(
    servers: dict[str, Server], redis: RedisServer, adapter: str, prefix: str, names: list[str]
) -> None:
    async with guests(*(servers[name] for name in names)) as (ann, bob):
        with Emitter(redis.url, adapter=adapter, prefix=prefix) as emitter:
            emitter.emit("said", *VALUES)
            emitter.emit("said", b"\x01\x02", {"b": b"\x00"})
            emitter.to(ann.id).emit("said", "to ann")
            emitter.except_(ann.id).emit("said", "not to ann")
            emitter.to(ann.id, bob.id).emit("said", "to both")
            emitter.to(bob.id).enter("red")
            emitter.to("red").emit("said", "to red")
            emitter.to("red").leave("red")
            emitter.to("red").emit("said", "to nobody")
            emitter.of("/nowhere").emit("said", "to nobody")
            emitter.emit("said", "end")
            for guest in (ann, bob):
                await guest.until(lambda guest=guest: ["end"] in guest.said)
            emitter.volatile.emit("said", "volatile")
            for guest in (ann, bob):
                await guest.until(lambda guest=guest: ["volatile"] in guest.said)
            emitter.to(bob.id).disconnect()
            await bob.until(lambda: not bob.client.connected)
        values = [VALUES, [b"\x01\x02", {"b": b"\x00"}]]
        assert ann.said == [*values, ["to ann"], ["to both"], ["end"], ["volatile"]]
        assert bob.said == [*values, ["not to ann"], ["to both"], ["to red"], ["end"], ["volatile"]]
        assert ann.client.connected


@CLUSTERS
@pytest.mark.gen_test
async def test_an_async_emitter_does_the_same(
    servers: dict[str, Server], redis: RedisServer, adapter: str, prefix: str, names: list[str]
) -> None:
    async with guests(servers[names[0]]) as (ann,), AsyncEmitter(redis.url, adapter=adapter, prefix=prefix) as emitter:
        await asyncio.gather(*(emitter.emit("said", number) for number in range(20)))
        await ann.until(lambda: len(ann.said) == 20)
        await emitter.to(ann.id).enter("red")
        await emitter.to("red").emit("said", "red")
        await emitter.leave("red")
        await emitter.to("red").emit("said", "nobody")
        await emitter.disconnect(close=True)
        await ann.until(lambda: not ann.client.connected)
        assert sorted(number for (number,) in ann.said[:20]) == list(range(20))
        assert ann.said[20:] == [["red"]]


@pytest.mark.gen_test
async def test_a_streams_cluster_hears_Nodes_emitter(servers: dict[str, Server], redis: RedisServer, node: str) -> None:
    async with guests(servers["ours"], servers["ours"]) as (ann, bob):
        telling = await asyncio.create_subprocess_exec(node, JS / "emitter.mjs", redis.path, ann.id)
        assert await telling.wait() == 0
        await bob.until(lambda: ["end"] in bob.said)
        await ann.until(lambda: not ann.client.connected)
        values = [[1, "é€😀", {"a": [None, True, 1.5]}], [b"\x01\x02", {"b": b"\x03"}, "1970-01-01T00:00:00.001Z"]]
        assert ann.said == [*values, ["to one"], ["to red"], ["to both"], ["end"]]
        assert bob.said == [*values, ["except one"], ["end"]]


@pytest.mark.gen_test
async def test_each_node_hears_the_recorded_emitters_and_goes_on_after_poison(
    servers: dict[str, Server], redis: RedisServer
) -> None:
    emitters = [vector for vector in VECTORS if "emitter" in vector["adapter"] and "isconnect" not in vector["js"]]
    async with guests(servers["ours"]) as (ann,):
        with redis.client() as operator, Emitter(redis.url, adapter="classic") as emitter:
            for vector in emitters:
                for wire in vector["wire"]:
                    operator.publish(wire["PUBLISH"], bytes.fromhex(wire["hex"]) if "hex" in wire else wire["text"])
            for channel, payload in POISONS.values():
                raw = payload if isinstance(payload, bytes) else msgpack.packb(payload)
                operator.publish(channel.encode(errors="surrogateescape"), raw)
            emitter.emit("said", "alive")
            await ann.until(lambda: ann.said)
            assert ann.said == [["alive"]]
            assert ann.client.connected


def test_what_is_written_is_what_the_format_says(redis: RedisServer) -> None:
    with redis.client() as reader, Emitter(redis.url, prefix="other", length=1000) as emitter:
        emitter.of("/admin").to("a").except_("b").volatile.emit("news", 1)
        ((_, fields),) = reader.xrange("other")
        assert fields.pop(b"uid") == emitter._uid.encode()
        assert fields == {
            b"nsp": b"/admin",
            b"type": b"3",
            b"data": b'{"packet":{"type":2,"data":["news",1]},"opts":'
            b'{"rooms":["a"],"except":["b"],"flags":{"volatile":true}}}',
        }


@pytest.mark.parametrize("adapter", ["streams", "classic"])
@pytest.mark.gen_test
async def test_no_rooms_are_nobody_not_everyone(redis: RedisServer, adapter: str) -> None:
    with redis.client() as reader, reader.pubsub() as heard:
        heard.psubscribe("nobody*")
        assert heard.get_message(timeout=5)
        with Emitter(redis.url, adapter=adapter, prefix="nobody") as emitter:
            nobody = emitter.to(*[])
            nobody.emit("news", "a secret")
            nobody.volatile.except_("a").emit("news", "a secret")
            nobody.enter("a")
            nobody.leave("a")
            nobody.disconnect()
        async with AsyncEmitter(redis.url, adapter=adapter, prefix="nobody") as emitter:
            await emitter.to().emit("news", "a secret")
        with Emitter(redis.url, adapter="classic", prefix="nobody") as emitter:
            emitter.to().to("a").emit("news", "this")
        message = heard.get_message(timeout=5)
        assert message is not None
        assert b"this" in message["data"]
        assert reader.exists("nobody") == 0


def test_a_classic_emitter_publishes_and_leaves_nothing(redis: RedisServer) -> None:
    with redis.client() as reader, reader.pubsub() as heard, Emitter(redis.url, adapter="classic", prefix="p") as out:
        heard.psubscribe("p*")
        heard.get_message(timeout=5)
        out.emit("news", 1)
        out.disconnect()
        message, asked = heard.get_message(timeout=5), heard.get_message(timeout=5)
        assert message is not None
        assert asked is not None
        assert message["channel"] == b"p#/#"
        options = {"rooms": [], "except": [], "flags": {}}
        assert msgpack.unpackb(message["data"]) == ["emitter", {"type": 2, "data": ["news", 1], "nsp": "/"}, options]
        assert asked["channel"] == b"p-request#/#"
        assert asked["data"] == b'{"uid":"emitter","type":4,"opts":{"rooms":[],"except":[]},"close":false}'
        assert reader.exists("p") == 0


def test_threads_and_forked_processes_share_an_emitter(redis: RedisServer) -> None:
    code = f"""
import os
from concurrent.futures import ThreadPoolExecutor
from handlers.socketio.cluster import Emitter
emitter = Emitter("{redis.url}", prefix="shared")
emitter.emit("news")
if child := os.fork():
    os.waitpid(child, 0)
with ThreadPoolExecutor(8) as pool:
    list(pool.map(lambda number: emitter.to(str(number)).emit("news", number), range(100)))
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
    with redis.client() as reader:
        assert reader.xlen("shared") == 201


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda one: one.emit(5), "the name of an event must be a text, got 5"),
        (lambda one: one.emit("disconnect"), "'disconnect' is reserved by the protocol"),
        (lambda one: one.emit("news", object()), "args"),
        (lambda one: one.emit("news", room="a"), r"write emitter.to\(room\).emit"),
        (lambda one: one.emit("news", namespace="/a"), r'write emitter.of\("/namespace"\)'),
        (lambda one: one.emit("news", callback=print), "an emitter receives no acknowledgements"),
        (lambda one: one.emit("news", to="a"), r"write emitter.to\(room\)"),
        (lambda one: one.to("a", "b").emit("news", keep=1), "keep=… must be for everyone or one room"),
        (lambda one: one.to(*[]).emit("news", keep=1), "keep=… must be for everyone or one room"),
        (lambda one: one.emit("news", keep=-1), "keep must be a whole number of events, 0 or more"),
        (lambda one: one.emit("news", keep="3"), "keep must be a whole number of events, 0 or more"),
        (lambda one: one.emit("news", keep=10**7), "keep must be 1000000 at most"),
        (lambda one: one.to(["a"]), "the name of a room is a text"),
        (lambda one: one.except_(1), "the name of a room is a text"),
        (lambda one: one.enter(None), "the name of a room is a text"),
        (lambda one: one.leave(7), "the name of a room is a text"),
        (lambda one: one.of("admin"), 'write "/admin"'),
        (lambda one: one.of(None), "must be a text that begins with /"),
        (lambda one: one.of("/a,b"), "leave out the ','"),
        (lambda one: one.to("\ud800").emit("news"), "surrogates not allowed"),
        (lambda one: one.to("\ud800").enter("a"), "surrogates not allowed"),
    ],
)
@pytest.mark.parametrize("adapter", ["streams", "classic"])
def test_a_mistake_says_what_to_write_and_sends_nothing(
    redis: RedisServer, adapter: str, wrong: Callable[[Emitter], None], said: str
) -> None:
    with redis.client() as reader, Emitter(redis.url, adapter=adapter, prefix="mistakes") as emitter:
        with pytest.raises((TypeError, ValueError), match=said):
            wrong(emitter)
        assert reader.exists("mistakes") == 0


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("localhost", {}, "redis must be redis://"),
        ("redis://:secret@localhost:port", {}, r"redis=redis://\*\*\*@localhost:port: the port must be a number"),
        ("@/no/such/file", {}, "the file cannot be read"),
        ("redis://localhost", {"adapter": "sharded"}, "adapter must be 'streams' or 'classic', got 'sharded'"),
        ("redis://localhost", {"length": 0}, "length must be a whole number greater than 0, got 0"),
        ("redis://localhost", {"json_default": 1}, "json_default must be a function"),
    ],
)
def test_a_wrong_option_is_refused_at_once(url: str, options: dict[str, Any], said: str) -> None:
    for kind in (Emitter, AsyncEmitter):
        with pytest.raises((ClusterError, TypeError, ValueError), match=said):
            kind(url, **options)


@pytest.mark.gen_test
async def test_a_redis_that_is_away_refuses_or_hangs_is_an_error_in_words(tmp_path: Path) -> None:
    redis = RedisServer(tmp_path)
    emitter, late = Emitter(redis.url), AsyncEmitter(redis.url)
    for _ in range(2):
        with pytest.raises(ClusterError, match="Redis cannot be reached, or does not answer"):
            emitter.emit("news")
        with pytest.raises(ClusterError, match="Redis cannot be reached, or does not answer"):
            await late.emit("news")
    redis.start("--requirepass", "secret")
    try:
        with pytest.raises(ClusterError, match="Redis wants a password"):
            emitter.emit("news")
        with (
            pytest.raises(ClusterError, match=r"unix://\*\*\*@.*invalid username-password") as failed,
            Emitter(f"unix://:wrong@{redis.path}") as guessing,
        ):
            guessing.emit("news")
        assert ":wrong" not in str(failed.value)
        with redis.client(password="secret") as operator, Emitter(f"unix://:secret@{redis.path}") as known:
            operator.set("socket.io", "no stream")
            with pytest.raises(ClusterError, match=r"'socket\.io' is the key of no stream: choose another prefix"):
                known.emit("news")
            operator.delete("socket.io")
            known.emit("news")
            operator.execute_command("CLIENT", "KILL", "TYPE", "normal")
            known.emit("news")  # an idle connection that Redis has closed is opened again
            redis.pause()
            with pytest.raises(ClusterError, match="does not answer"):
                known.emit("news")
    finally:
        redis.kill()
        emitter.close()
        await late.close()


@pytest.mark.parametrize("package", ["redis", "msgpack"])
def test_a_missing_package_is_named(package: str, tmp_path: Path) -> None:
    (tmp_path / f"{package}.py").write_text("raise ImportError")
    code = "from handlers.socketio.cluster import Emitter; Emitter('redis://localhost')"
    env = {"PATH": "", "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, env=env)
    assert "MissingPackageError" in ended.stderr
    assert "pip install 'tornado-socketio[redis]'" in ended.stderr.splitlines()[-1]
