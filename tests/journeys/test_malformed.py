"""Invalid Socket.IO messages close their sender's connection only.

The log has one quiet line.
"""

from __future__ import annotations

import logging

import conformance_server
import pytest
from raw_client import (
    JOURNEY,
    Closed,
    Polling,
    WebSocket,
    echo,
    io_loop,  # noqa: F401 (a fixture)
    join,
    reason_of,
    serve,
    witnessed,
)

pytestmark = JOURNEY

both = pytest.mark.parametrize("transport", ["polling", "websocket"])

MALFORMED: dict[str, list[str | bytes]] = {
    "an event for a namespace not joined": ['42/custom,["x"]'],
    "an acknowledgement for a namespace not joined": ["43/custom,1[]"],
    "a DISCONNECT for a namespace not joined": ["41/custom,"],
    "a second CONNECT": ["40"],
    "a CONNECT_ERROR": ['44{"message":"x"}'],
    "a CONNECT with auth that is an array": ["40/custom,[]"],
    "a CONNECT with auth that is a text": ['40/custom,"secret"'],
    "a CONNECT with auth that is true": ["40/custom,true"],
    "a CONNECT with auth that is null": ["40/custom,null"],
    "no type at all": ["4"],
    "an unknown type": ["47"],
    "a type that is no digit": ["4x"],
    "an event without data": ["42"],
    "an event that is an object": ['42{"0":"x"}'],
    "an event that is a text": ['42"x"'],
    "an empty event": ["42[]"],
    "an event whose name is null": ["42[null]"],
    "an event whose name is an object": ["42[{}]"],
    "an event whose name is true": ["42[true]"],
    "a reserved name: connect": ['42["connect"]'],
    "a reserved name: connect_error": ['42["connect_error"]'],
    "a reserved name: disconnect": ['42["disconnect"]'],
    "a reserved name: disconnecting": ['42["disconnecting"]'],
    "a reserved name: newListener": ['42["newListener"]'],
    "a reserved name: removeListener": ['42["removeListener"]'],
    "a reserved name of a binary event": ['451-["disconnect",{"_placeholder":true,"num":0}]', b"x"],
    "JSON that is cut off": ['42["x"'],
    "JSON with something behind it": ['42["x"]]'],
    "JSON that is none": ["42[x]"],
    "NaN": ['42["echo",NaN]'],
    "Infinity": ['42["echo",-Infinity]'],
    "a number beyond all numbers": ['42["echo",1e999]'],
    "an event nested 5,000 deep": ['42["echo",' + "[" * 5000 + "]" * 5000 + "]"],
    "an integer of 10,000 digits": ['42["echo",' + "9" * 10_000 + "]"],
    "an acknowledgement without an id": ["43[1]"],
    "an acknowledgement that is no array": ['431{"a":1}'],
    "a DISCONNECT with data": ['41["x"]'],
    "text while attachments are missing": ['451-["echo",{"_placeholder":true,"num":0}]', '42["say",1]'],
    "binary that nothing announced": [b"x"],
    "one attachment too many": ['451-["say",{"_placeholder":true,"num":0}]', b"x", b"y"],
    "an attachment named twice": ['451-["echo",' + ",".join(['{"_placeholder":true,"num":0}'] * 2) + "]", b"x"],
    "a placeholder beyond the last": ['451-["echo",{"_placeholder":true,"num":1}]', b"x"],
    "a placeholder before the first": ['451-["echo",{"_placeholder":true,"num":-1}]', b"x"],
    "a placeholder that is no number": ['451-["echo",{"_placeholder":true,"num":"0"}]', b"x"],
    "a placeholder without a number": ['451-["echo",{"_placeholder":true}]', b"x"],
    "a placeholder as the name": ['451-[{"_placeholder":true,"num":0}]', b"x"],
    "no attachment of a binary event": ['450-["echo"]'],
    "a binary event that announces none": ['45["echo"]'],
    "eleven attachments": ['4511-["echo"]'],
    "attachments without end": ['45999999999999-["echo"]'],
    "attachments of a text event": ['421-["echo"]', b"x"],
}


@both
@pytest.mark.parametrize("fault", MALFORMED)
async def test_the_connection_closes_with_one_line_in_the_log_on(
    fault: str, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    app, reasons = witnessed()
    async with serve(app) as server:
        client, other = await server.open(transport), await server.websocket()
        await join(client)
        await join(other)
        caplog.clear()
        await client.send(*MALFORMED[fault])
        while (word := await last_word(client)) == "said":
            pass
        assert word == ("closed" if transport == "polling" else "closed with 1002")
        assert await reason_of(reasons) == "parse error"
        await echo(other)
    (line,) = [record for record in caplog.records if f"{client.sid} (127.0.0.1) disconnected " in record.getMessage()]
    assert (line.levelno, line.exc_info) == (logging.INFO, None)
    assert "parse error: " in line.getMessage()
    assert len(line.getMessage()) < 400
    assert len(line.getMessage().splitlines()) == 1


async def last_word(client: Polling | WebSocket) -> str:
    """Read on to the end."""
    if isinstance(client, Polling):
        await client.forgotten()
        return "closed"
    try:
        await client.next()
    except Closed as closed:
        return f"closed with {closed.code}"
    return "said"


@both
async def test_an_event_before_any_CONNECT_closes_the_connection(transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await client.send('42["say",1]')
        await client.ended()


@pytest.mark.parametrize(
    "packet", ['42/a\nforged,["x"]', '40"a\\nforged"', '42"a\\nforged"', "4a\nforged", "a\nforged"]
)
async def test_a_hostile_packet_forges_no_line_of_the_log(packet: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serve(conformance_server.make_app()) as server:
        socket = await server.websocket()
        await socket.send(packet)
        await socket.ended()
    (line,) = [record.getMessage() for record in caplog.records if " disconnected " in record.getMessage()]
    assert len(line.splitlines()) == 1


async def test_a_long_namespace_makes_no_long_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serve(conformance_server.make_app()) as server:
        socket = await server.websocket()
        await socket.send(f'42/{"a" * 100_000},["x"]')
        await socket.ended()
    (line,) = [record.getMessage() for record in caplog.records if " disconnected " in record.getMessage()]
    assert len(line) < 400
