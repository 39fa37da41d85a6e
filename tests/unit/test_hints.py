"""Names of other libraries raise hints; authors may use them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from handlers.socketio import Audience, Hub, SocketIOHandler
from handlers.socketio.hints import FOREIGN, FOREIGN_TO_HUB
from handlers.socketio.testing import connect

pytestmark = pytest.mark.gen_test


class Plain(SocketIOHandler):
    """Has nothing of its own."""


async def make(handler: type[SocketIOHandler]) -> Any:
    """Return the handler of a client."""
    hub = Hub({"/": handler})
    await connect(hub)
    return hub.of("/").clients[0]


@pytest.mark.parametrize("name", FOREIGN)
async def test_a_name_of_another_library_says_what_to_write(name: str) -> None:
    plain = await make(Plain)
    with pytest.raises(AttributeError, match=f"^'Plain' object has no attribute '{name}': write ") as raised:
        getattr(plain, name)
    assert raised.value.name == name
    assert not hasattr(plain, name)
    assert getattr(plain, name, "mine") == "mine"
    assert not hasattr(Plain, name)


@pytest.mark.parametrize("hint", [*FOREIGN.values()])
async def test_what_is_to_be_written_is_there(hint: str) -> None:
    named = re.findall(r"self\.(\w+)(?:\(room\)\.(\w+))?(?=[(.,]|$)", hint)
    for name, of_audience in named:
        assert hasattr(await make(Plain), name) or "name = …" in hint
        assert not of_audience or hasattr(Audience, of_audience)


@pytest.mark.parametrize("name", FOREIGN)
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


@pytest.mark.parametrize("name", FOREIGN_TO_HUB)
async def test_a_hub_says_what_to_write_too(name: str) -> None:
    hub = Hub({"/": Plain})
    with pytest.raises(AttributeError, match=f"^'Hub' object has no attribute '{name}': write ") as raised:
        getattr(hub, name)
    assert raised.value.name == name
    assert not hasattr(hub, name)
    own = type("Own", (Hub,), {name: "mine"})({"/": Plain})
    assert getattr(own, name) == "mine"


@pytest.mark.parametrize("hint", [*FOREIGN_TO_HUB.values()])
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
    names = FOREIGN if owner is SocketIOHandler else FOREIGN_TO_HUB
    assert not {name for base in owner.__mro__[1:] for name in vars(base)} & names.keys()
