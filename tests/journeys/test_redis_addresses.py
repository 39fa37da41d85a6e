"""Redis over TLS and behind sentinels, and mistakes in its address."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cluster_guest import Guest
from conftest import Server
from redis_server import RedisServer
from replicas import PASSWORD, SENTINEL_PASSWORD, Replicas
from service_helpers import complaint, free_port
from tornado.httpclient import AsyncHTTPClient

from handlers.socketio import Hub, SocketIOHandler
from handlers.socketio.cluster import join_cluster

pytestmark = pytest.mark.slow


def board(url: str, name: str) -> Server:
    command = (sys.executable, "server.py", "--address=127.0.0.1", "--port={port}", "--database=:memory:")
    return Server(*command, f"--node={name}", REDIS_URL=url)


def refused(url: str) -> str:
    """Return the one line with which a node does not start."""
    line = complaint(sys.executable, "server.py", "--port=0", "--database=:memory:", "--node=x", REDIS_URL=url)
    assert PASSWORD not in line
    assert SENTINEL_PASSWORD not in line
    return line


async def health(server: Server) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((await AsyncHTTPClient().fetch(f"{server.url}/healthz")).body)
    return body


async def converse(one: Server, other: Server) -> None:
    """Let a post of one node reach the other."""
    ann, bob = await Guest().connect(one), await Guest().connect(other)
    await ann.post("hello")
    await bob.until(lambda: bob.posts == ["hello"])
    assert [(await health(server))["trouble"] for server in (one, other)] == [[], []]
    for guest in (ann, bob):
        await guest.drop()


# -- TLS


class Encrypted:
    """A Redis that has a port with a certificate, and one without."""

    def __init__(self, folder: Path) -> None:
        self.port, self.plain = free_port(), free_port()
        self.authority, self.stranger = folder / "ca.pem", folder / "stranger.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        trustme.CA().cert_pem.write_to_path(self.stranger)
        leaf = authority.issue_cert("127.0.0.1", common_name="the node")
        leaf.private_key_and_cert_chain_pem.write_to_path(folder / "pair.pem")
        self.pair = folder / "pair.pem"
        self._server = RedisServer(folder)

    def start(self) -> None:
        certificates = [f"--tls-{kind}-file" for kind in ("cert", "key", "ca-cert")]
        paths = map(str, (self.pair, self.pair, self.authority))
        pairs = [word for pair in zip(certificates, paths, strict=True) for word in pair]
        ports = ("--port", str(self.plain), "--tls-port", str(self.port))
        self._server.start(*ports, *pairs, "--tls-auth-clients", "optional", "--requirepass", PASSWORD)

    def kill(self) -> None:
        self._server.kill()

    def url(self, query: str, host: str = "127.0.0.1") -> str:
        return f"rediss://default:{PASSWORD}@{host}:{self.port}/1?{query}"


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    redis = Encrypted(tmp_path_factory.mktemp("tls"))
    redis.start()
    yield redis
    redis.kill()


@pytest.mark.gen_test
async def test_nodes_meet_over_tls(start: Callable[[Server], Server], encrypted: Encrypted) -> None:
    trusting = f"ssl_ca_certs={encrypted.authority}"
    own = f"{trusting}&ssl_certfile={encrypted.pair}&ssl_keyfile={encrypted.pair}"
    await converse(start(board(encrypted.url(trusting), "a")), start(board(encrypted.url(own), "b")))


@pytest.mark.parametrize(
    ("query", "host", "said"),
    [
        ("", "127.0.0.1", "self-signed certificate in certificate chain: write"),
        ("ssl_ca_certs={0.stranger}", "127.0.0.1", "?ssl_ca_certs=/ca.pem for a CA of your own"),
        ("ssl_ca_certs={0.authority}", "127.0.0.2", "not valid for '127.0.0.2'"),
        ("ssl_ca_certs=/no/such.pem", "127.0.0.1", "a file that its ssl_… names is missing"),
        ("ssl_ca_certs={0.authority}&ssl_certfile=/no/cert", "127.0.0.1", "a file that its ssl_… names is missing"),
        ("ssl_ca_certs=README.md", "127.0.0.1", "TLS with Redis fails"),
        ("ssl_cert_reqs=perhaps", "127.0.0.1", "perhaps"),
        ("ssl_perhaps=1", "127.0.0.1", "ssl_perhaps"),
    ],
)
def test_a_mistake_about_tls_ends_the_start_with_one_line(
    encrypted: Encrypted, query: str, host: str, said: str
) -> None:
    assert said in refused(encrypted.url(query.format(encrypted), host))


def test_a_wrong_password_over_tls_ends_the_start_with_one_line(encrypted: Encrypted) -> None:
    url = encrypted.url(f"ssl_ca_certs={encrypted.authority}").replace(f":{PASSWORD}@", ":apricot@")
    assert "invalid username-password pair" in refused(url)


def test_options_of_tls_without_tls_are_refused() -> None:
    assert "write rediss://" in refused("redis://127.0.0.1?ssl_cert_reqs=none")


# -- sentinels


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    replicas = Replicas(tmp_path_factory.mktemp("replicas"))
    replicas.start()
    yield replicas
    replicas.stop()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("/1/main", "/1/board"), "the sentinels know no 'board', only: main"),
        (("/1/main", "/99/main"), "DB index is out of range"),
        ((f"?sentinel_password={SENTINEL_PASSWORD}", ""), "a sentinel wants a password: write ?sentinel_password="),
        ((f"={SENTINEL_PASSWORD}", "=wrong"), "a sentinel wants a password"),
        ((f":{PASSWORD}@", ""), "Authentication required"),
        ((f":{PASSWORD}@", "nobody:wrong@"), "invalid username-password pair"),
        (("main?", "main?timeout=1&"), "write redis+sentinel://host1:26379"),
    ],
)
def test_a_mistake_about_sentinels_ends_the_start_with_one_line(
    replicas: Replicas, change: tuple[str, str], said: str
) -> None:
    assert said in refused(replicas.url.replace(*change))


def test_a_node_does_not_start_where_no_sentinel_answers(replicas: Replicas) -> None:
    nowhere = f"redis+sentinel://:{PASSWORD}@127.0.0.1:{free_port()},127.0.0.1:{free_port()}/main"
    assert "no sentinel answers" in refused(nowhere)
    redis = f"redis+sentinel://:{PASSWORD}@127.0.0.1:{replicas.ports[0]}/main"
    assert "a Redis and no sentinel" in refused(f"{redis}?sentinel_password={PASSWORD}")


@pytest.mark.gen_test
async def test_two_nodes_survive_a_failover(start: Callable[[Server], Server], replicas: Replicas) -> None:
    nodes = [start(board(replicas.url, name)) for name in "ab"]
    ann, bob = [await Guest().connect(node) for node in nodes]
    for number in range(2):  # a person may post five times in ten seconds
        await ann.post(f"before {number}")
    await bob.until(lambda: len(bob.posts) == 2)
    with replicas.servers[0].client(password=PASSWORD) as master:
        assert master.wait(1, 20_000) == 1  # the replica has it all
    replicas.servers[0].kill()
    await nodes[0].logged("Redis is away")
    trouble = (await health(nodes[0]))["trouble"]
    assert trouble == [] or "Redis is away since" in trouble[0]
    await ann.post("meanwhile")
    while (await asyncio.to_thread(lambda: replicas.master))["port"] != replicas.ports[1]:
        await asyncio.sleep(0.05)
    await bob.until(lambda: "meanwhile" in bob.posts)
    await bob.post("after")
    await ann.until(lambda: "after" in ann.posts)
    assert ann.posts == bob.posts == ["before 0", "before 1", "meanwhile", "after"]
    for node in nodes:
        await node.logged("Redis is there after")
        assert (await health(node))["trouble"] == []
        assert PASSWORD not in "".join(node.lines)
        assert SENTINEL_PASSWORD not in "".join(node.lines)
    for guest in (ann, bob):
        await guest.drop()


# -- a stream that is empty


@pytest.mark.gen_test
async def test_a_node_that_starts_with_an_empty_stream_knows_no_event_from_before(redis: RedisServer) -> None:
    with redis.client() as operator:
        operator.flushall()
    hub = Hub({"/": SocketIOHandler})
    node = await join_cluster(hub, redis.url)
    try:
        a_second_ago = int((time.time() - 1) * 1000) << 64
        assert node.cluster.journal.missed("/", "id", {}, a_second_ago) is None  # type: ignore[attr-defined]
    finally:
        await node.leave()
        hub.close()
