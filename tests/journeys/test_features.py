"""The server's features, as real clients see them.

The clients are the official one, ours, python-socketio's, a reader of the event stream, and one of version 2, which is
refused.

The application is that of `features.py`, in the test's own loop.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import re
import secrets
import shutil
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import feature_server
import pytest
import socketio
from conftest import PATIENCE
from socketio.exceptions import ConnectionError as Unconnected
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets

from handlers.socketio import Hub
from handlers.socketio.engineio.offsets import read_offset
from handlers.socketio.event_stream import EventStream

JS = Path(__file__).parents[1] / "js"

pytestmark = pytest.mark.gen_test


class Served:
    """The application, served."""

    def __init__(self, **options: Any) -> None:
        self.application = feature_server.make_app(**options)
        self.hub: Hub = self.application.settings["hub"]
        (socket,) = bind_sockets(0, "127.0.0.1")
        self.server = HTTPServer(self.application)
        self.server.add_socket(socket)
        self.address = socket.getsockname()[:2]
        self.url = "http://{}:{}".format(*self.address)

    async def close(self) -> None:
        self.application.settings["clock"].stop()
        self.server.stop()
        self.hub.close()
        await self.server.close_all_connections()


@pytest.fixture
def serve(io_loop: IOLoop) -> Iterator[Callable[..., Served]]:
    """Serves the application, until the test ends."""
    served: list[Served] = []

    def serve(**options: Any) -> Served:
        async def start() -> Served:
            return Served(**options)

        served.append(Served(**options) if io_loop.asyncio_loop.is_running() else io_loop.run_sync(start))
        return served[-1]

    yield serve
    for each in served:
        io_loop.run_sync(each.close)


# ---- JavaScript clients


@pytest.mark.gen_test
async def test_javascript_clients_see_every_feature(serve):
    node = shutil.which("node")
    assert node, "Node.js is missing: `make test` installs it"
    command = [node, "--test", "--test-reporter=spec", "features.test.mjs"]
    env = {**os.environ, "SERVER_URL": serve().url}
    process = await asyncio.create_subprocess_exec(*command, cwd=JS, env=env, stdout=PIPE, stderr=PIPE)
    try:
        output, errors = await asyncio.wait_for(process.communicate(), 4 * PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    report = output.decode()
    count = {name: int(number) for name, number in re.findall(r"^ℹ (\w+) (\d+)$", report, re.MULTILINE)}
    failures = report[max(0, report.find("✖ failing tests")) :][-20_000:]
    assert process.returncode == 0, f"{failures}\n{errors.decode()}"
    assert count["pass"] > 0
    assert (count["fail"], count["skipped"], count["cancelled"]) == (0, 0, 0), failures


# ---- Python's client

TRANSPORTS = [
    pytest.param(None, id="polling-then-websocket"),
    pytest.param(["websocket"], id="websocket"),
    pytest.param(["polling"], id="polling"),
]


def stage() -> str:
    """A namespace that nobody else is in."""
    return f"/stage-{secrets.token_hex(8)}"


class Client:
    """python-socketio's client in one namespace, with words for tests."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.sio = socketio.AsyncClient(
            reconnection_delay=0.02, reconnection_delay_max=0.05, randomization_factor=0, handle_sigint=False
        )

    @property
    def id(self) -> str:
        return self.sio.get_sid(self.namespace)

    async def connect(self, url: str, transports: list[str] | None = None, **options: Any) -> None:
        await self.sio.connect(url, transports=transports, namespaces=[self.namespace], **options)

    def record(self, event: str) -> list[Any]:
        """Return a list that the arguments of each such event come into."""
        values: list[Any] = []
        self.sio.on(event, lambda *args: values.append(args[0] if len(args) == 1 else args), self.namespace)
        return values

    def heard(self, event: str) -> asyncio.Future[tuple[Any, ...]]:
        """Return the arguments of the next such event, to be awaited."""
        come = asyncio.get_running_loop().create_future()
        self.sio.on(event, lambda *args: come.done() or come.set_result(args), self.namespace)
        return asyncio.ensure_future(asyncio.wait_for(come, PATIENCE))

    async def call(self, event: str, *args: Any) -> Any:
        return await self.sio.call(event, args, self.namespace, timeout=PATIENCE)

    async def emit(self, event: str, *args: Any) -> None:
        await self.sio.emit(event, args, self.namespace)


Connect = Callable[..., Any]


@pytest.fixture(params=TRANSPORTS)
def connect(request: pytest.FixtureRequest, io_loop: IOLoop, serve: Callable[..., Served]) -> Iterator[Connect]:
    """Connects clients to one server, over each transport.

    They leave when the test ends.
    """
    clients: list[Client] = []
    served = serve()

    async def connect(number: int = 1, namespace: str | None = None, **options: Any) -> list[Client]:
        arrived = []
        namespace = namespace or stage()
        for _ in range(number):
            client = Client(namespace)
            clients.append(client)
            await client.connect(served.url, request.param, **options)
            arrived.append(client)
        return arrived

    connect.served = served  # type: ignore[attr-defined]
    yield connect
    for client in clients:
        io_loop.run_sync(client.sio.shutdown)


async def settled(*clients: Client) -> None:
    """Wait until all earlier messages to these clients are handled."""
    for client in clients:
        await client.call("echo")
    await asyncio.gather(*(task for task in asyncio.all_tasks() if "_handle_event" in repr(task.get_coro())))


async def test_python_clients_hear_their_rooms_and_nobody_elses(connect):
    ann, bob, eve = await connect(3)
    told = [client.record("told") for client in (ann, bob, eve)]
    assert await ann.call("enter", "a", "b") == ["a", "b"]
    assert await bob.call("enter", "b") == ["b"]
    await eve.call("say", [["to", "a"]], "told", 1)
    await eve.call("say", [["to", "a", "b", ann.id]], "told", 2)
    await eve.call("say", [["except_", "a"], ["to", "b"]], "told", 3)
    await eve.call("say", [["others"]], "told", 4)
    assert await bob.call("leave", "b") == []
    await eve.call("say", [["to", "b", eve.id]], "told", 5)
    await settled(ann, bob, eve)
    assert told == [[1, 2, 4, 5], [2, 3, 4], [5]]


async def test_a_python_client_is_called_and_answers_or_not(connect):
    ann, bob = await connect(2)
    ann.sio.on("who", lambda: ("Ann", 1), ann.namespace)
    assert await ann.call("ask", 10, "who") == {"answer": ["Ann", 1], "pending": 0}
    answers = await bob.call("ask_many", 0.1, [["to", ann.id]], "who")
    assert answers == {"answers": {ann.id: ["Ann", 1]}, "missing": []}
    release = asyncio.Event()
    bob.sio.on("slow question", release.wait, bob.namespace)
    late = await bob.call("ask", 0.02, "slow question")
    release.set()
    assert late == {"timeout": f"{bob.id} did not answer 'slow question' within 0.02 s", "pending": 0}


async def test_a_python_client_is_refused_with_data(connect):
    served = connect.served
    client = Client(stage())
    refusal = client.heard("connect_error")
    with pytest.raises(Unconnected):
        await client.connect(served.url, auth={"refuse": 1})
    assert await refusal == ({"message": "Not you", "data": {"code": 7, "auth": {"refuse": 1}}},)
    await client.sio.shutdown()


async def test_an_event_of_a_python_client_is_refused_in_its_answer(connect):
    (ann,) = await connect()
    refusal = {"message": "Not that", "data": {"event": "forbidden", "args": [1]}}
    assert await ann.call("forbidden", 1) == refusal
    assert (await ann.call("forbidden_later"))["message"] == "Not that either"
    assert await ann.call("anything else", 1) == {"any": ["anything else", 1]}


async def test_handlers_of_a_python_client_run_one_after_the_other(connect):
    ann, bob = await connect(2)
    await ann.emit("slow", "slow")
    quick = asyncio.ensure_future(ann.call("quick one", "quick"))
    await bob.call("open_gate")
    assert await quick == ["slow begins", "slow ends", "quick"]


async def test_a_python_client_in_two_namespaces_has_two_states(connect):
    ann = Client(stage())
    other = stage()
    try:
        await ann.sio.connect(connect.served.url, namespaces=[ann.namespace, other])
        await ann.call("set", "Ann's")
        assert await ann.sio.call("get", namespace=other) == [None]
        assert await ann.call("get") == ["Ann's"]
        assert (await ann.call("whoami"))["match"] == [ann.namespace.removeprefix("/stage-")]
    finally:
        await ann.sio.shutdown()


async def test_a_python_client_is_sent_away(connect):
    ann, friend = await connect(2)
    await ann.call("enter", "lobby")
    id_ = ann.id
    leaving, left, gone = friend.heard("leaving"), friend.heard("left"), ann.heard("disconnect")
    await ann.emit("kick", [])
    await gone
    assert await leaving == (id_, "server namespace disconnect", ["lobby"])
    assert await left == (id_, "server namespace disconnect", 1)
    await asyncio.wait_for(ann.sio.wait(), PATIENCE)
    assert not ann.sio.connected


async def test_a_python_client_that_comes_late_is_sent_what_was_kept(connect):
    (ann,) = await connect()
    for number in range(4):
        await ann.call("keep", 2, [], "history", number)
    await ann.call("keep", 1, [["to", "lobby"]], "topic", "tea")
    bob = Client(ann.namespace)
    history, topics = bob.record("history"), bob.record("topic")
    try:
        await bob.connect(connect.served.url)
        await settled(bob)
        assert (history, topics) == ([2, 3], [])
        await bob.call("enter", "lobby")
        await settled(bob)
        assert topics == ["tea"]
    finally:
        await bob.sio.shutdown()


async def test_python_clients_hear_what_is_said_from_outside(connect):
    ann, bob = await connect(2)
    hub = connect.served.hub
    told = [client.record("told") for client in (ann, bob)]
    hub.of(ann.namespace).emit("told", {"n": 1})
    await asyncio.to_thread(hub.threadsafe.of(ann.namespace).except_(bob.id).emit, "told", {"n": 2})
    hub.of(ann.namespace).to(bob.id).emit("told", b"\x03")
    await settled(ann, bob)
    assert told == [[{"n": 1}, {"n": 2}], [{"n": 1}, b"\x03"]]
    ann.sio.on("who", lambda: "Ann", ann.namespace)
    answers = await hub.of(ann.namespace).to(ann.id).call("who", timeout=PATIENCE)
    assert (answers, answers.missing) == ({ann.id: "Ann"}, [])


async def test_limits_are_told_to_python_clients(connect):
    (ann,) = await connect()
    await ann.call("enter", *(f"room {number}" for number in range(1000)))
    assert await ann.call("enter", "one more") == {"message": "One can be in 1000 rooms at most"}
    assert (await ann.call("enter", "x" * 201))["message"].startswith("The name of a room has 200 characters")
    assert await ann.call("echo", [bytes([n]) for n in range(10)]) == [bytes([n]) for n in range(10)]


@pytest.mark.parametrize("surplus", ["attachments", "depth"])
async def test_what_is_too_much_closes_a_python_client_and_nobody_else(connect, surplus):
    ann, friend = await connect(2)
    left = friend.heard("left")
    id_ = ann.id
    deep: list[Any] = []
    for _ in range(99):
        deep = [deep]
    await ann.emit("echo", [b"x"] * 11 if surplus == "attachments" else deep)
    assert (await left)[:2] == (id_, "parse error")
    assert await friend.call("echo", "still here") == "still here"


async def test_an_unknown_event_is_counted_and_logged(connect, caplog):
    (ann,) = await connect(namespace="/plain")
    hub = connect.served.hub
    with caplog.at_level(logging.DEBUG, "handlers"):
        caplog.clear()
        await ann.emit("no such event", 1)
        assert await ann.call("unknown_events") == hub.counters.unknown_events == 1
    lines = [record for record in caplog.records if "no such event" in record.getMessage()]
    assert [record.levelno for record in lines] == [logging.DEBUG, logging.WARNING]
    assert ann.id in lines[0].getMessage()


async def test_what_cannot_be_encoded_reaches_no_python_client(connect):
    ann, bob = await connect(2)
    told = [client.record("told") for client in (ann, bob)]
    assert "args[1]['list'][1] is nan" in await ann.call("say_nan", "not a number", [["everyone"]])
    assert "args[1] is -inf" in await ann.call("say_nan", "infinite", [])
    await settled(ann, bob)
    assert told == [[], []]


async def test_python_clients_never_see_an_offset(connect):
    ann, bob = await connect(2)
    told = [client.record("told") for client in (ann, bob)]
    await ann.call("say", [["everyone"]], "told", 1)
    await settled(ann, bob)
    assert told == [[1], [1]]


# ---- Namespaces that come and go


async def refused(client: Client, served: Served) -> None:
    with pytest.raises(Unconnected):
        await client.connect(served.url, auth={"refuse": 1})
    await client.sio.shutdown()


async def test_nothing_is_left_of_a_namespace_that_nobody_was_let_into(serve):
    served = serve()
    names = [stage() for _ in range(3)]
    for name in names:
        await refused(Client(name), served)
    assert set(served.hub.namespaces).isdisjoint(names)


async def test_a_client_that_comes_in_while_the_last_goes_is_in_the_same_namespace_as_later_ones(serve):
    served = serve()
    name = stage()
    ann, bob, eve = Client(name), Client(name), Client(name)
    await ann.connect(served.url, auth={})
    coming = asyncio.ensure_future(bob.connect(served.url, auth={"wait": True}, wait_timeout=PATIENCE))
    await until(lambda: len([s for s in served.hub.sessions.values() if name in s.listener.clients]) == 2)
    await ann.sio.disconnect()
    await until(lambda: not served.hub.of(name).clients)
    feature_server.StageHandler.gates[name].set()
    await coming
    await eve.connect(served.url)
    told = [bob.record("told"), eve.record("told")]
    served.hub.of(name).emit("told", 1)
    await settled(bob, eve)
    assert told == [[1], [1]]
    await bob.sio.shutdown()
    await eve.sio.shutdown()


async def test_an_audience_made_before_anybody_came_speaks_to_those_who_come(serve):
    served = serve()
    everyone = served.hub.of("/plain")
    everyone.emit("told", "kept from the beginning", keep=1)
    client = Client("/plain")
    told = client.record("told")
    await client.connect(served.url)
    everyone.emit("told", 1)
    await settled(client)
    await client.sio.shutdown()
    assert told == ["kept from the beginning", 1]


async def test_an_audience_that_is_held_speaks_to_those_who_come_later(serve):
    served = serve()
    name = stage()
    heard = []
    audience = None
    for visit in range(2):
        client = Client(name)
        await client.connect(served.url)
        heard.append(client.record("told"))
        audience = audience or served.hub.of(name)
        audience.emit("told", visit)
        await settled(client)
        await client.sio.shutdown()
        await until(lambda: not served.hub.of(name).clients)
    assert heard == [[0], [1]]


# ---- Version 2 clients

FITTING = ["socket.io-client 3 or 4", "python-socketio 5", "java 2", "swift 16", "Dart"]


async def fetch(url: str, **headers: str) -> HTTPResponse:
    return await AsyncHTTPClient(force_instance=True).fetch(url, headers=headers, raise_error=False)


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize(
    ("query", "spoken"),
    [("EIO=3", "EIO=3 (Socket.IO 1 or 2)"), ("EIO=2", "EIO=2 (Socket.IO 1)"), ("t=x", "EIO is missing")],
)
@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_client_of_version_2_is_told_which_releases_fit(serve, caplog, transport, query, spoken):
    served = serve()
    with caplog.at_level(logging.DEBUG):
        caplog.clear()
        headers = UPGRADE if transport == "websocket" else {}
        response = await fetch(f"{served.url}/socket.io/?{query}&transport={transport}", **headers)
    assert response.code == 400
    assert response.headers["Content-Type"] == "application/json"
    body = json.loads(response.body)
    assert (body["code"], body["message"]) == (5, "Unsupported protocol version")
    assert set(body) == {"code", "message", "hint"}
    line, warning = (r for r in caplog.records if r.name.startswith("handlers") and r.levelno >= logging.INFO)
    assert (line.levelno, warning.levelno) == (logging.INFO, logging.WARNING)
    assert spoken in warning.getMessage()
    for words in [spoken, "this server EIO=4", *FITTING]:
        assert words in body["hint"]
        assert words in line.getMessage()
    assert "127.0.0.1" in line.getMessage()
    assert not served.hub.sessions


# ---- The event stream


class Listener:
    """Reads a stream of events from a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.status = ""
        self.headers: dict[str, str] = {}

    async def read_head(self) -> None:
        head = (await self._line_until("\r\n\r\n")).split("\r\n")
        self.status = head[0]
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}

    async def block(self) -> list[str]:
        """The lines of the next event or comment."""
        return (await self._line_until("\n\n")).rstrip("\n").split("\n")

    async def event(self) -> dict[str, str]:
        """The fields of the next event; comments are passed over."""
        while True:
            lines = await self.block()
            if not all(line.startswith(":") for line in lines):
                fields = [line.split(": ", 1) for line in lines]
                assert len({name for name, _ in fields}) == len(fields)
                return dict(fields)  # type: ignore[arg-type]

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self._reader.read(), PATIENCE)

    async def _line_until(self, end: str) -> str:
        return (await asyncio.wait_for(self._reader.readuntil(end.encode()), PATIENCE)).decode()

    def hang_up(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def listening(served: Served, path: str = "/events", **headers: str) -> AsyncIterator[Listener]:
    """Open the stream as `curl -N` does.

    By HTTP/1.0, so that the body is not cut into chunks.
    """
    reader, writer = await asyncio.open_connection(*served.address, limit=1 << 20)
    listener = Listener(reader, writer)
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    host = urlsplit(served.url).netloc
    writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: text/event-stream\r\n{fields}\r\n".encode())
    try:
        await listener.read_head()
        yield listener
    finally:
        listener.hang_up()


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until something is so."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while not condition():
        assert loop.time() < deadline, "it never was so"
        await asyncio.sleep(0)


def streams_of(served: Served) -> list[Any]:
    """What is left in memory of the server's listeners."""
    gc.collect()
    return [each for each in gc.get_objects() if type(each) is EventStream and each._hub is served.hub]


async def test_the_stream_tells_what_is_said_to_everyone(serve):
    served = serve()
    async with listening(served) as listener:
        assert listener.status == "HTTP/1.1 200 OK"
        assert listener.headers["content-type"] == "text/event-stream; charset=UTF-8"
        assert listener.headers["cache-control"] == "no-store"
        assert listener.headers["x-accel-buffering"] == "no"
        everyone = served.hub.of("/")
        everyone.emit("news", {"msg": "é 漢 🙂\nsecond line\r\n", "count": 1})
        everyone.emit("several", 1, "two", [3])
        everyone.emit("none")
        everyone.emit("an event\nof two lines\r", 0)
        everyone.to("a room").emit("news", "for a room")
        everyone.except_("a room").emit("news", "for some")
        served.hub.of("/plain").emit("news", "elsewhere")
        everyone.emit("last", 1)
        first = await listener.event()
        assert first["event"] == "news"
        assert json.loads(first["data"]) == {"msg": "é 漢 🙂\nsecond line\r\n", "count": 1}
        others = [await listener.event() for _ in range(4)]
        assert [(event["event"], event["data"]) for event in others] == [
            ("several", '[1,"two",[3]]'),
            ("none", "[]"),
            ("an event of two lines", "0"),
            ("last", "1"),
        ]
        ids = [read_offset(event["id"]) for event in [first, *others]]
        assert ids == sorted(set(ids))


async def test_the_stream_hears_clients_like_any_other_listener(serve):
    served = serve()
    async with listening(served) as listener:
        ann = Client("/")
        await ann.connect(served.url)
        await ann.call("say", [["everyone"]], "told", {"n": 1})
        assert json.loads((await listener.event())["data"]) == {"n": 1}
        id_ = ann.id
        await ann.sio.disconnect()
        leaving = await listener.event()
        assert leaving["event"] == "leaving"
        leaver, reason, rooms = json.loads(leaving["data"])
        assert (leaver, rooms) == (id_, [])
        assert reason in ("client namespace disconnect", "transport close")  # whichever of its farewells comes first


async def test_events_with_attachments_are_left_out_of_the_stream(serve):
    served = serve()
    async with listening(served) as listener:
        everyone = served.hub.of("/")
        everyone.emit("binary", {"data": b"\x00"})
        everyone.emit("text", 1)
        assert (await listener.event())["event"] == "text"


async def test_a_quiet_stream_beats(serve):
    served = serve(ping_interval=0.05, ping_timeout=10)
    async with listening(served) as listener:
        for _ in range(4):
            assert await listener.block() == [":"]
        served.hub.of("/").emit("news", 1)
        assert (await listener.event())["data"] == "1"
        assert await listener.block() == [":"]


async def test_a_listener_that_comes_back_gets_what_it_missed_once_and_in_order(serve):
    served = serve()
    async with listening(served) as listener:
        everyone = served.hub.of("/")
        for number in range(3):
            everyone.emit("news", number)
        heard = [await listener.event() for _ in range(3)]
    await until(lambda: not len(served.hub.streams))
    for number in range(3, 6):
        everyone.emit("news", number)
        everyone.emit("binary", b"left out")
        everyone.volatile.emit("news", "volatile")
    async with listening(served, Last_Event_ID=heard[-1]["id"]) as listener:
        everyone.emit("news", 6)
        again = [await listener.event() for _ in range(4)]
        assert [event["data"] for event in again] == ["3", "4", "5", "6"]
        everyone.emit("news", "last")
        assert (await listener.event())["data"] == '"last"'
    ids = [read_offset(event["id"]) for event in heard + again]
    assert ids == sorted(set(ids))
    async with listening(served, Last_Event_ID=again[0]["id"]) as listener:
        again = [await listener.event() for _ in range(4)]
        assert [event["data"] for event in again] == ["4", "5", "6", '"last"']


@pytest.mark.parametrize("place", ["", "x", "-1", "9" * 400, "1.5", "²", "٣x"])
async def test_a_place_that_never_was_begins_with_what_is_said_now(serve, place):
    served = serve()
    async with listening(served) as listener:
        served.hub.of("/").emit("news", "before")
        await listener.event()
    reader, writer = await asyncio.open_connection(*served.address)
    writer.write(b"GET /events HTTP/1.0\r\nHost: x\r\nLast-Event-ID: " + place.encode() + b"\r\n\r\n")
    listener = Listener(reader, writer)
    await listener.read_head()
    assert listener.status == "HTTP/1.1 200 OK"
    served.hub.of("/").emit("news", "now")
    assert (await listener.event())["data"] == '"now"'
    listener.hang_up()


@pytest.mark.parametrize("speaking", [False, True])
async def test_a_listener_that_hangs_up_leaves_nothing_behind(serve, speaking):
    served = serve()
    async with listening(served):
        room = served.hub.namespace("/").everyone
    await until(lambda: not room.readers)
    for _ in range(5):
        async with listening(served) as listener:
            assert len(room.readers) == len(served.hub.streams) == 1
            if speaking:
                served.hub.of("/").emit("news", "x" * 100_000)
                await listener.event()
            listener.hang_up()
            if speaking:
                served.hub.of("/").emit("news", "into the void")
            await until(lambda: not room.readers)
    assert not len(served.hub.streams)
    assert room.pending_readers == 0
    await until(lambda: not streams_of(served))


async def test_a_listener_that_does_not_read_is_disconnected_at_last(serve):
    served = serve(max_backlog=100_000)
    async with listening(served):
        room = served.hub.namespace("/").everyone
        assert len(room.readers) == 1
        for _ in range(5000):
            served.hub.of("/").emit("news", "x" * 10_000)
            await asyncio.sleep(0)
            if not room.readers:
                break
        assert not room.readers
        assert room.size <= 200_000


async def test_the_stream_ends_when_the_server_stops(serve):
    served = serve()
    async with listening(served) as listener:
        await listener.block()
        served.hub.of("/").emit("news", "last")
        assert (await listener.event())["data"] == '"last"'
        served.hub.close()
        assert await listener.rest() == b""
    assert not len(served.hub.streams)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://foreign.example", 403),
        ("null", 403),
        ("https://friend.example", 200),
        ("http://{host}", 200),
    ],
)
async def test_pages_of_foreign_origins_may_not_listen(serve, origin, status):
    served = serve()
    origin = origin.format(host=urlsplit(served.url).netloc)
    async with listening(served, Origin=origin) as listener:
        assert listener.status.split()[1] == str(status)
        if status == 403:
            assert json.loads(await listener.rest()) == {"code": 4, "message": "Forbidden"}
            assert "access-control-allow-origin" not in listener.headers
            assert not len(served.hub.streams)
        else:
            assert listener.headers["access-control-allow-origin"] == origin
            served.hub.of("/").emit("news", 1)
            assert (await listener.event())["data"] == "1"
