"""Names of other libraries raise hints; authors may use them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tornado.web import authenticated

from handlers.socketio import Audience, Hub, SocketIOHandler
from handlers.socketio.hints import FOREIGN
from handlers.socketio.testing import connect

pytestmark = pytest.mark.gen_test


class Plain(SocketIOHandler):
    """Has nothing of its own."""


async def make(handler: type[SocketIOHandler]) -> Any:
    """Return the handler of a client."""
    hub = Hub({"/": handler})
    await connect(hub)
    return hub.of("/").clients[0]


async def make_all() -> dict[str, Any]:
    """Return an object of each class of the table."""
    plain = await make(Plain)
    hub = Hub({"/": Plain})
    return {
        "SocketIOHandler": plain,
        "Hub": hub,
        "ThreadsafeHub": hub.threadsafe,
        "Audience": plain.others,
        "Handshake": plain.request,
    }


NAMES = [(kind, name) for kind, names in FOREIGN.items() for name in names if kind != "broadcast"]


@pytest.mark.parametrize(("kind", "name"), NAMES)
async def test_a_name_of_another_library_says_what_to_write(kind: str, name: str) -> None:
    one = (await make_all())[kind]
    with pytest.raises(
        AttributeError, match=f"^'{type(one).__name__}' object has no attribute '{name}': write "
    ) as raised:
        getattr(one, name)
    assert raised.value.name == name
    assert not hasattr(one, name)
    assert getattr(one, name, "mine") == "mine"
    assert not hasattr(type(one), name)


async def test_every_foreign_name_is_said_of_its_class() -> None:
    assert {*FOREIGN} == {*await make_all(), "broadcast"}


@pytest.mark.parametrize("hint", [hint for kind in FOREIGN for hint in FOREIGN[kind].values() if "self." in hint])
async def test_what_is_to_be_written_is_there(hint: str) -> None:
    plain = await make(Plain)
    for name, of_request, of_audience in re.findall(
        r"self\.(\w+)(?:(?<=request)\.(\w+))?(?:\(room\)\.(\w+))?(?=[(\[.,]|$)", hint
    ):
        assert hasattr(plain, name) or "name = …" in hint
        assert not of_request or hasattr(plain.request, of_request)
        assert not of_audience or hasattr(Audience, of_audience)


@pytest.mark.parametrize("hint", FOREIGN["Audience"].values())
async def test_what_is_to_be_written_of_an_audience_is_there(hint: str) -> None:
    for name in re.findall(r"…\.(\w+)", hint):
        assert hasattr(Audience, name)


USES: dict[str, Callable[[Any], object]] = {
    "write len(….clients)": lambda self: len(self.others),
    "write ….emit(event, …), without parentheses": lambda self: self.others().emit("x"),
    "write self.others.to(room).emit(event, …)": lambda self: self.broadcast.to("r").emit("x"),
    "write self.others.emit(event, …), or self.broadcast": lambda self: self.broadcast.emit("x"),
    "write self.request.headers[name]": lambda self: self.request["Cookie"],
}


@pytest.mark.parametrize("line", USES)
async def test_a_use_of_another_library_says_what_to_write(line: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(line)):
        USES[line](await make(Plain))


async def test_an_audience_of_nobody_is_true_like_any_object() -> None:
    assert (await make(Plain)).others


async def test_rooms_are_entered_and_left_with_and_without_await() -> None:
    hub = Hub({"/": Plain})
    await connect(hub)
    (plain,) = hub.of("/").clients
    await plain.enter("a")
    await hub.of("/").enter("b")
    assert plain.rooms == {"a", "b"}
    await plain.leave("a")
    await hub.of("/").leave("b")
    assert not plain.rooms
    await plain.disconnect()
    await hub.of("/").disconnect()
    assert not hub.of("/").clients


async def test_a_decorator_for_pages_says_what_to_write() -> None:
    class Guarded(SocketIOHandler):
        @authenticated  # type: ignore[arg-type]
        def on_x(self) -> None: ...

    client = await connect(Hub({"/": Guarded}))
    with pytest.raises(AttributeError, match=r"write return self.current_user is not None in "):
        await client.call("x")


@pytest.mark.parametrize("name", FOREIGN["SocketIOHandler"])
async def test_an_author_may_use_the_name(name: str) -> None:
    plain = await make(Plain)
    setattr(plain, name, 1)
    assert getattr(plain, name) == 1
    delattr(plain, name)
    assert not hasattr(plain, name)
    own = await make(type("Own", (SocketIOHandler,), {name: lambda self: "mine"}))
    assert getattr(own, name)() == "mine"


async def test_an_error_within_a_property_stays_what_it_is() -> None:
    class Broken(SocketIOHandler):
        @property
        def sid(self) -> Any:
            return self.nothing  # type: ignore[attr-defined]

    with pytest.raises(AttributeError, match=r"^'Broken' object has no attribute 'nothing'"):
        _ = (await make(Broken)).sid


async def test_other_names_are_unknown_as_everywhere() -> None:
    with pytest.raises(AttributeError, match=r"^'Plain' object has no attribute 'nmae'"):
        _ = (await make(Plain)).nmae


def test_a_hub_of_an_author_may_use_the_names() -> None:
    own = type("Own", (Hub,), dict.fromkeys(FOREIGN["Hub"], "mine"))({"/": Plain})
    assert {getattr(own, name) for name in FOREIGN["Hub"]} == {"mine"}


@pytest.mark.parametrize("hint", [*FOREIGN["Hub"].values(), *FOREIGN["ThreadsafeHub"].values()])
async def test_what_is_to_be_written_of_a_hub_is_there(hint: str) -> None:
    hub = Hub({"/": Plain})
    await connect(hub)
    here: dict[str, Any] = {"hub": hub, "handler": hub.of("/").clients[0]}
    for name in re.findall(r"hub\.(\w+)", hint):
        assert hasattr(hub, name)
    for name in re.findall(r"get\(id\)\.(\w+)", hint):
        assert hasattr(here["handler"], name)
    for name in re.findall(r'of\("/"\)\.(?:to\(\w+\)\.)?(\w+)', hint):
        assert hasattr(Audience, name)


@pytest.mark.parametrize("owner", [SocketIOHandler, Hub])
def test_no_name_of_ours_is_hidden(owner: type) -> None:
    names = FOREIGN[owner.__name__]
    assert not {name for base in owner.__mro__[1:] for name in vars(base)} & names.keys()
