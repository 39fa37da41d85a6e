"""The cases of the official test suites, one by one.

Engine.IO v4 and Socket.IO v5.

Where it counts, heartbeats are those of the suites: a ping each 300 ms, and 200 ms for the pong.
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import raw_client
from raw_client import (
    JOURNEY,
    Clock,
    Server,
    WebSocket,
    address,
    io_loop,  # noqa: F401 (a fixture)
    serve,
)
from tornado.httpserver import HTTPServer
from tornado.web import Application

from handlers.socketio import Engine, Hub, SocketIOHandler, event, routes
from handlers.socketio.engineio.http_server import Server as OurHTTPServer
from handlers.socketio.engineio.reasons import CloseReason
from handlers.socketio.engineio.session import Session

pytestmark = JOURNEY

HEARTBEAT = {"ping_interval": 0.3, "ping_timeout": 0.2}
TRANSPORTS = ("polling", "websocket")
OPENING = {"pingInterval": 300, "pingTimeout": 200, "maxPayload": 1_000_000}


@pytest.fixture(params=[HTTPServer, OurHTTPServer], ids=["Tornado's server", "ours"], autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test with both HTTP servers.

    Ours reads polls without Tornado's HTTP.
    """
    monkeypatch.setattr(raw_client, "KIND", request.param)


class Echo:
    """The application of the Engine.IO suite: an echo."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def on_message(self, data: str | bytes) -> None:
        self._session.send(data)

    def on_close(self, reason: CloseReason) -> None: ...


class SuiteHandler(SocketIOHandler):
    """The application of the Socket.IO suite."""

    def on_connect(self) -> None:
        self.emit("auth", self.auth)

    def on_message(self, *args: Any) -> None:
        self.emit("message-back", *args)

    @event("message-with-ack")
    def answer(self, *args: Any) -> Any:
        return args


def engine_io(**options: float) -> Application:
    return Application(routes(Engine(Echo, **options), origins=["*"]))


def socket_io(**options: float) -> Application:
    return Application(routes(Hub({"/": SuiteHandler, "/custom": SuiteHandler}, **options), origins=["*"]))


APPLICATIONS = {"Engine.IO": engine_io, "Socket.IO": socket_io}


@pytest.fixture(params=APPLICATIONS)
def application(request: pytest.FixtureRequest) -> Application:
    """Both suites ask for the same Engine.IO."""
    return APPLICATIONS[request.param]()


@pytest.fixture(params=APPLICATIONS)
def lively(request: pytest.FixtureRequest) -> Application:
    """The same with the heartbeats of the suites."""
    return APPLICATIONS[request.param](**HEARTBEAT)


async def status_of(server: Server, method: str = "GET", body: bytes = b"", **parameters: str | None) -> int:
    headers = raw_client.UPGRADE if parameters.get("transport") == "websocket" else {}
    return (await server.request(method, address(**parameters), headers, body)).status


async def closed(socket: WebSocket) -> None:
    """Wait until the server closes; a ping may come before."""
    assert await socket.next() == "2"
    await socket.ended()


# -- Engine.IO: handshake


async def test_polling_opens_a_session(lively: Application) -> None:
    async with serve(lively) as server:
        opening = (await server.poll()).opening
    assert isinstance(opening.pop("sid"), str)
    assert opening == {**OPENING, "upgrades": ["websocket"]}


async def test_a_WebSocket_opens_a_session(lively: Application) -> None:
    async with serve(lively) as server:
        opening = (await server.websocket()).opening
    assert isinstance(opening.pop("sid"), str)
    assert opening == {**OPENING, "upgrades": []}


@pytest.mark.parametrize("version", [None, "abc", "", "3", "5"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_invalid_EIO_is_refused(application: Application, transport: str, version: str | None) -> None:
    async with serve(application) as server:
        assert await status_of(server, transport=transport, EIO=version) == 400


@pytest.mark.parametrize("transport", [None, "abc", ""])
@pytest.mark.parametrize("headers", [{}, raw_client.UPGRADE], ids=["plain", "upgrade"])
async def test_an_invalid_transport_is_refused(application: Application, transport: str | None, headers: Any) -> None:
    async with serve(application) as server:
        assert (await server.request("GET", address(transport=transport), headers)).status == 400


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_an_invalid_method_is_refused(application: Application, method: str) -> None:
    async with serve(application) as server:
        assert await status_of(server, method) == 400


# -- Engine.IO: messages


@pytest.mark.parametrize(
    "payload",
    ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA==", "b\x1e4"],
    ids=["one text", "several texts", "text and binary", "nothing, as binary and as text"],
)
async def test_a_payload_is_sent_and_received(payload: str) -> None:
    async with serve(engine_io()) as server:
        client = await server.poll()
        assert (await client.post(payload)).text == "ok"
        assert await client.get() == payload.split("\x1e")


async def test_an_invalid_payload_closes_the_session(application: Application) -> None:
    async with serve(application) as server:
        client = await server.poll()
        assert (await client.post("abc")).status == 400
        assert await status_of(server, sid=client.sid) == 400


async def test_two_polls_at_once_close_the_session(application: Application) -> None:
    async with serve(application) as server:
        client = await server.poll()
        first = await client.hold()
        assert await status_of(server, sid=client.sid, t="burst") == 400
        answer = await first.answer()
        assert (answer.status, answer.packets) == (200, ["1"])
        assert await status_of(server, sid=client.sid) == 400


async def test_a_poll_that_is_cancelled_closes_the_session(application: Application) -> None:
    async with serve(application) as server:
        client = await server.poll()
        (await client.hold()).close()
        assert await status_of(server, sid=client.sid) == 400


@pytest.mark.parametrize("packet", ["4hello", bytes([1, 2, 3, 4])])
async def test_a_packet_is_sent_and_received_over_a_WebSocket(packet: str | bytes) -> None:
    async with serve(engine_io()) as server:
        socket = await server.websocket()
        await socket.send(packet)
        assert await socket.next() == packet


async def test_an_invalid_packet_closes_the_WebSocket(application: Application) -> None:
    async with serve(application) as server:
        socket = await server.websocket()
        await socket.send("abc")
        assert await socket.ended() == 1002


# -- Engine.IO: heartbeat


async def test_pings_come_by_polls_and_pongs_by_POSTs(lively: Application) -> None:
    async with serve(lively) as server:
        client = await server.poll()
        for _ in range(3):
            assert await client.get() == ["2"]
            assert (await client.post("3")).status == 200


async def test_a_session_that_does_not_poll_is_over_at_the_ping_timeout(
    lively: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    async with serve(lively) as server:
        client = await server.poll()
        # The beat that pings comes late; what the client is given begins when it should have come.
        clock.beat(0.45)
        clock.ahead = 0.5
        assert await status_of(server, sid=client.sid) == 400
        assert await status_of(server, "POST", b"3", sid=client.sid) == 400


async def test_pings_and_pongs_go_over_a_WebSocket(lively: Application) -> None:
    async with serve(lively) as server:
        socket = await server.websocket()
        for _ in range(3):
            assert await socket.next() == "2"
            await socket.send("3")


async def test_a_WebSocket_without_pongs_is_closed_at_the_ping_timeout(lively: Application) -> None:
    async with serve(lively) as server:
        began, socket = time.monotonic(), await server.websocket()
        await closed(socket)
        assert time.monotonic() - began > 0.48


# -- Engine.IO: close


@pytest.mark.parametrize("first", ["GET", "POST"])
async def test_a_client_that_closes_has_its_poll_answered_by_6(application: Application, first: str) -> None:
    async with serve(application) as server:
        client = await server.poll()
        requests = {"GET": b"", "POST": b"1"}
        lines = {}
        for method in sorted(requests, reverse=first == "POST"):
            lines[method] = await server.send(method, address(sid=client.sid), body=requests[method])
        polled, posted = await lines["GET"].answer(), await lines["POST"].answer()
        assert (polled.status, polled.packets) == (200, ["6"])
        assert (posted.status, posted.text) == (200, "ok")
        assert await status_of(server, sid=client.sid) == 400


async def test_a_WebSocket_whose_client_says_1_is_closed(lively: Application) -> None:
    async with serve(lively) as server:
        socket = await server.websocket()
        await socket.send("1")
        await closed(socket)


# -- Engine.IO: upgrade


async def test_polling_is_upgraded_to_a_WebSocket() -> None:
    async with serve(engine_io()) as server:
        client = await server.poll()
        socket = await server.websocket(client.sid)
        await socket.send("2probe")
        assert await socket.next() == "3probe"
        assert await client.get() == ["6"]
        await socket.send("5", "4hello")
        assert await socket.next() == "4hello"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_behind_the_upgrade_is_refused_and_the_session_goes_on(method: str) -> None:
    async with serve(engine_io()) as server:
        client = await server.poll()
        socket = await server.websocket(client.sid)
        await socket.send("2probe")
        assert await socket.next() == "3probe"
        await socket.send("5", "4upgraded")
        assert await socket.next() == "4upgraded"
        assert await status_of(server, method, b"4" if method == "POST" else b"", sid=client.sid) == 400
        await socket.send("4hello")
        assert await socket.next() == "4hello"


async def test_a_WebSocket_behind_the_upgrade_is_closed_and_the_session_goes_on() -> None:
    async with serve(engine_io()) as server:
        client = await server.poll()
        socket = await server.websocket(client.sid)
        await socket.send("2probe", "5")
        assert await socket.next() == "3probe"
        second = await server.websocket(client.sid)
        await second.ended()
        await socket.send("4hello")
        assert await socket.next() == "4hello"


# -- Socket.IO: connect

AUTHS = ["", '{"token":"123"}', "{}"]


async def connected(socket: Any, namespace: str = "", auth: str = "") -> None:
    """Connect to a namespace; its answer comes before what its handler says."""
    await socket.send(f"40{namespace}{auth}")
    answer = str(await socket.next())
    assert answer.startswith(f"40{namespace}{{")
    (sid,) = json.loads(answer.removeprefix(f"40{namespace}")).items()
    assert sid[0] == "sid"
    assert isinstance(sid[1], str)
    assert await socket.next() == f'42{namespace}["auth",{auth or "{}"}]'


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("namespace", ["", "/custom,"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_connects_to_a_namespace(transport: str, namespace: str, auth: str) -> None:
    async with serve(socket_io()) as server:
        await connected(await server.open(transport), namespace, auth)


@pytest.mark.parametrize("connect", ["40/random", "40/random,", '40/random,{"token":"123"}'])
async def test_a_client_is_refused_an_unknown_namespace(connect: str) -> None:
    async with serve(socket_io()) as server:
        socket = await server.websocket()
        await socket.send(connect)
        assert await socket.next() == '44/random,{"message":"Invalid namespace"}'


@pytest.mark.parametrize("packet", ["4abc", "40[]", '40"token"', "40{", '40/custom,"1"', "4", '42["message"]'])
async def test_an_invalid_handshake_closes_the_connection(packet: str) -> None:
    async with serve(socket_io()) as server:
        socket = await server.websocket()
        await socket.send(packet)
        assert await socket.ended() == 1002


async def test_without_a_handshake_the_connection_is_closed() -> None:
    async with serve(socket_io(connect_timeout=0.2)) as server:
        assert await (await server.websocket()).ended() == 1000


# -- Socket.IO: disconnect


async def test_a_client_leaves_the_main_namespace_and_is_still_pinged() -> None:
    async with serve(socket_io(ping_interval=1)) as server:
        socket = await server.websocket()
        await connected(socket)
        await socket.send("41")
        assert await socket.next() == "2"


@pytest.mark.parametrize("leave", ["41/custom", "41/custom,"])
async def test_a_client_leaves_a_namespace_and_stays_in_the_other(leave: str) -> None:
    async with serve(socket_io()) as server:
        socket = await server.websocket()
        await connected(socket)
        await socket.send("40/custom")
        assert str(await socket.next()).startswith("40/custom,{")
        assert await socket.next() == '42/custom,["auth",{}]'
        await socket.send(leave, '42["message","message to main namespace"]')
        assert await socket.next() == '42["message-back","message to main namespace"]'


# -- Socket.IO: messages

TWO = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
ATTACHMENTS = [bytes([1, 2, 3]), bytes([4, 5, 6])]
EXCHANGES: dict[str, tuple[list[str | bytes], list[str | bytes]]] = {
    "text": (['42["message",1,"2",{"3":[true]}]'], ['42["message-back",1,"2",{"3":[true]}]']),
    "attachments": ([f'452-["message",{TWO}]', *ATTACHMENTS], [f'452-["message-back",{TWO}]', *ATTACHMENTS]),
    "text with an ack": (
        ['42456["message-with-ack",1,"2",{"3":[false]}]'],
        ['43456[1,"2",{"3":[false]}]'],
    ),
    "attachments with an ack": (
        [f'452-789["message-with-ack",{TWO}]', *ATTACHMENTS],
        [f"462-789[{TWO}]", *ATTACHMENTS],
    ),
}


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_is_sent_is_answered(transport: str, exchange: str) -> None:
    sent, answered = EXCHANGES[exchange]
    async with serve(socket_io()) as server:
        client = await server.open(transport)
        await connected(client)
        await client.send(*sent)
        assert [await client.next() for _ in answered] == answered


INVALID = {
    "unknown packet type": "4abc",
    "invalid payload format": "42{}",
    "invalid ack id": '42abc["message-with-ack",1,"2",{"3":[false]}]',
    "no payload": "42",
    "no event name": "42[]",
    "bad JSON": '42["message"',
    "text instead of an attachment": f'452-["message",{TWO}]',
}


@pytest.mark.parametrize("fault", INVALID)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_invalid_format_closes_the_connection(transport: str, fault: str) -> None:
    async with serve(socket_io()) as server:
        client = await server.open(transport)
        await connected(client)
        await client.send(INVALID[fault], '42["message",1]')
        await client.ended()
