"""What one client can cost the server, unnoticed by the others."""

from __future__ import annotations

import json
import re
from typing import Any

import conformance_server
import pytest
from raw_client import (
    JOURNEY,
    TEXT,
    Closed,
    WebSocket,
    address,
    echo,
    io_loop,  # noqa: F401 (a fixture)
    join,
    reason_of,
    serve,
    witnessed,
)
from tornado.web import Application

from handlers.socketio import Hub, connection, event_stream, routes
from handlers.socketio import hub as hubs
from handlers.socketio.engineio import limits

pytestmark = JOURNEY

TRANSPORTS = pytest.mark.parametrize("transport", ["polling", "websocket"])


# -- floods


@TRANSPORTS
async def test_a_flood_is_taken_slowly_and_in_order_and_nobody_else_waits(transport: str) -> None:
    async with serve(conformance_server.make_app(rate=100)) as server:
        flooder, other = await server.open(transport), await server.websocket()
        await join(flooder)
        await join(other)
        if transport == "websocket":
            await flooder.send(*(f'42["say",{n}]' for n in range(250)))
        else:
            line = await flooder.begin_post(
                (body := "\x1e".join(f'42["say",{n}]' for n in range(250)).encode()), len(body)
            )
        await echo(other)
        assert [await flooder.next() for _ in range(250)] == [f'42["said",{n}]' for n in range(250)]
        if transport == "polling":
            assert (await line.answer()).text == "ok"
        await echo(flooder)


async def test_a_client_that_floods_for_too_long_is_closed_with_the_limit_named(monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "GRACE", 0.2)
    application, reasons = witnessed(rate=100)
    async with serve(application) as server:
        flooder, other = await server.websocket(), await server.websocket()
        await join(flooder)
        await join(other)
        for _ in range(1000):
            flooder.send_frame(TEXT, b"3")
        opcode, data = await flooder.frame()
        assert (opcode, data[:2]) == (8, (1008).to_bytes(2, "big"))
        assert b"rate=100 packets a second exceeded" in data
        assert await reason_of(reasons) == "rate limited"
        await echo(other)


async def test_a_POST_that_floods_for_too_long_is_answered_429(monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "GRACE", 0.2)
    application, reasons = witnessed(rate=100)
    async with serve(application) as server:
        flooder, other = await server.poll(), await server.websocket()
        await join(flooder)
        await join(other)
        answer = await flooder.post(*["3"] * 1000)
        assert answer.status == 429
        assert "rate=" in answer.json["hint"]
        assert await reason_of(reasons) == "rate limited"
        await flooder.ended()
        await echo(other)


@TRANSPORTS
async def test_a_flooder_that_goes_away_leaves_nothing_behind(transport: str) -> None:
    application, reasons = witnessed(rate=100)
    async with serve(application) as server:
        flooder = await server.open(transport)
        await join(flooder)
        if transport == "websocket":
            flooder.write(b"".join(masked("3") for _ in range(400)))
            flooder.reset()
        else:
            body = "\x1e".join(["3"] * 400).encode()
            (await flooder.begin_post(body, len(body))).reset()
        assert await reason_of(reasons) in ("transport close", "transport error")


async def test_a_flood_that_ends_in_what_RFC_6455_forbids_is_closed_with_its_code() -> None:
    application, reasons = witnessed(rate=100)
    async with serve(application) as server:
        flooder = await server.websocket()
        await join(flooder)
        half_a_code = bytes([0x88, 0x81, 0, 0, 0, 0, 3])
        flooder.write(b"".join(masked("3") for _ in range(250)) + half_a_code)
        assert await flooder.ended() == 1002
        assert await reason_of(reasons) == "transport error"


def masked(text: str) -> bytes:
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text.encode()


# -- numbers


@TRANSPORTS
async def test_beyond_max_clients_the_answer_is_503_with_Retry_After(transport: str) -> None:
    application, reasons = witnessed(max_clients=1)
    async with serve(application, expect="503 GET") as server:
        inside = await server.websocket()
        await join(inside)
        upgrade = {"Upgrade": "websocket", "Sec-WebSocket-Key": "AQIDBAUGBwgJCgsMDQ4PEA=="}
        answer = await server.request("GET", address(transport=transport), upgrade if transport == "websocket" else {})
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        await echo(inside)
        inside.close()
        await reason_of(reasons)
        await join(await server.websocket())


@pytest.mark.parametrize("limit", [{"max_per_address": 1}, {"handshake_rate": 0.5}])
async def test_an_address_that_asks_too_much_is_answered_429_with_the_limit_named(limit: dict[str, Any]) -> None:
    async with serve(conformance_server.make_app(**limit)) as server:
        inside = await server.poll()
        answer = await server.request("GET", address())
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        (name,) = limit
        assert f"{name}=" in answer.json["hint"]
        await join(inside)
        await echo(inside)


async def test_a_handshake_with_an_empty_sid_counts_once() -> None:
    async with serve(conformance_server.make_app(handshake_rate=0.5)) as server:
        assert (await server.request("GET", address(sid=""))).status == 200
        assert (await server.request("GET", address(sid=""))).status == 429


@pytest.mark.parametrize("limit", [{"max_clients": 1}, {"max_per_address": 1}, {"handshake_rate": 0.5}])
async def test_an_event_stream_is_a_client_like_any_other(limit: dict[str, Any]) -> None:
    hub = Hub(conformance_server.NAMESPACES, **limit)
    expect, status = ("503 GET", 503) if "max_clients" in limit else ("", 429)
    async with serve(Application([*routes(hub), *event_stream(hub)]), expect=expect) as server:
        stream = await server.send("GET", "/events")
        assert (await stream.take_until(b"\r\n")).startswith(b"HTTP/1.1 200 ")
        assert (await server.request("GET", "/events")).status == status
        stream.close()


async def test_an_upgrade_is_no_second_client() -> None:
    async with serve(conformance_server.make_app(max_clients=1, max_per_address=1, handshake_rate=0.5)) as server:
        polling = await server.poll()
        candidate = await server.websocket(polling.sid)
        await candidate.send("2probe")
        assert await candidate.next() == "3probe"


# -- namespaces


async def test_the_names_of_namespaces_that_refused_a_client_or_that_it_left_cost_little() -> None:
    hub = Hub({re.compile(r"/game-.*"): conformance_server.CheckHandler}, rate=0)
    async with serve(Application(routes(hub))) as server:
        client = await server.websocket()
        for number in range(30):
            await client.send(f"40/{number}-{'x' * 500_000},")
            assert "200 characters at most" in str(await client.next())
        for number in range(connection.MAX_LEFT + 100):
            await client.send(f"40/game-{number},", f"41/game-{number},")
            await client.next()
        (session,) = hub.sessions.values()
        names = session.listener._left_namespaces  # type: ignore[attr-defined]
        assert len(names) == connection.MAX_LEFT
        assert sum(map(len, names)) < 100_000


# -- messages with attachments


@TRANSPORTS
async def test_a_message_and_its_attachments_have_the_size_of_one_packet(transport: str) -> None:
    application, reasons = witnessed(max_payload=2000)
    async with serve(application) as server:
        client = await server.open(transport)
        await join(client)
        event = '52-["say",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
        await client.send("4" + event, b"x" * 1000)
        await client.send(b"x" * 1000)
        assert await reason_of(reasons) == "parse error"


async def test_attachments_that_do_not_come_end_the_session(monkeypatch: Any) -> None:
    monkeypatch.setattr(hubs, "ATTACHMENTS", 0.2)
    application, reasons = witnessed()
    async with serve(application) as server:
        client, other = await server.websocket(), await server.websocket()
        await join(client)
        await join(other)
        await client.send('451-["say",{"_placeholder":true,"num":0}]', b"x")
        assert json.loads(str(await client.next())[4:])[0] == "said"
        assert await client.next() == b"x"
        await client.send('451-["say",{"_placeholder":true,"num":0}]')
        assert await reason_of(reasons) == "parse error"
        with pytest.raises(Closed):
            await client.next()
        await echo(other)


async def test_pings_that_nobody_reads_the_pongs_of_cost_one_pong(io_loop: Any) -> None:  # noqa: F811
    async with serve(conformance_server.make_app(rate=0)) as server:
        client: WebSocket = await server.websocket()
        await join(client)
        client._transport.pause_reading()
        for _ in range(20_000):
            client.send_frame(0x9, b"x" * 125)
        await join(await server.websocket())
        (transport,) = [one for one in live_of(server) if one.session.sid == client.sid]
        assert sum(map(len, transport._connection._unsent)) < 1000


def live_of(server: Any) -> list[Any]:
    """The WebSockets on the line."""
    rules = server.application.wildcard_router.rules
    return [one for rule in rules for one in getattr(rule.target, "live", ())]
