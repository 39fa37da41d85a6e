"""Long-polling, request by request. Source: Engine.IO protocol, revision 4, "HTTP long-polling"."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

import conformance_server
import pytest
import raw_client
from raw_client import (
    JOURNEY,
    SEPARATOR,
    Polling,
    Server,
    address,
    echo,
    io_loop,  # noqa: F401 (a fixture)
    join,
    reason_of,
    serve,
    witnessed,
)
from tornado.httpserver import HTTPServer

from handlers.socketio.engineio.http_server import Server as OurHTTPServer

pytestmark = JOURNEY


@pytest.fixture(params=[HTTPServer, OurHTTPServer], ids=["Tornado's server", "ours"], autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test with and without lent connections."""
    monkeypatch.setattr(raw_client, "KIND", request.param)


LIVELY = {"ping_interval": 0.3, "ping_timeout": 0.2}


async def joined(server: Server) -> Polling:
    client = await server.poll()
    await join(client)
    return client


async def assert_over(server: Server, client: Polling) -> None:
    """Nothing is left of the session, not even a last word."""
    for method in ("GET", "POST"):
        answer = await server.request(method, address(sid=client.sid))
        assert (answer.status, answer.json["code"]) == (400, 1)


# -- the handshake


async def test_the_answer_to_the_first_GET_is_an_OPEN_packet() -> None:
    async with serve(conformance_server.make_app(max_payload=4321)) as server:
        answer = await server.request("GET", address())
    (packet,) = answer.packets
    assert packet.startswith("0{")
    opening = json.loads(packet[1:])
    assert len(opening.pop("sid")) == 20
    assert opening == {"upgrades": ["websocket"], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 4321}


async def test_intervals_of_less_than_a_second_are_told_as_whole_milliseconds() -> None:
    async with serve(conformance_server.make_app(**LIVELY)) as server:
        opening = (await server.poll()).opening
    assert (opening["pingInterval"], opening["pingTimeout"]) == (300, 200)
    assert all(type(opening[name]) is int for name in ("pingInterval", "pingTimeout", "maxPayload"))


async def test_the_path_needs_no_slash_at_its_end() -> None:
    async with serve(conformance_server.make_app()) as server:
        answer = await server.request("GET", address().replace("/?", "?"))
        assert (answer.status, answer.text[:2]) == (200, "0{")


async def test_each_session_has_a_sid_of_its_own() -> None:
    async with serve(conformance_server.make_app()) as server:
        assert len({(await server.poll()).sid for _ in range(10)}) == 10


# -- answers


async def test_a_poll_is_answered_as_text_that_nobody_stores() -> None:
    async with serve(conformance_server.make_app()) as server:
        opened = await server.request("GET", address())
        client = Polling(server, opened)
        await client.post("40")
        polled = await server.request("GET", address(sid=client.sid))
    for answer in (opened, polled):
        assert answer.headers["Content-Type"] == "text/plain; charset=UTF-8"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Etag" not in answer.headers


async def test_a_POST_is_answered_ok() -> None:
    async with serve(conformance_server.make_app()) as server:
        answer = await (await server.poll()).post("40")
        assert (answer.status, answer.text) == (200, "ok")


@pytest.mark.parametrize(
    "kind", ["text/plain;charset=UTF-8", "application/octet-stream", "application/x-www-form-urlencoded"]
)
async def test_a_POST_is_read_the_same_whatever_its_Content_Type(kind: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()
        await server.request("POST", address(sid=client.sid), {"Content-Type": kind}, b'40\x1e42["say","a=b&c"]')
        assert (await client.next())[:2] == "40"
        assert await client.next() == '42["said","a=b&c"]'


async def test_a_GET_is_held_until_there_is_something_to_read() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        held = await client.hold()
        other = await joined(server)
        await other.send('42["shout","now"]')
        assert (await held.answer()).packets == ['42["shout","now"]']


async def test_a_client_polls_and_posts_over_one_connection() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        line = await server.connect()
        for turn in range(3):
            body = f'42["say",{turn}]'.encode()
            line.write(server.head("POST", address(sid=client.sid), body=body) + body)
            assert (await line.answer()).text == "ok"
            line.write(server.head("GET", address(sid=client.sid)))
            assert (await line.answer()).packets == [f'42["said",{turn}]']


# -- payloads


async def test_packets_of_a_payload_are_separated_by_0x1e_both_ways() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        await server.request("POST", address(sid=client.sid), body=b'42["say",1]\x1e42["say",2]\x1e42["say",3]')
        answer = await server.request("GET", address(sid=client.sid))
        assert answer.body == b'42["said",1]\x1e42["said",2]\x1e42["said",3]'


async def test_CONNECT_and_the_first_event_may_come_in_one_POST() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()
        assert (await client.post("40", '42["say","hello"]')).text == "ok"
        assert (await client.next())[:2] == "40"
        assert await client.next() == '42["said","hello"]'


@pytest.mark.parametrize("data", [b"", b"\x00\xff\xfe", b"?>?>", bytes(range(256))])
async def test_binary_is_b_and_standard_base64_both_ways(data: bytes) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        coded = "b" + base64.b64encode(data).decode()
        event = '["say",{"_placeholder":true,"num":0}]'
        await client.post("451-" + event, coded)
        assert await client.get() == ["451-" + event.replace("say", "said"), coded]


async def test_any_number_of_packets_goes_into_a_payload_that_is_small_enough() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        await client.post(*(f'42["say",{n}]' for n in range(3000)))
        assert await client.get() == [f'42["said",{n}]' for n in range(3000)]


async def test_text_that_is_not_ASCII_is_UTF_8_both_ways() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        await client.post('42["say","Zoë 🎈"]')
        answer = await server.request("GET", address(sid=client.sid))
        assert answer.body == '42["said","Zoë 🎈"]'.encode()


# -- size


def event_of(size: int, filler: str) -> str:
    """Return an event that is this many bytes on the wire."""
    rest = size - len('42["say",""]')
    width = len(filler.encode())
    return f'42["say","{filler * (rest // width)}{"." * (rest % width)}"]'


@pytest.mark.parametrize("filler", ["x", "é", "🎈"])
async def test_the_limit_of_a_POST_counts_bytes_and_includes_its_end(filler: str) -> None:
    async with serve(conformance_server.make_app(max_payload=2000)) as server:
        client = await joined(server)
        assert (await client.post(event_of(2000, filler))).text == "ok"
        assert (await client.post(event_of(2001, filler))).status == 413
        assert len(await client.get()) == 1


async def test_a_POST_over_maxPayload_gets_413_and_the_session_survives() -> None:
    async with serve(conformance_server.make_app(max_payload=100_000)) as server:
        client = await joined(server)
        assert (await client.post(event_of(150_000, "x"))).status == 413
        await echo(client)


async def test_a_POST_over_maxPayload_is_refused_before_its_body_comes() -> None:
    async with serve(conformance_server.make_app(max_payload=1000)) as server:
        client = await joined(server)
        line = await client.begin_post(b"", announced=1001)
        assert (await line.answer()).status == 413
        await line.ended()
        await echo(client)


async def test_a_POST_that_announces_more_than_any_server_takes_gets_413_too() -> None:
    async with serve(conformance_server.make_app(max_payload=1000)) as server:
        client = await joined(server)
        line = await client.begin_post(b"", announced=10**12)
        assert (await line.answer()).status == 413
        await echo(client)


@pytest.mark.parametrize("known", [True, False])
async def test_a_POST_that_announces_more_than_can_be_counted_is_refused(known: bool) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()
        sid = client.sid if known else None
        line = await server.send("POST", address(sid=sid), {"Content-Length": "9" * 5000})
        assert (await line.answer()).status == (413 if known else 400)
        await join(client)


async def test_maxPayload_holds_whatever_the_HTTP_servers_own_limit_is() -> None:
    async with serve(conformance_server.make_app(max_payload=2000), max_body_size=1000) as server:
        client = await joined(server)
        assert (await client.post(event_of(2000, "x"))).text == "ok"
        assert (await client.post(event_of(2001, "x"))).status == 413
        assert len(await client.get()) == 1


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


async def chunked_post(server: Server, client: Polling, body: bytes) -> Any:
    line = await server.connect()
    head = server.head("POST", address(sid=client.sid), {"Transfer-Encoding": "chunked", "Content-Length": ""})
    line.write(head.replace(b"Content-Length: \r\n", b"") + body)
    return await line.answer()


async def test_a_POST_in_chunks_is_read_as_one() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        assert (await chunked_post(server, client, chunked(b'42["sa', b'y","\xc3', b'\xa9"]'))).text == "ok"
        assert await client.get() == ['42["said","é"]']


async def test_a_POST_in_chunks_over_maxPayload_gets_413_and_the_session_survives() -> None:
    async with serve(conformance_server.make_app(max_payload=1000)) as server:
        client = await joined(server)
        answer = await chunked_post(server, client, chunked(*[b"x" * 300] * 4))
        assert (answer.status, answer.headers.get("Connection")) == (413, "close")
        await echo(client)


# -- two at once


async def test_of_two_GETs_at_once_the_first_gets_1_and_the_second_400_and_the_session_closes() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        lines = [await client.begin_get(), await client.begin_get()]
        first, second = [await line.answer() for line in lines]
        assert (first.status, first.packets) == (200, ["1"])
        assert (second.status, second.json["code"]) == (400, 3)
        await assert_over(server, client)


async def test_of_two_POSTs_at_once_the_second_gets_400_and_the_session_closes() -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        client = await joined(server)
        first = await client.begin_post(b"42", announced=12)
        answer = await (await client.begin_post(b"3", announced=1)).answer()
        assert (answer.status, answer.json["code"]) == (400, 3)
        assert await reason_of(reasons) == "transport error"
        first.write(b'["say",999]')
        await client.ended()


async def test_a_POST_is_served_while_a_GET_is_held() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        held = await client.hold()
        assert (await client.post('42["say",1]')).text == "ok"
        assert (await held.answer()).packets == ['42["said",1]']


# -- the end


@pytest.mark.parametrize("way", ["close", "reset"])
async def test_an_aborted_GET_closes_the_session_at_once(way: str) -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        client = await joined(server)
        getattr(await client.hold(), way)()
        assert await reason_of(reasons) == "transport close"
        await assert_over(server, client)


async def test_a_GET_whose_connection_closes_before_it_is_held_closes_the_session_too() -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        client = await joined(server)
        (await client.begin_get()).close()
        assert await reason_of(reasons) == "transport close"
        await assert_over(server, client)


async def test_a_poll_that_was_answered_may_close_its_connection() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        held = await client.hold()
        await client.post('42["say",1]')
        await held.answer()
        held.reset()
        await echo(client)


async def test_an_aborted_POST_closes_the_session() -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        client = await joined(server)
        line = await client.begin_post(b'42["say"', announced=100)
        line.reset()
        assert await reason_of(reasons) == "transport close"
        await assert_over(server, client)


async def test_a_client_that_closes_gets_ok_and_its_held_GET_6() -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        client = await joined(server)
        held = await client.hold()
        assert (await client.post("1")).text == "ok"
        assert (await held.answer()).packets == ["6"]
        assert await reason_of(reasons) == "transport close"
        await assert_over(server, client)


@pytest.mark.parametrize(
    "body", [b"", b"\x1e", b"4\x1e", b"x", b"7", b"42[", b"b!!!!", b"b", b"\xff\xfe", b"2", b"2probe"]
)
async def test_a_POST_that_no_client_may_send_closes_the_session(body: bytes) -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        client = await joined(server)
        held = await client.hold()
        answer = await server.request("POST", address(sid=client.sid), body=body)
        assert (answer.status, answer.json["code"]) == (400, 3)
        assert (await held.answer()).packets == ["1"]
        assert await reason_of(reasons) == "parse error"
        await assert_over(server, client)


async def test_what_comes_before_a_malformed_packet_of_a_payload_counts_and_what_comes_behind_it_does_not() -> None:
    async with serve(conformance_server.make_app()) as server:
        client, other = await joined(server), await joined(server)
        await client.post('42["shout",1]', "42[", '42["shout",2]')
        await other.send('42["shout",3]')
        assert await other.next() == '42["shout",1]'
        assert await other.next() == '42["shout",3]'


async def test_a_server_that_closes_answers_the_held_GET_with_1() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        held = await client.hold()
        await client.post('42["cut"]')
        assert (await held.answer()).packets == ["1"]
        await assert_over(server, client)


async def test_a_server_that_closes_while_no_GET_is_held_answers_the_next_with_1() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        await client.post('42["say","last"]', '42["cut"]')
        assert await client.get() == ['42["said","last"]']
        assert await client.get() == ["1"]
        await assert_over(server, client)


# -- the heartbeat


async def test_the_ping_comes_over_the_poll_and_a_pong_by_POST_keeps_the_session() -> None:
    async with serve(conformance_server.make_app(**LIVELY)) as server:
        rested, client = time.monotonic(), await server.poll()
        for _ in range(3):
            assert await client.get() == ["2"]
            assert time.monotonic() - rested > 0.28
            rested = time.monotonic()
            await client.post("3")


@pytest.mark.parametrize("polls", [True, False])
async def test_a_client_that_does_not_answer_the_ping_is_gone(polls: bool) -> None:
    application, reasons = witnessed(**LIVELY)
    async with serve(application) as server:
        opened, client = time.monotonic(), await server.poll()
        await join(client)
        if polls:
            assert await client.get() == ["2"]
            assert await client.get() == ["1"]
        assert await reason_of(reasons) == "ping timeout"
        assert time.monotonic() - opened > 0.48


async def test_a_pong_that_nobody_asked_for_is_harmless() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        await client.post("3", "3")
        await echo(client)


async def test_polls_of_many_clients_are_held_at_once() -> None:
    async with serve(conformance_server.make_app()) as server:
        clients = [await joined(server) for _ in range(50)]
        held = [await client.hold() for client in clients[1:]]
        await clients[0].post('42["shout","all"]')
        answers = await asyncio.gather(*(line.answer() for line in held))
        assert [answer.body for answer in answers] == [b'42["shout","all"]'] * 49
        assert SEPARATOR not in answers[0].text
