"""Which pages may connect: scheme, host and port are compared.

A port may be the scheme's default (RFC 6454, section 4).
"""

from __future__ import annotations

import pytest
from raw_client import (
    JOURNEY,
    address,
    io_loop,  # noqa: F401 (a fixture)
    serve,
)
from tornado.web import Application

from handlers.socketio import Hub, SocketIOHandler, event_stream, routes
from handlers.socketio.engineio.origins import Origins
from server import make_app

OWN = [
    ("https://board.example", "board.example:443", "http"),
    ("https://board.example", "board.example:443", "https"),
    ("https://board.example:443", "board.example", "https"),
    ("https://board.example", "board.example", "https"),
    ("https://board.example", "board.example", "http"),  # TLS ends at a proxy that nobody trusts
    ("http://board.example", "board.example:80", "http"),
    ("http://board.example:80", "board.example", "http"),
    ("http://board.example:8080", "board.example:8080", "http"),
    ("HTTPS://Board.Example", "BOARD.example:443", "http"),
    ("http://[::1]:3000", "[::1]:3000", "http"),
    ("https://[2001:db8::1]", "[2001:DB8::1]:443", "https"),
    ("http://127.0.0.1", "127.0.0.1:80", "http"),
]
FOREIGN = [
    ("http://board.example", "board.example:443", "http"),
    ("http://board.example", "board.example", "https"),
    ("https://board.example", "board.example:80", "http"),
    ("https://board.example:444", "board.example", "https"),
    ("https://board.example", "board.example:8443", "https"),
    ("https://evil.example", "board.example", "https"),
    ("https://board.example.evil.example", "board.example", "https"),
    ("https://board.example@evil.example", "evil.example", "https"),
    ("https://board.example/path", "board.example", "https"),
    ("null", "null", "http"),
    ("", "", "http"),
    ("file://", "", "http"),
    ("ftp://board.example", "board.example", "http"),
    ("chrome-extension://board.example", "board.example", "http"),
    ("https://board.example:port", "board.example", "https"),
    ("https://board.example:99999", "board.example", "https"),
    ("https://[::1", "[::1", "https"),
    ("board.example", "board.example", "http"),
]


@pytest.mark.parametrize(("origin", "host", "protocol"), OWN)
def test_a_page_of_the_host_s_own_is_let_in(origin: str, host: str, protocol: str) -> None:
    assert Origins().allows(origin, host, protocol)


@pytest.mark.parametrize(("origin", "host", "protocol"), FOREIGN)
def test_any_other_page_is_not(origin: str, host: str, protocol: str) -> None:
    assert not Origins().allows(origin, host, protocol)
    assert Origins(["*"]).allows(origin, host, protocol)


@pytest.mark.parametrize("listed", ["https://app.example", "https://app.example:443/", " HTTPS://APP.example "])
def test_a_listed_origin_is_compared_with_its_default_port(listed: str) -> None:
    origins = Origins([listed])
    assert origins.allows("https://app.example", "board.example", "http")
    assert origins.allows("https://app.example:443", "board.example", "http")
    assert not origins.allows("http://app.example", "board.example", "http")
    assert not origins.allows("https://app.example:8443", "board.example", "http")


def test_an_origin_that_is_none_of_the_web_may_be_listed() -> None:
    assert Origins(["null"]).allows("null", "board.example", "http")
    assert Origins(["https://a.example/"]).allows("https://a.example/", "board.example", "http")
    assert not Origins(["https://a.example/"]).allows("https://a.example/page", "board.example", "http")
    assert Origins(["chrome-extension://abc"]).allows("chrome-extension://abc", "board.example", "http")


@pytest.mark.gen_test
@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_proxy_may_pass_the_port_with_the_host(transport: str) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "AQIDBAUGBwgJCgsMDQ4PEA=="}
    headers = {"Host": "board.example:443", "Origin": "https://board.example"}
    async with serve(Application(routes(Hub({"/": SocketIOHandler})))) as server:
        more = {**upgrade, **key} if transport == "websocket" else {}
        answer = await server.request("GET", address(transport=transport), {**headers, **more})
        assert answer.status == (101 if transport == "websocket" else 200)
        foreign = {**headers, "Origin": "http://board.example"}
        answer = await server.request("GET", address(transport=transport), {**foreign, **more})
        assert answer.status == 403


@pytest.mark.parametrize(
    ("path", "option"),
    [
        (address(), "--origins"),
        ("/events", "--origins"),
        ("/own" + address(), "the origins of routes(hub, origins=[…])"),
        ("/own/events", "the origins of event_stream(hub, origins=[…])"),
    ],
)
@JOURNEY
async def test_the_log_names_the_option_to_add_an_origin_to(
    path: str, option: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    hub = Hub({"/": SocketIOHandler})
    board = make_app()
    board.add_handlers(".*", [*routes(hub, path="/own/socket.io/"), *event_stream(hub, "/own/events")])
    async with serve(board) as server:
        answer = await server.request("GET", path, {"Origin": "https://elsewhere.example"})
    assert answer.status == 403
    assert f"may not connect to '127.0.0.1:{server.port}': add 'https://elsewhere.example' to {option})" in caplog.text
