"""Engine.IO without Socket.IO: the echo server of ARCHITECTURE.md, over both transports."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from conftest import ROOT
from tornado.httpclient import HTTPRequest
from tornado.tcpclient import TCPClient
from tornado.testing import AsyncHTTPTestCase, gen_test
from tornado.web import Application
from tornado.websocket import websocket_connect

PAGE = (ROOT / "ARCHITECTURE.md").read_text()


def echo() -> Application:
    """The application of the page."""
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code.replace("tornado_socketio", "handlers.socketio"), names)
    application: Application = names["app"]
    return application


class EchoTest(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        return echo()

    @gen_test
    async def test_an_echo_over_websocket(self) -> None:
        url = self.get_url("/socket.io/?EIO=4&transport=websocket").replace("http", "ws")
        client = await websocket_connect(HTTPRequest(url))
        opening = await client.read_message()
        assert isinstance(opening, str)
        assert opening.startswith('0{"sid":')
        await client.write_message("4hello")
        await client.write_message(b"\x01\x02", binary=True)
        assert await client.read_message() == "4hello"
        assert await client.read_message() == b"\x01\x02"
        client.close()

    @gen_test
    async def test_an_echo_over_polling(self) -> None:
        url = self.get_url("/socket.io/?EIO=4&transport=polling")
        opening = (await self.http_client.fetch(url)).body.decode()
        url += "&sid=" + opening.split('"')[3]
        posted = await self.http_client.fetch(url, method="POST", body="4hello\x1ebAQI=")
        assert posted.body == b"ok"
        assert (await self.http_client.fetch(url)).body == b"4hello\x1ebAQI="

    @gen_test
    async def test_a_request_that_is_broken_off_leaves_no_task_behind(self) -> None:
        opening = (await self.http_client.fetch(self.get_url("/socket.io/?EIO=4&transport=polling"))).body.decode()
        path = "/socket.io/?EIO=4&transport=polling&sid=" + opening.split('"')[3]
        stream = await TCPClient().connect("127.0.0.1", self.get_http_port())
        await stream.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4he".encode())
        while not handling():
            await asyncio.sleep(0)
        stream.close()
        while handling():
            await asyncio.sleep(0)


def handling() -> list[str]:
    """The tasks in which requests are read."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if name == "HTTP1ServerConnection._server_request_loop"]
