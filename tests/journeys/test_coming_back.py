"""A client that asks to come back: which verdict counts.

Its session is kept until the verdict is given.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from inside import connect
from raw_client import Polling, WebSocket, serve
from tornado.web import Application

from handlers.socketio import Hub, Refused, SocketIOHandler, routes
from handlers.socketio.testing import TestClient

pytestmark = pytest.mark.gen_test


class GuardedHandler(SocketIOHandler):
    """Admits good clients; a client that comes back waits for a gate."""

    def __init__(self) -> None:
        self.log: list[Any] = self.settings.setdefault("log", [])
        self.gates: list[asyncio.Event] = self.settings.setdefault("gates", [])

    async def authenticate(self, auth: dict[str, Any]) -> bool:
        if self.recovered:
            gate = asyncio.Event()
            self.gates.append(gate)
            await gate.wait()
        if auth.get("bug"):
            raise RuntimeError("a bug of the application, on purpose")
        return auth.get("user") == "Ann"

    def on_connect(self) -> None:
        self.log.append(("came", self.auth))

    def on_disconnect(self, reason: str) -> None:
        self.log.append(("went", self.auth, reason))

    def on_did(self, what: Any) -> None:
        self.log.append(("did", what))

    def on_whoami(self) -> Any:
        return self.auth


ANN = {"user": "Ann"}


async def absent(hub: Hub) -> TestClient:
    """A client that is away."""
    ann = await connect(hub, auth=ANN, recovery=True)
    ann.drop()
    return ann


async def asking(hub: Hub, ann: TestClient, **auth: Any) -> asyncio.Future[None]:
    """Let a client ask to come back, until `authenticate` waits.

    Its auth has something else in it.
    """
    ann._auth = {**ann._auth, **auth}
    coming = asyncio.ensure_future(ann.connect())
    await waiting(hub, len(hub.settings["gates"]) + 1)
    return coming


async def waiting(hub: Hub, number: int) -> None:
    """Wait until so many have been asked for."""
    while len(hub.settings["gates"]) < number:
        await asyncio.sleep(0)


async def verdicts(hub: Hub) -> None:
    """Let all give their verdict."""
    for gate in hub.settings["gates"]:
        gate.set()
    while hub.running:
        await asyncio.wait(hub.running)


@pytest.mark.parametrize("auth", [{}, {"user": "Bob"}, {"bug": True}], ids=["admits", "refuses", "raises"])
@pytest.mark.parametrize("grace", [0, 60])
async def test_a_verdict_on_a_connection_that_has_died_changes_nothing(auth: dict[str, Any], grace: float) -> None:
    hub = Hub({"/": GuardedHandler}, presence_grace=grace)
    ann = await absent(hub)
    before, log = len(hub.of("/").clients), list(hub.settings["log"])
    coming = await asking(hub, ann, **auth)
    coming.cancel()
    ann.drop()
    await verdicts(hub)
    assert (len(hub.of("/").clients), hub.settings["log"]) == (before, log)
    hub.of("/").emit("said", 1)
    coming = await asking(hub, ann, user="Ann", bug=False)
    await verdicts(hub)
    await coming
    assert ann.recovered
    assert await ann.receive("said") == 1
    assert len(hub.of("/").clients) == 1


async def test_each_verdict_is_on_the_auth_that_it_was_asked_for() -> None:
    hub = Hub({"/": GuardedHandler})
    ann = await absent(hub)
    coming = await asking(hub, ann)
    ann.brings("0" + json.dumps({**ann._place, "user": "Bob"}))
    await waiting(hub, 2)
    first, second = hub.settings["gates"]
    first.set()
    while len(hub.running) > 1:
        await asyncio.wait(hub.running, return_when=asyncio.FIRST_COMPLETED)
    assert ann.id == ""
    assert hub.of("/").clients == []
    second.set()
    with pytest.raises(Refused, match="Forbidden"):
        await coming
    assert len(hub.recovery) == 0


async def test_an_auth_counts_when_it_is_admitted() -> None:
    hub = Hub({"/": GuardedHandler}, presence_grace=60)
    ann = await absent(hub)
    coming = await asking(hub, ann, user="Bob")
    (handler,) = hub.of("/").clients
    assert handler.auth == ANN
    await verdicts(hub)
    with pytest.raises(Refused):
        await coming
    assert hub.settings["log"] == [("came", ANN), ("went", ANN, "transport close")]
    ann = await absent(hub)
    coming = await asking(hub, ann, token="new")
    await verdicts(hub)
    await coming
    assert await ann.call("whoami") == {**ANN, "token": "new"}


async def test_without_a_verdict_the_auth_that_was_admitted_stays() -> None:
    hub = Hub({"/": GuardedHandler}, recovery_skips_authenticate=True)
    ann = await absent(hub)
    ann._auth = {"user": "Bob"}
    await ann.connect()
    assert ann.recovered
    assert await ann.call("whoami") == ANN


async def test_what_is_done_while_it_is_asked_takes_effect_when_it_is_back() -> None:
    class DoingHandler(GuardedHandler):
        async def authenticate(self, auth: dict[str, Any]) -> bool:
            if self.recovered:
                self.enter("returned")
                self.emit("said", "by authenticate")
            return await super().authenticate(auth)

    hub = Hub({"/": DoingHandler})
    ann = await absent(hub)
    coming = await asking(hub, ann)
    hub.of("/").to("returned").emit("said", "to the room")
    assert ann.received == []
    await verdicts(hub)
    await coming
    assert [await ann.receive() for _ in range(2)] == ["by authenticate", "to the room"]


async def test_a_newcomer_that_asked_to_come_back_has_its_events_handled() -> None:
    hub = Hub({"/": GuardedHandler}, max_backlog=1000)
    ann, _ = await absent(hub), await connect(hub, auth=ANN)
    for _ in range(20):
        hub.of("/").emit("filling", "x" * 100)
        await asyncio.sleep(0)
    coming = await asking(hub, ann)
    ann.emit("did", 1)
    ann.emit("did", 2)
    await verdicts(hub)
    await coming
    assert not ann.recovered
    assert hub.settings["log"][-3:] == [("came", ANN), ("did", 1), ("did", 2)]


async def test_a_client_that_leaves_before_the_verdict_has_left_for_good() -> None:
    hub = Hub({"/": GuardedHandler}, presence_grace=60)
    ann = await absent(hub)
    coming = await asking(hub, ann)
    ann.disconnect()
    await verdicts(hub)
    coming.cancel()
    assert len(hub.recovery) == 0
    assert hub.of("/").clients == []
    assert [what for what, *_ in hub.settings["log"]] == ["came", "went"]


@pytest.mark.parametrize("close", [False, True])
async def test_a_client_that_is_sent_away_before_the_verdict_leaves_for_that_reason(close: bool) -> None:
    hub = Hub({"/": GuardedHandler}, presence_grace=60)
    ann = await absent(hub)
    coming = await asking(hub, ann)
    hub.of("/").disconnect(close)
    await verdicts(hub)
    with pytest.raises(Refused, match="Forbidden"):
        await coming
    assert (ann.closed is not None) is close
    assert hub.settings["log"] == [("came", ANN), ("went", ANN, "server namespace disconnect")]


@pytest.mark.parametrize("hook", ["on_disconnecting", "on_disconnect"])
@pytest.mark.parametrize("close", [False, True])
async def test_a_client_that_a_hook_sends_away_while_it_comes_back_is_a_newcomer(hook: str, close: bool) -> None:
    handler = type("StrictHandler", (SocketIOHandler,), {hook: lambda self, reason: self.disconnect(close)})
    hub = Hub({"/": handler})
    ann = await connect(hub, recovery=True)
    twin = TestClient(hub, "/", ann._auth, ann._handshake)
    twin._place = dict(ann._place)
    await twin.connect()
    assert (twin.recovered, twin.id == ann.id) == (False, False)
    assert len(hub.of("/").clients) == 1


async def test_a_connection_that_such_a_hook_closes_joins_nothing() -> None:
    class JealousHandler(SocketIOHandler):
        def on_disconnect(self, reason: str) -> None:
            hub.of("/other").disconnect(True)

    hub = Hub({"/": JealousHandler, "/other": SocketIOHandler})
    async with serve(Application(routes(hub), hub=hub)) as server:
        for again in ("the client comes back", "the client connects again"):
            client = await server.websocket()
            pid = await join(client, "/", recovery=True)
            if again == "the client comes back":
                client = await server.websocket()
            await join(client, "/other", recovery=True)
            await client.send("40" + json.dumps({"pid": pid}))
            assert await client.next() == "41/other,"
            await client.ended()
            while hub.sessions:
                await asyncio.sleep(0.001)
            assert hub.of("/").clients == []
            assert hub.of("/other").clients == []


# -- namespaces that came back one by one


class FirmHandler(SocketIOHandler):
    """Sends away, with its connection, who comes back."""

    def on_connect(self) -> None:
        if self.recovered:
            self.disconnect(True)


NAMESPACES: dict[Any, type[SocketIOHandler]] = {"/": FirmHandler, "/other": SocketIOHandler, "/third": SocketIOHandler}


async def join(client: Polling | WebSocket, namespace: str, **auth: Any) -> str:
    """Join a namespace; return the pid there."""
    prefix = "" if namespace == "/" else f"{namespace},"
    await client.send(f"40{prefix}{json.dumps(auth)}")
    packet = await client.next()
    assert isinstance(packet, str)
    return str(json.loads(packet[2:].removeprefix(prefix))["pid"])


async def lose(hub: Hub, client: WebSocket) -> None:
    """Cut a connection, and wait until the server knows."""
    number = len(hub.sessions)
    client.reset()
    while len(hub.sessions) == number:
        await asyncio.sleep(0.001)


async def test_with_its_connection_a_client_is_sent_away_from_namespaces_that_have_still_to_come_back() -> None:
    hub = Hub(NAMESPACES)
    async with serve(Application(routes(hub), hub=hub)) as server:
        client = await server.websocket()
        pids = {namespace: await join(client, namespace, recovery=True) for namespace in NAMESPACES}
        await lose(hub, client)
        client = await server.websocket()
        assert await join(client, "/third", pid=pids["/third"]) == pids["/third"]
        await lose(hub, client)
        client = await server.websocket()
        assert await join(client, "/", pid=pids["/"]) == pids["/"]
        assert await client.next() == "41"
        await client.ended()
        assert len(hub.recovery) == 0
        client = await server.websocket()
        assert await join(client, "/other", pid=pids["/other"]) != pids["/other"]


async def test_with_a_client_that_is_away_those_are_sent_away_that_are_back_already() -> None:
    hub = Hub(NAMESPACES)
    async with serve(Application(routes(hub), hub=hub)) as server:
        client = await server.websocket()
        pids = {namespace: await join(client, namespace, recovery=True) for namespace in NAMESPACES}
        denied_address = await server.websocket()
        await join(denied_address, "/other", recovery=True)
        await lose(hub, client)
        client = await server.websocket()
        assert await join(client, "/other", pid=pids["/other"]) == pids["/other"]
        hub.of("/third").disconnect(True)
        assert await client.next() == "41/other,"
        await client.ended()
        assert len(hub.recovery) == 1
        assert len(hub.of("/other").clients) == 1


async def test_namespaces_that_came_back_one_by_one_are_sent_away_together_after_a_restart() -> None:
    hub = Hub(NAMESPACES)
    async with serve(Application(routes(hub), hub=hub)) as server:
        client, denied_address = await server.websocket(), await server.websocket()
        pids = {namespace: await join(client, namespace, recovery=True) for namespace in NAMESPACES}
        await join(denied_address, "/other", recovery=True)
        await lose(hub, client)
        client = await server.websocket()
        await join(client, "/other", pid=pids["/other"])
        hub.close()
        following = Hub(NAMESPACES)
        following.start(asyncio.get_running_loop())
        assert following.restore(json.loads(json.dumps(hub.snapshot(1.0))), 1.0) == 4
        following.of("/third").disconnect(True)
        assert len(following.recovery) == 1
