"""Cases of the official protocol suites, and others like them.

Engine.IO v4 and Socket.IO v5.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import conformance_server
import pytest
from inside import hub_of
from raw_client import BINARY, TEXT, UPGRADE, Clock, Server, WebSocket, address, echo, join, serve, witnessed

pytestmark = pytest.mark.gen_test

KEY = base64.b64encode(b"0123456789abcdef").decode()


async def handshake(server: Server, **headers: str) -> Any:
    """Ask for a WebSocket; a header of the value "" is omitted."""
    line = await server.connect()
    fields = {
        "Host": f"127.0.0.1:{server.port}", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13", **{name.replace("_", "-"): value for name, value in headers.items()},
    }  # fmt: skip
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    line.write(f"GET {address(transport='websocket')} HTTP/1.1\r\n{head}\r\n".encode())
    return await line.answer()


# -- heartbeat


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_time_of_a_pong_begins_when_the_ping_was_due(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    async with serve(conformance_server.make_app()) as server:
        silent, lively = await server.poll(), await server.poll()
        for client in (silent, lively):
            await join(client)
        clock.beat(40)
        for client in (silent, lively):
            assert await client.get() == ["2"]
        assert (await lively.post("3")).text == "ok"
        clock.ahead = 45
        answer = await server.request(method, address(sid=silent.sid), body=b"3" if method == "POST" else b"")
        assert (answer.status, answer.json["code"]) == (400, 1)
        await echo(lively)


async def test_a_poll_that_is_held_at_the_ping_timeout_is_told_and_the_next_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()
        await join(client)
        clock.beat(25)
        assert await client.get() == ["2"]
        held = await client.begin_get()
        assert (await client.post("6")).text == "ok"
        clock.beat(45)
        await client.forgotten()
        assert (await held.answer()).packets == ["1"]


@pytest.mark.parametrize("fault", ["abc", "42[", "", "9", "2"])
async def test_the_poll_behind_a_packet_that_cannot_be_read_knows_no_session(fault: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()
        await join(client)
        assert (await client.post('42["say",1]', fault)).status == 400
        await client.forgotten()


async def test_a_poll_held_when_such_a_packet_comes_gets_what_was_said_before_it() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()
        await join(client)
        held = await client.hold()
        assert (await client.post('42["say",1]', "abc")).status == 400
        assert (await held.answer()).packets == ['42["said",1]']
        await client.forgotten()


# -- closing


CLOSE = [b"1", b'42["say",1]\x1e1', b"1\x1e42[", b"1\x1e1"]


@pytest.mark.parametrize("body", CLOSE)
@pytest.mark.parametrize("first", ["GET", "POST"])
async def test_a_GET_and_a_close_that_come_together_are_answered_in_either_order(first: str, body: bytes) -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        client = await server.poll()
        await join(client)
        if first == "GET":
            held = await client.hold()
            posted = await client.begin_post(body, announced=len(body))
        else:
            posted = await client.begin_post(body, announced=len(body))
            held = await client.begin_get()
        assert (await held.answer()).packets[-1] in ("6", '42["said",1]')
        assert (await posted.answer()).text == "ok"
        assert await reasons.get() == "transport close"
        await client.forgotten()


async def test_a_POST_that_comes_together_with_a_close_is_refused_and_the_reason_is_the_close() -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        client = await server.poll()
        await join(client)
        closing, other = [await client.begin_post(packet, announced=1) for packet in (b"1", b"3")]
        assert (await closing.answer()).text == "ok"
        answer = await other.answer()
        assert (answer.status, answer.json["code"]) == (400, 1)
        assert await reasons.get() == "transport close"


@pytest.mark.parametrize("lost", ["GET", "POST"])
async def test_a_client_that_closes_and_hangs_up_is_gone(lost: str) -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        client = await server.poll()
        await join(client)
        held = await client.hold() if lost == "GET" else None
        posted = await client.begin_post(b"1", announced=1)
        (held or posted).reset()
        assert await reasons.get() == "transport close"
        await client.forgotten()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_session_whose_client_closed_is_unknown_when_the_close_is_answered(method: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()
        await join(client)
        assert (await client.post("1")).text == "ok"
        answer = await server.request(method, address(sid=client.sid))
        assert (answer.status, answer.json["code"]) == (400, 1)


@pytest.mark.parametrize("upgraded", [True, False])
async def test_a_second_WebSocket_of_a_session_is_opened_and_closed(upgraded: bool) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()
        await join(client)
        first = await server.websocket(client.sid)
        await first.send("2probe")
        assert await first.next() == "3probe"
        if upgraded:
            await first.send("5")
        second = await server.websocket(client.sid)
        await second.ended()
        if not upgraded:
            await first.send("5")
        await first.send('421["echo","alive"]')
        assert await first.next() == '431["alive"]'


# -- refusals


async def test_refusals_have_no_blanks_and_repeat_nothing() -> None:
    raw = "%22%3Cscript%3E%0d%0a"
    async with serve(conformance_server.make_app()) as server:
        for path in (
            f"/socket.io/?EIO={raw}&transport=polling",
            f"/socket.io/?EIO=4&transport={raw}",
            f"/socket.io/?EIO=4&transport=polling&sid={raw}",
            "/socket.io/?EIO=3&transport=polling",
        ):
            answer = await server.request("GET", path)
            assert answer.status == 400
            assert answer.text == json.dumps(answer.json, separators=(",", ":"))
            assert "script" not in answer.text
            assert "/" not in answer.headers.get("Server", "")


KEYS = [
    "x",
    "",
    "AQIDBAUGBwgJCgsMDQ4PEC",
    "AQIDBAUGBwgJCgsMDQ4PEA",
    "AQIDBAUGBwgJCgsMDQ4=",
    "!" * 24,
    KEY + "A",
    f"{KEY},{KEY}",
]


@pytest.mark.parametrize("key", KEYS)
async def test_a_WebSocket_without_a_good_key_is_refused(key: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        assert (await handshake(server, Sec_WebSocket_Key=key)).status == 400
        assert not hub_of(server.application).sessions


async def test_a_WebSocket_of_another_version_is_told_which_one_fits() -> None:
    async with serve(conformance_server.make_app()) as server:
        answer = await handshake(server, Sec_WebSocket_Version="8")
        assert answer.status == 426
        assert answer.headers["Sec-WebSocket-Version"] == "13"


async def test_no_answer_names_a_version() -> None:
    async with serve(conformance_server.make_app()) as server:
        answers = [await handshake(server), await server.request("GET", address())]
        paths = ("/socket.io/socket.io.js", "/socket.io/", "/socket.io/?EIO=4&transport=polling&sid=x")
        answers += [await server.request("GET", path) for path in paths]
        assert [answer.headers.get("Server") for answer in answers] == ["Tornado"] * len(answers)


# -- subprotocols


@pytest.mark.parametrize("upgrades", [True, False])
@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["chat"], "chat"),
        (["chat, superchat"], "chat"),
        (["v1.json,v2"], "v1.json"),
        ([" a , b "], "a"),
        (["a\t,\tb"], "a"),
        (["first", "second"], "first"),
        (["first, second", "third"], "first"),
        (["", "second"], "second"),
        (["same, same"], "same"),
        ([",, a,"], "a"),
        (["a b, c"], "c"),
        (["a;b, a/b, a=b, {a}, c"], "c"),
        (["\xe9, c"], "c"),
        (['"quoted", fine'], "fine"),
        (['"a, b", c'], "c"),
        ([",".join(f"p{n}" for n in range(5000))], "p0"),
        ([","], None),
        ([" "], None),
        (["a b"], None),
        ([], None),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_the_first_subprotocol_that_is_a_name_is_answered(
    offered: list[str], chosen: str | None, upgrades: bool
) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll() if upgrades else None
        socket = await server.connect(WebSocket)
        path = address(transport="websocket", sid=client.sid if client else None)
        fields = "".join(f"Sec-WebSocket-Protocol: {each}\r\n" for each in offered)
        socket.write(server.head("GET", path, UPGRADE)[:-2] + fields.encode("latin-1") + b"\r\n")
        answer = await socket.answer()
        assert answer.status == 101
        assert answer.headers.get_list("Sec-WebSocket-Protocol") == ([chosen] if chosen else [])
        if client:
            await socket.send("2probe")
            assert await socket.next() == "3probe"
        else:
            assert str(await socket.next()).startswith("0{")


# -- base64


async def test_binary_may_come_in_base64_over_a_WebSocket() -> None:
    async with serve(conformance_server.make_app()) as server:
        socket = await server.websocket()
        await join(socket)
        for data in (b"", b"\x00\xff", b"b", bytes(range(256))):
            await socket.send('451-1["echo",{"_placeholder":true,"num":0}]')
            socket.send_frame(TEXT, b"b" + base64.b64encode(data))
            assert await socket.next() == '461-1[{"_placeholder":true,"num":0}]'
            assert await socket.next() == data


@pytest.mark.parametrize(
    "text",
    ["bA", "bQQ", "bQQ=", "b!", "b=", "b====", "bAAA=AAA=", "bQQ==QQ==", "b\u00e9", "b AAA", "bAAA\n", "b-_-_", "BAAA"],
)
async def test_what_is_not_base64_closes_the_session(text: str) -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        socket = await server.websocket()
        await join(socket)
        await socket.send('451-1["echo",{"_placeholder":true,"num":0}]', text)
        await socket.ended()
        assert await reasons.get() == "parse error"


async def base64_client(server: Server, sid: str | None = None) -> WebSocket:
    """Open a WebSocket whose address asks for base64 instead of binary frames."""
    socket = await server.handshake({"Sec-WebSocket-Extensions": "permessage-deflate"}, sid=sid, b64="1")
    assert (await socket.answer()).status == 101
    if sid is None:
        assert str(await socket.next()).startswith("0{")
    return socket


PICTURES = [b"", b"\x00\xff", b"b", b"?>?>", bytes(range(256)), bytes(100_000)]


@pytest.mark.parametrize("options", [{}, {"compress": 10}], ids=["plain", "server compresses"])
@pytest.mark.parametrize("data", PICTURES, ids=len)
async def test_a_client_that_asks_for_base64_is_sent_text_frames_alone(data: bytes, options: Any) -> None:
    coded = b"b" + base64.b64encode(data)
    async with serve(conformance_server.make_app(**options)) as server:
        socket = await base64_client(server)
        other = await server.websocket()
        await join(socket)
        await join(other)
        for event, answer in {'1["echo",': "461-1[", '["say",': '451-["said",', '["shout",': '451-["shout",'}.items():
            await socket.send(f'451-{event}{{"_placeholder":true,"num":0}}]')
            socket.send_frame(TEXT, coded)
            assert await socket.frame() == (TEXT, f'{answer}{{"_placeholder":true,"num":0}}]'.encode())
            assert await socket.frame() == (TEXT, coded)
        assert await other.next() == '451-["shout",{"_placeholder":true,"num":0}]'
        assert await other.next() == data


async def test_a_client_that_asks_for_base64_upgrades_to_text_frames() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()
        await join(client)
        await client.send('452-["say",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', b"\x01", b"\x02")
        socket = await base64_client(server, client.sid)
        await socket.send("2probe", "5")
        assert await socket.next() == "3probe"
        said = '452-["said",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
        assert [await socket.next() for _ in range(3)] == [said, "bAQ==", "bAg=="]


@pytest.mark.parametrize("b64", ["", None])
async def test_a_client_that_does_not_ask_is_sent_binary_frames(b64: str | None) -> None:
    async with serve(conformance_server.make_app()) as server:
        socket = await server.handshake(b64=b64)
        assert (await socket.answer()).status == 101
        assert str(await socket.next()).startswith("0{")
        await join(socket)
        await socket.send('451-1["echo",{"_placeholder":true,"num":0}]', "bAQI=")
        assert await socket.next() == '461-1[{"_placeholder":true,"num":0}]'
        assert await socket.frame() == (BINARY, b"\x01\x02")


# -- queries


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_names_and_values_of_a_query_are_UTF_8(transport: str) -> None:
    application, _ = witnessed()
    hub = hub_of(application)
    async with serve(application) as server:
        line = await server.connect()
        query = "&gr%C3%B6%C3%9Fe=%E2%82%AC&b%FFd=%FF&%F0%9F%99%82=1&plain=a%20b&twice=1&twice=2"
        upgrade = (
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
        )
        head = upgrade if transport == "websocket" else ""
        line.write(f"GET {address(transport=transport)}{query} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
        await line.answer()
        while not hub.sessions:
            await asyncio.sleep(0.001)
        (session,) = hub.sessions.values()
        assert session.handshake.query == {
            "gr\u00f6\u00dfe": "\u20ac", "b\ufffdd": "\ufffd", "\U0001f642": "1", "plain": "a b", "twice": "2",
        }  # fmt: skip
        line.close()


# -- Socket.IO: connecting twice


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_CONNECT_that_comes_before_the_first_is_answered_takes_its_place(transport: str) -> None:
    application, reasons = witnessed()
    hub = hub_of(application)
    async with serve(application) as server:
        client = await server.open(transport)
        await client.send("40", "40")
        sids = [json.loads((await client.next())[2:])["sid"] for _ in range(2)]
        assert await reasons.get() == "client namespace disconnect"
        assert list(hub.namespaces["/"].clients) == sids[1:]
        await client.send('421["echo","alive"]')
        assert await client.next() == '431["alive"]'


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_who_leaves_before_the_answer_is_not_there(transport: str) -> None:
    application, _ = witnessed()
    hub = hub_of(application)
    async with serve(application) as server:
        client = await server.open(transport)
        await join(client)
        await client.send("40/custom,", "41/custom,", "40/refuse,", "41/refuse,")
        await client.send('421["echo","alive"]')
        while await client.next() != '431["alive"]':
            pass
        assert not hub.namespaces["/custom"].known
