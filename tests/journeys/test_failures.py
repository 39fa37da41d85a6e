"""Application code that fails: logged once and answered.

It may fail anywhere; the server goes on.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
import types
from collections.abc import Callable
from typing import Any

import pytest
from conftest import leave_nothing_running
from inside import connect
from raw_client import address, serve
from tornado.web import Application

from handlers.socketio import Engine, Hub, Refused, SocketIOHandler, event, routes
from handlers.socketio.testing import TestClient

pytestmark = pytest.mark.gen_test

INTERNAL = {"message": "Internal error"}


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Stop(BaseException): ...


class Nothing(Exception):
    def __bool__(self) -> bool:
        return False


class PoorRefused(Refused):
    def __init__(self) -> None: ...


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


LOOK = "something that cannot be looked at"
FAILURES: dict[str, Callable[..., Any]] = {
    "an exception": raises(RuntimeError),
    "one that has no words": raises(Unspeakable),
    "one that is no Exception": raises(Stop),
    "a cancellation": raises(asyncio.CancelledError),
    "a Refused that cannot be encoded": raises(Refused("No", {"data": object()})),
    "a Refused of no text": raises(Refused(object())),  # type: ignore[arg-type]
    "a Refused without a payload": raises(PoorRefused),
    "the end of an iterator": raises(StopIteration),
    "an error that counts as nothing": raises(Nothing),
    "an awaitable that fails": lambda *_: HardToAwait(),
    LOOK: lambda *_: HardToLookAt(),
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
    assert f"FaultyHandler.{hook} " in the_line(caplog)


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize("failure", [name for name in FAILURES if name not in ("an awaitable that fails", LOOK)])
async def test_a_client_whose_handler_cannot_be_made_is_refused_and_leaves_nothing_behind(
    transport: str, failure: str
) -> None:
    handler = type("FaultyHandler", (AnyHandler,), {"__init__": lambda self: FAILURES[failure]()})
    hub = Hub({"/": handler, "/good": AnyHandler})
    async with serve(Application(routes(hub), hub=hub), expect="FaultyHandler.__init__ ") as server:
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


async def test_a_constructor_that_is_async_is_refused_in_words(caplog: pytest.LogCaptureFixture) -> None:
    async def init(self: Any) -> None: ...

    made = init(None)
    handler = type("FaultyHandler", (AnyHandler,), {"__init__": lambda self: made})
    with pytest.raises(Refused, match="Internal error"):
        await connect(Hub({"/": handler}))
    made.close()
    assert "write `def __init__(self)`, without `async`" in caplog.text


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_client_may_be_refused_when_its_handler_is_made(transport: str) -> None:
    class ChoosyHandler(AnyHandler):
        def __init__(self) -> None:
            raise Refused("Not you", {"code": 7})

    hub = Hub({"/": ChoosyHandler})
    async with serve(Application(routes(hub), hub=hub)) as server:
        client = await server.open(transport)
        await client.send("40", '42["ping"]')
        assert await client.next() == '44{"message":"Not you","data":{"code":7}}'
        hub.close()


@pytest.mark.parametrize("close", [False, True])
async def test_a_client_that_is_sent_away_when_its_handler_is_made_leaves_nothing_behind(close: bool) -> None:
    reached = []

    class HostileHandler(AnyHandler):
        def __init__(self) -> None:
            self.disconnect(close=close)

        def authenticate(self, auth: dict[str, Any]) -> None:
            reached.append(self.id)

    hub = Hub({"/": HostileHandler, "/good": AnyHandler})
    bob = await connect(hub, "/good")
    ann = TestClient(hub, "/", {}, bob.session.handshake)
    connecting = asyncio.ensure_future(ann.connect())
    await asyncio.sleep(0)
    if not close:
        ann.brings('2["ping"]')
    with pytest.raises(Refused, match=r"^Forbidden$"):
        await connecting
    assert ann.closed == ("forced close" if close else None)
    assert reached == []
    assert not hub.of("/").clients
    assert not hub.namespaces["/"].known


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


async def test_on_any_takes_as_many_arguments_as_it_says(caplog: pytest.LogCaptureFixture) -> None:
    class Handler(AnyHandler):
        def on_any(self, event: str, number: int) -> list[Any]:
            return [event, number]

    client = await connect(Hub({"/": Handler}))
    assert await client.call("else", 7) == ["else", 7]
    assert await client.call("else") == {"message": "else takes 1 argument, and 0 came"}
    assert await client.call("else", 7, 8) == {"message": "else takes 1 argument, and 2 came"}
    client.brings('2123["7",7]')
    client.brings("2124[7,7]")
    assert caplog.messages == ["Handler.on_any takes 1 argument, 0 came with 'else'"]


async def test_answers_come_in_the_order_of_the_events_whatever_they_are() -> None:
    class Handler(AnyHandler):
        async def on_slow(self) -> None:
            await asyncio.sleep(0)

        def on_no(self) -> None:
            raise Refused("No")

    client = await connect(Hub({"/": Handler}))
    answered: list[int] = []
    calls = [asyncio.ensure_future(client.call(*said)) for said in (("slow",), ("x",), ("ping", 1), ("slow",), ("no",))]
    for number, each_call in enumerate(calls):
        each_call.add_done_callback(functools.partial(lambda number, _: answered.append(number), number))
    await asyncio.gather(*calls)
    assert answered == [0, 1, 2, 3, 4]


# -- what is returned


class Later:
    """An awaitable that is no coroutine."""

    def __await__(self) -> Any:
        yield
        return "later"


def hidden(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that hides what a method is."""
    return functools.wraps(function)(lambda *args: function(*args))


class Returning(AnyHandler):
    def on_future(self) -> Any:
        future = asyncio.get_running_loop().create_future()
        future.set_result("later")
        return future

    def on_awaitable(self) -> Any:
        return Later()

    @hidden
    @types.coroutine
    def on_old_coroutine(self) -> Any:
        yield
        return "later"

    async def on_two_steps(self) -> Any:
        return Later()

    @hidden
    def on_generator(self) -> Any:
        yield 1

    @hidden
    async def on_async_generator(self) -> Any:
        yield 1

    async def on_generator_later(self) -> Any:
        return (number for number in [1])


@pytest.mark.parametrize("kind", ["future", "awaitable", "old_coroutine"])
async def test_whatever_can_be_awaited_is(kind: str) -> None:
    client = await connect(Hub({"/": Returning}))
    assert await client.call(kind) == "later"


@pytest.mark.parametrize("kind", ["two_steps", "generator", "async_generator", "generator_later"])
async def test_what_does_not_run_to_its_end_is_an_error_whether_an_answer_is_expected_or_not(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect(Hub({"/": Returning}))
    assert await client.call(kind) == INTERNAL
    assert f"Returning.on_{kind} failed" in the_line(caplog)
    caplog.clear()
    client.emit(kind)
    assert await client.call("ping") == "pong"
    assert f"Returning.on_{kind} failed" in the_line(caplog)


@both
@pytest.mark.parametrize("verdict", [None, True, False, 0, 1, "yes", []])
async def test_an_event_is_let_through_by_None_and_True_alone(
    verdict: Any, when: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hub, _ = fails_in("before_event", when(lambda *_: verdict))
    client = await connect(hub)
    answer = await client.call("ping")
    if verdict is None or verdict is True:
        assert answer == "pong"
    elif verdict is False:
        assert answer == {"message": "Forbidden"}
    else:
        assert answer == INTERNAL
        assert "FaultyHandler.before_event failed" in the_line(caplog)
        assert f"returned a {type(verdict).__name__}: return None or True" in caplog.text
        return
    assert caplog.records == []


# -- the log


@pytest.mark.parametrize("name", ["chat message", "it", "unknown", "checked"])
async def test_the_log_names_the_event(name: str, caplog: pytest.LogCaptureFixture) -> None:
    class Handler(AnyHandler):
        @event("chat message")
        def on_it(self) -> None:
            raise RuntimeError

        def on_any(self, event: str) -> None:
            raise RuntimeError

        def on_checked(self) -> None: ...

        def before_event(self, event: str, args: list[Any]) -> None:
            if event == "checked":
                raise RuntimeError

    client = await connect(Hub({"/": Handler}))
    assert await client.call(name) == INTERNAL
    method = {"chat message": "on_it", "checked": "before_event"}.get(name, "on_any")
    assert the_line(caplog) == f"Handler.{method} failed for <Handler {client.id} in /> on {name!r}"


@both
@pytest.mark.parametrize("hook", ["on_disconnecting", "on_disconnect"])
async def test_a_Refused_that_refuses_nobody_is_an_error(
    hook: str, when: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hub, _ = fails_in(hook, when(raises(Refused("No"))))
    client = await connect(hub)
    client.disconnect()
    while hub.running:
        await asyncio.wait(hub.running)
    assert f"FaultyHandler.{hook} failed" in the_line(caplog)


# -- the end of the process


@both
@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("hook", ["on_it", "before_event", "authenticate", "__init__"])
def test_what_ends_the_process_is_logged_and_leaves_nothing_undone(
    hook: str, end: type[BaseException], when: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def enter_and_ask() -> Any:
        client.append(await connect(hub))
        return await client[0].call("it" if hook == "on_it" else "ping")

    hub, handler = fails_in(hook, (at_once if hook == "__init__" else when)(raises(end)))
    client: list[TestClient] = []
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(end):
            loop.run_until_complete(enter_and_ask())
        assert f"FaultyHandler.{hook} failed" in the_line(caplog)
        setattr(handler, hook, lambda self, *args: None)
        if client:
            assert loop.run_until_complete(client[0].call("ping")) == "pong"
        else:
            assert not hub.namespaces["/"].known
        loop.run_until_complete(leave_nothing_running())
    finally:
        loop.close()


def test_what_still_waits_when_a_loop_is_closed_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Handler(AnyHandler):
        async def on_it(self) -> None:
            await asyncio.Event().wait()

    async def enter_and_say() -> None:
        (await connect(hub)).emit("it")
        await asyncio.sleep(0)

    hub = Hub({"/": Handler})
    loop = asyncio.new_event_loop()
    loop.run_until_complete(enter_and_say())
    loop.close()
    (task,) = hub.running
    task.get_coro().close()  # type: ignore[attr-defined]
    assert caplog.records == []
    task._log_destroy_pending = False  # type: ignore[attr-defined]


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
    assert "closing <" in the_line(caplog)


async def test_a_beat_goes_on_when_a_session_fails(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub({"/": AnyHandler}, ping_interval=1, ping_timeout=1)
    clients = await three(hub)
    for client in clients:
        client.silent = True
    await hub.loop.advance(3)  # type: ignore[union-attr]
    assert clients[0].closed == clients[2].closed == "ping timeout"
    assert not hub.sessions
    assert "closing <" in the_line(caplog)


class LeavingHandler(AnyHandler):
    """Counts who has left, and may be in one room."""

    max_rooms = 1

    def on_disconnect(self, reason: str) -> None:
        self.settings.setdefault("left", []).append(self.id)


@pytest.mark.parametrize("way", ["closing", "a beat", "one by one"])
async def test_a_client_whose_transport_does_not_end_has_left_all_the_same(way: str) -> None:
    hub = Hub({"/": LeavingHandler}, ping_interval=1, ping_timeout=1)
    clients = await three(hub)
    for client in clients:
        client.silent = True
    if way == "closing":
        hub.close()
    elif way == "a beat":
        await hub.loop.advance(3)  # type: ignore[union-attr]
    else:
        for client in clients:
            client.session.close("forced close")
    assert hub.of("/").clients == []
    assert sorted(hub.settings["left"]) == sorted(client.id for client in clients)


@pytest.mark.parametrize("recovery", [False, True])
async def test_sending_all_away_goes_on_when_one_fails(recovery: bool) -> None:
    hub = Hub({"/": LeavingHandler})
    clients = [await connect(hub, recovery=recovery) for _ in range(3)]
    clients[0].__class__ = Clinging
    hub.of("/").disconnect(True)
    assert [client.closed for client in clients[1:]] == ["forced close"] * 2
    assert hub.of("/").clients == []
    assert len(hub.settings["left"]) == 3
    assert len(hub.recovery) == 0


@pytest.mark.parametrize(("name", "queued"), [("deliver", False), ("deliver", True), ("ready", True)])
async def test_a_transport_that_fails_to_send_ends_its_session_and_keeps_nothing_from_others(
    name: str, queued: bool, caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hub({"/": LeavingHandler})
    one, bad, other = [await connect(hub) for _ in range(3)]
    bad.__class__ = type(
        "BrokenClient",
        (TestClient,),
        {name: property(raises(RuntimeError)) if name == "ready" else raises(RuntimeError)},
    )
    for number in range(2):
        hub.of("/").emit("said", number)
        if queued:
            hub.of("/").to(one.id, bad.id, other.id).emit("said", number)
        await asyncio.sleep(0)
    times = 2 if queued else 1
    for client in (one, other):
        assert client.received == [("said", number) for number in range(2) for _ in range(times)]
    assert bad.closed == "transport error"
    assert hub.settings["left"] == [bad.id]
    assert the_line(caplog).startswith("the transport of <Session ")


class BrokenStream:
    """Somebody who only listens, and whose connection fails."""

    def __init__(self, beats: list[str]) -> None:
        self.beats = beats

    def beat(self) -> None:
        self.beats.append("beat")
        raise RuntimeError("broken")

    def close(self, reason: str) -> None:
        self.beats.append(reason)
        raise RuntimeError("broken")


async def test_beats_and_the_end_reach_all_who_only_listen() -> None:
    hub = Hub({"/": AnyHandler}, ping_interval=1)
    await connect(hub)
    beats: list[str] = []
    for _ in range(2):
        hub.streams.begin(BrokenStream(beats), hub.now())
    await hub.loop.advance(1.1)  # type: ignore[union-attr]
    hub.close()
    assert beats == ["beat"] * 2 + ["server shutting down"] * 2


async def test_upgrades_that_fail_are_given_up_although_one_of_them_does_not_end() -> None:
    class BrokenCandidate(TestClient):
        def release(self) -> None:
            raise RuntimeError("cannot end")

    hub = Hub({"/": AnyHandler}, upgrade_timeout=1)
    clients = [await connect(hub) for _ in range(2)]
    for client in clients:
        client.name = "polling"
        client.session.begin_upgrade(BrokenCandidate(hub, "/", {}, client._handshake))
    await hub.loop.advance(1.2)  # type: ignore[union-attr]
    assert hub.counters.not_upgraded == 2
    assert len(hub.sessions) == 2


class Echo:
    """A listener of the engine."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def on_message(self, data: str | bytes) -> None:
        self.session.send(data)

    def on_close(self, reason: str) -> None: ...


transports = pytest.mark.parametrize("transport", ["polling", "websocket"])


@transports
@pytest.mark.parametrize(("where", "line"), [("on_message", "a message of "), ("on_close", "on_close of ")])
async def test_a_listener_of_the_engine_that_fails_harms_its_session_alone(
    where: str, line: str, transport: str
) -> None:
    listeners = [Echo, type("Fragile", (Echo,), {where: raises(RuntimeError)})]
    engine = Engine(lambda session: listeners.pop(0)(session))
    async with serve(Application(routes(engine), hub=engine), expect=line) as server:
        good, bad = await server.websocket(), await server.open(transport)
        if where == "on_message":
            await bad.send("4bad")
        else:
            engine.sessions[bad.sid].close("transport close")
            assert len(engine.sessions) == 1
        await good.send("4still")
        assert await good.next() == "4still"


@transports
async def test_a_session_of_the_engine_that_nobody_listens_to_is_none(transport: str) -> None:
    listeners = [raises(RuntimeError), Echo]
    engine = Engine(lambda session: listeners.pop(0)(session), max_per_address=1)
    application = Application(routes(engine), hub=engine, log_function=lambda handler: None)
    async with serve(application, expect="Uncaught exception GET") as server:
        if transport == "polling":
            assert (await server.request("GET", address(transport="polling"))).status == 500
        else:
            await (await server.handshake()).gone.wait()
        assert not engine.sessions
        assert not engine._heartbeat
        good = await server.websocket()  # nobody else is in of this address
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


async def test_a_handler_may_be_whatever_a_class_can() -> None:
    @dataclasses.dataclass
    class Score(AnyHandler):
        points: int = 0

        def on_score(self) -> int:
            self.points += 1
            return self.points

        def __len__(self) -> int:
            return self.points

    class Watched(AnyHandler):
        def __init__(self) -> None:
            vars(self)["changed"] = []

        def __setattr__(self, name: str, value: Any) -> None:
            self.changed.append(name)
            super().__setattr__(name, value)

        def on_change(self) -> list[str]:
            self.room = 1
            return list(self.changed)

    hub = Hub({"/score": Score, "/watched": Watched})
    score, watched = await connect(hub, "/score", recovery=True), await connect(hub, "/watched")
    assert [await score.call("score"), await score.call("score")] == [1, 2]
    score.drop()
    await score.connect()
    assert await score.call("score") == 3
    assert [handler.points for handler in hub.of("/score").clients] == [3]
    assert await watched.call("change") == ["room"]


@pytest.mark.parametrize("names", ["name", ["name", 7], None, 7])
def test_the_names_of_what_is_remembered_are_several(names: Any) -> None:
    with pytest.raises(TypeError, match=r'^Handler\.remembered .*write remembered = \("name", "color"\)$'):
        type("Handler", (AnyHandler,), {"remembered": names})


@pytest.mark.parametrize("name", ["id", "auth", "connected", "recovered", "request", "rooms", "settings"])
async def test_what_would_be_mistaken_for_the_library_s_is_refused_at_once(name: str) -> None:
    client = await connect(hub := Hub({"/": AnyHandler}))
    (handler,) = hub.of("/").clients
    with pytest.raises(AttributeError, match=rf"^AnyHandler\.{name} is the library's .*choose .*self\.my_{name}$"):
        setattr(handler, name, "own")
    assert await client.call("ping") == "pong"


@pytest.mark.parametrize("name", ["id", "auth", "connected", "recovered", "request", "rooms", "settings"])
@pytest.mark.parametrize("where", ["the class", "a base before", "a base behind"])
def test_nor_may_a_class_hide_it(name: str, where: str) -> None:
    mixin = type("Mixin", (), {name: "own"})
    bases = {"a base before": (mixin, AnyHandler), "a base behind": (AnyHandler, mixin)}.get(where, (AnyHandler,))
    if where == "a base behind":
        assert type("Handler", bases, {})  # Python finds the library's first
        return
    with pytest.raises(
        TypeError, match=rf"^Handler\.{name} hides the library's .*choose another name, such as my_{name}$"
    ):
        type("Handler", bases, {name: "own"} if where == "the class" else {})


async def test_a_handler_is_no_request_handler() -> None:
    with pytest.raises(TypeError, match=r"^AnyHandler is no request handler: write Hub\("):
        AnyHandler(object())  # type: ignore[arg-type]
