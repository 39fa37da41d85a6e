"""What the log says about an application's mistakes: once each.

Never as often as a client likes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from inside import connect
from tornado.process import fork_processes

from handlers.socketio import Hub, Refused, SocketIOHandler, event
from handlers.socketio.notices import MAX_A_MINUTE, MAX_KNOWN, Notices
from handlers.socketio.testing import TestClient

pytestmark = pytest.mark.gen_test


class Lobby(SocketIOHandler):
    """Does a few things, well or badly."""

    def on_open(self) -> str:
        return "opened"

    def on_save(self, document: str, force: bool = False) -> None: ...

    @event("chat message")
    def chat(self, text: str) -> None: ...

    def on_block(self) -> None:
        time.sleep(0.3)

    async def on_block_later(self) -> None:
        await asyncio.sleep(0)
        self.on_block()

    async def on_fail_slowly(self) -> None:
        await asyncio.sleep(0)
        self.on_block()
        raise KeyError("slow")

    async def on_wait(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await self.settings["gate"].wait()

    def on_fail(self) -> None:
        raise KeyError("on purpose")

    def on_unencodable(self) -> Any:
        return {"a": {1}}


class Silent(SocketIOHandler):
    """Answers nothing."""


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged as a warning."""
    return lambda: [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


async def settle(client: TestClient) -> None:
    """Wait until the server has handled what the client has sent."""
    assert await client.call("open") == "opened"


LOBBY = "It answers block, block_later, chat message, fail, fail_slowly, open, save, unencodable, wait"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("opne", ": did you mean 'open'?"),
        ("OPEN", ": did you mean 'open'?"),
        ("on_open", ": did you mean 'open'?"),
        ("chat_message", ": did you mean 'chat message'?"),
        ("chatMessage", ": did you mean 'chat message'?"),
        ("block-later", ": did you mean 'block_later'?"),
        ("quite different", "."),
        ("", "."),
        ("✓", "."),
    ],
)
async def test_an_event_that_nobody_declared_is_named_once(
    name: str, hint: str, lines: Callable[[], list[str]]
) -> None:
    ann, bob = [await connect(hub := Hub({"/": Lobby})) for _ in range(2)]
    for _ in range(3):
        ann.emit(name, 1)
        assert await bob.call(name) == {"message": f"Unknown event: {name}"}
    assert lines() == [f"Lobby has no event {name!r}{hint} {LOBBY}"] * 2  # one for each hub
    assert hub.counters.unknown_events == 3


async def test_a_class_that_answers_nothing_says_what_to_write(lines: Callable[[], list[str]]) -> None:
    client = await connect(Hub({"/": Silent}))
    await client.call("hello")
    assert lines() == ["Silent has no event 'hello'. It answers none: write `def on_hello(self, …)`"]


async def test_a_class_of_many_events_lists_some(lines: Callable[[], list[str]]) -> None:
    many = type("Many", (SocketIOHandler,), {f"on_e{number:02}": lambda self: None for number in range(50)})
    client = await connect(Hub({"/": many}))
    await client.call("zzz")
    assert lines()[0].endswith("It answers e00, e01, e02, e03, e04, e05, e06, e07, e08, e09, …")


@pytest.mark.parametrize(
    ("event", "args", "line"),
    [
        ("open", [1], "Lobby.on_open takes no argument, 1 came with 'open'"),
        ("save", [], "Lobby.on_save takes 1 to 2 arguments, 0 came with 'save'"),
        ("save", [1, 2, 3], "Lobby.on_save takes 1 to 2 arguments, 3 came with 'save'"),
        ("chat message", [], "Lobby.chat takes 1 argument, 0 came with 'chat message'"),
    ],
)
async def test_arguments_that_do_not_fit_are_named_once(
    event: str, args: list[Any], line: str, lines: Callable[[], list[str]]
) -> None:
    client = await connect(Hub({"/": Lobby}))
    for _ in range(3):
        client.emit(event, *args)
    await settle(client)
    assert lines() == [line]


async def test_a_namespace_that_nobody_declared_is_named_once(lines: Callable[[], list[str]]) -> None:
    hub = Hub({"/": Lobby, "/chat": Lobby})
    for _ in range(3):
        with contextlib.suppress(Exception):
            await connect(hub, "/nope")
    assert lines() == ["a client asks for no namespace '/nope': this hub has /, /chat"]


async def test_no_client_can_fill_the_log_or_the_memory(lines: Callable[[], list[str]]) -> None:
    hub = Hub({"/": Lobby}, rate=0)
    client = await connect(hub)
    for number in range(3000):
        client.emit(f"unknown {number}" + "x" * 1000)
        client.brings(f"0/nobody{number},")
        if number % 100 == 0:
            await settle(client)
    assert len(lines()) == MAX_A_MINUTE
    assert lines()[-1].endswith("(further warnings about what clients send are left out for 6 s)")
    assert all(len(line) < 400 for line in lines())
    await hub.loop.advance(61)  # type: ignore[union-attr]
    client.emit("opne")
    await settle(client)
    assert "'opne'" in lines()[-1]


def test_what_was_logged_long_ago_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices(lambda: 0.0)
    for number in range(MAX_KNOWN + 1):
        notices.warn(number, f"line {number}")
    notices.warn(MAX_KNOWN, "known")
    notices.warn(0, "forgotten")
    assert len(caplog.messages) == MAX_KNOWN + 2
    assert caplog.messages[-1] == "forgotten"


@pytest.mark.parametrize("name", ["block", "block_later", "fail_slowly"])
async def test_a_handler_that_holds_the_loop_is_named_once(name: str, lines: Callable[[], list[str]]) -> None:
    client = await connect(Hub({"/": Lobby}))
    for _ in range(2):
        await client.call(name)
    (line,) = lines()
    assert line.startswith(f"Lobby.on_{name} held the event loop for 0.")
    assert "await asyncio.to_thread" in line


async def test_a_handler_that_waits_holds_nothing(lines: Callable[[], list[str]]) -> None:
    hub = Hub({"/": Lobby})
    hub.settings["gate"] = asyncio.Event()
    client = await connect(hub)
    asyncio.get_running_loop().call_later(0.3, hub.settings["gate"].set)
    await client.call("wait")
    assert lines() == []
    times = hub.watches[0].times["Lobby.on_wait"]
    assert times.buckets[-1] == (float("inf"), 1)
    assert times.buckets[0][1] == 0
    assert times.seconds > 0.29


async def test_a_handler_that_does_not_end_while_events_wait_is_named_once(lines: Callable[[], list[str]]) -> None:
    hub = Hub({"/": Lobby})
    hub.settings["gate"] = asyncio.Event()
    client = await connect(hub)
    client.emit("wait")
    await hub.loop.advance(60)  # type: ignore[union-attr]
    assert lines() == []  # nothing waits behind it
    client.emit("open")
    client.emit("open")
    await hub.loop.advance(60)  # type: ignore[union-attr]
    (line,) = lines()
    assert line.startswith("Lobby.on_wait has not ended for ")
    assert "and 2 events or hooks of its client wait behind it" in line
    hub.settings["gate"].set()
    await settle(client)
    assert not hub.running


async def test_a_handler_that_has_ended_is_not_named(lines: Callable[[], list[str]]) -> None:
    hub = Hub({"/": Lobby})
    client = await connect(hub)
    for _ in range(10):
        gate = hub.settings["gate"] = asyncio.Event()
        client.emit("wait")
        client.emit("open")
        await hub.loop.advance(20)  # type: ignore[union-attr]
        gate.set()
        await settle(client)
    assert lines() == []


def calls(client: Any, hub: Hub) -> dict[str, Callable[[], Any]]:
    """What other threads may not do."""
    return {
        "emit": lambda: client.emit("x"),
        "broadcast": lambda: client.broadcast("x"),
        "to": lambda: client.to("room").emit("x"),
        "keep": lambda: hub.of("/").emit("x", keep=1),
        "enter": lambda: client.enter("room"),
        "leave": lambda: client.leave("room"),
        "disconnect": lambda: client.disconnect(),
        "call": lambda: asyncio.run(client.call("x")),
        "of": lambda: hub.of("/").emit("x"),
        "call all": lambda: asyncio.run(hub.of("/").call("x")),
        "all enter": lambda: hub.of("/").enter("room"),
        "all leave": lambda: hub.of("/").leave("room"),
        "disconnect all": lambda: hub.of("/").disconnect(),
        "within a loop": lambda: asyncio.run(emit_in_a_loop(client)),
    }


async def emit_in_a_loop(client: Any) -> None:
    client.emit("x")


@pytest.mark.parametrize("what", calls(None, None))  # type: ignore[arg-type]
async def test_another_thread_is_told_to_use_threadsafe(what: str) -> None:
    hub = Hub({"/": Lobby})
    client = await connect(hub)
    (handler,) = hub.of("/").clients
    with pytest.raises(RuntimeError, match=r"in another thread than .*: write hub\.threadsafe\.of\(…\)\.emit"):
        await asyncio.to_thread(calls(handler, hub)[what])
    assert client.received == []
    assert handler.rooms == frozenset()
    assert client.closed is None
    calls(handler, hub)["emit"]()
    assert await client.receive("x") == ()


def test_another_loop_of_the_same_thread_is_told_to_use_threadsafe() -> None:
    hub = Hub({"/": Lobby})

    async def begin() -> Any:
        await connect(hub)
        (handler,) = hub.of("/").clients
        return handler

    loop, other = asyncio.new_event_loop(), asyncio.new_event_loop()
    handler = loop.run_until_complete(begin())
    with pytest.raises(RuntimeError, match=r"the hub runs on another event loop: write hub\.threadsafe"):
        other.run_until_complete(emit_in_a_loop(handler))
    handler.emit("x")  # between two runs of its loop
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    other.close()


async def test_threadsafe_is_for_other_threads() -> None:
    hub = Hub({"/": Lobby})
    client = await connect(hub)
    thread = threading.Thread(target=lambda: hub.threadsafe.of("/").emit("x", 1))
    thread.start()
    assert await client.receive("x") == 1
    thread.join()


def serve_forked(made_before: bool, send: Callable[[object], None]) -> None:
    """Serve in a process of `fork_processes`; send what is logged."""
    hub = Hub({"/": Lobby})
    with contextlib.redirect_stderr(None), contextlib.suppress(SystemExit):
        if fork_processes(1, max_restarts=0) is not None:
            logged: list[str] = []
            handler = logging.Handler()
            handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
            logging.getLogger("handlers.socketio").addHandler(handler)

            async def begin() -> None:
                for _ in range(2):
                    await connect(hub if made_before else Hub({"/": Lobby}))

            asyncio.run(begin())
            send(logged)


@pytest.mark.parametrize(("made_before", "number"), [(True, 1), (False, 2)])
def test_a_fork_is_named_at_the_first_handshake(made_before: bool, number: int) -> None:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve_forked, args=[made_before, theirs.send])
    process.start()
    assert ours.poll(20)
    logged = ours.recv()
    process.join()
    assert len(logged) == number
    assert all("beside others, by a fork" in line and "Serve with one process" in line for line in logged)


async def test_a_refusal_that_comes_too_late_is_named_once(lines: Callable[[], list[str]]) -> None:
    class Late(SocketIOHandler):
        def on_connect(self) -> None:
            raise Refused("too late")

    hub = Hub({"/": Late})
    clients = [await connect(hub) for _ in range(5)]
    await clients[-1].settled()
    (line,) = lines()
    assert line.startswith("Late.on_connect refused <Late ")
    assert "Raise Refused in authenticate" in line
    assert not hub.of("/").clients


async def test_one_process_is_not_said_to_be_several(lines: Callable[[], list[str]]) -> None:
    await settle(await connect(Hub({"/": Lobby})))
    assert lines() == []


@pytest.mark.parametrize(
    ("event", "args", "answer"),
    [
        ("opne", [], f"Lobby has no event 'opne': did you mean 'open'? {LOBBY}"),
        ("open", [1], "Lobby.on_open takes no argument, 1 came with 'open'"),
        ("fail", [], "Lobby.on_fail failed: KeyError('on purpose')"),
        ("unencodable", [], "Lobby.on_unencodable failed: TypeError("),
    ],
)
async def test_clients_are_told_what_went_wrong_only_with_debug(event: str, args: list[Any], answer: str) -> None:
    hub = Hub({"/": Lobby})
    client = await connect(hub)
    assert "Lobby" not in (await client.call(event, *args))["message"]
    hub.settings["debug"] = True
    assert (await client.call(event, *args))["message"].startswith(answer)


async def test_who_is_refused_by_a_failure_is_told_which_with_debug() -> None:
    class Broken(SocketIOHandler):
        def authenticate(self, auth: dict[str, Any]) -> None:
            raise KeyError("token")

    hub = Hub({"/": Broken})
    with pytest.raises(Exception, match=r"^Internal error$"):
        await connect(hub)
    hub.settings["debug"] = True
    with pytest.raises(Exception, match=r"^Broken\.authenticate failed: KeyError\('token'\)$"):
        await connect(hub)
    with pytest.raises(Exception, match=r"^no namespace '/x': this hub has /$"):
        await connect(hub, "/x")
