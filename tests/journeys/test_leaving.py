"""A client that leaves before its CONNECT is answered leaves no ghost.

It may connect again before the answer, too.

The official client leaves in silence before it has heard the answer, and may connect again over the same connection.
With real clients it is tested in test_features.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from raw_client import (
    JOURNEY,
    Polling,
    WebSocket,
    io_loop,  # noqa: F401 (a fixture)
    join,
    serve,
)
from tornado.web import Application

from handlers.socketio import Hub, SocketIOHandler, routes

pytestmark = JOURNEY

both = pytest.mark.parametrize("transport", ["polling", "websocket"])
Client = Polling | WebSocket


class LoggingHandler(SocketIOHandler):
    """Logs who comes and goes."""

    def __init__(self) -> None:
        self.log: list[str] = self.settings.setdefault("log", [])

    def on_connect(self) -> None:
        self.log.append("came")

    def on_disconnect(self, reason: str) -> None:
        self.log.append(reason)

    def on_number(self) -> Any:
        return self.auth.get("number")


class SlowHandler(LoggingHandler):
    """Decides when the gate opens: refuses, fails, or admits."""

    async def authenticate(self, auth: dict[str, Any]) -> bool:
        self.settings["asked"] = self.settings.get("asked", 0) + 1
        await self.settings["gate"].wait()
        if auth.get("verdict") == "raise":
            raise RuntimeError("a bug of the application, on purpose")
        return auth.get("verdict") != "refuse"


def make() -> tuple[Hub, Application]:
    hub = Hub({"/": SocketIOHandler, "/b": LoggingHandler, "/slow": SlowHandler, "/slow2": SlowHandler})
    hub.settings.update(gate=asyncio.Event(), log=[])
    return hub, Application(routes(hub), hub=hub)


async def asked(hub: Hub, number: int) -> None:
    """Wait until so many verdicts are waited for."""
    while hub.settings.get("asked", 0) < number:
        await asyncio.sleep(0.001)


async def decided(hub: Hub) -> None:
    """Let all decide."""
    hub.settings["gate"].set()
    while hub.running:
        await asyncio.wait(hub.running)


async def call(client: Client, namespace: str, event: str) -> Any:
    """Return the answer to an event; nothing else may come before."""
    await client.send(f'42{namespace},7["{event}"]')
    packet = await client.next()
    assert str(packet).startswith(f"43{namespace},7"), packet
    (answer,) = json.loads(str(packet).removeprefix(f"43{namespace},7"))
    return answer


def nobody_is_left(hub: Hub, *namespaces: str) -> bool:
    return not any(hub.namespaces[name].known for name in namespaces if name in hub.namespaces)


# -- leaving


@both
@pytest.mark.parametrize("verdict", ["admit", "refuse", "raise"])
@pytest.mark.parametrize("leave", ["41/slow,", "41/slow,|41/slow,", "1", "closed"])
async def test_a_client_that_leaves_before_the_verdict_was_never_in(transport: str, verdict: str, leave: str) -> None:
    hub, application = make()
    async with serve(application, expect="SlowHandler.authenticate failed" * (verdict == "raise")) as server:
        client = await server.open(transport)
        await join(client)
        await client.send("40/slow," + json.dumps({"verdict": verdict, "recovery": True}))
        await asked(hub, 1)
        if leave == "1" and transport == "polling":
            await client.post("1")
        elif leave.startswith("41"):
            await client.send(*leave.split("|"))
            await client.send('421["unknown"]')
            assert str(await client.next()).startswith("431")
        else:
            await server.hang_up() if transport == "polling" else client.close()
            hub.close("transport close")
        await decided(hub)
        assert nobody_is_left(hub, "/slow")
        assert hub.settings["log"] == []
        assert len(hub.recovery) == 0
        if leave.startswith("41"):
            await client.send("40/slow,")
            assert str(await client.next()).startswith("40/slow,{")


@both
async def test_a_client_that_leaves_at_once_has_come_and_gone(transport: str) -> None:
    hub, application = make()
    async with serve(application) as server:
        client = await server.open(transport)
        await join(client)
        await client.send("40/b,", "41/b,", "40/b,", "41/b,")
        while hub.settings["log"].count("client namespace disconnect") < 2:
            await asyncio.sleep(0.001)
        assert hub.settings["log"] == ["came", "client namespace disconnect"] * 2
        assert nobody_is_left(hub, "/b")


@both
async def test_several_namespaces_are_left_before_their_verdicts_each_for_itself(transport: str) -> None:
    hub, application = make()
    async with serve(application) as server:
        client = await server.open(transport)
        await join(client)
        await client.send("40/slow,", "40/slow2,", "41/slow,")
        await asked(hub, 2)
        await decided(hub)
        assert str(await client.next()).startswith("40/slow2,{")
        assert nobody_is_left(hub, "/slow")
        assert len(hub.of("/slow2").clients) == 1


# -- connecting again


@both
@pytest.mark.parametrize("times", [2, 5])
async def test_the_last_CONNECT_counts_where_none_is_answered(transport: str, times: int) -> None:
    hub, application = make()
    async with serve(application) as server:
        client = await server.open(transport)
        await join(client)
        for number in range(times):
            await client.send("40/slow," + json.dumps({"number": number}))
        await asked(hub, times)
        await decided(hub)
        assert str(await client.next()).startswith("40/slow,{")
        assert await call(client, "/slow", "number") == times - 1
        assert hub.settings["log"] == ["came"]
        assert len(hub.of("/slow").clients) == 1


@both
async def test_the_verdict_on_a_CONNECT_that_was_replaced_refuses_nobody(transport: str) -> None:
    hub, application = make()
    async with serve(application) as server:
        client = await server.open(transport)
        await join(client)
        await client.send('40/slow,{"verdict":"refuse"}', '40/slow,{"number":1}')
        await asked(hub, 2)
        await decided(hub)
        assert str(await client.next()).startswith("40/slow,{")
        assert await call(client, "/slow", "number") == 1


@both
async def test_a_CONNECT_whose_client_cannot_have_heard_the_answer_to_the_last_is_another_client(
    transport: str,
) -> None:
    # The answer is out before the next CONNECT is; whether the client had read it then, nobody knows.
    hub, application = make()
    async with serve(application) as server:
        client = await server.open(transport)
        await join(client)
        ids = [await join(client, "/b", {"number": number}) for number in range(3)]
        assert len(set(ids)) == 3
        assert await call(client, "/b", "number") == 2
        assert hub.settings["log"] == ["came", "client namespace disconnect"] * 2 + ["came"]
        assert [one.id for one in hub.of("/b").clients] == ids[2:]


@both
async def test_also_where_the_other_namespaces_have_refused_or_were_left(transport: str) -> None:
    hub, application = make()
    hub.settings["gate"].set()
    async with serve(application) as server:
        client = await server.open(transport)
        await client.send('40/slow,{"verdict":"refuse"}')
        assert str(await client.next()).startswith("44/slow,")
        assert await join(client, "/b") != await join(client, "/b")
        assert len(hub.of("/b").clients) == 1


@both
async def test_the_only_namespace_of_a_connection_is_joined_once(transport: str) -> None:
    # The official client closes the connection when it leaves its only namespace, so this is none that left.
    hub, application = make()
    async with serve(application) as server:
        client = await server.open(transport)
        await join(client, "/b")
        await client.send("40/b,")
        await client.ended() if transport == "polling" else None
        while hub.sessions:
            await asyncio.sleep(0.001)
        assert hub.settings["log"] == ["came", "parse error"]


@both
async def test_a_client_that_asks_twice_to_come_back_comes_back_once_with_all_it_missed(transport: str) -> None:
    hub, application = make()
    hub.settings["gate"].set()
    async with serve(application) as server:
        client = await server.open(transport)
        await join(client)
        await client.send('40/slow,{"recovery":true}')
        place = json.loads(str(await client.next()).removeprefix("40/slow,"))
        hub.close("transport close")
        hub.of("/slow").emit("said")
        hub.settings.update(gate=asyncio.Event(), asked=0)
        client = await server.open(transport)
        await join(client)
        for _ in range(2):
            await client.send("40/slow," + json.dumps({"pid": place["pid"]}))
        await asked(hub, 2)
        await decided(hub)
        assert str(await client.next()).startswith('42/slow,["said",')
        assert json.loads(str(await client.next()).removeprefix("40/slow,")) == place
        assert len(hub.of("/slow").clients) == 1
        assert hub.settings["log"] == ["came", "transport close", "came"]
