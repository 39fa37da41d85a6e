"""Clients of Socket.IO 1 and 2 (Engine.IO 3), with `Hub(allow_eio3=True)`."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from raw_client import (
    JOURNEY,
    UPGRADE,
    Answer,
    Clock,
    Server,
    address,
    echo,
    io_loop,  # noqa: F401 (a fixture)
    join,
)
from raw_client import serve as serving
from test_clients import pass_in_node
from tornado.web import Application

from handlers.socketio import Hub, Refused, SocketIOHandler, routes

pytestmark = JOURNEY


class Room(SocketIOHandler):
    """Answers what the checks ask."""

    def on_connect(self) -> None:
        if "name" in self.request.query:
            self.emit("welcome", self.id, self.request.query["name"])

    def on_echo(self, *args: Any) -> Any:
        return args

    async def on_ask(self, word: str) -> Any:
        return await self.call("question", word)

    def on_tell(self, *args: Any) -> None:
        self.broadcast("told", *args)

    def on_count(self, end: int) -> None:
        for number in range(end):
            (self.everyone if number % 2 else self).emit("number", number, *([b"\0"] * (number % 3 == 0)))

    def on_bye(self) -> None:
        self.disconnect()


class Chat(SocketIOHandler):
    """Tells who comes and goes."""

    def on_connect(self) -> None:
        self.emit("welcome", self.id, self.auth)

    def on_disconnect(self, reason: str) -> None:
        self.settings["hub"].of("/").emit("left", self.id, reason)


class Secret(SocketIOHandler):
    """Refuses everybody."""

    def authenticate(self, auth: dict[str, Any]) -> None:
        raise Refused("Not authorized", {"code": 7})


@pytest.mark.gen_test
async def test_they_are_served_beside_those_of_version_4(node: str, serve: Callable[[Application], str]) -> None:
    hub = Hub({"/": Room, "/chat": Chat, "/secret": Secret}, allow_eio3=True, ping_interval=0.3, ping_timeout=20)
    url = serve(Application(routes(hub), hub=hub))
    await asyncio.to_thread(pass_in_node, node, "older.test.mjs", server_url=url)


# ---- by hand

OLD = {"EIO": "3"}


def older(**options: Any) -> Application:
    """An application for clients of both kinds."""
    hub = Hub({"/": Room, "/secret": Secret}, allow_eio3=True, **options)
    return Application(routes(hub, origins=["http://friend.example"]), hub=hub)


class OldPolling:
    """A session of Engine.IO 3 over polling."""

    def __init__(self, server: Server, **parameters: str) -> None:
        self.server, self.parameters = server, {**OLD, **parameters}

    async def open(self, headers: dict[str, str] | None = None) -> Answer:
        answer = await self.server.request("GET", address(**self.parameters), headers)
        found = re.search(r'"sid\\?":\\?"([^"\\]+)', answer.text)
        if found:
            self.parameters["sid"] = found[1]
        return answer

    async def next(self) -> str:
        """Wait for the next packet by a poll."""
        return (await self.get()).text.partition(":")[2]

    async def send(self, packet: str) -> None:
        """Send one packet by a POST."""
        assert (await self.post(f"{len(packet)}:{packet}".encode())).text == "ok"

    async def ended(self) -> None:
        """Be unknown to the server."""
        assert (await self.get()).json["code"] == 1

    async def get(self, headers: dict[str, str] | None = None) -> Answer:
        return await self.server.request("GET", address(**self.parameters), headers)

    async def post(self, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        return await self.server.request("POST", address(**self.parameters), headers, body)


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_without_the_option_they_are_refused_and_the_option_named(
    transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(Application(routes(Hub({"/": Room})))) as server:
        headers = UPGRADE if transport == "websocket" else {}
        answer = await server.request("GET", address(EIO="3", transport=transport), headers)
        assert (answer.status, answer.json["code"]) == (400, 5)
        assert "Hub(allow_eio3=True)" in answer.json["hint"]
        assert "a client cannot connect: the client speaks EIO=3 (Socket.IO 1 or 2)" in caplog.text
        assert "Hub(allow_eio3=True)" in caplog.text


@pytest.mark.parametrize("version", ["2", "5", "", "03", "3.0", None])
async def test_with_the_option_other_revisions_are_refused_as_before(version: str | None) -> None:
    async with serving(older()) as server:
        answer = await server.request("GET", address(EIO=version))
        assert (answer.status, answer.json["code"]) == (400, 5)
        assert "allow_eio3" not in answer.json["hint"]


async def test_a_session_keeps_the_revision_that_it_began_with() -> None:
    async with serving(older()) as server:
        old, new = OldPolling(server), await server.poll()
        await old.open()
        for sid, version in ((old.parameters["sid"], "4"), (new.sid, "3")):
            answer = await server.request("GET", address(sid=sid, EIO=version))
            assert (answer.status, answer.json["code"]) == (400, 3)
        await join(new)
        await echo(new)
        assert (await old.get()).text == "2:40"


async def test_polls_are_those_of_the_protocol() -> None:
    async with serving(older()) as server:
        client = OldPolling(server)
        length, _, opening = (await client.open()).text.partition(":")
        assert opening.startswith('0{"sid":')
        assert int(length) == len(opening)
        assert (await client.get()).text == "2:40"
        assert (await client.post('17:421["echo","é😀"]6:2probe'.encode())).text == "ok"
        assert (await client.get()).text == '10:431["é😀"]6:3probe'


@pytest.mark.parametrize(
    ("parameters", "kind", "sent"),
    [
        ({}, "application/octet-stream", b"\x01\x03\xff\x04\x00\xff"),
        ({"b64": "1"}, "text/plain; charset=UTF-8", b"6:b4AP8="),
    ],
)
async def test_bytes_come_as_a_binary_body_or_in_base64(parameters: dict[str, str], kind: str, sent: bytes) -> None:
    async with serving(older()) as server:
        client = OldPolling(server, **parameters)
        await client.open()
        await client.get()
        event = '451-1["echo",{"_placeholder":true,"num":0}]'
        body = bytes([0, *map(int, str(len(event))), 255]) + event.encode() + b"\x01\x03\xff\x04\x00\xff"
        assert (await client.post(body)).text == "ok"
        answer = await client.get()
        assert answer.headers["Content-Type"] == kind
        assert answer.body.endswith(sent)


@pytest.mark.parametrize("body", [b"", b"4", b"9:4x", b"\x00\x09\xff4", b"2:4\xff", b"1:9", b"2:b5", b"d=1"])
async def test_a_malformed_body_harms_its_sender_alone(body: bytes) -> None:
    async with serving(older()) as server:
        client, other, new = OldPolling(server), OldPolling(server), await server.poll()
        await client.open()
        await other.open()
        await join(new)
        assert (await client.post(body)).status == 400
        assert (await client.get()).json["code"] == 1
        assert (await other.get()).text == "2:40"
        await echo(new)


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_who_does_not_ping_is_gone_and_who_pings_stays(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, application = Clock(monkeypatch), older()
    async with serving(application) as server:
        pinging, silent = [await open_old(server, transport) for _ in range(2)]
        for ahead in (20, 40, 60, 80):
            await pinging.send("2")
            assert await pinging.next() == "3"
            clock.beat(ahead)
        closed = application.settings["hub"].counters.closed
        assert closed["ping timeout"] == 1
        assert len(application.settings["hub"].sessions) == 1
        await silent.ended()
        clock.beat(130)
        assert closed["ping timeout"] == 2


async def open_old(server: Server, transport: str) -> Any:
    """Open a session of Engine.IO 3 that has joined."""
    if transport == "polling":
        client: Any = OldPolling(server)
        await client.open()
    else:
        client = await server.handshake(EIO="3")
        assert (await client.answer()).status == 101
        assert str(await client.next()).startswith("0")
    assert await client.next() == "40"
    return client


async def test_a_ping_of_version_4_is_no_ping() -> None:
    async with serving(older()) as server:
        socket = await server.websocket()
        await socket.send("2")
        assert await socket.ended() == 1002


# ---- JSONP

FRIEND = {"Referer": "http://friend.example/page?x"}


async def test_scripts_call_the_function_of_their_page() -> None:
    async with serving(older()) as server:
        client = OldPolling(server, j="7")
        opened = await client.open(FRIEND)
        assert opened.headers["Content-Type"] == "text/javascript; charset=UTF-8"
        assert re.fullmatch(r'___eio\[7\]\("\d+:0.*"\);', opened.text)
        assert (await client.get(FRIEND)).text == '___eio[7]("2:40");'
        # The official client escapes line feeds, which forms change, and the backslash of an escaped one.
        event = json.dumps(["echo", "a\nb\u2028"], ensure_ascii=False)
        form = "d=" + quote(f"{len(event) + 3}:421{event}".replace("\\n", "\\\\n"))
        assert (await client.post(form.encode(), FRIEND)).text == "ok"
        answer = (await client.get(FRIEND)).text
        assert answer.isascii()  # U+2028 would end a line of a script
        assert json.loads(answer.removeprefix("___eio[7](").removesuffix(");")) == '12:431["a\\nb\u2028"]'


@pytest.mark.parametrize("body", ["", "x=1", "d=", "d=4", "d=%FF", "d=2:4&d=x&a&b&c&d", quote("1:2")])
async def test_a_malformed_form_harms_its_sender_alone(body: str) -> None:
    async with serving(older()) as server:
        client, other = OldPolling(server, j="0"), OldPolling(server, j="1")
        await client.open(FRIEND)
        await other.open(FRIEND)
        assert (await client.post(body.encode(), FRIEND)).status == 400
        assert (await other.get(FRIEND)).text == '___eio[1]("2:40");'


@pytest.mark.parametrize(
    "headers",
    [{}, {"Referer": "http://foe.example/"}, {"Referer": "nonsense"}, {**FRIEND, "Origin": "http://foe.example"}],
)
async def test_scripts_of_foreign_pages_are_refused(headers: dict[str, str]) -> None:
    async with serving(older()) as server:
        assert (await OldPolling(server, j="0").open(headers)).status == 403
        client = OldPolling(server, j="0")
        await client.open(FRIEND)
        assert (await client.get(headers)).status == 403


@pytest.mark.parametrize("index", ["", "x", "1;alert(1)", "1000", "-1", "１"])
async def test_what_is_no_number_of_a_function_is_no_jsonp(index: str) -> None:
    async with serving(older()) as server:
        opened = await OldPolling(server, j=index).open()
        assert re.fullmatch(r"\d+:0\{.*\}", opened.text)
        assert opened.headers["Content-Type"] == "text/plain; charset=UTF-8"
