"""What else a browser brings: event streams, and credentials across origins."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import PATIENCE, Server, board
from test_page import arrival, departure, expect_lines, welcome
from tornado.web import Application, RequestHandler

from handlers.socketio import Hub, SocketIOHandler, routes

pytestmark = pytest.mark.gen_test(timeout=2 * PATIENCE)


@pytest.fixture
def server(start: Any) -> Server:
    """The board."""
    started: Server = start(board())
    return started


LISTEN = """
    window.heard = [];
    window.stream = new EventSource("/events");
    stream.addEventListener("news", ({ data, lastEventId }) => heard.push([JSON.parse(data), lastEventId]));
    new Promise((resolve) => stream.addEventListener("open", resolve));
"""


async def test_an_event_source_hears_the_board(server: Any, visit: Any) -> None:
    host = await visit(server.url)
    await expect_lines(host, arrival(1), welcome(1))
    await host.evaluate(LISTEN)
    guest = await visit(server.url)
    await expect_lines(guest, arrival(2), welcome(2))
    await guest.close()
    await expect_lines(host, arrival(1), welcome(1), arrival(2), departure(1))
    await host.wait_for_function("heard.length === 2")
    heard = await host.evaluate("heard")
    assert [data for data, _ in heard] == [
        {"msg": "One more person is online", "count": 2},
        {"msg": "Someone went home", "count": 1},
    ]
    assert int(heard[0][1]) < int(heard[1][1])


class CookieHandler(SocketIOHandler):
    def on_cookie(self) -> str:
        return self.request.headers.get("Cookie", "")


class SetCookieHandler(RequestHandler):
    def get(self) -> None:
        self.set_cookie("who", "me", samesite="Lax")
        self.write("<!DOCTYPE html><title>cookie</title>")


@pytest.mark.parametrize(("with_credentials", "cookie"), [("true", "who=me"), ("false", "")])
async def test_cookies_go_to_another_origin_with_credentials_alone(
    server: Any, serve: Any, visit: Any, with_credentials: str, cookie: str
) -> None:
    hub = Hub({"/": CookieHandler})
    url = serve(Application([(r"/cookie", SetCookieHandler), *routes(hub, origins=[server.url])], hub=hub))
    page = await visit(f"{url}/cookie", ordinary=False)
    guest = await page.context.new_page()
    await guest.goto(server.url)
    ask = f"io('{url}', {{ transports: ['polling'], withCredentials: {with_credentials} }}).emitWithAck('cookie')"
    assert await guest.evaluate(ask) == cookie
