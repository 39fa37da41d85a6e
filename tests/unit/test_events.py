"""Which methods of a handler class answer events, with any decorator."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from inside import connect

from handlers.socketio import Hub, Refused, SocketIOHandler, event
from handlers.socketio.events import EventTable


class Base(SocketIOHandler):
    def on_connect(self) -> None: ...

    def on_disconnect(self, reason: str) -> None: ...

    def on_move(self, x: int, y: int = 0) -> None: ...

    @event("chat message")
    def said(self, *words: str) -> None: ...

    def helper(self) -> None: ...

    def _on_secret(self) -> None: ...

    on_number = 7


class Derived(Base):
    def on_stop(self) -> None: ...

    @event("halt")
    def on_go(self) -> None: ...

    def on_one(self, data: Any) -> None: ...


def test_methods_answer_events_of_their_name_and_marks_any_other() -> None:
    assert sorted(EventTable(Base)) == ["chat message", "move"]


def test_a_class_answers_what_its_base_answers_too() -> None:
    assert sorted(EventTable(Derived)) == ["chat message", "halt", "move", "one", "stop"]


def test_hooks_helpers_and_private_names_are_no_events() -> None:
    for name in ("connect", "disconnect", "disconnecting", "any", "helper", "emit", "secret", "number", "go"):
        assert EventTable(Derived).find(name) is None


@pytest.mark.parametrize(
    ("name", "args", "fits"),
    [
        ("move", [], False),
        ("move", [1], True),
        ("move", [1, 2], True),
        ("move", [1, 2, 3], False),
        ("stop", [], True),
        ("stop", [1], False),
        ("chat message", [], True),
        ("chat message", ["a"] * 9, True),
    ],
)
def test_the_number_of_arguments_is_checked(name: str, args: list[Any], fits: bool) -> None:
    method = EventTable(Derived).find(name)
    assert method is not None
    assert (method.min_args <= len(args) <= method.max_args) is fits


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("move", "1 to 2 arguments"),
        ("stop", "no argument"),
        ("chat message", "0 or more arguments"),
        ("one", "1 argument"),
    ],
)
def test_the_numbers_of_arguments_are_told_in_words(name: str, words: str) -> None:
    method = EventTable(Derived).find(name)
    assert method is not None
    assert method.arity == words


def test_a_name_of_the_protocol_cannot_be_marked() -> None:
    with pytest.raises(ValueError, match="choose another name"):
        event("disconnect")


# -- decorated, and declared later


def adds_an_argument(method: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator of an application: the method is passed the user."""

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any) -> Any:
        return method(self, "Ann", *args)

    return wrapper


def adds_events(cls: type) -> type:
    """A class decorator, which comes when the class is declared already."""
    cls.on_added = lambda self, data: ["added", data]  # type: ignore[attr-defined]
    event("late words")(cls.on_late)  # type: ignore[attr-defined]
    return cls


class Callee:
    """What can be called and is no function."""

    def __call__(self, data: Any) -> list[Any]:
        return ["callee", data]


@adds_events
class Decorated(SocketIOHandler):
    @adds_an_argument
    def on_wrapped(self, user: str, data: Any) -> list[Any]:
        return ["wrapped", user, data]

    @staticmethod
    def on_static(data: Any) -> list[Any]:
        return ["static", data]

    @classmethod
    def on_class(cls, data: Any) -> list[Any]:
        return ["class", cls.__name__, data]

    @functools.lru_cache  # noqa: B019 (that it is one is the point)
    def on_cached(self, data: Any) -> list[Any]:
        return ["cached", data]

    def _partly(self, word: str, data: Any) -> list[Any]:
        return ["partly", word, data]

    on_partly = functools.partialmethod(_partly, "first")
    on_callee = Callee()

    @event("marked static")
    @staticmethod
    def marked(data: Any) -> list[Any]:
        return ["marked", data]

    def on_late(self, data: Any) -> list[Any]:
        return ["late", data]

    @functools.singledispatchmethod
    def on_dispatched(self, data: Any) -> Any:
        raise AssertionError("unreachable")

    @on_dispatched.register
    def _(self, data: int) -> list[Any]:
        return ["dispatched", data]

    @adds_an_argument
    @event("wrapped words")
    def said(self, user: str, data: Any) -> list[Any]:
        return ["said", user, data]

    @staticmethod
    @event("marked inside")
    def inside(data: Any) -> list[Any]:
        return ["inside", data]

    @classmethod
    async def on_async_class(cls, data: Any) -> list[Any]:
        return ["async class", data]

    on_nothing = None
    on_page = 3


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("wrapped", ["wrapped", "Ann", 1]),
        ("static", ["static", 1]),
        ("class", ["class", "Decorated", 1]),
        ("cached", ["cached", 1]),
        ("partly", ["partly", "first", 1]),
        ("callee", ["callee", 1]),
        ("marked static", ["marked", 1]),
        ("dispatched", ["dispatched", 1]),
        ("wrapped words", ["said", "Ann", 1]),
        ("marked inside", ["inside", 1]),
        ("async_class", ["async class", 1]),
        ("added", ["added", 1]),
        ("late words", ["late", 1]),
        ("nothing", {"message": "Unknown event: nothing"}),
        ("page", {"message": "Unknown event: page"}),
    ],
)
async def test_a_decorated_method_is_called_as_its_decorator_says(name: str, answer: Any) -> None:
    client = await connect(Hub({"/": Decorated}))
    assert await client.call(name, 1) == answer


@pytest.mark.gen_test
@pytest.mark.parametrize("name", ["static", "class", "cached", "partly", "callee", "marked static", "async_class"])
async def test_the_number_of_arguments_is_known_of_a_decorated_method_too(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect(Hub({"/": Decorated}))
    assert await client.call(name) == {"message": f"{name} takes 1 argument, and 0 came"}
    assert await client.call(name, 1, 2) == {"message": f"{name} takes 1 argument, and 2 came"}
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.gen_test
async def test_a_hook_is_called_as_its_decorator_says() -> None:
    seen: list[Any] = []

    class Hooked(SocketIOHandler):
        @staticmethod
        def authenticate(auth: dict[str, Any]) -> None:
            seen.append("authenticate")

        @classmethod
        def on_connect(cls) -> None:
            seen.append(cls.__name__)

        @adds_an_argument
        def before_event(self, user: str, event: str, args: list[Any]) -> None:
            seen.append((user, event, list(args)))

        on_any = functools.partialmethod(lambda self, first, event, *args: [first, event, *args], "first")
        on_disconnecting = staticmethod(seen.append)
        on_disconnect = Callee()

    client = await connect(Hub({"/": Hooked}, recovery=0))
    assert await client.call("whatever", 1) == ["first", "whatever", 1]
    client.drop()
    assert seen == ["authenticate", "Hooked", ("Ann", "whatever", [1]), "transport close"]


@pytest.mark.gen_test
async def test_what_is_assigned_to_the_class_later_answers_too() -> None:
    class Later(SocketIOHandler):
        def on_old(self) -> str:
            return "old"

    client = await connect(Hub({"/": Later}))
    assert await client.call("old") == "old"
    assert await client.call("new") == {"message": "Unknown event: new"}
    Later.on_new = lambda self, data: data  # type: ignore[attr-defined]
    Later.on_old = lambda self: "newer"  # type: ignore[method-assign]
    Later.said = event("in words")(lambda self: "said")  # type: ignore[attr-defined]
    assert await client.call("new", 1) == 1
    assert await client.call("new") == {"message": "new takes 1 argument, and 0 came"}
    assert await client.call("old") == "newer"
    assert await client.call("in words") == "said"
    del Later.on_new  # type: ignore[attr-defined]
    assert await client.call("new", 1) == {"message": "Unknown event: new"}


@pytest.mark.gen_test
async def test_a_hook_that_is_assigned_later_is_called() -> None:
    class Later(SocketIOHandler): ...

    hub = Hub({"/": Later})
    await connect(hub)
    Later.on_connect = lambda self: self.emit("hello")  # type: ignore[method-assign]
    client = await connect(hub)
    await client.receive("hello")


@pytest.mark.gen_test
async def test_an_event_may_be_renamed_and_come_from_anywhere() -> None:
    class Mixin:
        count = 0

    class Later(Mixin, SocketIOHandler):
        def on_old(self) -> str:
            return "old"

    client = await connect(Hub({"/": Later}))
    method = Later.on_old
    del Later.on_old
    Later.on_new = method  # type: ignore[attr-defined]
    assert await client.call("old") == {"message": "Unknown event: old"}
    assert await client.call("new") == "old"
    Mixin.on_mixed = lambda self: "mixed"  # type: ignore[attr-defined]
    assert await client.call("mixed") == "mixed"
    Mixin.on_mixed = lambda self: "mixed again"  # type: ignore[attr-defined]
    assert await client.call("mixed") == "mixed again"
    Later.on_mixed = None  # type: ignore[attr-defined]
    assert await client.call("mixed") == {"message": "Unknown event: mixed"}


@pytest.mark.gen_test
@pytest.mark.parametrize("kind", [staticmethod, classmethod, functools.lru_cache, lambda function: function])
async def test_a_test_may_replace_a_method_for_a_while(kind: Any) -> None:
    class Real(SocketIOHandler):
        on_it = kind(lambda *_: "real")

        def on_any(self, event: str) -> str:
            return event

    client = await connect(Hub({"/": Real}))
    assert await client.call("it") == "real"
    with mock.patch.object(Real, "on_it", mock.Mock(return_value="mocked")) as mocked:
        assert await client.call("it", 1) == "mocked"
    mocked.assert_called_once_with(1)
    assert await client.call("it") == "real"
    with mock.patch.object(Real, "on_any", mock.AsyncMock(return_value="mocked")):
        assert await client.call("else") == "mocked"
    assert await client.call("else") == "else"


@pytest.mark.gen_test
async def test_what_cannot_be_an_event_is_an_error_in_the_log_when_it_is_assigned_while_clients_are_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Later(SocketIOHandler):
        def on_old(self) -> str:
            return "old"

        def authenticate(self, auth: dict[str, Any]) -> None:
            if auth:
                raise Refused("Closed")

    hub = Hub({"/": Later})
    client = await connect(hub)
    Later.on_bad = generator  # type: ignore[attr-defined]
    for _ in range(3):
        assert await client.call("bad") == {"message": "Unknown event: bad"}
        assert await client.call("old") == "old"
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert caplog.messages[0].startswith("Later.on_bad has a `yield`")
    assert caplog.messages[1].startswith("Later has no event 'bad'")
    caplog.clear()
    Later.authenticate = lambda self: None  # type: ignore[method-assign, assignment]
    for _ in range(3):
        with pytest.raises(Refused, match="Closed"):  # as long as nobody can ask the new one
            await connect(hub, auth={"name": "Mallory"})
    assert [each.getMessage()[:20] for each in caplog.records] == ["Later.authenticate t", "Later.on_bad has a `"]


def test_looking_for_what_was_assigned_later_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(SocketIOHandler):
        count = 0
        on_page = 3

    table = EventTable(Counting)
    monkeypatch.setattr(table, "_scan", lambda refuse: pytest.fail("scanned again"))
    for name in ("page", "unknown", "", "count"):
        assert table.find(name) is None
        Counting.count += 1
        Counting.on_page += 1


# -- overriding


@pytest.mark.gen_test
async def test_a_method_that_overrides_a_marked_one_answers_the_same_event() -> None:
    class Marked(SocketIOHandler):
        @event("chat message")
        def said(self) -> str:
            return "base"

        @event("part")
        def on_leave_room(self) -> str:
            return "base"

        @event("good day")
        def greet(self) -> str:
            return "base"

    class Overriding(Marked):
        def said(self) -> str:
            return f"derived from {super().said()}"

        def on_leave_room(self) -> str:
            return "derived"

        greet = None  # type: ignore[assignment]

    client = await connect(Hub({"/": Overriding}))
    assert await client.call("chat message") == "derived from base"
    assert await client.call("part") == "derived"
    assert await client.call("leave_room") == {"message": "Unknown event: leave_room"}
    assert await client.call("good day") == {"message": "Unknown event: good day"}


def test_two_methods_for_one_event_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^Twice\.on_move and Twice\.go both answer 'move': keep one of them$"):

        class Twice(SocketIOHandler):
            def on_move(self) -> None: ...

            @event("move")
            def go(self) -> None: ...


def test_two_names_of_one_method_are_no_two_methods() -> None:
    class Aliased(SocketIOHandler):
        @event("hello")
        def on_hello(self) -> None: ...

        greeting = on_hello

    assert list(EventTable(Aliased)) == ["hello"]


def test_what_has_every_attribute_is_not_marked() -> None:
    class Odd(SocketIOHandler):
        helper = mock.Mock()
        other = mock.MagicMock()

    assert list(EventTable(Odd)) == []


# -- what cannot be an event


def generator(self: Any) -> Any:
    yield 1


async def async_generator(self: Any) -> Any:
    yield 1


class Raising:
    def __get__(self, instance: Any, owner: type) -> Any:
        raise LookupError("not here")


def needs_a_name(self: Any, *, data: Any) -> None: ...


def takes_nothing() -> None: ...


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (generator, "a `yield`"),
        (async_generator, "a `yield`"),
        (needs_a_name, "by its name"),
        (takes_nothing, "write `self`"),
        (property(takes_nothing), "is a property, which cannot answer an event: write a method"),
        (functools.cached_property(generator), "is a cached_property"),
        (Callee, "is a type"),
        (staticmethod(7), "is a staticmethod"),
        (staticmethod(generator), "a `yield`"),
        (functools.wraps(generator)(lambda: None), "write `self`"),
        (Raising(), "raises LookupError"),
    ],
)
def test_what_cannot_be_an_event_is_refused_when_the_class_is_declared(value: Any, words: str) -> None:
    with pytest.raises(TypeError, match=rf"^Wrong\.on_it .*{words}"):
        type("Wrong", (SocketIOHandler,), {"on_it": value})


def test_what_is_added_by_a_class_decorator_is_refused_when_the_hub_is_made() -> None:
    class Wrong(SocketIOHandler): ...

    Wrong.on_it = generator  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=r"^Wrong\.on_it has a `yield`"):
        Hub({"/": Wrong})


@pytest.mark.parametrize("name", ["connect_error", "newListener", "removeListener"])
def test_an_event_that_no_client_can_send_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=rf"^Wrong\.on_{name} is never called: .*Choose another name$"):
        type("Wrong", (SocketIOHandler,), {f"on_{name}": lambda self: None})


@pytest.mark.parametrize(
    ("hook", "value", "words"),
    [
        ("authenticate", lambda self: None, r"def authenticate\(self, auth\)"),
        (
            "on_connect",
            lambda self, environ: None,
            r"takes 1 argument, but is called with 0: write `def on_connect\(self\)",
        ),
        ("on_disconnect", lambda self: None, r"def on_disconnect\(self, reason\)"),
        ("on_disconnecting", lambda self, a, b: None, r"def on_disconnecting\(self, reason\)"),
        ("before_event", lambda self, event: None, r"def before_event\(self, event, args\)"),
        ("on_any", lambda self: None, r"def on_any\(self, event, \*args\)"),
        ("on_connect", generator, "a `yield`"),
        ("on_connect", None, "is a NoneType"),
        ("on_connect", property(generator), "is a property"),
    ],
)
def test_a_hook_that_cannot_be_called_is_refused_when_the_class_is_declared(hook: str, value: Any, words: str) -> None:
    with pytest.raises(TypeError, match=rf"^Wrong\.{hook} .*{words}"):
        type("Wrong", (SocketIOHandler,), {hook: value})


@pytest.mark.parametrize("name", [7, None, ["hello"], generator])
def test_the_name_of_an_event_is_a_text(name: Any) -> None:
    with pytest.raises(TypeError, match=r'write @event\("…"\)$'):
        event(name)


def test_what_cannot_be_marked_says_so() -> None:
    with pytest.raises(TypeError, match="cannot be marked: write a method that calls it"):
        event("hello")(len)
