"""Lent connections of polling clients behave as Tornado's own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import conformance_server
import pytest
from effort import amount
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_client import (
    JOURNEY,
    Clock,
    Line,
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
from tornado.web import Application

from handlers.socketio.engineio.http_server import Server as OurHTTPServer

pytestmark = JOURNEY

ECHO = b'4299["echo","%b"]'


def lent(server: Server) -> int:
    """How many connections are lent now."""
    assert isinstance(server.http, OurHTTPServer)
    return len(server.http.lent)


@asynccontextmanager
async def polling(
    application: Application | None = None, kind: type[HTTPServer] = OurHTTPServer, **options: Any
) -> AsyncIterator[tuple[Polling, Line]]:
    """Serve; yield a joined client and a second connection.

    The connection is lent if the server lends any.
    """
    async with serve(application or conformance_server.make_app(), kind=kind, **options) as server:
        client = await server.poll()
        await join(client)
        line = await server.connect()
        await say(client, line, "hello")
        yield client, line


def get(client: Polling, **fields: str) -> bytes:
    return client.server.head("GET", address(sid=client.sid), fields)


def post(client: Polling, body: bytes, **fields: str) -> bytes:
    return client.server.head("POST", address(sid=client.sid), fields, body) + body


async def say(client: Polling, line: Line, word: str) -> None:
    """Have a word echoed, all by one connection."""
    line.write(post(client, ECHO % word.encode()))
    assert (await line.answer()).text == "ok"
    line.write(get(client))
    assert (await line.answer()).text == f'4399["{word}"]'


async def test_a_connection_is_lent_with_its_first_poll_and_taken_back_for_whatever_is_none() -> None:
    async with serve(conformance_server.make_app(), kind=OurHTTPServer) as server:
        client = await server.poll()
        await join(client)
        assert lent(server) == 1
        line = await server.connect()
        for word in ("one", "two"):
            await say(client, line, word)
            assert lent(server) == 2
            line.write(server.head("GET", "/socket.io/socket.io.js"))
            assert (await line.answer()).headers["Content-Type"].startswith("text/javascript")
            assert lent(server) == 1


async def test_Tornados_own_server_lends_nothing() -> None:
    async with polling(kind=HTTPServer) as (client, line):
        for word in ("one", "two"):
            await say(client, line, word)


async def test_two_sessions_take_turns_on_one_connection() -> None:
    async with polling() as (client, line):
        other = await client.server.poll()
        await join(other)
        for word in ("one", "two"):
            await say(client, line, word)
            await say(other, line, word)
        assert lent(client.server) == 2


async def test_the_session_is_over_and_its_connection_brings_the_last_poll() -> None:
    async with polling() as (client, line):
        await client.post('42["cut"]')
        line.write(get(client))
        assert (await line.answer()).text == "1"
        line.write(get(client))
        assert (await line.answer()).json["code"] == 1


@pytest.mark.parametrize("kind", [HTTPServer, OurHTTPServer])
@pytest.mark.parametrize("ask", [get, partial(post, body=b"3")])
async def test_a_session_that_owes_a_pong_is_over_between_two_beats_as_well(
    kind: type[HTTPServer], ask: Callable[[Polling], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    async with polling(kind=kind) as (client, line):
        await say(client, line, "hello again, by heads that are known now")
        clock.beat(26)
        assert await client.get() == ["2"]
        line.write(get(client))
        await client.post('4298["echo","not over"]')
        assert (await line.answer()).text == '4398["not over"]'
        clock.ahead = 46
        line.write(ask(client))
        answer = await line.answer()
        assert (answer.status, answer.json["code"]) == (400, 1)


async def test_a_client_that_hangs_up_while_it_is_held_is_gone_at_once() -> None:
    application, reasons = witnessed()
    async with polling(application) as (client, line):
        line.write(get(client))
        assert (await client.post("3")).text == "ok"
        line.reset()
        assert await reason_of(reasons) == "transport close"
        await client.forgotten()


async def test_requests_that_come_at_once_are_answered_one_after_the_other() -> None:
    async with polling() as (client, line):
        one, two = (post(client, ECHO % word) for word in (b"one", b"two"))
        line.write(one + two + get(client) + get(client))
        assert [(await line.answer()).text for _ in range(3)] == ["ok", "ok", '4399["one"]\x1e4399["two"]']
        line.write(post(client, ECHO % b"behind a poll that waits"))
        await client.post('4299["echo","three"]')
        assert [(await line.answer()).text for _ in range(2)] == ['4399["three"]', "ok"]


async def test_requests_that_come_byte_by_byte_are_taken_as_well() -> None:
    async with polling() as (client, line):
        for byte in post(client, ECHO % b"slowly") + get(client):
            line.write(bytes([byte]))
            await asyncio.sleep(0)
        assert [(await line.answer()).text for _ in range(2)] == ["ok", '4399["slowly"]']


async def test_answers_that_a_client_is_slow_to_read_are_whole() -> None:
    async with polling(conformance_server.make_app(max_payload=100_000_000, max_backlog=100_000_000)) as (client, line):
        word = "x" * 20_000_000
        await client.send(f'4299["echo","{word}"]')
        line.stop_reading(for_good=False)
        line.write(get(client))
        other = await client.server.websocket()
        await join(other)
        await echo(other)
        line.read_on()
        assert (await line.answer()).body == f'4399["{word}"]'.encode()
        await say(client, line, "on it goes")


async def test_an_idle_connection_is_closed_but_not_one_that_is_held() -> None:
    async with polling(idle=0.2) as (client, line):
        held = await client.server.connect()
        await say(client, held, "soon")
        held.write(get(client))
        later = await client.server.connect()
        later.write(post(client, b"3"))
        assert (await later.answer()).text == "ok"
        await line.ended()
        await later.ended()
        await client.post('4299["echo","still there"]')
        assert (await held.answer()).text == '4399["still there"]'


async def test_connections_that_are_lent_are_closed_with_all_others() -> None:
    async with polling() as (client, line):
        assert isinstance(client.server.http, OurHTTPServer)
        await client.server.http.close_all_connections()
        await line.ended()
        assert lent(client.server) == 0


# -- Tornado's own HTTP as the oracle

Exchange = list[tuple[str, list[str], bytes]]


def answers(data: bytes) -> Exchange:
    """Split what a server sent, without what changes with time."""
    taken = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        status, *fields = head.decode("latin-1").split("\r\n")
        size = next((int(field[16:]) for field in fields if field.startswith("Content-Length: ")), 0)
        taken.append((status, sorted(field for field in fields if not field.startswith("Date")), data[:size]))
        data = data[size:]
    return taken


async def exchanged(kind: type[HTTPServer], request: bytes) -> tuple[Exchange, int]:
    """Send bytes on a polling connection; return answers and session state."""
    async with serve(conformance_server.make_app(), kind=kind) as server:
        client = await server.poll()
        await join(client)
        line = await server.connect()
        await say(client, line, "hello")
        await client.post('4298["echo","waits"]')
        line.write(request.replace(b"SID", client.sid.encode()).replace(b"PORT", b"%d" % server.port))
        line.end()
        for _ in range(3):
            # A poll that is held keeps what is behind it waiting.
            for _ in range(4):
                await client.post("3")
            await client.post('4297["echo","wake"]')
        answer = (await line.rest()).replace(b"%d" % server.port, b"PORT")
        return answers(re.sub(rb'"sid":"[^"]*"', b"new", answer)), (await client.post("3")).status


POST = (
    b"POST /socket.io/?EIO=4&transport=polling&t=abc&sid=SID HTTP/1.1\r\n"
    b"Host: 127.0.0.1:PORT\r\n"
    b"Content-Length: 17\r\n\r\n"
    b'4299["echo","hi"]'
)
GET = b"GET /socket.io/?EIO=4&transport=polling&sid=SID&t=abd HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n"
LENGTH = b"Content-Length: 17\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHANGES = [
    (b"", b""),
    (b"HTTP/1.1", b"HTTP/1.0"),
    (b"HTTP/1.1", b"HTTP/1.2"),
    (b"HTTP/1.1", b"HTTP/2.0"),
    (b"HTTP/1.1", b" HTTP/1.1"),
    (LENGTH, LENGTH + b"Connection: close\r\n"),
    (LENGTH, LENGTH + b"Connection: Keep-Alive\r\n"),
    (LENGTH, LENGTH + b"Connection: keep-alive, close\r\n"),
    (LENGTH, LENGTH + b"Expect: 100-continue\r\n"),
    (LENGTH, LENGTH + b"Upgrade: websocket\r\n"),
    (LENGTH, LENGTH + CHUNKED),
    (LENGTH, CHUNKED),
    (LENGTH, b""),
    (LENGTH, LENGTH + LENGTH),
    (LENGTH, LENGTH + b"Content-Length: 16\r\n"),
    (LENGTH, b"Content-Length: 16\r\n" + LENGTH),
    (LENGTH, b"X-Content-Length: 3\r\n" + LENGTH),
    (LENGTH, LENGTH + b"content-length:17\r\n"),
    (LENGTH, b"content-length:17\r\n"),
    (LENGTH, b"CONTENT-LENGTH: 17\r\n"),
    (LENGTH, b"Content-Length: 17 \r\n"),
    (LENGTH, b"Content-Length : 17\r\n"),
    (LENGTH, b"Content-Length: +17\r\n"),
    (LENGTH, b"Content-Length: 0x11\r\n"),
    (LENGTH, b"Content-Length: 00017\r\n"),
    (LENGTH, b"Content-Length: -1\r\n"),
    (LENGTH, b"Content-Length: 17, 17\r\n"),
    (LENGTH, b"Content-Length: 3\r\n"),
    (LENGTH, b"Content-Length: 18\r\n"),
    (LENGTH, b"Content-Length: 999999999\r\n"),
    (LENGTH, b"Content-Length: 9999999999999999999\r\n"),
    (LENGTH, b"X: a\n" + LENGTH),
    (LENGTH, b"X: a\n\n" + LENGTH),
    (LENGTH, LENGTH + b"X: a\nY: b\r\n"),
    (LENGTH, LENGTH + b"X: a\n\nY: b\r\n"),
    (LENGTH, b"X: a\r\n b\r\n" + LENGTH),
    (LENGTH, b"X: \0\r\n" + LENGTH),
    (LENGTH, b"X: a\rb\r\n" + LENGTH),
    (LENGTH, b"no colon\r\n" + LENGTH),
    (LENGTH, b"Host: elsewhere\r\n" + LENGTH),
    (LENGTH, b"Origin: http://127.0.0.1:PORT\r\n" + LENGTH),
    (LENGTH, b"Origin: http://elsewhere\r\n" + LENGTH),
    (LENGTH, b"Origin: null\r\n" + LENGTH),
    (LENGTH, b"X-Forwarded-Host: elsewhere\r\n" + LENGTH),
    (b"Host: 127.0.0.1:PORT\r\n", b""),
    (b"Host: 127.0.0.1:PORT", b"Host: a b"),
    (b"POST", b"post"),
    (b"POST", b"PUT"),
    (b"POST", b"OPTIONS"),
    (b"POST", b"\r\nPOST"),
    (b"POST /", b"POST http://127.0.0.1:PORT/"),
    (b"/socket.io/?", b"/socket.io?"),
    (b"/socket.io/?", b"//socket.io/?"),
    (b"/socket.io/?", b"/else/?"),
    (b"EIO=4", b"EIO=3"),
    (b"EIO=4", b"EIO=4&EIO=3"),
    (b"polling", b"websocket"),
    (b"polling", b"polling&transport=websocket"),
    (b"polling", b"websocket&transport=polling"),
    (b"sid=SID", b"sid=nobody"),
    (b"sid=SID", b"sid=nobody&sid=SID"),
    (b"sid=SID", b"sid=SID&sid=nobody"),
    (b"sid=SID", b"%73id=SID"),
    (b"t=abc", b"t=abc&t=abd"),
    (b"t=abc", b"t="),
    (b"t=abc", b"t=a%26sid=nobody"),
    (b"t=abc&sid=SID", b"sid=SID&t=abc;sid=nobody"),
    (b"t=abc&sid=SID", b"sid=SID#t=abc"),
    (b"4299", b"4999"),
    (b"4299", b"\xff299"),
]


@pytest.mark.parametrize(("old", "new"), CHANGES, ids=[repr(new)[2:40] for _, new in CHANGES])
async def test_whatever_comes_is_answered_as_Tornado_would(old: bytes, new: bytes) -> None:
    request = POST + POST.replace(old, new, 1) + GET.replace(b"abd", b"abe") + GET
    assert await exchanged(OurHTTPServer, request) == await exchanged(HTTPServer, request)


@pytest.mark.parametrize("kind", [HTTPServer, OurHTTPServer])
async def test_a_POST_without_the_digits_of_its_length_is_no_POST_that_is_known(kind: type[HTTPServer]) -> None:
    async with polling(kind=kind) as (client, line):
        for word in ("one", "two"):
            await say(client, line, word)
        head, end, _ = post(client, ECHO % b"two").partition(b"\r\n\r\n")
        line.write(head.replace(b"Content-Length: 18", b"Content-Length: ") + end)
        assert (await line.rest()).startswith(b"HTTP/1.1 400 Bad Request\r\n\r\n")  # as bare as Tornado's are


PIECES = st.sampled_from(
    [b"", b"\r\n", b"\n", b" ", b":", b"&", b"0", b"sid=SID", b"t=", LENGTH, CHUNKED, b"\0", b"\xe9", GET]
)
CHANGE = st.tuples(st.integers(0, 400), st.integers(0, 30), PIECES | st.binary(max_size=3))


@settings(max_examples=amount(15, thorough=150), deadline=None)
@given(st.lists(CHANGE, max_size=3))
def test_whatever_comes_is_answered_as_Tornado_would_even_garbage(changes: list[tuple[int, int, bytes]]) -> None:
    request = POST + POST + GET + GET
    for at, size, new in changes:
        request = request[:at] + new + request[at + size :]
    assert asyncio.run(exchanged(OurHTTPServer, request)) == asyncio.run(exchanged(HTTPServer, request))
