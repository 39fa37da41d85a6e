"""Fifteen thousand unexpected inputs and more, through real sockets, on both transports.

What the official client sends is recorded (`traffic.json`) and spoilt (`fuzzing.py`): frames, packets, messages, HTTP.
Hypothesis draws more. Meanwhile bystanders, one on each transport and one that only listens, hear numbered events. In
the end each has heard every number once, in order; nothing was logged that is an error, or that a client could forge;
and nothing is left of those who came.

A crash that was found this way is a test of its own, next to the tests of what crashed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from conftest import PATIENCE
from effort import amount
from fuzzing import HEADS, Message, Spoiler, Traffic, write_frames, write_payload
from hypothesis import given, settings
from hypothesis import strategies as st
from listeners import Bystander, Listener, Watch, alive, until
from raw_client import (
    Server,
    address,
    io_loop,  # noqa: F401 (a fixture)
    join,
    serve,
)
from tornado.ioloop import IOLoop
from tornado.web import Application

from handlers.socketio import CallTimeout, Disconnected, Hub, Refused, SocketIOHandler, event_stream, routes
from handlers.socketio.engineio.polling import fast_path
from handlers.socketio.engineio.polling.transport import PollingTransport
from handlers.socketio.engineio.session import Session
from handlers.socketio.gauges import read_gauges

INPUTS = amount(15_000, thorough=40_000)
"""How many packets sessions have to take; what ends a connection before it is one is not counted."""
AT_ONCE = 16
"""How many connections there are at a time besides the bystanders'."""
WARM = 500
"""Connections after which the process has the memory that its work takes."""
BATCH = 100
"""How many connections come between two numbers."""


Attack = Callable[[], Coroutine[Any, Any, None]]


class Fuzzed(SocketIOHandler):
    """Does something of every kind with whatever it is given."""

    def before_event(self, event: str, args: list[Any]) -> Any:
        if event == "refused":
            raise Refused("No", args)
        return asyncio.sleep(0) if len(args) == 3 else None

    def on_any(self, event: str, *args: Any) -> Any:
        self.to("lobby").emit(f"~{event}", *args)
        return event, *args

    def on_echo(self, *args: Any) -> Any:
        return args

    def on_say(self, *args: Any) -> None:
        self.emit("said", *args)

    async def on_late(self, *args: Any) -> Any:
        await asyncio.sleep(0)
        return args

    async def on_ask(self, *args: Any) -> None:
        try:
            self.emit("answer", await self.call("question", *args, timeout=0.05))
        except (CallTimeout, Disconnected):
            self.disconnect(close=True)

    def on_shout(self, *args: Any) -> None:
        for word in args[:1]:
            self.broadcast(f"~{word}", {"from": {self.id: args}})

    def on_join(self, *rooms: Any) -> None:
        for room in rooms:
            self.enter(str(room))

    def on_leave(self, *rooms: Any) -> None:
        for room in rooms:
            self.leave(str(room))

    def on_tell(self, room: Any, *args: Any) -> None:
        self.others.to(str(room), "lobby").except_("nobody").volatile.emit("told", *args)

    def on_kick(self, *_: Any) -> None:
        self.disconnect()

    def on_cut(self, *_: Any) -> None:
        self.disconnect(close=True)


class Choosy(Fuzzed):
    async def authenticate(self, auth: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        if not auth:
            raise Refused("Not without a word", auth)


class Stage:
    """The server, its bystanders, and those who come to harm it."""

    def __init__(self, server: Server, hub: Hub) -> None:
        self.server, self.hub = server, hub
        self.watch = Watch()
        self.traffic = Traffic()
        self.bystanders: list[Bystander] = []
        self.said = 0

    async def begin(self) -> None:
        """Let the bystanders in."""
        for client in (await self.server.websocket(), await self.server.poll()):
            for namespace in ("/", "/custom"):
                await join(client, namespace)
            await client.send('42["join","lobby"]')
            self.bystanders.append(Bystander(client))
        listener = await self.server.connect(Listener)
        listener.write(b"GET /events HTTP/1.0\r\nHost: x\r\n\r\n")
        await listener.take_until(b"\r\n\r\n")
        self.bystanders.append(Bystander(listener))
        await self.say()

    async def say(self) -> None:
        """Say a number, and wait until all bystanders have heard it."""
        self.said += 1
        self.hub.of("/").emit("number", self.said)
        for bystander in self.bystanders:
            await bystander.hears(self.said)

    async def bear(self, attacks: Iterable[Attack]) -> None:
        """Bear these, some at a time; then the bystanders are well."""
        waiting = iter(attacks)

        async def come() -> None:
            for attack in waiting:
                await attack()

        await asyncio.gather(*(come() for _ in range(AT_ONCE)))
        await self.say()
        assert self.watch.complaints == []

    # -- ways to send something

    async def exchange(self, data: bytes, whole: bool = False) -> bytes:
        """Send bytes over a new connection; return the answer until its end.

        They come in one piece or in several, and handlers that wait have some rounds of the loop, or none. Unless they
        are a whole request that asks for that, the connection closes behind them.
        """
        loop, answer = asyncio.get_running_loop(), b""
        size = len(data) // (1 + len(data) % 4) + 1
        with socket.create_connection(("127.0.0.1", self.server.port)) as line, suppress(ConnectionError):
            line.setblocking(False)
            for start in range(0, len(data), size):
                await loop.sock_sendall(line, data[start : start + size])
                for _ in range(len(data) % 12):
                    await asyncio.sleep(0)
            if not whole:
                with suppress(OSError):  # the server may have closed already
                    line.shutdown(socket.SHUT_WR)
            while more := await asyncio.wait_for(loop.sock_recv(line, 1 << 16), PATIENCE):
                answer += more
        return answer

    async def websocket(self, data: bytes) -> None:
        """Send bytes behind the handshake of a WebSocket."""
        await self.exchange(self.traffic.handshake + data)

    async def upgrade(self, data: bytes) -> None:
        """Send bytes over a WebSocket that a new session may upgrade to."""
        sid = await self.open()
        await self.exchange(self.traffic.handshake.replace(b"?", f"?sid={sid}&".encode(), 1) + data)
        await self.leave(sid)

    async def post(self, body: bytes) -> None:
        """Send a body to a new session."""
        sid = await self.open()
        head = self.server.head("POST", address(sid=sid), {"Connection": "close"}, body)
        await self.exchange(head + body, whole=True)
        await self.leave(sid)

    async def request(self, spoil: Callable[[str], bytes]) -> None:
        """Send a spoilt request to a new session."""
        sid = await self.open()
        await self.exchange(spoil(sid))
        await self.leave(sid)

    async def open(self) -> str:
        """Open a session over long-polling; return its sid."""
        answer = await self.exchange(self.server.head("GET", address(), {"Connection": "close"}), whole=True)
        return answer.partition(b'"sid":"')[2].partition(b'"')[0].decode()

    async def leave(self, sid: str) -> None:
        """Poll for what is left, and abort the poll that waits."""
        for _ in range(2):
            await self.exchange(self.server.head("GET", address(sid=sid), {"Connection": "close"}))


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Serve what is fuzzed."""
    handlers = {"/": Fuzzed, "/custom": Fuzzed, re.compile(r"/(late|game-\d+)"): Choosy}
    hub = Hub(handlers, ping_interval=2, ping_timeout=2, max_payload=50_000, compress=64, recovery=0.1)
    application = Application([*routes(hub), *event_stream(hub)], log_function=lambda _: None)
    async with serve(application, body=1) as server:
        stage = Stage(server, hub)
        with stage.watch:
            await stage.begin()
            yield stage
        for bystander in stage.bystanders:
            await bystander.leave()
            assert bystander.numbers == list(range(1, stage.said + 1))


def attack(stage: Stage, seed: int) -> Attack:
    """One of those who come."""
    spoiler, kind = Spoiler(stage.traffic, seed), seed % 10
    if kind < 5:
        return lambda: stage.websocket(spoiler.websocket())
    if kind < 8:
        return lambda: stage.post(spoiler.payload())
    if kind < 9:
        return lambda: stage.upgrade(spoiler.upgrade())
    return lambda: stage.request(spoiler.request)


async def rest(stage: Stage) -> Counter[str]:
    """Wait until only the bystanders are left; return the server's state.

    The bystanders have heard everything by then.
    """
    sessions = stage.hub.sessions

    def rests() -> bool:
        polls = [one.transport for one in sessions.values() if isinstance(one.transport, PollingTransport)]
        census = read_gauges(stage.hub)
        return len(sessions) == 2 and not polls[0].is_idle("GET") and census.backlog == census.away == 0

    await until(rests)
    assert len(sessions) == 2
    return alive()


@pytest.fixture
def old_objects_aside() -> Iterator[None]:
    """Let `alive` ignore the objects that are there: pytest has many."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.gen_test
@pytest.mark.usefixtures("old_objects_aside")
async def test_what_is_spoilt_harms_nobody_else_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Counter[str]()
    spend = Session.spend

    def count(session: Session) -> float:
        taken[session.transport.name] += 1
        return spend(session)

    monkeypatch.setattr(Session, "spend", count)
    monkeypatch.setattr(fast_path, "BODY", 1)  # seconds for which a broken POST keeps its connection in memory
    async with staged() as stage:
        before, seed, blocks = await rest(stage), 0, sys.maxsize
        while taken.total() < INPUTS:
            await stage.bear(attack(stage, seed + n) for n in range(BATCH))
            seed += BATCH
            blocks = min(blocks, sys.getallocatedblocks()) if seed > WARM else sys.maxsize
        assert min(taken["polling"], taken["websocket"]) > INPUTS / 4
        await rest(stage)
        await until(lambda: alive() <= before)
        assert alive() <= before  # fewer where a connection was closing at the beginning
        assert sys.getallocatedblocks() - blocks < seed, "less than one for each connection"


json_texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
).map(json.dumps)
packets = (
    st.sampled_from(Traffic().packets)
    | st.builds(str.__add__, st.sampled_from(HEADS), json_texts)
    | st.text()
    | st.binary()
)


def test_what_hypothesis_draws_harms_nobody_else(io_loop: IOLoop) -> None:  # noqa: F811
    stack = AsyncExitStack()
    stage = io_loop.run_sync(lambda: stack.enter_async_context(staged()))

    @settings(max_examples=amount(40, thorough=400), deadline=None)
    @given(st.lists(packets, min_size=1, max_size=30), st.booleans())
    def bear(drawn: Message, joined: bool) -> None:
        said = ["40", *drawn] if joined else drawn
        attacks = [lambda: stage.websocket(write_frames(said)), lambda: stage.post(write_payload(said))]
        io_loop.run_sync(lambda: stage.bear(attacks))

    try:
        bear()
    finally:
        io_loop.run_sync(stack.aclose)
