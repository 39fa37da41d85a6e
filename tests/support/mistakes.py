"""An application that makes the mistakes of a first hour."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import date
from inspect import isawaitable
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import pytest
from raw_client import Closed, address, join, serve
from tornado.netutil import bind_sockets
from tornado.web import Application

from handlers.socketio import Disconnected, Hub, Refused, SocketIOHandler, home, routes
from handlers.socketio.testing import connect

ROOT = Path(__file__).parents[2]

Mistake = Callable[[Hub], Awaitable[Any]]
"""What is done to a hub of a Board; it returns what a client gets, or raises."""


class Board(SocketIOHandler):
    """Makes each mistake when it is asked to."""

    def authenticate(self, auth: dict[str, Any]) -> Any:
        if auth.get("enter"):
            self.enter("room")
            self.emit("welcome", "early")
        if auth.get("stranger"):
            self.auth["token"]
        return auth.get("verdict")

    def on_connect(self) -> Any:
        if self.auth.get("refuse"):
            raise Refused("too late")
        return self.fail_later() if self.auth.get("fail") else None

    async def fail_later(self) -> None:
        await asyncio.sleep(0)
        raise KeyError("late")

    def on_join(self) -> None: ...

    def on_fit(self, data: Any) -> None: ...

    def on_acked(self, data: Any, ack: Any) -> None: ...

    def on_set(self) -> None:
        self.emit("x", {1})

    def on_day(self) -> date:
        return date(2026, 1, 1)

    def on_block(self) -> None:
        time.sleep(0.3)

    def on_boom(self) -> None:
        raise ZeroDivisionError("boom")

    def on_assign_id(self) -> None:
        self.id = "mine"  # type: ignore[misc]

    def on_callback(self) -> None:
        self.emit("x", callback=print)  # type: ignore[arg-type]

    def on_room(self) -> None:
        self.broadcast("x", room="a")  # type: ignore[arg-type]

    def on_foreign(self, name: str) -> Any:
        return getattr(self, name)

    def on_skip_sid(self) -> None:
        self.others.emit("x", skip_sid="a")  # type: ignore[arg-type]

    def on_enter_number(self) -> None:
        self.enter(7)  # type: ignore[arg-type]

    def on_to_list(self) -> None:
        self.to(["a", "b"]).emit("x")  # type: ignore[arg-type]

    def on_to_none(self) -> None:
        self.to(None).emit("x")  # type: ignore[arg-type]

    def on_enter_all(self) -> None:
        self.others.enter(("a", "b"))  # type: ignore[arg-type]

    async def on_milliseconds(self) -> None:
        await self.call("q", timeout=5000)

    async def on_milliseconds_of_all(self) -> None:
        await self.others.call("q", timeout=5000)

    def on_forgotten(self) -> None:
        self.call("q")  # type: ignore[unused-coroutine]

    async def on_awaited(self) -> str:
        await self.emit("x")
        return "emit was awaited"

    def on_keep(self) -> None:
        self.broadcast("x", "data", 20)

    def on_signed(self) -> Any:
        return self.get_signed_cookie("user")

    def on_database(self) -> Any:
        return self.settings["db"]

    async def on_thread(self) -> None:
        await asyncio.to_thread(self.emit, "x")

    async def on_wait(self) -> None:
        await asyncio.Event().wait()


def declared(declare: Callable[[], object]) -> Mistake:
    """Declare something; the hub is not needed."""

    async def run(_: Hub) -> None:
        declare()

    return run


def handler(**members: Any) -> Mistake:
    """Declare a handler class."""
    return declared(lambda: type("Mine", (SocketIOHandler,), members))


def called(event: str, *args: Any) -> Mistake:
    """Let a client send an event."""

    async def call(hub: Hub) -> Any:
        client = await connect(hub, raises=False)
        client.answer("q", lambda: None)
        return await client.call(event, *args), client.received

    return call


def did(action: Callable[[Any], Any]) -> Mistake:
    """Do something with the handler of a client that is there."""

    async def run(hub: Hub) -> Any:
        await connect(hub)
        (handler,) = hub.of("/").clients
        result = action(handler)
        return await result if isawaitable(result) else result

    return run


def connected(namespace: str = "/", **auth: Any) -> Mistake:
    """Let a client connect."""

    async def run(hub: Hub) -> Any:
        client = await connect(hub, namespace, auth=auth, raises=False)
        await hub.loop.advance(1)  # type: ignore[union-attr]
        return client.received

    return run


def in_a_test(event: str, *args: Any) -> Mistake:
    """Let a test send an event."""

    async def call(hub: Hub) -> str:
        try:
            return repr(await (await connect(hub)).call(event, *args))
        except Exception as error:
            return f"raised {type(error).__name__}: {error}"

    return call


async def wait_for_the_own_client(hub: Hub) -> None:
    client = await connect(hub)
    client.emit("wait")
    client.emit("join")
    await hub.loop.advance(40)  # type: ignore[union-attr]
    for task in list(hub.running):
        task.cancel()


async def one_who_has_left(hub: Hub) -> Any:
    """Return the handler of a client that has left."""
    client = await connect(hub)
    (handler,) = hub.of("/").clients
    client.disconnect()
    return handler


async def emit_after_leaving(hub: Hub) -> None:
    (await one_who_has_left(hub)).emit("x")


async def enter_after_leaving(hub: Hub) -> None:
    (await one_who_has_left(hub)).enter("room")


async def look_for_who_has_left(hub: Hub) -> Any:
    left = await one_who_has_left(hub)
    hub.of("/").to(left.id).emit("x")
    return f"get(id) returned {hub.of('/').get(left.id)}"


async def ask_who_has_left(hub: Hub) -> None:
    with pytest.raises(Disconnected) as raised:
        await (await one_who_has_left(hub)).call("q")
    raise raised.value


async def forget_an_await(hub: Hub) -> Any:
    with catch_warnings(record=True) as warned:
        simplefilter("always")
        await called("forgotten")(hub)
        gc.collect()
    return warned[0].message


async def serve_as_a_request_handler(_: Hub) -> None:
    Board(None, object(), path="/ws")  # type: ignore[arg-type]


async def fork(hub: Hub) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(home, "task_id", lambda: 0)
        await connect(hub)


# -- over a network


def application_of(hub: Hub) -> Application:
    """Return an application with settings, as a developer writes it."""
    return Application([*routes(hub)], db="the application's")


def requested(headers: dict[str, str], **parameters: str | None) -> Mistake:
    """Ask for the address that clients ask for first."""

    async def run(hub: Hub) -> Any:
        async with serve(application_of(hub)) as server:
            return await server.request("GET", address(**parameters), headers)

    return run


async def forget_the_routes(_: Hub) -> None:
    async with serve(Application()) as server:
        await server.request("GET", address())


async def share_settings(hub: Hub) -> Any:
    async with serve(application_of(hub)) as server:
        client = await server.websocket()
        await join(client)
        await client.send('420["database"]')
        return await client.next()


def sent(*packets: str) -> Mistake:
    """Send packets over a WebSocket, until the server closes it."""

    async def run(hub: Hub) -> Any:
        async with serve(application_of(hub)) as server:
            client = await server.websocket()
            await client.send(*packets)
            with pytest.raises(Closed):
                await client.next()

    return run


def started(*options: str) -> Mistake:
    """Start the board on a port in use; return its last words."""

    async def run(_: Hub) -> str:
        (socket,) = bind_sockets(0, "127.0.0.1")
        options_ = ["--address=127.0.0.1", f"--port={socket.getsockname()[1]}", "--database=:memory:", *options]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "server.py", *options_, cwd=ROOT, stderr=asyncio.subprocess.PIPE
        )
        _, output = await process.communicate()
        socket.close()
        assert process.returncode == 1
        return output.decode()

    return run
