"""Which requests are refused, how, and in which order of reasons.

Both transports refuse alike, and never behind a 101.
"""

from __future__ import annotations

import logging
from typing import Any

import conformance_server
import pytest
from raw_client import (
    JOURNEY,
    UPGRADE,
    Answer,
    Polling,
    Server,
    address,
    echo,
    io_loop,  # noqa: F401 (a fixture)
    join,
    serve,
)
from tornado.web import Application

from handlers.socketio import Hub, SocketIOHandler, routes

pytestmark = JOURNEY

TRANSPORTS = ("polling", "websocket")
UNKNOWN = "AAAAAAAAAAAAAAAAAAAA"
FOREIGN = {"Origin": "https://elsewhere.example"}

TRANSPORT_UNKNOWN = (400, {"code": 0, "message": "Transport unknown"})
SESSION_UNKNOWN = (400, {"code": 1, "message": "Session ID unknown"})
BAD_METHOD = (400, {"code": 2, "message": "Bad handshake method"})
BAD_REQUEST = (400, {"code": 3, "message": "Bad request"})
FORBIDDEN = (403, {"code": 4, "message": "Forbidden"})
UNSUPPORTED_VERSION = (400, {"code": 5, "message": "Unsupported protocol version"})


def strict(origins: Any = (), trust_proxy: bool = False) -> Application:
    """An application that lets in pages of its own host, and these."""
    return Application(routes(Hub({"/": SocketIOHandler}), origins=origins, trust_proxy=trust_proxy))


async def ask(server: Server, transport: str, method: str = "GET", headers: Any = (), **parameters: Any) -> Answer:
    """Send a request that opens a session, changed as given.

    Over WebSocket it is an upgrade.
    """
    upgrade = UPGRADE if transport == "websocket" else {}
    path = address(**{"transport": transport, **parameters})
    return await server.request(method, path, {**upgrade, **dict(headers)})


def assert_refused(answer: Answer, refusal: tuple[int, dict[str, Any]]) -> None:
    assert (answer.status, answer.json) == refusal
    assert answer.headers["Content-Type"] == "application/json"
    assert "Upgrade" not in answer.headers


def assert_let_in(answer: Answer, transport: str) -> None:
    assert answer.status == (101 if transport == "websocket" else 200), answer


async def closed_session(server: Server) -> Polling:
    client = await server.poll()
    await client.post("1")
    return client


# -- every row


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("named", [None, "", "flashsocket", "Polling", "websocket2"])
@pytest.mark.parametrize("headers", [{}, UPGRADE], ids=["plain", "upgrade"])
async def test_a_missing_or_unknown_transport_is_refused(method: str, named: str | None, headers: Any) -> None:
    async with serve(conformance_server.make_app()) as server:
        assert_refused(await server.request(method, address(transport=named), headers), TRANSPORT_UNKNOWN)


async def test_a_request_without_any_parameter_is_refused_for_its_transport() -> None:
    async with serve(conformance_server.make_app()) as server:
        assert_refused(await server.request("GET", "/socket.io/"), TRANSPORT_UNKNOWN)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_unknown_sid_is_refused(transport: str, method: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        assert_refused(await ask(server, transport, method, sid=UNKNOWN), SESSION_UNKNOWN)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_closed_sid_is_refused(transport: str, method: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await closed_session(server)
        assert_refused(await ask(server, transport, method, sid=client.sid), SESSION_UNKNOWN)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_only_GET_opens_a_session(transport: str, method: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        assert_refused(await ask(server, transport, method), BAD_METHOD)


async def test_a_WebSocket_without_an_Upgrade_header_is_refused() -> None:
    async with serve(conformance_server.make_app()) as server:
        assert_refused(await server.request("GET", address(transport="websocket")), BAD_REQUEST)


async def test_a_WebSocket_for_a_session_without_an_Upgrade_header_is_refused_and_the_session_lives() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()
        assert_refused(await server.request("GET", address(transport="websocket", sid=client.sid)), BAD_REQUEST)
        await join(client)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_polling_a_session_that_began_on_WebSocket_is_refused(method: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        socket = await server.websocket()
        assert_refused(await ask(server, "polling", method, sid=socket.sid), BAD_REQUEST)
        await join(socket)


@pytest.mark.parametrize("version", [None, "3", "5"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_another_EIO_than_the_sessions_is_refused_and_the_session_lives(transport: str, version: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()
        assert_refused(await ask(server, transport, EIO=version, sid=client.sid), BAD_REQUEST)
        await join(client)


@pytest.mark.parametrize("byte", ["\x01", "\x7f"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_malformed_Origin_is_refused_by_Tornado_itself_before_any_101(transport: str, byte: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        answer = await ask(server, transport, headers={"Origin": f"http://a{byte}.example"})
        assert (answer.status, answer.body) == (400, b"")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_origin_that_is_not_let_in_is_forbidden(transport: str) -> None:
    async with serve(strict()) as server:
        assert_refused(await ask(server, transport, headers=FOREIGN), FORBIDDEN)


@pytest.mark.parametrize("version", [None, "", "3", "5", "04", "four"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_another_EIO_than_4_is_refused(transport: str, version: str | None) -> None:
    async with serve(conformance_server.make_app()) as server:
        answer = await ask(server, transport, EIO=version)
    body = answer.json
    assert "socket.io-client 3 or 4" in body.pop("hint")
    assert (answer.status, body) == UNSUPPORTED_VERSION


async def test_a_POST_for_a_session_is_refused_as_a_GET_is_and_the_session_lives() -> None:
    async with serve(strict()) as server:
        client = await server.poll()
        answer = await server.request("POST", address(sid=client.sid), FOREIGN, b"41")
        assert_refused(answer, FORBIDDEN)
        await join(client)


async def test_other_methods_than_GET_and_POST_are_refused_for_a_session() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()
        for method in ("PUT", "PATCH", "DELETE"):
            assert_refused(await ask(server, "polling", method, sid=client.sid), BAD_REQUEST)
        await join(client)


# -- the order of the checks

TWO_FAULTS: dict[str, tuple[dict[str, Any], tuple[int, Any]]] = {
    "the transport counts before the sid": ({"transport": "x", "sid": UNKNOWN}, TRANSPORT_UNKNOWN),
    "the transport counts before the method": ({"transport": "x", "method": "POST"}, TRANSPORT_UNKNOWN),
    "the transport counts before EIO": ({"transport": "x", "EIO": "3"}, TRANSPORT_UNKNOWN),
    "the transport counts before the origin": ({"transport": "x", "headers": FOREIGN}, TRANSPORT_UNKNOWN),
    "the sid counts before the method": ({"sid": UNKNOWN, "method": "PUT"}, SESSION_UNKNOWN),
    "the sid counts before EIO": ({"sid": UNKNOWN, "EIO": "3"}, SESSION_UNKNOWN),
    "the sid counts before the origin": ({"sid": UNKNOWN, "headers": FOREIGN}, SESSION_UNKNOWN),
    "the sid counts before a missing Upgrade": ({"sid": UNKNOWN, "upgrade": False}, SESSION_UNKNOWN),
    "the method counts before a missing Upgrade": ({"method": "POST", "upgrade": False}, BAD_METHOD),
    "the method counts before the origin": ({"method": "POST", "headers": FOREIGN}, BAD_METHOD),
    "the method counts before EIO": ({"method": "POST", "EIO": "3"}, BAD_METHOD),
    "a missing Upgrade counts before the origin": ({"upgrade": False, "headers": FOREIGN}, BAD_REQUEST),
    "a missing Upgrade counts before EIO": ({"upgrade": False, "EIO": "3"}, BAD_REQUEST),
    "the origin counts before EIO": ({"headers": FOREIGN, "EIO": "3"}, FORBIDDEN),
}


@pytest.mark.parametrize("rule", TWO_FAULTS)
async def test_of_two_faults(rule: str) -> None:
    faults, refusal = TWO_FAULTS[rule]
    request = {"transport": "websocket", "upgrade": True, **faults}
    if not request.pop("upgrade"):
        request["headers"] = {**request.get("headers", {}), "Upgrade": ""}
    async with serve(strict()) as server:
        assert_refused(await ask(server, **request), refusal)


async def test_of_two_faults_an_EIO_that_does_not_fit_the_session_counts_before_the_origin() -> None:
    async with serve(strict()) as server:
        client = await server.poll()
        assert_refused(await ask(server, "polling", sid=client.sid, EIO="3", headers=FOREIGN), BAD_REQUEST)


# -- origins


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_without_an_Origin_anybody_is_let_in(transport: str) -> None:
    async with serve(strict()) as server:
        assert_let_in(await ask(server, transport), transport)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_page_of_the_same_host_is_let_in(transport: str) -> None:
    async with serve(strict()) as server:
        answer = await ask(server, transport, headers={"Origin": f"http://127.0.0.1:{server.port}"})
        assert_let_in(answer, transport)


@pytest.mark.parametrize("origin", ["null", "http://127.0.0.1:1", "http://127.0.0.1", "http://[", "127.0.0.1", ""])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_any_other_origin_is_forbidden(transport: str, origin: str) -> None:
    async with serve(strict()) as server:
        answer = await ask(server, transport, headers={"Origin": origin})
        assert_refused(answer, FORBIDDEN)
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("listed", ["https://board.example", "https://Board.example/"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_listed_origins_are_let_in_and_no_others(transport: str, listed: str) -> None:
    async with serve(strict([listed, "https://second.example"])) as server:
        for origin in ("https://board.example", "https://second.example"):
            answer = await ask(server, transport, headers={"Origin": origin})
            assert_let_in(answer, transport)
        for origin in ("http://board.example", "https://board.example.evil", "https://elsewhere.example", "null"):
            assert_refused(await ask(server, transport, headers={"Origin": origin}), FORBIDDEN)


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_asterisk_lets_everybody_in(transport: str, origin: str) -> None:
    async with serve(strict(["*"])) as server:
        assert_let_in(await ask(server, transport, headers={"Origin": origin}), transport)


BEHIND_A_PROXY = {"Origin": "https://board.example", "X-Forwarded-Host": "board.example"}


@pytest.mark.parametrize("forwarded", ["board.example", "inner.example, board.example", "Board.Example"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_behind_a_trusted_proxy_the_host_is_the_one_it_forwards(transport: str, forwarded: str) -> None:
    async with serve(strict(trust_proxy=True)) as server:
        headers = {**BEHIND_A_PROXY, "X-Forwarded-Host": forwarded}
        assert_let_in(await ask(server, transport, headers=headers), transport)
        assert_refused(await ask(server, transport, headers={**headers, **FOREIGN}), FORBIDDEN)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_without_trust_in_a_proxy_what_is_forwarded_does_not_count(transport: str) -> None:
    async with serve(strict()) as server:
        assert_refused(await ask(server, transport, headers=BEHIND_A_PROXY), FORBIDDEN)


async def test_a_page_of_another_origin_that_is_let_in_may_read_the_answers() -> None:
    origin = {"Origin": "https://board.example"}
    async with serve(strict(["https://board.example"])) as server:
        opened = await server.request("GET", address(), origin)
        client = Polling(server, opened)
        posted = await server.request("POST", address(sid=client.sid), origin, b"40")
        polled = await server.request("GET", address(sid=client.sid), origin)
        refused = await server.request("GET", address(EIO="3"), origin)
    for answer in (opened, posted, polled, refused):
        assert answer.headers["Access-Control-Allow-Origin"] == "https://board.example"
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("transport", [*TRANSPORTS, None])
async def test_a_preflight_of_an_origin_that_is_let_in_is_granted(transport: str | None) -> None:
    headers = {
        "Origin": "https://board.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-board,content-type",
    }
    async with serve(strict(["https://board.example"])) as server:
        answer = await server.request("OPTIONS", address(transport=transport), headers)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://board.example"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert {"GET", "POST"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    assert answer.headers["Access-Control-Allow-Headers"] == "x-board,content-type"


async def test_a_preflight_of_another_origin_is_not_granted() -> None:
    async with serve(strict()) as server:
        answer = await server.request("OPTIONS", address(), {**FOREIGN, "Access-Control-Request-Method": "POST"})
    assert "Access-Control-Allow-Origin" not in answer.headers


# -- the log


HINTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "an origin names the origin and the setting": (
        {"headers": FOREIGN},
        ["elsewhere.example", "origins of routes(hub"],
    ),
    "a version names the client's and the clients that fit": (
        {"EIO": "3"},
        ["EIO=3", "Socket.IO 1 or 2", "socket.io-client"],
    ),
    "a missing Upgrade names the proxy": ({"transport": "websocket"}, ["Upgrade", "proxy"]),
    "a sid says that the server may be another": ({"sid": UNKNOWN}, [UNKNOWN, "restarted"]),
}


@pytest.mark.parametrize("rule", HINTS)
async def test_the_hint_for(rule: str, caplog: pytest.LogCaptureFixture) -> None:
    faults, words = HINTS[rule]
    parameters = {name: value for name, value in faults.items() if name != "headers"}
    caplog.set_level(logging.INFO)
    async with serve(strict()) as server:
        await server.request("GET", address(**parameters), faults.get("headers"))
    (line,) = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert all(word in line for word in words), line


@pytest.mark.parametrize("parameter", ["sid", "transport", "EIO"])
async def test_a_hostile_request_forges_no_line_of_the_log(parameter: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serve(strict()) as server:
        await server.request("GET", address(**{parameter: "a\r\nforged" + "x" * 10_000}))
    (line,) = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert len(line.splitlines()) == 1
    assert len(line) < 400


async def test_a_refused_request_leaves_other_sessions_alone() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()
        await join(client)
        await ask(server, "polling", EIO="3", sid=client.sid)
        await ask(server, "websocket", sid=UNKNOWN)
        await echo(client)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_refusal_says_that_no_other_request_is_read_behind_it(method: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        line = await server.send(method, address(sid=UNKNOWN), body=b"4" if method == "POST" else b"")
        answer = await line.answer()
        assert (answer.status, answer.headers.get("Connection")) == (400, "close")
        await line.ended()


async def test_behind_a_preflight_the_connection_brings_the_request() -> None:
    async with serve(conformance_server.make_app()) as server:
        line = await server.send("OPTIONS", address())
        assert (await line.answer()).status == 204
        line.write(server.head("GET", address()))
        assert (await line.answer()).status == 200


async def test_a_refusal_does_not_wait_for_the_body() -> None:
    async with serve(conformance_server.make_app()) as server:
        line = await server.send("POST", address(sid=UNKNOWN), {"Content-Length": "100000"})
        assert_refused(await line.answer(), SESSION_UNKNOWN)
        await line.ended()
