"""Which methods of a handler class answer events, whatever they are decorated with."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from handlers.socketio import Hub, SocketIOHandler, event
from handlers.socketio.events import EventTable
from handlers.socketio.testing import connect


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
    assert method.fits(len(args)) is fits


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
    """A decorator of an application: the method is given what is known of the user besides."""

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


def generator(self: Any) -> Any:
    yield 1


async def async_generator(self: Any) -> Any:
    yield 1


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
