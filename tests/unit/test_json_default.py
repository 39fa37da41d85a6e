"""`Hub(json_default=…)`: the application chooses the form of other values.

Values that have no JSON form of their own.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from inside import connect

from handlers.socketio import Hub, Refused, SocketIOHandler
from handlers.socketio.testing import TestClient

pytestmark = pytest.mark.gen_test


@dataclasses.dataclass
class Point:
    """Something of the application's own."""

    x: int
    when: date


DAY = date(2026, 1, 2)
VALUES: list[tuple[Any, Any]] = [
    (DAY, "2026-01-02"),
    (Decimal("1.50"), "1.50"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (Point(1, DAY), {"x": 1, "when": "2026-01-02"}),
    ([{"deep": (Point(1, DAY), None)}], [{"deep": [{"x": 1, "when": "2026-01-02"}, None]}]),
    ({"day": DAY, "bytes": b"\0"}, {"day": "2026-01-02", "bytes": b"\0"}),
    ({"plain": 1}, {"plain": 1}),
]


def default(value: Any) -> Any:
    """What an application writes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, (date, Decimal, UUID)):
        return str(value)
    if isinstance(value, deque):
        return value
    raise TypeError("nothing known about it")


class Speaker(SocketIOHandler):
    """Says what it is told to say."""

    def authenticate(self, auth: dict[str, Any]) -> None:
        if auth:
            raise Refused("Come later", {"on": DAY})

    def on_return(self) -> Any:
        return self.settings["value"]

    def on_emit(self) -> None:
        self.emit("said", self.settings["value"])

    def on_broadcast(self) -> None:
        self.broadcast("said", self.settings["value"])

    def on_refuse(self) -> None:
        raise Refused("No", self.settings["value"])

    async def on_call(self) -> Any:
        return await self.call("ask", self.settings["value"])


async def speaker(value: Any, **options: Any) -> TestClient:
    hub = Hub({"/": Speaker}, **options)
    hub.settings["value"] = value
    return await connect(hub)


@pytest.mark.parametrize(("value", "sent"), VALUES, ids=[repr(value)[:40] for value, _ in VALUES])
async def test_a_value_is_sent_as_the_function_returns_it(value: Any, sent: Any) -> None:
    client = await speaker(value, json_default=default)
    assert await client.call("return") == sent
    for event in ("emit", "broadcast"):
        client.emit(event)
        assert await client.receive("said") == sent
    assert await client.call("refuse") == {"message": "No", "data": sent}
    client.answer("ask", lambda asked: asked)
    assert await client.call("call") == sent


async def test_a_refusal_is_sent_so_too() -> None:
    with pytest.raises(Refused) as refused:
        await connect(Hub({"/": Speaker}, json_default=str), auth={"any": 1})
    assert refused.value.data == {"on": "2026-01-02"}


@pytest.mark.parametrize(
    ("value", "options", "line"),
    [
        ({1, 2}, {"json_default": default}, "json_default raised TypeError('nothing known about it') for a value"),
        ({1, 2}, {"json_default": default}, "of the type set: {1, 2}"),
        (deque([1]), {"json_default": default}, "json_default returns what it is given"),
        ({(1, 2): DAY}, {"json_default": default}, "args[0] has the key (1, 2)"),
        ([DAY], {}, "args[0][0] is of the type date, which has no JSON form"),
        ([DAY], {}, "Hub(json_default=…)"),
    ],
)
async def test_what_still_has_no_form_is_named(
    value: Any, options: dict[str, Any], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = await speaker(value, **options)
    assert await client.call("return") == {"message": "Internal error"}
    assert line in str(caplog.records[-1].exc_text)


async def test_what_contains_itself_ends() -> None:
    loop: list[Any] = [DAY]
    loop.append(loop)
    client = await speaker(loop, json_default=default)
    assert await client.call("return") == {"message": "Internal error"}


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match=r"json_default must be a function, got 'str': write json_default=str"):
        Hub({"/": Speaker}, json_default="str")  # type: ignore[arg-type]
