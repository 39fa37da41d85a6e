"""The board's page in a real Chromium, before a real server.

In an ordinary run the browser has nothing to complain of; `visit` sees to that for every page it opens.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, Server, board, wait_until
from playwright.async_api import Page, expect
from socketio import AsyncSimpleClient
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpclient import TCPClient
from tornado.tcpserver import TCPServer

from handlers.board.handler import BoardHandler
from handlers.socketio import Hub
from server import make_app

pytestmark = pytest.mark.gen_test
expect.set_options(timeout=1000 * PATIENCE)

SOON = 5
"""Seconds: far below the 45 after which the default heartbeat would notice."""
WITHOUT_WEBSOCKET = "delete window.WebSocket"
HALF_AN_UPGRADE = """
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (packet) {
    window.halfway ||= packet === "5";
    if (!window.halfway) send.call(this, packet);
  };
"""
"""The page never says that it has upgraded: it neither polls any more nor speaks over the WebSocket yet."""
BETWEEN_TWO_POLLS = """
  delete window.WebSocket;
  const { fetch } = window;
  window.fetch = (url, request) => {
    window.joined ||= request.body?.startsWith("42");
    if (!window.joined || request.method === "POST") return fetch(url, request);
    window.rests = true;
    return new Promise(() => {});
  };
"""
"""The page never comes to its next poll, once it has said something."""
over_either_transport = pytest.mark.parametrize(
    "script", [pytest.param("", id="websocket"), pytest.param(WITHOUT_WEBSOCKET, id="polling")]
)


# ---- The words of these tests


@pytest.fixture
def server(start) -> Iterator[Server]:
    server = start(board())
    yield server
    server.stop()


def arrival(count: int) -> str:
    return f"News: One more person is online ({count})"


def departure(count: int) -> str:
    return f"News: Someone went home ({count})"


def welcome(count: int) -> str:
    return f"Private: Welcome you are the {count} person here"


async def expect_lines(page: Page, *lines: str, within: float = PATIENCE) -> None:
    """Expect these lines on the page, and no others."""
    await expect(page.locator("#messages li")).to_have_text(list(lines), timeout=1000 * within)


async def expect_state(page: Page, text: str) -> None:
    await expect(page.get_by_role("status")).to_have_text(text)


def carrier(page: Page) -> Awaitable[str]:
    """The name of the transport that carries the page's session."""
    return page.evaluate("socket.io.engine.transport.name")


async def settled(page: Page) -> None:
    """Wait until the page's session has upgraded, where it can."""
    await wait_until(page, "!window.WebSocket || socket.io.engine.transport.name === 'websocket'")


class Proxy(TCPServer):
    """A proxy that passes everything but the opening of a WebSocket.

    That is refused, or left unanswered.
    """

    def __init__(self, port: int, refusal: bytes) -> None:
        super().__init__()
        self.port = port
        self.refusal = refusal
        self.blocked = asyncio.Event()

    async def handle_stream(self, stream: IOStream, address: tuple[str, int]) -> None:
        upstream = await TCPClient().connect("127.0.0.1", self.port)
        await asyncio.gather(self.pass_on(stream, upstream), self.pass_on(upstream, stream))

    async def pass_on(self, source: IOStream, sink: IOStream) -> None:
        try:
            while True:
                data = await source.read_bytes(1 << 16, partial=True)
                if b"\r\nupgrade: websocket\r\n" not in data.lower():
                    await sink.write(data)
                    continue
                self.blocked.set()
                if self.refusal:
                    await source.write(self.refusal)
                    source.close()
        except StreamClosedError:
            sink.close()


FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
NO_ANSWER = b""


@pytest.fixture
def block(io_loop: IOLoop) -> Iterator[Callable[[Server, bytes], tuple[Proxy, str]]]:
    """Puts a Proxy before a server; returns it and its address."""
    proxies: list[Proxy] = []

    def block(server: Server, refusal: bytes) -> tuple[Proxy, str]:
        proxy = Proxy(server.port, refusal)
        proxies.append(proxy)
        proxy.listen(0, "127.0.0.1")
        (socket,) = proxy._sockets.values()
        return proxy, f"http://127.0.0.1:{socket.getsockname()[1]}"

    yield block
    for proxy in proxies:
        proxy.stop()


# ---- Who comes and goes


async def test_a_newcomer_is_announced_and_greeted(server, visit):
    page = await visit(server.url)
    await expect_lines(page, "News: One more person is online (1)", "Private: Welcome you are the 1 person here")
    await expect_state(page, "Connected")
    await settled(page)
    assert await carrier(page) == "websocket"


async def test_the_server_logs_the_pages_thanks(server, visit):
    await visit(server.url)
    assert "private" in await server.logged("Thank you for your message")


async def test_everyone_hears_of_five_arrivals_and_five_departures(server, browser, visit):
    host = await visit(server.url)
    lines = [arrival(1), welcome(1)]
    await expect_lines(host, *lines)
    shared = await browser.new_context()
    guests = []
    for count in range(2, 7):
        guests.append(await visit(server.url, context=shared if count < 5 else None))
        await expect_lines(guests[-1], arrival(count), welcome(count))
        await settled(guests[-1])
        lines.append(arrival(count))
        await expect_lines(host, *lines)
    tab, link, *_, window, last = guests
    leave = [tab.close, lambda: link.goto("about:blank"), window.context.close, shared.close, last.close]
    for count, leaves in zip([5, 4, 3, 2, 1], leave, strict=True):
        await leaves()
        lines.append(departure(count))
        await expect_lines(host, *lines, within=SOON)
    assert lines[-1] == departure(1)


async def test_who_reloads_the_page_goes_and_comes(server, visit):
    host, guest = await visit(server.url), await visit(server.url)
    await expect_lines(host, arrival(1), welcome(1), arrival(2))
    await settled(guest)
    await guest.reload()
    await expect_lines(guest, arrival(2), welcome(2))
    await expect_lines(host, arrival(1), welcome(1), arrival(2), departure(1), arrival(2), within=SOON)


@over_either_transport
async def test_a_tab_that_crashes_is_gone_at_once(server, visit, script):
    host = await visit(server.url)
    await expect_lines(host, arrival(1), welcome(1))
    guest = await visit(server.url, ordinary=False, script=script)
    await expect_lines(guest, arrival(2), welcome(2))
    await settled(guest)
    async with guest.expect_event("crash"):
        devtools = await guest.context.new_cdp_session(guest)
        asyncio.ensure_future(devtools.send("Page.crash")).add_done_callback(lambda sent: sent.exception())
    await expect_lines(host, arrival(1), welcome(1), arrival(2), departure(1), within=SOON)


async def test_a_browser_that_is_killed_is_gone_at_once(server, visit, launch):
    host = await visit(server.url)
    await expect_lines(host, arrival(1), welcome(1))
    browser = await launch()
    for count in (2, 3):
        guest = await visit(server.url, await browser.new_context(), ordinary=False)
        await expect_lines(guest, arrival(count), welcome(count))
        await settled(guest)
    devtools = await browser.new_browser_cdp_session()
    processes = (await devtools.send("SystemInfo.getProcessInfo"))["processInfo"]
    (pid,) = [process["id"] for process in processes if process["type"] == "browser"]
    os.kill(pid, signal.SIGKILL)
    told = [arrival(1), welcome(1), arrival(2), arrival(3), departure(2), departure(1)]
    await expect_lines(host, *told, within=SOON)


async def test_a_tab_that_closes_in_the_middle_of_its_upgrade_is_gone_soon(server, visit):
    host = await visit(server.url)
    await expect_lines(host, arrival(1), welcome(1))
    guest = await visit(server.url, script=HALF_AN_UPGRADE)
    await wait_until(guest, "window.halfway")
    await guest.close()
    await expect_lines(host, arrival(1), welcome(1), arrival(2), departure(1), within=2 * SOON)


@pytest.mark.parametrize("way", ["it closes", "it goes elsewhere"])
async def test_a_tab_that_is_left_between_two_polls_is_gone_at_once(server, visit, way):
    host = await visit(server.url)
    await expect_lines(host, arrival(1), welcome(1))
    guest = await visit(server.url, ordinary=False, script=BETWEEN_TWO_POLLS)  # what it is saying may break off
    await wait_until(guest, "window.rests")
    await (guest.close() if way == "it closes" else guest.goto("about:blank"))
    await expect_lines(host, arrival(1), welcome(1), arrival(2), departure(1), within=SOON)


# ---- What can go wrong between the page and the server


@pytest.mark.parametrize("kill", [pytest.param(False, id="terminated"), pytest.param(True, id="killed")])
@over_either_transport
async def test_the_page_comes_back_when_the_server_was_restarted(server, visit, kill, script):
    page = await visit(server.url, ordinary=False, script=script)
    await expect_lines(page, arrival(1), welcome(1))
    await asyncio.to_thread(server.stop, kill)
    await expect_state(page, "Reconnecting…")
    await asyncio.to_thread(server.start)
    await expect_lines(page, arrival(1), welcome(1), arrival(1), welcome(1))
    await expect_state(page, "Connected")


@pytest.mark.parametrize("refusal", [pytest.param(FORBIDDEN, id="forbidden"), pytest.param(NO_ANSWER, id="unanswered")])
async def test_the_page_works_where_a_proxy_blocks_websockets(server, visit, block, refusal):
    proxy, url = block(server, refusal)
    page = await visit(url, ordinary=False)
    await expect_lines(page, arrival(1), welcome(1))
    await asyncio.wait_for(proxy.blocked.wait(), PATIENCE)
    guest = await visit(server.url)
    await expect_lines(page, arrival(1), welcome(1), arrival(2))
    await settled(guest)
    await guest.close()
    await expect_lines(page, arrival(1), welcome(1), arrival(2), departure(1))
    assert await carrier(page) == "polling"
    await expect_state(page, "Connected")
    assert await server.logged("Thank you for your message")


async def test_the_page_works_in_a_browser_without_websockets(server, visit):
    page = await visit(server.url, script=WITHOUT_WEBSOCKET)
    guest = await visit(server.url, script=WITHOUT_WEBSOCKET)
    await expect_lines(page, arrival(1), welcome(1), arrival(2))
    await settled(guest)
    await guest.close()
    await expect_lines(page, arrival(1), welcome(1), arrival(2), departure(1), within=SOON)
    assert await carrier(page) == "polling"
    assert await server.logged("Thank you for your message")


@over_either_transport
async def test_the_page_stays_connected_under_hasty_heartbeats(start, visit, script):
    server = start(board("--ping-interval=0.3", "--ping-timeout=0.2"))
    page = await visit(server.url, script=script, ordinary=False)
    # Six in a row; a machine that stands still for 200 ms may start again.
    await page.evaluate(
        """new Promise((resolve) => {
            let n = 0;
            socket.on("disconnect", () => (n = 0));
            socket.io.on("ping", () => ++n === 6 && resolve());
        })"""
    )
    await expect_state(page, "Connected")


# ---- What the page must not do


class ParrotHandler(BoardHandler):
    """A board that says what it is told to."""

    def on_say(self, event: str, message: dict[str, Any]) -> None:
        self.broadcast(event, message)


MARKUP = """<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>&lt;b&gt;"""


@pytest.mark.parametrize("event", ["news", "private"])
async def test_nothing_that_is_sent_is_read_as_html(serve, visit, event):
    url = serve(make_app(Hub({"/": ParrotHandler})))
    page = await visit(url)
    title = await page.title()
    await expect_lines(page, arrival(1), welcome(1))
    async with AsyncSimpleClient() as client:
        await client.connect(url)
        await client.emit("say", (event, {"msg": MARKUP, "count": MARKUP}))
        said = {"news": f"News: {MARKUP} ({MARKUP})", "private": f"Private: {MARKUP}"}[event]
        await expect_lines(page, arrival(1), welcome(1), arrival(2), said)
    await expect_lines(page, arrival(1), welcome(1), arrival(2), said, departure(1))
    assert await page.locator("#messages li > *").count() == 0
    assert await page.title() == title != "owned"


# ---- The client in a browser

RUN_CHECKS = """async ({ url, transports }) => {
  const { runAll } = await import("/checks.mjs");
  return runAll({ io, url, transports });
}"""


@pytest.mark.parametrize(
    ("server_name", "ways"),
    [
        pytest.param("peer", (None, ["websocket"], ["polling"]), id="peer"),
        pytest.param("nodes_peer", (None,), id="nodes_peer"),  # under Node.js it is checked there in all ways
    ],
)
async def test_the_client_passes_every_check_in_a_browser(request, nodes_peer, visit, server_name, ways):
    url = request.getfixturevalue(server_name).url

    async def run_checks(transports: list[str] | None) -> list[str]:
        page = await visit(f"{nodes_peer.url}/page.html", ordinary=False)
        results = await page.evaluate(RUN_CHECKS, {"url": url, "transports": transports})
        assert len(results) > 30
        return [f"{transports}: {each['name']}: {each['error']}" for each in results if not each["ok"]]

    failures = await asyncio.gather(*map(run_checks, ways))
    assert not any(failures), failures


async def test_the_client_is_a_module_too(server, visit):
    page = await visit(server.url)
    await expect_lines(page, arrival(1), welcome(1))
    heard = await page.evaluate("""async () => {
      const module = await import("/socket.io/socket.io.esm.js");
      const socket = module.io();
      const heard = await new Promise((resolve) => socket.on("private", resolve));
      socket.disconnect();
      return [heard.msg, module.default === module.io, module.io === window.io];
    }""")
    assert heard == ["Welcome you are the 2 person here", True, False]
    await expect_lines(page, arrival(1), welcome(1), arrival(2), departure(1))


# ---- How it looks


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
async def test_the_page_fits_its_window(server, browser, visit, width, scheme):
    context = await browser.new_context(viewport={"width": width, "height": 720}, color_scheme=scheme)
    page = await visit(server.url, context)
    await expect_lines(page, arrival(1), welcome(1))
    guest = await visit(server.url)
    await expect_lines(page, arrival(1), welcome(1), arrival(2))
    await settled(guest)
    await guest.close()
    await expect_lines(page, arrival(1), welcome(1), arrival(2), departure(1))
    await expect_state(page, "Connected")
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    if "SCREENSHOTS" in os.environ:
        await page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / f"board-{width}-{scheme}.png")
    await context.close()
