"""The mistakes of a first hour: each logs its line.

The numbers are those of the list that was made when an application was built with the library for the first time. What
goes wrong where something is declared is in test_declarations; the rows here go wrong later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest

from handlers.socketio import Disconnected, Hub, Refused, SocketIOHandler
from handlers.socketio.testing import TestClient, connect

pytestmark = pytest.mark.gen_test


class Board(SocketIOHandler):
    """Makes each mistake when it is asked to."""

    def authenticate(self, auth: dict[str, Any]) -> Any:
        return auth.get("verdict")

    def on_connect(self) -> None:
        if self.auth.get("refuse"):
            raise Refused("too late")

    def on_join(self) -> None: ...

    def on_fit(self, data: Any) -> None: ...

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

    async def on_thread(self) -> None:
        await asyncio.to_thread(self.emit, "x")

    async def on_wait(self) -> None:
        await asyncio.Event().wait()


class Waiting(Board):
    """Waits for a later event of its own client."""


def called(event: str, *args: Any) -> Callable[[Hub], Awaitable[Any]]:
    """Let a client send an event."""

    async def call(hub: Hub) -> Any:
        client = await connect(hub)
        client.answer("q", lambda: None)
        return await client.call(event, *args)

    return call


async def wait_for_the_own_client(hub: Hub) -> None:
    client = await connect(hub)
    client.emit("wait")
    client.emit("join")
    await hub.loop.advance(40)  # type: ignore[union-attr]
    for task in list(hub.running):
        task.cancel()


async def ask_who_has_left(hub: Hub) -> None:
    client = await connect(hub)
    (handler,) = hub.of("/").clients
    client.disconnect()
    with pytest.raises(Disconnected, match="has left: nobody can answer 'q'"):
        await handler.call("q")
    raise Disconnected("has left: nobody can answer 'q'")


async def refuse_too_late(hub: Hub) -> TestClient:
    return await connect(hub, auth={"refuse": True})


async def serve_as_a_request_handler(_: Hub) -> None:
    Board(None, object(), path="/ws")  # type: ignore[arg-type]


TABLE: list[tuple[str, Callable[[Hub], Awaitable[Any]], str]] = [
    ("1 an argument too many", called("join", 1), "Board.on_join takes no argument, 1 came with 'join'"),
    ("1 an argument too few", called("fit"), "Board.on_fit takes 1 argument, 0 came with 'fit'"),
    ("2 an undeclared event", called("jion"), "Board has no event 'jion': did you mean 'join'? It answers assign_id, "),
    ("2 another case", called("Join"), "Board has no event 'Join': did you mean 'join'?"),
    ("2 a hyphen", called("to-list"), "Board has no event 'to-list': did you mean 'to_list'?"),
    ("4 emit of a set", called("set"), "args[0] is of the type set, which has no JSON form: {1}"),
    ("5b call after leaving", ask_who_has_left, "has left: nobody can answer 'q'"),
    ("6 a blocking handler", called("block"), "Board.on_block held the event loop for 0.3"),
    ("7 an exception", called("boom"), "Board.on_boom failed for <Board "),
    (
        "8 a namespace of the client",
        lambda hub: connect(hub, "/x"),
        "a client asks for no namespace '/x': this hub",
    ),
    ("8b a namespace of the server", lambda hub: hub.of("/x").call("q"), "no namespace '/x': this hub has /"),
    ("13 an attribute of the library's", called("assign_id"), "Board.id is the library's (The client's id"),
    ("14 emit from a thread", called("thread"), "write hub.threadsafe.of(…).emit(…)"),
    ("16 as a request handler", serve_as_a_request_handler, "Board is no request handler: write Hub({'/': Board})"),
    ("17b Refused in on_connect", refuse_too_late, "Raise Refused in authenticate, so that the client hears why"),
    ("17c return False", lambda hub: connect(hub, auth={"verdict": False}), "Forbidden"),
    ("17c another verdict", lambda hub: connect(hub, auth={"verdict": "no"}), "return None or True to admit"),
    ("19 a date is returned", called("day"), "args[0] is of the type date, which has no JSON form"),
    ("21 callback=", called("callback"), "self.emit(callback=…) is not there: write await self.call(event, …)"),
    ("21 room=", called("room"), "emit(room=…) is not there: write self.to(room).emit(…)"),
    ("21 skip_sid=", called("skip_sid"), "emit(skip_sid=…) is not there: write self.except_(id).emit(…)"),
    ("24 waits for its own client", wait_for_the_own_client, "Board.on_wait has not ended for 3"),
    (
        "a room that is a number",
        called("enter_number"),
        "a room is a text, got 7: write str(…), or f'kind:7'",
    ),
    ("a list of rooms", called("to_list"), "the name of a room is a text, got ['a', 'b']: write to(*rooms)"),
    ("a room that is None", called("to_none"), "the name of a room is a text, got None"),
    ("several rooms to enter", called("enter_all"), "got ('a', 'b'): write to(*rooms), or enter each of them"),
    ("milliseconds", called("milliseconds"), "call(timeout=5000) means seconds: write timeout=5 if milliseconds"),
    ("milliseconds of all", called("milliseconds_of_all"), "call(timeout=5000) means seconds: write timeout=5"),
]


@pytest.mark.parametrize(("mistake", "line"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
async def test_a_mistake_is_not_silent(
    mistake: Callable[[Hub], Awaitable[Any]], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    said = ""
    try:
        await mistake(Hub({"/": Board}))
    except Exception as error:
        said = f"{error}\n"
    assert line in said + caplog.text


async def test_what_emit_returns_may_be_awaited() -> None:
    class Awaiting(SocketIOHandler):
        async def on_all(self) -> str:
            await self.emit("said", 1)
            await self.broadcast("said", 2)
            await self.to("nobody").emit("said", 3)
            return "done"

        def on_returned(self) -> Any:
            return self.emit("said", 4)

    client = await connect(Hub({"/": Awaiting}))
    assert await client.call("all") == "done"
    assert await client.call("returned") is None
    assert [args for _, args in client.received] == [1, 2, 4]


async def test_a_client_is_found_by_its_id() -> None:
    hub = Hub({"/": Board})
    ann, bob = [await connect(hub) for _ in range(2)]
    (handler,) = hub.of("/").to(ann.id).clients
    handler.enter("room")
    everyone = hub.of("/")
    assert everyone.get(ann.id) is everyone.to("room").get(ann.id) is handler
    assert everyone.to("room").get(bob.id) is everyone.get("nobody") is None
    ann.disconnect()
    assert everyone.get(ann.id) is None
