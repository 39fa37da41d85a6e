"""The configurations of deploy/, each in a real proxy.

The proxy is before the real server, encrypted, in both directions.

What a machine decides is replaced (names, ports, certificates, directories); the rest runs as it stands.
"""

from __future__ import annotations

import json
import re
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import ROOT, Server, board
from proxies import caddy, certify, nginx, nginx_path, proxy
from raw_client import (
    JOURNEY,
    UPGRADE,
    Line,
    address,
    io_loop,  # noqa: F401 (a fixture)
    join,
)
from raw_client import Server as Clients
from service_helpers import free_port, running
from tornado.ioloop import IOLoop

pytestmark = [pytest.mark.skipif(sys.platform != "linux", reason="`make test` has proxies for Linux only"), JOURNEY]

FORGED = {
    "X-Forwarded-For": "203.0.113.1",
    "X-Real-Ip": "203.0.113.1",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "gopher",
    "X-Scheme": "gopher",
}


class Chain(NamedTuple):
    """The board behind a proxy: its port and its certificate authority."""

    board: Server
    port: int
    trust: ssl.SSLContext


@contextmanager
def chained(configure: Callable[[Path, int, int], list[str]], directory: Path, *more: str) -> Iterator[Chain]:
    """Run a proxy before the board."""
    port, trust = free_port(), certify(directory)
    with ExitStack() as stack:
        server = stack.enter_context(running(board("--trust-proxy", *more)))
        stack.enter_context(proxy(configure(directory, port, server.port), directory, port))
        yield Chain(server, port, trust)


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A proxy before the board."""
    with chained(request.param, tmp_path_factory.mktemp("proxy")) as chain:
        yield chain


@pytest.fixture
def clients(chain: Chain, io_loop: IOLoop) -> Iterator[Clients]:  # noqa: F811
    clients = Clients(chain.port, tls=chain.trust)
    yield clients
    io_loop.run_sync(clients.hang_up)


async def read_until(line: Line, text: bytes) -> bytes:
    """Read until this comes."""
    heard = b""
    while text not in heard:
        heard += await line.take(1)
    return heard


async def test_a_client_goes_from_polling_to_WebSocket(chain: Chain, clients: Clients) -> None:
    polling = await clients.poll()
    await join(polling)
    held = await polling.begin_get()
    probe = await clients.websocket(polling.sid)
    await probe.send("2probe")
    assert await probe.next() == "3probe"
    await held.answer()
    await probe.send("5", '42["private","by WebSocket"]')
    await chain.board.logged("private from .*by WebSocket")


async def test_the_server_is_told_who_the_client_is_whatever_it_claims(chain: Chain, clients: Clients) -> None:
    polled = (await clients.request("GET", address(), FORGED)).text
    opened = await clients.handshake(FORGED)
    assert (await opened.answer()).status == 101
    for greeting in (polled, str(await opened.next())):
        line = await chain.board.logged(json.loads(greeting[1:])["sid"] + " .*connected")
        assert "(127.0.0.1)" in line


async def test_the_hosts_own_pages_may_connect_and_no_others(chain: Chain, clients: Clients) -> None:
    for origin, polling, websocket in (
        (f"https://127.0.0.1:{chain.port}", 200, 101),
        ("https://evil.example", 403, 403),
    ):
        headers = {**FORGED, "Origin": origin}
        assert (await clients.request("GET", address(), headers)).status == polling
        assert (await (await clients.handshake(headers)).answer()).status == websocket


async def test_what_is_broadcast_reaches_an_event_stream_at_once(clients: Clients) -> None:
    stream = await clients.send("GET", "/events")
    await read_until(stream, b":\n\n")
    await join(await clients.websocket())
    await read_until(stream, b"event: news\n")


async def test_a_payload_as_large_as_the_server_takes_passes(clients: Clients) -> None:
    client = await clients.poll()
    await join(client)
    limit = client.opening["maxPayload"]
    packet = '42["private","' + "x" * (limit - 16) + '"]'
    assert len(packet) == limit
    assert (await client.post(packet)).text == "ok"


async def test_the_heartbeat_decides_who_is_gone_and_not_the_proxy(clients: Clients) -> None:
    opening = (await clients.poll()).opening
    configuration = (ROOT / "deploy" / "nginx.conf").read_text()
    waits = [int(seconds) for seconds in re.findall(r"proxy_(?:read|send)_timeout (\d+)s;", configuration)]
    assert len(waits) == 2
    assert min(waits) * 1000 > opening["pingInterval"] + opening["pingTimeout"]


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The board below two paths of a host."""
    with chained(nginx_path, tmp_path_factory.mktemp("proxy"), "--base-path=/board") as chain:
        yield chain


@pytest.mark.parametrize("path", ["/board", "/stripped"])
async def test_below_a_path_that_is_kept_or_stripped_all_is_there(below: Chain, path: str) -> None:
    clients = Clients(below.port, tls=below.trust)
    assert (await clients.request("GET", path)).headers["Location"].endswith(f"{path}/")
    page = await clients.request("GET", f"{path}/")
    for needed in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert (await clients.request("GET", f"{path}/{needed}")).status == 200, needed
    greeting = (
        await clients.request("GET", path + address(), {**FORGED, "Origin": f"https://127.0.0.1:{below.port}"})
    ).text
    sid = json.loads(greeting[1:])["sid"]
    assert "(127.0.0.1)" in await below.board.logged(f"{sid} .*connected")
    assert (await clients.request("POST", path + address(sid=sid), body=b"40")).text == "ok"
    probe = await clients.connect()
    lines = [f"GET {path}{address(transport='websocket', sid=sid)} HTTP/1.1", "Host: a"]
    probe.write("\r\n".join([*lines, *(f"{name}: {value}" for name, value in UPGRADE.items()), "", ""]).encode())
    assert (await probe.answer()).status == 101
    stream = await clients.send("GET", f"{path}/events")
    await read_until(stream, b":\n\n")
    await clients.hang_up()
