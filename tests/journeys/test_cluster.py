"""Several boards as one, over a real Redis that fails."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest
from conftest import ROOT, Server
from redis_server import RedisServer
from socketio import AsyncClient
from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("board") / "board.sqlite3"


@pytest.fixture(scope="module")
def nodes(start: Callable[[Server], Server], redis: RedisServer, database: Path) -> list[Server]:
    """Three boards that share a Redis and a file of posts."""
    return [start(node(redis, name, f"--database={database}")) for name in "abc"]


def node(redis: RedisServer, name: str, *options: str) -> Server:
    board = [sys.executable, "server.py", "--address=127.0.0.1", "--port={port}"]
    return Server(*board, f"--redis={redis.url}", f"--node={name}", *options)


DONE_TO_REDIS = [
    "CLIENT KILL TYPE normal",
    "CLIENT KILL TYPE pubsub",
    "CLIENT PAUSE 1500 ALL",
    "XTRIM socket.io MAXLEN 0",
    "FLUSHALL",
]

BROKEN = {
    "no memory": (["CONFIG SET maxmemory 1"], ["CONFIG SET maxmemory 0"], "used memory"),
    "a password": (
        ["CONFIG SET requirepass x", "CLIENT KILL TYPE normal"],
        ["CONFIG SET requirepass "],
        "Authentication",
    ),
    "a key of another type": (["DEL socket.io", "SET socket.io x"], ["DEL socket.io"], "WRONGTYPE"),
    "no right to write": (["REPLICAOF 127.0.0.1 1"], ["REPLICAOF NO ONE"], "read only"),
}
"""What an operator does and takes back, and what is said of it."""


class Person:
    """An official client of the board, which keeps what it hears."""

    def __init__(self) -> None:
        self.client = AsyncClient(reconnection=False)
        self.heard: list[tuple[str, Any]] = []
        self._news = asyncio.Condition()
        self.client.on("*", self._hear)

    async def _hear(self, event: str, *args: Any) -> None:
        async with self._news:
            self.heard.append((event, args[0]))
            self._news.notify_all()

    async def connect(self, server: Server) -> Person:
        await self.client.connect(server.url, transports=["websocket"])
        await self.until(lambda: any(event == "private" for event, _ in self.heard))
        return self

    async def until(self, holds: Callable[[], Any], patience: float = 20) -> None:
        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(holds), patience)
            except asyncio.TimeoutError:
                pytest.fail(f"heard {self.heard}")

    def posts(self) -> list[str]:
        return [data["text"] for event, data in self.heard if event == "post"]

    def named(self) -> list[int]:
        return [len(data["people"]) for event, data in self.heard if event == "here"]

    def counts(self) -> list[int]:
        return [data["count"] for event, data in self.heard if event == "news"]

    async def post(self, text: str) -> int:
        answer = await self.client.call("post", {"text": text, "key": text}, timeout=20)
        id_: int = answer["id"]
        return id_


Connect = Callable[..., Awaitable[list[Person]]]


@pytest.fixture
def connect(io_loop) -> Iterator[Connect]:
    people: list[Person] = []

    async def connect(*servers: Server) -> list[Person]:
        come = [await Person().connect(server) for server in servers]
        people.extend(come)
        return come

    yield connect

    async def leave() -> None:
        for person in people:
            await person.client.disconnect()

    io_loop.run_sync(leave)


async def health(server: Server) -> tuple[int, dict[str, Any]]:
    answer = await AsyncHTTPClient().fetch(f"{server.url}/healthz", raise_error=False)
    return answer.code, json.loads(answer.body)


@pytest.mark.gen_test
async def test_three_boards_are_one(nodes: list[Server], connect: Connect) -> None:
    ann, bob, cid = await connect(*nodes)
    await ann.until(lambda: ann.counts()[-1:] == [3])
    assert ann.counts() == [1, 2, 3]
    assert [person.client.eio.sid[:2] for person in (ann, bob, cid)] == ["a.", "b.", "c."]
    for person, name in ((ann, "Ann"), (bob, "Bob"), (cid, "Cid")):
        await person.client.call("here", {"name": name})
    id_ = await bob.post("hello")
    assert await bob.post("hello") == id_
    assert await cid.post("hello") == id_
    for person in (ann, bob, cid):
        await person.until(
            lambda person=person: any(event == "here" and len(data["people"]) == 3 for event, data in person.heard)
        )
        assert person.posts() == ["hello"]
        history = await person.client.call("history", {})
        assert [post["id"] for post in history["posts"]] == [id_]


@pytest.mark.gen_test
async def test_a_sequence_of_three_speakers_is_the_same_everywhere(nodes: list[Server], connect: Connect) -> None:
    people = await connect(*nodes, *nodes)

    async def speak(person: Person, name: str) -> None:
        for number in range(5):
            await person.post(f"{name} {number}")

    await asyncio.gather(*(speak(person, f"person {index}") for index, person in enumerate(people)))
    for person in people:
        await person.until(lambda person=person: len(person.posts()) == 30)
    assert len({tuple(person.posts()) for person in people}) == 1
    assert len(set(people[0].posts())) == 30


@pytest.mark.gen_test
async def test_a_redis_that_hangs(nodes: list[Server], redis: RedisServer, connect: Connect) -> None:
    ann, bob = await connect(*nodes[:2])
    ann.heard.clear()
    bob.heard.clear()
    redis.pause()
    begun = asyncio.get_running_loop().time()
    await ann.post("while Redis hangs")
    await ann.until(ann.posts)
    assert asyncio.get_running_loop().time() - begun < 2
    await ann.post("and more")
    code, body = await health(nodes[0])
    assert (code, body["status"]) == (200, "trouble")
    assert body["trouble"][0].startswith("Redis is away since")
    assert bob.posts() == []
    redis.go_on()
    await bob.until(lambda: len(bob.posts()) == 2)
    assert bob.posts() == ann.posts() == ["while Redis hangs", "and more"]
    await agreed(nodes, ann, bob)


@pytest.mark.gen_test
async def test_a_redis_that_is_killed_and_comes_back_empty(
    nodes: list[Server], redis: RedisServer, connect: Connect
) -> None:
    ann, bob = await connect(*nodes[:2])
    ann.heard.clear()
    bob.heard.clear()
    redis.kill()
    await ann.post("one")
    await ann.post("two")
    await ann.until(lambda: len(ann.posts()) == 2)
    redis.start()
    await bob.until(lambda: len(bob.posts()) == 2)
    assert bob.posts() == ann.posts() == ["one", "two"]
    await bob.post("three")
    await ann.until(lambda: ann.posts() == ["one", "two", "three"])
    await agreed(nodes, ann, bob)


@pytest.mark.gen_test
@pytest.mark.parametrize("command", DONE_TO_REDIS)
async def test_what_an_operator_does_to_redis_loses_nothing(
    nodes: list[Server], redis: RedisServer, connect: Connect, command: str
) -> None:
    ann, bob = await connect(*nodes[:2])
    ann.heard.clear()
    bob.heard.clear()
    with redis.client() as operator:
        await ann.post(f"before {command}")
        await bob.until(bob.posts)
        operator.execute_command(*command.split())
    await ann.post(f"after {command}")
    for person in (ann, bob):
        await person.until(lambda person=person: len(person.posts()) == 2)
        assert person.posts() == [f"before {command}", f"after {command}"]
    await agreed(nodes, ann, bob)


@pytest.mark.gen_test
@pytest.mark.parametrize("what", BROKEN)
async def test_what_breaks_redis_for_a_while_is_over_when_it_is_mended(
    nodes: list[Server], redis: RedisServer, connect: Connect, what: str
) -> None:
    breaking, mending, trouble = BROKEN[what]
    ann, bob = await connect(*nodes[:2])
    ann.heard.clear()
    bob.heard.clear()
    with redis.client() as operator:
        for command in breaking:
            operator.execute_command(*command.split(" "))
        await ann.post(f"with {what}")
        await ann.until(ann.posts)
        while not any(trouble in line for line in (await health(nodes[0]))[1]["trouble"]):
            await asyncio.sleep(0.02)
        assert bob.posts() == []
        for command in mending:
            operator.execute_command(*command.split(" "))
    await bob.until(bob.posts)
    await bob.post(f"after {what}")
    await ann.until(lambda: len(ann.posts()) == 2)
    assert ann.posts() == bob.posts() == [f"with {what}", f"after {what}"]
    await agreed(nodes, ann, bob)


async def agreed(nodes: list[Server], *people: Person) -> None:
    """Wait until all nodes are in the cluster, and know all people."""
    for person in people:
        while (await person.client.call("here", {}, timeout=20))["online"] != len(people):
            await asyncio.sleep(0.02)
    for server in nodes:
        while any("is away" in line for line in (await health(server))[1]["trouble"]):
            await asyncio.sleep(0.02)


async def gaps(server: Server) -> str:
    text = (await AsyncHTTPClient().fetch(f"{server.url}/metrics")).body.decode()
    return "".join(re.findall(r"^socketio_\w*gaps_total .*", text, re.MULTILINE))


@pytest.mark.gen_test
async def test_a_redis_that_is_killed_and_comes_back_with_its_data(
    nodes: list[Server], redis: RedisServer, connect: Connect
) -> None:
    (ann,) = await connect(nodes[0])
    guest = await Returning().connect(nodes[0])
    with redis.client() as operator:
        operator.config_set("appendfsync", "always")
        operator.config_set("appendonly", "yes")
        while operator.info("persistence")["aof_rewrite_in_progress"]:
            await asyncio.sleep(0.02)
    await ann.post("before")
    await guest.until(1)
    await guest.drop()
    before = [await gaps(server) for server in nodes]
    redis.kill()
    await ann.post("meanwhile")
    redis.start("--appendonly", "yes")
    await agreed(nodes, ann)
    await ann.post("after")
    await guest.connect(nodes[1])
    await guest.until(3)
    assert (guest.recovered, guest.posts) == (True, ["before", "meanwhile", "after"])
    assert [await gaps(server) for server in nodes] == before != ["", "", ""]
    await guest.drop()


@pytest.mark.gen_test
async def test_a_killed_board_s_people_went_home_each_told_once(
    start: Callable[[Server], Server], redis: RedisServer, nodes: list[Server], connect: Connect
) -> None:
    doomed = start(node(redis, "d", "--database=:memory:"))
    ann, bob = await connect(*nodes[:2])
    await connect(*[doomed] * 20)
    for person in (ann, bob):
        await person.until(lambda person=person: person.counts()[-1:] == [22])
    ann.heard.clear()
    bob.heard.clear()
    doomed.stop(kill=True)
    begun = asyncio.get_running_loop().time()
    for person in (ann, bob):
        await person.until(lambda person=person: len(person.counts()) == 20)
    assert asyncio.get_running_loop().time() - begun < 10
    assert ann.counts() == bob.counts() == [2] * 20
    assert {data["msg"] for event, data in ann.heard if event == "news"} == {"Someone went home"}


@pytest.mark.gen_test
async def test_a_board_that_ends_in_peace_tells_of_each_of_its_people(
    start: Callable[[Server], Server], redis: RedisServer, nodes: list[Server], connect: Connect
) -> None:
    ending = start(node(redis, "e", "--database=:memory:", "--drain=1"))
    (ann,) = await connect(nodes[0])
    await connect(*[ending] * 3)
    await ann.until(lambda: ann.counts()[-1:] == [4])
    ann.heard.clear()
    ending.stop()
    await ann.until(lambda: len(ann.counts()) == 3)
    assert sorted(ann.counts()) == [1, 2, 3]


def run(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "server.py", "--address=127.0.0.1", "--port=0", "--database=:memory:", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, env={"PATH": "", **env})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--redis=localhost"], "--redis must be redis://"),
        (["--redis=http://localhost"], "--redis must be redis://"),
        (["--redis=redis://localhost:port"], "the port must be a number"),
        (["--redis=redis://localhost/board"], "the path must be the number of a database"),
        (["--redis=unix://"], "write the path of the socket"),
        (["--redis=redis+sentinel://host:x/name"], "write redis+sentinel://"),
        (["--redis=@/no/such/file"], "the file cannot be read"),
        (["--redis=redis://:secret@localhost:port/"], "redis://***@localhost"),
        (["--redis-emitters"], "--redis-emitters needs --redis=redis://host:6379/0"),
        (["--redis=redis://localhost", "--node=a-b"], "--node must be 1 to 8 letters and digits"),
    ],
)
def test_a_wrong_option_ends_the_start_with_one_line(options: list[str], said: str) -> None:
    ended = run(*options)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert said in ended.stderr
    assert "secret" not in ended.stderr


def test_a_redis_that_refuses_a_board_ends_its_start_with_one_line(tmp_path: Path) -> None:
    redis = RedisServer(tmp_path)
    redis.start("--requirepass", "secret")
    try:
        for url, said in (
            (redis.url, "Authentication required"),
            (f"unix://:wrong@{redis.path}", "invalid username-password"),
        ):
            ended = run(f"--redis={url}")
            assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
            assert said in ended.stderr
            assert "wrong@" not in ended.stderr
        assert "ssl_ca_certs" in run(f"--redis={redis.url}?ssl_ca_certs=x").stderr.splitlines()[-1]
        with redis.client(password="secret") as operator:
            operator.acl_setuser("board", True, passwords=["+p"], keys=["*"], categories=["+@all"], channels=["a*"])
        ended = run(f"--redis=unix://board:p@{redis.path}", "--redis-prefix=a", "--redis-emitters")
        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
        assert "no permissions to" in ended.stderr
        with redis.client(password="secret") as operator:
            operator.set("socket.io", "no stream")
        ended = run(REDIS_URL=f"unix://:secret@{redis.path}")
        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
        assert "is a string and no stream" in ended.stderr
        assert "secret" not in ended.stderr
    finally:
        redis.kill()


def test_a_database_of_a_newer_server_ends_the_start_with_one_line(redis: RedisServer, tmp_path: Path) -> None:
    file = tmp_path / "newer.sqlite3"
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA user_version = 99")
    ended = run(f"--redis={redis.url}", f"--database={file}")
    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False)
    assert f"--database={file}: the database has version 99" in ended.stderr


@pytest.mark.gen_test
async def test_the_rights_of_the_documentation_are_enough(
    start: Callable[[Server], Server], tmp_path: Path, connect: Connect
) -> None:
    page = (ROOT / "docs" / "scaling.md").read_text()
    (rights,) = re.findall(r"^```\nuser board on >password (.*?)^```", page, re.MULTILINE | re.DOTALL)
    redis = RedisServer(tmp_path)
    redis.start()
    try:
        with redis.client() as operator:
            operator.execute_command("ACL", "SETUSER", "board", "on", ">password", *rights.split())
        url = f"unix://board:password@{redis.path}"
        board = [sys.executable, "server.py", "--address=127.0.0.1", "--port={port}", "--database=:memory:"]
        one, other = start(Server(*board, REDIS_URL=url)), start(Server(*board, REDIS_URL=url))
        ann, bob = await connect(one, other)
        await ann.post("hello")
        await bob.until(bob.posts)
        guest = await Returning().connect(one)
        await guest.read()
        await guest.drop()
        await guest.connect(other)
        assert guest.recovered
        await guest.drop()
        assert (await health(one))[1]["status"] == (await health(other))[1]["status"] == "ok"
        answer = await AsyncHTTPClient().fetch(f"{one.url}/metrics")
        assert b"socketio_cluster_nodes 2\n" in answer.body
        for server in (one, other):
            await asyncio.to_thread(server.stop)
    finally:
        redis.kill()


class OldRedis(StreamRequestHandler):
    """A Redis of before 6.2, as far as a node asks it."""

    hello = b""
    """Its answer to HELLO."""

    def handle(self) -> None:
        while number := self.rfile.readline():
            words = [(self.rfile.readline(), self.rfile.readline())[1].strip() for _ in range(int(number[1:]))]
            answer = self.hello if words[0] == b"HELLO" else b"+PONG" if words[0] == b"PING" else b"+OK"
            self.wfile.write(answer + b"\r\n")


@pytest.mark.parametrize(
    ("hello", "version"),
    [
        (b"-ERR unknown command `HELLO`, with args beginning with: ", "5"),
        (b"*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n6.0.16", "6.0.16"),
    ],
)
def test_an_old_redis_is_named(hello: bytes, version: str) -> None:
    with ThreadingTCPServer(("127.0.0.1", 0), type("Old", (OldRedis,), {"hello": hello})) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        ended = run(f"--redis=redis://127.0.0.1:{server.server_address[1]}")
        server.shutdown()
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert f"Redis {version} is too old: install 6.2 or later" in ended.stderr


def test_a_name_in_use_is_refused(nodes: list[Server], redis: RedisServer) -> None:
    ended = run(f"--redis={redis.url}", "--node=a")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "a node of this name is running" in ended.stderr


@pytest.mark.parametrize("package", ["redis", "msgpack"])
def test_a_missing_package_is_named(package: str, tmp_path: Path) -> None:
    (tmp_path / f"{package}.py").write_text("raise ImportError")
    ended = run("--redis=redis://localhost", PYTHONPATH=str(tmp_path))
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "pip install 'tornado-socketio[redis]'" in ended.stderr


@pytest.mark.gen_test
async def test_without_a_redis_a_board_starts_alone_and_joins_when_it_is_there(
    start: Callable[[Server], Server], tmp_path: Path, connect: Connect
) -> None:
    redis = RedisServer(tmp_path)
    board = start(node(redis, "a", "--database=:memory:"))
    (ann,) = await connect(board)
    await ann.post("alone")
    await ann.until(ann.posts)
    assert (await health(board))[1]["status"] == "trouble"
    redis.start()
    try:
        await board.logged("Redis is there")
        assert (await health(board))[1]["trouble"] == []
        with redis.client() as operator:
            while not any(b'"alone"' in fields[b"data"] for _, fields in operator.xrange("socket.io")):
                await asyncio.sleep(0.02)
    finally:
        board.send_signal(signal.SIGTERM)
        redis.kill()


class Returning:
    """A client that takes part in recovery, on a WebSocket."""

    def __init__(self) -> None:
        self.place: dict[str, Any] = {"recovery": True}
        self.id = ""
        self.posts: list[str] = []
        self.recovered = False
        self._socket: WebSocketClientConnection | None = None

    async def connect(self, server: Server) -> Returning:
        """Connect, and read until the server has answered."""
        url = server.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
        await self.drop()
        self._socket = await websocket_connect(url)
        await self._socket.read_message()
        await self._socket.write_message(f"40{json.dumps(self.place)}")
        before, self.id = self.id, ""
        while not self.id:
            await self.read()
        self.recovered = before == self.id
        return self

    async def read(self) -> None:
        """Read the next packet."""
        assert self._socket is not None
        packet = await asyncio.wait_for(self._socket.read_message(), 20)
        assert isinstance(packet, str), "the connection was closed"
        if packet.startswith("40"):
            answer = json.loads(packet[2:])
            self.id, self.place["pid"] = answer["sid"], answer["pid"]
        elif packet.startswith("42"):
            event, *args, self.place["offset"] = json.loads(packet[2:])
            if event == "post":
                self.posts.append(args[0]["text"])

    async def until(self, number: int) -> None:
        while len(self.posts) < number:
            await self.read()

    async def drop(self) -> None:
        """Close the connection, and wait until it is closed."""
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()
            while await socket.read_message() is not None:
                pass


@pytest.mark.gen_test
async def test_people_come_back_to_another_board_after_one_that_ends_in_peace(
    start: Callable[[Server], Server], redis: RedisServer, nodes: list[Server], connect: Connect
) -> None:
    ending = start(node(redis, "g", "--database=:memory:", "--drain=1"))
    (ann,) = await connect(nodes[0])
    guest = await Returning().connect(ending)
    await ann.post("before the end")
    await guest.until(1)
    await asyncio.to_thread(ending.stop)
    await ann.post("after the end")
    await guest.connect(nodes[1])
    await guest.until(2)
    assert (guest.recovered, guest.posts) == (True, ["before the end", "after the end"])
    await guest.drop()
