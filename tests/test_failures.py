"""Code of the application that fails, anywhere: logged once, answered where an answer is expected, and on it goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from tornado.web import Application
from wire import Closed, serve

from handlers.socketio import Engine, Hub, Refused, SocketIOHandler, event, routes
from handlers.socketio.testing import TestClient, connect

pytestmark = pytest.mark.gen_test

INTERNAL = {"message": "Internal error"}


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Stop(BaseException): ...


class HardToAwait:
    def __await__(self) -> Any:
        raise RuntimeError("not to be awaited")


class HardToLookAt:
    @property
    def __await__(self) -> Any:
        raise RuntimeError("not to be looked at")


def raises(error: Any) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error() if isinstance(error, type) else error

    return fail


FAILURES: dict[str, Callable[..., Any]] = {
    "an exception": raises(RuntimeError),
    "one that has no words": raises(Unspeakable),
    "one that is no Exception": raises(Stop),
    "a cancellation": raises(asyncio.CancelledError),
    "a Refused that cannot be encoded": raises(Refused("No", {"data": object()})),
    "a Refused of no text": raises(Refused(object())),  # type: ignore[arg-type]
    "an awaitable that fails": lambda *_: HardToAwait(),
    "something that cannot be looked at": lambda *_: HardToLookAt(),
}


def soon(fail: Callable[..., Any]) -> Callable[..., Any]:
    async def wait(*args: Any) -> Any:
        await asyncio.sleep(0)
        result = fail(*args)
        return await result if isinstance(result, HardToAwait) else result

    return wait


def at_once(fail: Callable[..., Any]) -> Callable[..., Any]:
    return fail


both = pytest.mark.parametrize("when", [at_once, soon])
each = pytest.mark.parametrize("failure", FAILURES)


class AnyHandler(SocketIOHandler):
    def on_ping(self) -> str:
        return "pong"


def fails_in(hook: str, function: Callable[..., Any]) -> tuple[Hub, type[AnyHandler]]:
    handler = type("FaultyHandler", (AnyHandler,), {hook: lambda self, *args: function(*args)})
    return Hub({"/": handler}), handler


def the_line(caplog: pytest.LogCaptureFixture) -> str:
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    return record.getMessage()


@both
@each
async def test_an_event_that_fails_is_logged_once_and_answered(
    failure: str, when: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hub, _ = fails_in("on_it", when(FAILURES[failure]))
    client = await connect(hub)
    answer = await client.call("it")
    assert answer == INTERNAL
    assert await client.call("ping") == "pong"
    outcome = "was cancelled" if failure == "a cancellation" else "failed"
    assert the_line(caplog).startswith(f"FaultyHandler.on_it {outcome} for <FaultyHandler ")


@both
@each
@pytest.mark.parametrize("hook", ["before_event", "on_any"])
async def test_so_is_one_whose_hook_fails(hook: str, failure: str, when: Any, caplog: pytest.LogCaptureFixture) -> None:
    if failure == "something that cannot be looked at":
        failure = "an exception"  # nobody looks at what before_event returns
    hub, handler = fails_in(hook, when(FAILURES[failure]))
    client = await connect(hub)
    assert await client.call("unknown" if hook == "on_any" else "ping") == INTERNAL
    assert f"FaultyHandler.{hook} " in the_line(caplog)
    setattr(handler, hook, lambda self, *args: None)
    assert await client.call("ping") == "pong"


@both
@each
async def test_a_client_whose_authenticate_fails_is_refused(
    failure: str, when: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hub, _ = fails_in("authenticate", when(FAILURES[failure]))
    with pytest.raises(Refused, match=r"^Internal error$"):
        await connect(hub)
    assert not hub.namespaces["/"].known
    assert "FaultyHandler.authenticate " in the_line(caplog)


@both
@each
@pytest.mark.parametrize("hook", ["on_connect", "on_disconnecting", "on_disconnect"])
async def test_a_client_comes_and_goes_whatever_its_hooks_do(
    hook: str, failure: str, when: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hub, _ = fails_in(hook, when(FAILURES[failure]))
    client = await connect(hub, recovery=True)
    if "Refused" not in failure or hook != "on_connect":
        assert await client.call("ping") == "pong"
        client.disconnect()
    while hub.running:
        await asyncio.wait(hub.running)
    assert not hub.namespaces["/"].known
    if "Refused" not in failure and failure != "something that cannot be looked at":
        assert f"FaultyHandler.{hook} " in the_line(caplog)


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize("failure", ["an exception", "one that has no words", "a Refused that cannot be encoded"])
async def test_a_client_whose_handler_cannot_be_made_is_refused_and_leaves_nothing_behind(
    transport: str, failure: str
) -> None:
    handler = type("FaultyHandler", (AnyHandler,), {"__init__": lambda self: FAILURES[failure]()})
    hub = Hub({"/": handler, "/good": AnyHandler})
    async with serve(Application(routes(hub), hub=hub), expect="FaultyHandler.__init__ failed for ") as server:
        client = await server.open(transport)
        await client.send("40")
        assert await client.next() == '44{"message":"Internal error"}'
        await client.send("40/good,")
        assert (await client.next()).startswith("40/good,")
        await client.send('42/good,1["ping"]')
        assert await client.next() == '43/good,1["pong"]'
        assert "/" not in hub.namespaces or not hub.namespaces["/"].known
        hub.close()
        assert not hub.sessions


async def test_a_constructor_of_another_signature_is_refused_in_words(caplog: pytest.LogCaptureFixture) -> None:
    handler = type("FaultyHandler", (AnyHandler,), {"__init__": lambda self, application: None})
    with pytest.raises(Refused, match="Internal error"):
        await connect(Hub({"/": handler}))
    assert "FaultyHandler.__init__ failed" in the_line(caplog)


async def test_an_answer_that_cannot_be_encoded_is_an_error() -> None:
    class Handler(AnyHandler):
        def on_set(self) -> Any:
            return {1}

        async def on_deep(self) -> Any:
            value: list[Any] = []
            value.append(value)
            return value

    client = await connect(Hub({"/": Handler}))
    assert await client.call("set") == await client.call("deep") == INTERNAL


async def test_every_event_that_asks_for_an_acknowledgement_gets_one() -> None:
    class Handler(AnyHandler):
        def on_two(self, a: Any, b: Any) -> None: ...

        @event("spaced out")
        def spaced(self, *words: str) -> int:
            return len(words)

        def on_no(self) -> None:
            raise Refused("No", 7)

    client = await connect(Hub({"/": Handler}))
    assert await client.call("nothing of the kind", 1) == {"message": "Unknown event: nothing of the kind"}
    assert await client.call("two", 1) == {"message": "two takes 2 arguments, and 1 came"}
    assert await client.call("two", 1, 2) is None
    assert await client.call("ping", 1) == {"message": "ping takes no argument, and 1 came"}
    assert await client.call("spaced out", 1, 2, 3) == 3
    assert await client.call("no") == {"message": "No", "data": 7}
    long = await client.call("x" * 1000)
    assert long == {"message": "Unknown event: " + "x" * 80}


# -- loops


class Clinging(TestClient):
    """A client whose transport fails to end."""

    def end(self, *_: Any) -> None:
        raise RuntimeError("cannot end")


async def three(hub: Hub) -> list[TestClient]:
    """Clients, of which the second fails when its session closes."""
    clients = [await connect(hub) for _ in range(3)]
    clients[1].__class__ = Clinging
    return clients


async def test_closing_a_hub_goes_on_when_a_session_fails(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub({"/": AnyHandler})
    one, _, three_ = await three(hub)
    hub.close()
    assert one.closed == three_.closed == "server shutting down"
    assert not hub.sessions
    assert "did not close as it should" in the_line(caplog)


async def test_a_beat_goes_on_when_a_session_fails(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub({"/": AnyHandler}, ping_interval=1, ping_timeout=1)
    clients = await three(hub)
    for client in clients:
        client.silent = True
    await hub.loop.advance(3)  # type: ignore[union-attr]
    assert clients[0].closed == clients[2].closed == "ping timeout"
    assert not hub.sessions
    assert "did not close as it should" in the_line(caplog)


@pytest.mark.parametrize(
    ("where", "line"),
    [("on_message", "a message of "), ("on_close", "the end of "), ("__init__", "has no listener, and is closed")],
)
async def test_a_listener_of_the_engine_that_fails_harms_its_session_alone(where: str, line: str) -> None:
    class Echo:
        def __init__(self, session: Any) -> None:
            self.session = session

        def on_message(self, data: str | bytes) -> None:
            self.session.send(data)

        def on_close(self, reason: str) -> None: ...

    fragile = type("Fragile", (Echo,), {where: raises(RuntimeError)})
    listeners = [Echo, fragile]
    engine = Engine(lambda session: listeners.pop(0)(session))
    async with serve(Application(routes(engine), hub=engine), expect=line) as server:
        good = await server.websocket()
        if where == "__init__":
            with pytest.raises(Closed):
                await server.websocket()
        else:
            bad = await server.websocket()
            if where == "on_message":
                await bad.send("4bad")
            bad.close()
        while len(engine.sessions) > 1:
            await asyncio.sleep(0.001)
        await good.send("4still")
        assert await good.next() == "4still"


# -- the application's names


NAMES = (
    "room session busy match queue client connection namespace online trail left auth_ _rooms _trail _session _join "
    "_run _send _queue _client _acks _namespace _connection _left answers handler returning hub engine user name"
)


@pytest.mark.parametrize("name", NAMES.split())
async def test_any_attribute_is_the_application_s(name: str) -> None:
    class OwnHandler(AnyHandler):
        def __init__(self) -> None:
            setattr(self, name, "own")

        def on_connect(self) -> None:
            self.enter("lobby")
            setattr(self, name, ["own", name])

        def on_shout(self) -> Any:
            self.others.emit("said")
            self.emit("said")
            return getattr(self, name)

    hub = Hub({"/": OwnHandler})
    one, two = await connect(hub, recovery=True), await connect(hub)
    assert await one.call("shout") == ["own", name]
    await two.receive("said")
    await one.receive("said")
    one.drop()
    hub.of("/").to("lobby").emit("news")
    await one.connect()
    assert one.recovered
    await one.receive("news")
    assert len(hub.of("/").clients) == 2
    hub.close()
    assert not hub.sessions


@pytest.mark.parametrize("name", ["id", "auth", "connected", "recovered", "request", "rooms", "settings"])
async def test_what_would_be_mistaken_for_the_library_s_is_refused_at_once(name: str) -> None:
    client = await connect(hub := Hub({"/": AnyHandler}))
    (handler,) = hub.of("/").clients
    with pytest.raises(AttributeError, match=rf"^AnyHandler\.{name} is the library's .*choose .*self\.my_{name}$"):
        setattr(handler, name, "own")
    assert await client.call("ping") == "pong"


async def test_a_handler_is_no_request_handler() -> None:
    with pytest.raises(TypeError, match=r"^AnyHandler is no request handler: write Hub\("):
        AnyHandler(object())  # type: ignore[arg-type]
