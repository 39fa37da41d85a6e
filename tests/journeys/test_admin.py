"""`/healthz`, and who may ask for it and for `/metrics`."""

from __future__ import annotations

from typing import Any

import pytest
from raw_client import (
    JOURNEY,
    io_loop,  # noqa: F401 (a fixture)
    join,
    serve,
)
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application

from handlers.socketio import Hub, SocketIOHandler, event_stream, routes
from handlers.socketio.operations.addresses import LOOPBACK, Addresses
from handlers.socketio.operations.admin import admin
from server import log_request


def application(hub: Hub | None = None, addresses: Any = LOOPBACK, trouble: Any = ()) -> Application:
    hub = hub or Hub({"/": SocketIOHandler})
    rules = [*admin(hub, addresses, checks=trouble), *routes(hub), *event_stream(hub)]
    return Application(rules, hub=hub, log_function=log_request)


# -- how it is


@JOURNEY
async def test_a_server_that_is_well() -> None:
    async with serve(application()) as server:
        await join(await server.websocket())
        await server.poll()
        answer = await server.request("GET", "/healthz")
        assert (answer.status, answer.json) == (200, {"status": "ok", "clients": 2, "trouble": []})
        assert answer.headers["Cache-Control"] == "no-store"


@JOURNEY
async def test_listeners_are_clients() -> None:
    hub = Hub({"/": SocketIOHandler})
    async with serve(application(hub)) as server:
        line = await server.send("GET", "/events")
        await line.take(1)
        assert (await server.request("GET", "/healthz")).json["clients"] == 1


@JOURNEY
async def test_a_server_that_is_about_to_end() -> None:
    hub = Hub({"/": SocketIOHandler})
    async with serve(application(hub)) as server:
        hub.draining = True
        answer = await server.request("GET", "/healthz")
        assert (answer.status, answer.json["status"]) == (503, "draining")
        assert (await server.request("HEAD", "/healthz")).status == 503
        assert (await server.request("GET", "/metrics")).status == 200


@JOURNEY
async def test_what_is_in_trouble_is_told_and_keeps_no_clients_away() -> None:
    async with serve(application(trouble=[lambda: "the disk is full", lambda: None])) as server:
        answer = await server.request("GET", "/healthz")
        assert (answer.status, answer.json["status"]) == (200, "trouble")
        assert answer.json["trouble"] == ["the disk is full"]


@JOURNEY
async def test_a_check_that_fails_is_in_trouble_itself() -> None:
    def check() -> None:
        raise OSError("no such disk")

    async with serve(application(trouble=[check, lambda: "the disk is full"]), expect="failed") as server:
        answer = await server.request("GET", "/healthz")
        assert answer.status == 200
        assert answer.json["trouble"] == ["a check failed: OSError('no such disk')", "the disk is full"]


# -- who may ask


@JOURNEY
@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_stranger_is_told_which_setting_lets_one_in(path: str, method: str) -> None:
    async with serve(application(addresses=["192.0.2.0/24"])) as server:
        answer = await server.request(method, path)
        assert (answer.status, answer.text) == (
            403,
            "127.0.0.1 may not see this: add it to the admin addresses\n",
        )


@JOURNEY
async def test_behind_a_trusted_proxy_the_client_s_address_counts() -> None:
    async with serve(application(addresses=["192.0.2.0/24"]), xheaders=True) as server:
        for address, status in (("192.0.2.7", 200), ("198.51.100.7", 403), ("198.51.100.7, 192.0.2.7", 403)):
            answer = await server.request("GET", "/metrics", {"X-Forwarded-For": address})
            assert answer.status == status, address


def asking(remote_ip: str | None, **headers: str) -> HTTPServerRequest:
    request = HTTPServerRequest(
        headers=HTTPHeaders({"Host": "x"}), start_line=RequestStartLine("GET", "/metrics", "HTTP/1.1")
    )
    request.remote_ip = remote_ip
    for name, value in headers.items():
        for one in value.split("&"):
            request.headers.add(name.replace("_", "-"), one)
    return request


LET_IN = {
    "this machine": asking("127.0.0.1"),
    "another address of it": asking("127.8.9.10"),
    "this machine by IPv6": asking("::1"),
    "IPv4 in the clothes of IPv6": asking("::ffff:127.0.0.1"),
    "a proxy that speaks for this machine": asking("127.0.0.1", X_Forwarded_For="127.0.0.1"),
    "a network": asking("10.1.2.3"),
    "a single address": asking("192.0.2.7"),
    "a network of IPv6": asking("2001:db8::7"),
}
KEPT_OUT = {
    "another machine": asking("192.0.2.8"),
    "another machine by IPv6": asking("2001:db9::7"),
    "nobody": asking(None),
    "a socket that is none of the network's": asking("/run/board.sock"),
    "another machine in the clothes of IPv6": asking("::ffff:192.0.2.8"),
    "a proxy on this machine": asking("127.0.0.1", X_Forwarded_For="192.0.2.8"),
    "one that says it is an administrator": asking("192.0.2.8", X_Forwarded_For="127.0.0.1"),
    "the same by another header": asking("192.0.2.8", X_Real_Ip="127.0.0.1"),
    "one whom a proxy believed": asking("127.0.0.1", X_Forwarded_For="127.0.0.1, 192.0.2.8"),
    "one that comes by two proxies": asking("127.0.0.1", X_Forwarded_For="192.0.2.8&127.0.0.1"),
    "one whose own header is passed on": asking("127.0.0.1", X_Real_Ip="127.0.0.1", X_Forwarded_For="192.0.2.8"),
    "one that is named in a header that is not read": asking("127.0.0.1", Forwarded="for=127.0.0.1"),
    "nonsense": asking("127.0.0.1", X_Forwarded_For="unknown"),
    "nothing": asking("127.0.0.1", X_Forwarded_For=""),
}
ADDRESSES = Addresses([*LOOPBACK, "10.0.0.0/8", " 192.0.2.7", "2001:db8::/32"])


@pytest.mark.parametrize("who", LET_IN)
def test_it_lets_in(who: str) -> None:
    assert ADDRESSES.denied_address(LET_IN[who]) is None


@pytest.mark.parametrize("who", KEPT_OUT)
def test_it_keeps_out(who: str) -> None:
    assert ADDRESSES.denied_address(KEPT_OUT[who]) is not None


def test_an_empty_list_keeps_everybody_out() -> None:
    assert Addresses([""]).denied_address(asking("127.0.0.1")) == "127.0.0.1"


@pytest.mark.parametrize("wrong", ["localhost", "10.0.0.0/33", "300.1.1.1", "10.0.0.1-9"])
def test_what_is_no_address_is_named(wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong.partition("/")[0]):
        Addresses(["::1", wrong])
