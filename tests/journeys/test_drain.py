"""How a server disconnects its clients at its end.

With real processes it is tested in test_restart.
"""

from __future__ import annotations

import asyncio

import conformance_server
import pytest
from conftest import PATIENCE
from raw_client import (
    JOURNEY,
    address,
    echo,
    io_loop,  # noqa: F401 (a fixture)
    join,
    serve,
)
from tornado.httpserver import HTTPServer
from tornado.web import Application

from handlers.socketio import Hub, SocketIOHandler, routes
from handlers.socketio.operations import shutdown
from handlers.socketio.testing import connect
from server import log_request

ENDED = "server shutting down"


class WorkingHandler(SocketIOHandler):
    """Works until it is told that it may end."""

    may_end: asyncio.Event

    async def on_work(self) -> str:
        await self.may_end.wait()
        return "done"


def working() -> Hub:
    WorkingHandler.may_end = asyncio.Event()
    return Hub({"/": WorkingHandler})


# -- parting, in stages


@JOURNEY
async def test_clients_are_disconnected_in_stages_those_who_poll_first() -> None:
    hub = working()
    clients = [await connect(hub) for _ in range(120)]
    for client in clients[100:]:
        client.name = "polling"
    parting = asyncio.ensure_future(shutdown.close_sessions(hub, 1000))
    await asyncio.sleep(0)
    assert len(hub.sessions) == 120 - shutdown.STAGE
    assert all(client.closed == ENDED for client in clients[100:])
    parting.cancel()
    await shutdown.close_sessions(hub, 0.1)
    assert not hub.sessions
    assert "disconnect" not in [args[0] for client in clients for args in client.received]


@JOURNEY
async def test_more_clients_than_fit_in_stages_of_that_size_are_disconnected_within_the_time() -> None:
    hub = working()
    for _ in range(shutdown.STAGE * shutdown.PAUSES * 2):
        await connect(hub)
    parting = asyncio.ensure_future(shutdown.close_sessions(hub, 1000))
    await asyncio.sleep(0)
    assert len(hub.sessions) == shutdown.STAGE * (shutdown.PAUSES - 1) * 2
    parting.cancel()
    hub.close()


@JOURNEY
async def test_who_waits_for_an_answer_is_disconnected_when_it_has_it() -> None:
    hub = working()
    ann, bob = await connect(hub), await connect(hub)
    answer = asyncio.ensure_future(ann.call("work", timeout=PATIENCE))
    await asyncio.sleep(0)
    parting = asyncio.ensure_future(shutdown.close_sessions(hub, 2))
    await asyncio.sleep(0)
    assert (bob.closed, ann.closed) == (ENDED, None)
    WorkingHandler.may_end.set()
    assert await answer == "done"
    await parting
    assert ann.closed == ENDED


@JOURNEY
async def test_a_handler_that_does_not_end_is_cancelled_and_the_hooks_behind_it_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    left: list[str] = []

    class Stubborn(WorkingHandler):
        async def on_disconnect(self, reason: str) -> None:
            left.append(reason)

    Stubborn.may_end = asyncio.Event()
    hub = Hub({"/": Stubborn})
    ann = await connect(hub)
    ann.emit("work")
    await shutdown.close_sessions(hub, 0.01)
    assert len(hub.running) == 1
    await shutdown.wait_for_handlers(hub.running, 0.01)
    await asyncio.sleep(0)
    assert (left, hub.running) == ([ENDED], {})
    assert "1 handlers did not finish in time, cancelled" in caplog.text


@JOURNEY
async def test_a_server_about_to_end_lets_nobody_new_in_and_goes_on_with_the_others() -> None:
    hub = Hub(conformance_server.NAMESPACES)
    async with serve(Application(routes(hub), log_function=log_request)) as server:
        polling, websocket = await server.poll(), await server.websocket()
        hub.draining = True
        for client in (polling, websocket):
            await join(client)
            await echo(client)
        for transport in ("polling", "websocket"):
            answer = await server.request("GET", address(transport=transport), {"Upgrade": "websocket"})
            assert (answer.status, answer.json["message"]) == (503, "Server shutting down")
            assert answer.headers["Connection"] == "close"
        hub.close()
        gone = await server.request("GET", address(sid=polling.sid))
        assert (gone.status, gone.headers["Connection"]) == (400, "close")


@JOURNEY
async def test_where_nobody_may_return_all_have_left_whatever_their_grace_time() -> None:
    left: list[str] = []

    class LeavingHandler(SocketIOHandler):
        def on_disconnect(self, reason: str) -> None:
            left.append(reason)

    for may_return, expected in ((True, []), (False, [ENDED])):
        hub = Hub({"/": LeavingHandler}, presence_grace=5)
        await connect(hub, recovery=True)
        await shutdown.drain(HTTPServer(Application()), hub, 1, may_return=may_return)
        assert left == expected
