"""The board and the client below a path, in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from conftest import wait_until
from path_proxy import PathProxy
from playwright.async_api import expect
from test_page import WITHOUT_WEBSOCKET, arrival, carrier, expect_lines, settled, welcome
from tornado.options import options
from tornado.web import Application, RequestHandler

from handlers.socketio import Hub, SocketIOHandler, routes
from server import make_app

pytestmark = pytest.mark.gen_test
either_proxy = pytest.mark.parametrize("keeps", [True, False], ids=["kept", "stripped"])


@pytest.fixture
def behind(serve: Any) -> Iterator[Callable[..., tuple[PathProxy, str]]]:
    """Serves an application behind a PathProxy; returns it, and its address."""
    proxies: list[PathProxy] = []

    def behind(application: Application, path: str, keeps: bool) -> tuple[PathProxy, str]:
        proxies.append(PathProxy(urlsplit(serve(application)).port or 0, path, keeps))
        return proxies[-1], f"http://127.0.0.1:{proxies[-1].serve()}{path}"

    yield behind
    for proxy in proxies:
        proxy.stop()


LISTEN = """
    window.heard = [];
    window.stream = new EventSource("events");
    stream.addEventListener("news", ({ data }) => heard.push(JSON.parse(data).count));
    new Promise((resolve) => stream.addEventListener("open", resolve));
"""


@either_proxy
async def test_the_board_works_below_a_path(behind, visit, monkeypatch, keeps: bool) -> None:
    monkeypatch.setattr(options.mockable(), "base_path", "/our/board")
    proxy, url = behind(make_app(), "/our/board", keeps)
    ann = await visit(f"{url}/")
    await expect_lines(ann, arrival(1), welcome(1))
    await settled(ann)
    assert await carrier(ann) == "websocket"
    await ann.evaluate(LISTEN)
    bob = await visit(f"{url}/", script=WITHOUT_WEBSOCKET)
    await wait_until(ann, "heard.length === 1")
    assert await carrier(bob) == "polling"
    await bob.fill("#text", "hello")
    await bob.press("#text", "Enter")
    await expect(ann.locator("#messages .text")).to_have_text("hello")
    zoe = await visit(f"{url}/")
    await expect(zoe.locator("#messages .text")).to_have_text("hello")
    status = await visit(f"{url}/status")
    await wait_until(status, "socket.connected")
    await expect(status.locator("#online b")).to_have_text("3")
    assert {path.startswith("/our/board/") for path in proxy.asked} == {keeps}


async def test_two_boards_of_one_host_keep_what_is_written_apart(behind, visit, browser, monkeypatch) -> None:
    monkeypatch.setattr(options.mockable(), "base_path", "/one")
    _, url = behind(make_app(), "/(?:one|other)", False)
    host = url.partition("/(")[0]
    context = await browser.new_context()
    page = await visit(f"{host}/one/", context)
    await page.fill("#name", "Ann")
    await page.press("#name", "Enter")
    for path, name in (("/other/", ""), ("/one/", "Ann")):
        page = await visit(f"{host}{path}", context)
        await expect(page.locator("#name")).to_have_value(name)
    await context.close()


LOAD_AGAIN = """
    new Promise((resolve) => {
        document.body.innerHTML = '<img name="currentScript" src="data:," alt="">';
        const script = document.createElement("script");
        script.src = "live/socket.io.js";
        script.onload = () => resolve(String(io.source));
        document.body.append(script);
    });
"""
"""Load the client in a page in which somebody wrote an image that calls itself the current script."""


class PageHandler(RequestHandler):
    """Says what the client dials, by script and by module."""

    def get(self) -> None:
        self.write("""<!DOCTYPE html><title>dials</title><link rel="icon" href="data:,">
            <script src="live/socket.io.js"></script>
            <script type="module">
                import { io as module } from "./live/socket.io.esm.js";
                const dial = (io, ...args) => {
                    const socket = io(...args);
                    socket.disconnect();
                    return socket.io.uri + socket.io.opts.path;
                };
                const own = [window.io(), module()];
                window.dialled = [window.io, module].map((io) => [
                    dial(io, { autoConnect: false, path: "/else/" }),
                    dial(io, "http://other.example", { autoConnect: false }),
                    dial(io, location.origin, { autoConnect: false, forceNew: true }),
                ]);
                Promise.all(own.map((socket) => socket.emitWithAck("where"))).then((said) => { window.said = said; });
            </script>""")


class WhereHandler(SocketIOHandler):
    """Says that it answers."""

    def on_where(self) -> str:
        return "here"


@either_proxy
async def test_the_client_connects_to_where_it_is_served(behind, visit, keeps: bool) -> None:
    base, hub = "/app" if keeps else "", Hub({"/": WhereHandler})
    rules = [(f"{base}/", PageHandler), *routes(hub, path=f"{base}/live/")]
    _, url = behind(Application(rules, hub=hub), "/app", keeps)
    page = await visit(f"{url}/")
    await wait_until(page, "window.said")
    assert await page.evaluate("said") == ["here", "here"]
    origin = url.removesuffix("/app")
    dialled = [f"{origin}/else/", "http://other.example/socket.io/", f"{origin}/app/live/"]
    assert await page.evaluate("dialled") == [dialled, dialled]
    assert await page.evaluate(LOAD_AGAIN) == "undefined"


class GuestHandler(RequestHandler):
    """A page of another origin, with the client that the server serves."""

    def get(self) -> None:
        server = self.get_argument("server")
        self.write(f'<!DOCTYPE html><title>guest</title><script src="{server}/app/live/socket.io.js"></script>')


async def test_a_page_of_another_origin_reaches_the_server_of_its_script(behind, serve, visit) -> None:
    hub = Hub({"/": WhereHandler})
    _, url = behind(Application(routes(hub, path="/live", origins=["*"]), hub=hub), "/app", False)
    elsewhere = serve(Application([("/", GuestHandler)], hub=Hub({"/": WhereHandler})))
    page = await visit(f"{elsewhere}/?server={url.removesuffix('/app')}", ordinary=False)
    assert await page.evaluate("io().emitWithAck('where')") == "here"
