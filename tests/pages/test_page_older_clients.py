"""The browser clients of Socket.IO 1 and 2, in a real Chromium."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import JS
from tornado.web import Application, RequestHandler, StaticFileHandler

from handlers.socketio import Hub, SocketIOHandler, routes

pytestmark = pytest.mark.gen_test

TALK = """([options, text]) => new Promise((resolve, reject) => {
    window.socket = io({ forceNew: true, ...options });
    socket.on("connect_error", reject);
    socket.on("connect", () => {
        socket.emit("echo", text, { deep: [1] }, (...answer) =>
            socket.emit("leave", () => socket.on("disconnect", (reason) => resolve([...answer, reason]))));
    });
})"""


class Echo(SocketIOHandler):
    """Returns what it hears."""

    def on_echo(self, *args: Any) -> Any:
        return args

    def on_leave(self) -> None:
        self.spawn(self.end())

    async def end(self) -> None:
        self.disconnect()


class Page(RequestHandler):
    """A page with one of the clients."""

    def get(self, version: str) -> None:
        script = f"/client/{version}/dist/socket.io.js"
        self.finish(f'<!doctype html><link rel="icon" href="data:,"><script src="{script}"></script>')


WAYS: list[dict[str, Any]] = [
    {},
    {"transports": ["websocket"]},
    {"transports": ["polling"]},
    {"transports": ["polling"], "forceBase64": True},
    {"transports": ["polling"], "forceJSONP": True},
]
PLAIN, ANY = "a\n\\ b", "a\n\\ é€😀 \u2028"
"""Version 1 encodes texts over polling in a way of its own, which Node's server does not read either."""


async def test_they_are_served_over_every_transport(serve, visit) -> None:
    hub = Hub({"/": Echo}, allow_eio3=True)
    files = (r"/client/(.*)", StaticFileHandler, {"path": str(JS / "node_modules")})
    url = serve(Application([*routes(hub), files, (r"/page/(.*)", Page)], hub=hub))
    for version, text in (("socket.io-client-1", PLAIN), ("socket.io-client-2", ANY)):
        page = await visit(f"{url}/page/{version}")
        for options in WAYS:
            heard = await page.evaluate(TALK, [options, text])
            assert heard == [text, {"deep": [1]}, "io server disconnect"], (version, options)
