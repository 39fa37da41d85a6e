"""The mistakes of a first hour: each logs its line.

The numbers are those of the list that was made when an application was built with the library for the first time. More
of what goes wrong where something is declared is in test_declarations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import mistakes as m
import pytest
from mistakes import Board, Mistake, called, connected, declared, did, handler, requested, sent, started

from handlers.socketio import Hub, Origins, SocketIOHandler, event, routes
from handlers.socketio.testing import connect

pytestmark = pytest.mark.gen_test

BAD: Any = None


def print_it(self: Any, *args: Any) -> None: ...


TABLE: list[tuple[str, Mistake, str]] = [
    ("1 an argument too many", called("join", 1), "Board.on_join takes no argument, 1 came with 'join'"),
    ("1 an argument too few", called("fit"), "Board.on_fit takes 1 argument, 0 came with 'fit'"),
    ("1b environ", handler(on_connect=lambda self, environ: None), "write `def on_connect(self)`"),
    ("1b no reason", handler(on_disconnect=lambda self: None), "write `def on_disconnect(self, reason)`"),
    ("1c no auth", handler(authenticate=lambda self: None), "write `def authenticate(self, auth)`"),
    ("2 an undeclared event", called("jion"), "Board has no event 'jion': did you mean 'join'? It answers acked, "),
    ("2 another case", called("Join"), "Board has no event 'Join': did you mean 'join'?"),
    ("2 a hyphen", called("to-list"), "Board has no event 'to-list': did you mean 'to_list'?"),
    (
        "3a a misspelt option",
        declared(lambda: Hub({"/": Board}, ping_intervall=BAD)),
        "Hub has no option 'ping_intervall': did you mean 'ping_interval'?",
    ),
    (
        "3a an option of another library",
        declared(lambda: Hub({"/": Board}, cors_allowed_origins=BAD)),
        "Hub has no option 'cors_allowed_origins': write routes(hub, origins=[",
    ),
    (
        "3b a value",
        declared(lambda: Hub({"/": Board}, ping_interval="25")),  # type: ignore[arg-type]
        "ping_interval must be a number of seconds, more than 0, got '25': write ping_interval=25",
    ),
    (
        "3c no star",
        declared(lambda: m.Application([routes(Hub({"/": Board}))])),  # type: ignore[list-item]
        "routes(hub) is a list of rules: write *routes(hub) in the list of an Application",
    ),
    ("3d no routes", m.forget_the_routes, "404 GET /socket.io/"),
    ("3e an option of the board", started("--ping-interval=0"), "--ping-interval must be"),
    ("4 emit of a set", called("set"), "args[0] is of the type set, which has no JSON form: {1}"),
    ("5 emit after leaving", m.emit_after_leaving, "Board: emit('x') to a client that has left reaches nobody"),
    ("5 enter after leaving", m.enter_after_leaving, "Board: enter('room') for a client that has left does nothing"),
    ("5 to(id) after leaving", m.look_for_who_has_left, "get(id) returned None"),
    ("5b call after leaving", m.ask_who_has_left, "has left: nobody can answer 'q'"),
    ("6 a blocking handler", called("block"), "Board.on_block held the event loop for 0.3"),
    ("7 an exception", called("boom"), "Board.on_boom failed for <Board "),
    ("8 a namespace of the client", connected("/x"), "a client asks for no namespace '/x': this hub has /"),
    ("8b a namespace of the server", lambda hub: hub.of("/x").call("q"), "no namespace '/x': this hub has /"),
    (
        "9 a foreign origin",
        requested({"Origin": "https://elsewhere.example"}),
        "Forbidden (a page of 'https://elsewhere.example' may not connect to '127.0.0.1:",
    ),
    (
        "9 which option",
        requested({"Origin": "https://elsewhere.example"}),
        "add 'https://elsewhere.example' to the origins of routes(hub, origins=[…]))",
    ),
    ("9b a page of a file", requested({"Origin": "null"}), "a page without an origin (a file, or a sandboxed iframe)"),
    ("10 a client of Socket.IO 2", requested({}, EIO="3"), "the client speaks EIO=3 (Socket.IO 1 or 2), this server"),
    ("11 a port in use", started(), "is in use: "),
    ("12 a call that nobody awaits", m.forget_an_await, "coroutine 'SocketIOHandler.call' was never awaited"),
    ("12b an awaited emit", called("awaited"), "emit was awaited"),
    ("13 an attribute of the library's", called("assign_id"), "Board.id is the library's (The client's id"),
    ("14 emit from a thread", called("thread"), "write hub.threadsafe.of(…).emit(…)"),
    (
        "15 no base class",
        declared(lambda: Hub({"/": type("Plain", (), {})})),
        "write class Plain(SocketIOHandler)",
    ),
    (
        "15 an __init__ with arguments",
        handler(__init__=lambda self, environ: None),
        "Mine.__init__ is called without arguments, and needs some",
    ),
    ("16 as a request handler", m.serve_as_a_request_handler, "Board is no request handler: write Hub({'/': Board})"),
    ("17 on_connect raises", connected(fail=True), "Board.on_connect failed for <Board "),
    ("17b Refused in on_connect", connected(refuse=True), "Raise Refused in authenticate, so that the client hears"),
    ("17c return False", connected(verdict=False), "Forbidden"),
    ("17c another verdict", connected(verdict="no"), "return None or True to admit"),
    ("17d emit in authenticate", connected(enter=True), "[('welcome', 'early')]"),
    ("18 auth is a text", sent('40"token"'), "auth must be an object, as in io({ auth: { token } }), got 'token'"),
    (
        "18b a token that is not there",
        connected(stranger=True),
        "the client's auth has no 'token': write auth.get('token')",
    ),
    ("18c no cookie_secret", called("signed"), "needs a cookie_secret: write Application([…], cookie_secret=…)"),
    ("19 a date is returned", called("day"), "args[0] is of the type date, which has no JSON form"),
    ("20 a message too big", sent("4" + "x" * 1_200_000), "a message of more than 1000000 bytes"),
    ("21 callback=", called("callback"), "self.emit(callback=…) is not there: write await self.call(event, …)"),
    ("21 room=", called("room"), "emit(room=…) is not there: write self.to(room).emit(…)"),
    ("21 skip_sid=", called("skip_sid"), "emit(skip_sid=…) is not there: write self.except_(id).emit(…)"),
    ("21 sid", called("foreign", "sid"), "'Board' object has no attribute 'sid': write self.id"),
    ("21 enter_room", called("foreign", "enter_room"), "no attribute 'enter_room': write self.enter(room)"),
    ("22 settings", m.share_settings, '430["the application\'s"]'),
    ("23 a number for keep", called("keep"), "('x', 'data', 20)"),
    ("24 waits for its own client", m.wait_for_the_own_client, "Board.on_wait has not ended for 3"),
    (
        "25 an event that is not there, in a test",
        m.in_a_test("jion"),
        "Board has no event 'jion': did you mean 'join'?",
    ),
    (
        "25 arguments that do not fit, in a test",
        m.in_a_test("join", 1),
        "raised AssertionError: Board.on_join takes no argument, 1 came",
    ),
    ("25 an exception, in a test", m.in_a_test("boom"), "raised ZeroDivisionError: boom"),
    ("26 a fork", m.fork, "serves this hub beside others, by a fork"),
    ("a room that is a number", called("enter_number"), "a room is a text, got 7: write str(…), or f'kind:7'"),
    (
        "a list of rooms",
        called("to_list"),
        "the name of a room is a text, got ['a', 'b']: write *rooms, or enter",
    ),
    ("a room that is None", called("to_none"), "the name of a room is a text, got None"),
    ("several rooms to enter", called("enter_all"), "got ('a', 'b'): write *rooms, or enter"),
    ("milliseconds", called("milliseconds"), "call(timeout=5000) means seconds: write timeout=5 if milliseconds"),
    ("milliseconds of all", called("milliseconds_of_all"), "call(timeout=5000) means seconds: write timeout=5"),
    ("a list of rooms to except", did(lambda self: self.except_(["b"])), "write *rooms, or"),
    ("1 an ack", called("acked", 1), "Board.on_acked takes 2 arguments, 1 came with 'acked': remove `ack`, what the"),
    (
        "no timeout",
        did(lambda self: self.call("q", timeout=None)),
        "timeout must be a number of seconds",
    ),
    ("a timeout as text", did(lambda self: self.call("q", timeout="5")), "got '5': write timeout=5"),
    ("no timeout of all", did(lambda self: self.others.call("q", timeout=None)), "timeout must be a number of seconds"),
    (
        "two rooms",
        did(lambda self: self.enter("a", "b")),
        "call it for each of them",
    ),
    ("two rooms of all", did(lambda self: self.others.leave("a", "b")), "one room at a time"),
    ("a deleted attribute", did(lambda self: delattr(self, "id")), "Board.id is the library's (The client's id"),
    ("two names of an event", declared(lambda: event("a", "b")), "@event takes one name, got 'a' and ('b',)"),  # type: ignore[arg-type]
    ("two marks", declared(lambda: event("a")(event("b")(print_it))), "answers 'b' already"),
    ("no origins", declared(lambda: routes(Hub({"/": Board}), origins=None)), "origins must be a list, got None"),  # type: ignore[arg-type]
    ("an origin that is a number", declared(lambda: Origins(80)), "origins must be a list, got 80"),  # type: ignore[arg-type]
]
BAD_KEEPS: list[Any] = [-1, "3", True, 2.0, None, [3]]
NUMBERS = (
    "1 1b 1c 2 3a 3b 3c 3d 3e 4 5 5b 6 7 8 8b 9 10 11 12 12b 13 14 15 16 17 17b 17c 17d 18 18b 19 20 21 22 23 24 25 26"
)


def test_every_mistake_of_the_list_has_a_row() -> None:
    assert {row[0].split()[0] for row in TABLE} >= set(NUMBERS.split())


@pytest.mark.parametrize(("mistake", "line"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
async def test_a_mistake_is_not_silent(mistake: Mistake, line: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    try:
        said = f"{await mistake(Hub({'/': Board}))}\n"
    except Exception as error:
        said = f"{error}\n"
    assert line in said + caplog.text


THREADED: dict[str, Callable[[Any], object]] = {
    "clients": lambda everyone: everyone.clients,
    "get": lambda everyone: everyone.get("x"),
    "rooms": lambda everyone: everyone.rooms,
    "call": lambda everyone: asyncio.run(everyone.call("x")),
}


@pytest.mark.parametrize("use", THREADED)
@pytest.mark.parametrize("threadsafe", [False, True])
async def test_what_another_thread_cannot_have_is_an_error(use: str, threadsafe: bool) -> None:
    hub = Hub({"/": Board})
    await connect(hub)
    everyone = (hub.threadsafe if threadsafe else hub).of("/")
    with pytest.raises(RuntimeError, match=r"an answer is that of asyncio.run_coroutine_threadsafe\(.*, loop\).result"):
        await asyncio.to_thread(THREADED[use], everyone)


async def test_a_call_that_no_loop_would_run_is_an_error_at_once() -> None:
    hub = Hub({"/": Board})
    await connect(hub)
    everyone = hub.threadsafe.of("/")
    with pytest.raises(RuntimeError, match="an answer is that of"):
        await asyncio.to_thread(everyone.call, "x")
    assert (await everyone.call("x", timeout=0)).missing == [each.id for each in everyone.clients]


@pytest.mark.parametrize("keep", BAD_KEEPS, ids=repr)
@pytest.mark.parametrize("rooms", [(), ("lobby",)])
async def test_a_keep_that_cannot_be_leaves_nothing(keep: Any, rooms: tuple[str, ...]) -> None:
    hub = Hub({"/": Board})
    await connect(hub)
    for speak in (hub.of("/").to(*rooms).emit, hub.threadsafe.of("/").to(*rooms).emit):
        with pytest.raises((TypeError, ValueError), match="keep must be a whole number of events, 0 or more, got"):
            speak("x", 1, keep=keep)
    namespace = hub.namespace("/")
    assert not namespace.kept
    assert not namespace.rooms


async def test_events_that_no_room_can_keep_are_refused() -> None:
    hub = Hub({"/": Board})
    client = await connect(hub)
    with pytest.raises(ValueError, match="keep=… must be for everyone or one room"):
        hub.of("/").to(client.id).emit("x", keep=1)
    with pytest.raises(ValueError, match="keep must be 1000000 at most, got 1"):
        hub.of("/").emit("x", keep=10**30)
    assert not hub.namespace("/").rooms


@pytest.mark.parametrize(
    ("mistake", "line"),
    [
        (requested({"Origin": "https://elsewhere.example"}), "add 'https://elsewhere.example' to the origins"),
        (requested({"Origin": "null"}), "serve the page over HTTP"),
        (requested({}, EIO="3"), "the client speaks EIO=3"),
        (sent('40"token"'), "auth must be an object"),
    ],
)
async def test_a_client_that_cannot_connect_is_a_warning(
    mistake: Mistake, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    await mistake(Hub({"/": Board}))
    (said,) = [record for record in caplog.records if record.name.endswith(".notices")]
    assert (said.levelname, said.getMessage()[:25]) == ("WARNING", "a client cannot connect: ")
    assert line in said.getMessage()


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
