"""The board below a path, as proxies ask for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from raw_client import (
    JOURNEY,
    address,
    io_loop,  # noqa: F401 (a fixture)
    serve,
)
from tornado.options import options
from tornado.web import Application

from handlers.board.base_path import read_base_path
from handlers.socketio import Hub, SocketIOHandler, routes
from handlers.socketio.operations import admin
from server import make_app

BASE = "/a/board"


@pytest.fixture(autouse=True)
def below(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve the board below a path."""
    monkeypatch.setattr(options.mockable(), "base_path", BASE)


def addresses(page: str) -> Iterator[str]:
    """All addresses of a page."""
    for found in re.finditer(r'(?:src|href)="([^"]+)"', page):
        yield found[1]


@JOURNEY
@pytest.mark.parametrize("page", ["/", f"{BASE}/", "/status", f"{BASE}/status"])
async def test_all_that_a_page_needs_lies_below_the_path_it_was_asked_for(page: str) -> None:
    async with serve(make_app()) as server:
        answer = await server.request("GET", page)
        assert answer.status == 200
        needed = [urljoin(page, each) for each in addresses(answer.text)]
        assert len(needed) > 3
        for path in needed:
            assert path.startswith(page.removesuffix("status")), path
            assert (await server.request("GET", path)).status == 200, path


@JOURNEY
@pytest.mark.parametrize("base", ["", BASE])
async def test_clients_connect_below_the_path_as_at_the_root(base: str) -> None:
    async with serve(make_app()) as server:
        opening = await server.request("GET", base + address())
        assert opening.status == 200
        sid = re.findall(r'"sid":"([^"]+)"', opening.text)[0]
        assert (await server.request("POST", base + address(sid=sid), body=b"40")).text == "ok"
        assert (await server.request("GET", base + address(sid=sid))).text.startswith('40{"sid":')
        for path in ("/healthz", "/metrics"):
            assert (await server.request("GET", base + path)).status == 200
        stream = await server.send("GET", f"{base}/events")
        assert b" 200 OK" in await stream.take(20)


@JOURNEY
async def test_a_connection_that_polls_below_the_path_stays_lent() -> None:
    returned = []
    async with serve(make_app()) as server:
        line, reclaim = await server.connect(), server.http.reclaim
        server.http.reclaim = lambda *connection: (returned.append(connection), reclaim(*connection))

        async def ask(method: str, path: str, body: bytes = b"") -> str:
            line.write(f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            return (await line.answer()).text

        sid = re.findall(r'"sid":"([^"]+)"', await ask("GET", BASE + address()))[0]
        assert await ask("POST", BASE + address(sid=sid), b"40") == "ok"
        for event in ("one", "two", "three"):
            assert await ask("POST", BASE + address(sid=sid), f'42["{event}"]'.encode()) == "ok"
            assert (len(server.http.lent), returned) == (1, [])
        # A lent connection goes back for what is no poll.
        assert "Message Board" in await ask("GET", f"{BASE}/")
        assert (len(server.http.lent), len(returned)) == (0, 1)


@JOURNEY
async def test_the_path_alone_leads_to_the_page() -> None:
    async with serve(make_app()) as server:
        answer = await server.request("GET", f"{BASE}?x=1")
        assert (answer.status, answer.headers["Location"]) == (301, f"{BASE}/?x=1")
        assert answer.headers["Server"] == "Tornado"


@JOURNEY
async def test_what_only_looks_like_the_path_is_not_there() -> None:
    async with serve(make_app()) as server:
        for path in (f"{BASE}ing/", f"{BASE}{BASE}/", f"{BASE}/nothing", "/a", "/a/", f"{BASE}//", f"/{BASE}/"):
            assert (await server.request("GET", path)).status == 404, path
        for path in (f"{BASE}/static/../server.py", f"{BASE}/static/%2e%2e/server.py", f"{BASE}/static//etc/passwd"):
            assert (await server.request("GET", path)).status in (403, 404), path


@JOURNEY
async def test_the_status_page_finds_the_client_wherever_routes_serves_it() -> None:
    for path in ("/live", "/live/", "/a/b/"):
        hub = Hub({"/": SocketIOHandler})
        async with serve(Application([*admin(hub), *routes(hub, path=path)])) as server:
            page = (await server.request("GET", "/status")).text
            script = f"{path.strip('/')}/socket.io.js"
            assert script in [*addresses(page)]
            assert (await server.request("GET", f"/{script}")).status == 200


@pytest.mark.parametrize("path", ["", "/", "/board", "/board/", "/a/b-c/d.e_f~g", "/2"])
def test_a_path_may_be(path: str) -> None:
    assert read_base_path(path) == path.rstrip("/")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("board", "must begin with a slash: write /board"),
        ("board/", "must begin with a slash: write /board"),
        ("https://a/b", "must begin with a slash: write "),
        ("//board", "may have letters"),
        ("/a//b", "may have letters"),
        ("/a b", "may have letters"),
        ("/a?b", "may have letters"),
        ("/a#b", "may have letters"),
        ("/b\u00f6ard", "may have letters"),
        ("/%41", "may have letters"),
        ("/..", "may have letters"),
        ("/a/./b", "may have letters"),
        ("/(a)", "may have letters"),
        ("/static", "is a path of the board itself"),
        ("/socket.io/x", "is a path of the board itself"),
        ("/status/", "is a path of the board itself"),
    ],
)
def test_a_path_may_not_be(path: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        read_base_path(path)
