"""JSON that kills other servers: deep, huge, full of keys, broken Unicode.

What is legal comes back unchanged; what is not, or cannot be encoded, harms its sender alone.
"""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import conformance_server
import pytest
from raw_client import (
    JOURNEY,
    Line,
    Server,
    echo,
    io_loop,  # noqa: F401 (a fixture)
    join,
    serve,
)
from tornado.web import Application

from handlers.socketio import Hub, event_stream, routes
from handlers.socketio.json_codec import DEEP, MAX_DEPTH

pytestmark = JOURNEY

both = pytest.mark.parametrize("transport", ["polling", "websocket"])

WITHIN = MAX_DEPTH - 1
"""How deep an argument may nest: it is within the array of the event."""
DIGITS = 4300
"""How many digits Python reads of a whole number."""

LEGAL = {
    "arrays as deep as may be": "[" * WITHIN + "]" * WITHIN,
    "objects as deep as may be": '{"a":' * WITHIN + "1" + "}" * WITHIN,
    "brackets side by side": "[" + ",".join(["[]", "{}"] * 20_000) + "]",
    "brackets within texts": json.dumps(["[" * 100_000, '"' * 100_000, "\\" * 100_000]),
    "the longest whole number": "9" * DIGITS,
    "its negative": "-" + "9" * DIGITS,
    "a long fraction": "0." + "3" * (DIGITS - 1),
    "the largest and the smallest numbers": "[1.7976931348623157e308,-1.7976931348623157e308,5e-324,1e-999]",
    "a key of 500,000 characters": json.dumps({"k" * 500_000: 1}),
    "50,000 keys": json.dumps({f"key {n}": n for n in range(50_000)}),
    "16,384 keys that other servers' hashes take for one": json.dumps(
        dict.fromkeys(map("".join, product(("Ez", "FY"), repeat=14)), 1)
    ),
    "one key 50,000 times": "{" + ",".join([f'"a":{n}' for n in range(50_000)]) + "}",
    "keys of JavaScript's own": '{"__proto__":{"x":1},"constructor":{"prototype":1},"toString":0,"length":-1}',
    "halves of surrogate pairs": r'["\ud800",{"\udfff":"a\udc00z"},"\ud83d\ude00"]',
    "texts of all kinds": json.dumps(["\x00", "\x1e", "\u2028", "\ufeff", "\U0010ffff", "é" * 100_000]),
}

ILLEGAL = {
    "arrays one too deep": "[" * (WITHIN + 1) + "]" * (WITHIN + 1),
    "arrays 5,000 deep": "[" * 5000 + "]" * 5000,
    "objects 5,000 deep": '{"a":' * 5000 + "1" + "}" * 5000,
    "900,000 brackets": "[" * 900_000,
    "900,000 quotation marks": "[" * (MAX_DEPTH + 1) + '"' * 900_000,
    "a whole number that is too long": "9" * (DIGITS + 1),
    "a fraction that is too long": "0." + "3" * 10_000,
    "a number beyond all numbers": "1e309",
    "an exponent beyond all numbers": "1e" + "9" * 1000,
}


@both
@pytest.mark.parametrize("kind", LEGAL)
async def test_what_is_legal_comes_back(kind: str, transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await join(client)
        await client.send(f'427["echo",{LEGAL[kind]}]')
        answer = str(await client.next())
        assert answer.startswith("437[")
        assert json.loads(answer[3:]) == [json.loads(LEGAL[kind])]
        await client.send(f'42["say",{LEGAL[kind]}]')
        said = str(await client.next())
        assert json.loads(said[2:]) == ["said", json.loads(LEGAL[kind])]


@both
@pytest.mark.parametrize("place", ['427["echo",{}]', '42["said",{}]', "437[{}]", '40/custom,{{"auth":{}}}'])
@pytest.mark.parametrize("kind", ILLEGAL)
async def test_what_is_not_ends_its_sender_alone(kind: str, place: str, transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client, other = await server.open(transport), await server.websocket()
        await join(client)
        await join(other)
        await client.send(place.format(ILLEGAL[kind]))
        await client.ended()
        await echo(other)


# -- what a handler says


def arrays(depth: int) -> Any:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def endless() -> Any:
    value: dict[str, Any] = {}
    value["itself"] = [value]
    return value


UNSPEAKABLE = {
    "arrays 5,000 deep": lambda: arrays(5000),
    "arrays 100,000 deep": lambda: arrays(100_000),
    "arrays a little too deep": lambda: arrays(DEEP),
    "what contains itself": endless,
    "a number that is too long": lambda: 10 ** (2 * DIGITS),
    "no number": lambda: float("nan"),
    "an object": object,
    "keys of another kind": lambda: {(1, 2): 3},
}


class Speaker(conformance_server.MainHandler):
    def on_return(self, kind: str) -> Any:
        return UNSPEAKABLE[kind]()

    async def on_return_late(self, kind: str) -> Any:
        return UNSPEAKABLE[kind]()

    def on_emit(self, kind: str) -> None:
        self.emit("said", UNSPEAKABLE[kind]())

    def on_broadcast(self, kind: str) -> None:
        self.broadcast("said", UNSPEAKABLE[kind]())

    async def on_call(self, kind: str) -> None:
        await self.call("said", UNSPEAKABLE[kind]())

    def on_refuse(self, kind: str) -> None:
        raise conformance_server.Refused("No", UNSPEAKABLE[kind]())

    def on_wrap(self, data: Any) -> None:
        self.broadcast("wrapped", {"from": {"you": [data]}})

    def on_name(self, name: Any) -> None:
        self.broadcast(name, "said")


class Doorkeeper(conformance_server.CheckHandler):
    def authenticate(self, auth: dict[str, Any]) -> None:
        raise conformance_server.Refused("No", UNSPEAKABLE[auth["kind"]]())


def speakers() -> Application:
    hub = Hub({"/": Speaker, "/door": Doorkeeper})
    return Application([*routes(hub), *event_stream(hub)])


async def listen(server: Server) -> Line:
    """Listen to the stream of events, from its first heartbeat on."""
    line: Line = await server.connect()
    line.write(b"GET /events HTTP/1.0\r\nHost: x\r\n\r\n")
    await line.take_until(b"\n:\n\n")
    return line


@both
@pytest.mark.parametrize("way", ["return", "return_late", "emit", "broadcast", "call", "refuse"])
@pytest.mark.parametrize("kind", UNSPEAKABLE)
async def test_what_cannot_be_said_is_said_to_nobody_and_logged(kind: str, way: str, transport: str) -> None:
    async with serve(speakers(), expect=f"on_{way} failed for <Speaker") as server:
        client, other = await server.open(transport), await server.websocket()
        await join(client)
        await join(other)
        await client.send(f'427["{way}","{kind}"]')
        assert await client.next() == '437[{"message":"Internal error"}]'
        await echo(client)
        await echo(other)


@pytest.mark.parametrize("kind", UNSPEAKABLE)
async def test_a_refusal_that_cannot_be_said_is_one_all_the_same(kind: str) -> None:
    async with serve(speakers(), expect="authenticate failed for <Doorkeeper") as server:
        client = await server.websocket()
        await client.send(f'40/door,{{"kind":"{kind}"}}')
        assert await client.next() == '44/door,{"message":"Internal error"}'
        await join(client)
        await echo(client)


@both
async def test_what_is_as_deep_as_may_be_is_passed_on_within_something(transport: str) -> None:
    async with serve(speakers()) as server:
        client, line = await server.open(transport), await listen(server)
        await join(client)
        await client.send(f'42["wrap",{LEGAL["arrays as deep as may be"]}]')
        wrapped = f'{{"from":{{"you":[{LEGAL["arrays as deep as may be"]}]}}}}'
        assert await client.next() == f'42["wrapped",{wrapped}]'
        assert f"\nevent: wrapped\ndata: {wrapped}\n\n" in (await line.take_until(b"\n\n")).decode()


@pytest.mark.parametrize("name", ["null", "true", "1", "{}", "[]", '"connect"'])
async def test_what_is_no_name_of_an_event_is_said_to_nobody(name: str) -> None:
    async with serve(speakers(), expect="on_name failed for <Speaker") as server:
        client, other = await server.websocket(), await server.websocket()
        await join(client)
        await join(other)
        await client.send(f'42["name",{name}]')
        await echo(client)
        await echo(other)


async def test_a_name_that_is_not_quite_Unicode_reaches_everyone_as_well_as_it_can() -> None:
    async with serve(speakers()) as server:
        client, other, line = await server.websocket(), await server.poll(), await listen(server)
        await join(client)
        await join(other)
        await client.send(r'42["name","\ud800\n"]')
        for one in (client, other):
            assert await one.next() == r'42["\ud800\n","said"]'
        assert b'\nevent: ?\ndata: "said"\n\n' in await line.take_until(b"\n\n")
        await echo(client)
