"""Engine.IO without Socket.IO: the echo server of the README, over both transports."""

from __future__ import annotations

from tornado.httpclient import HTTPRequest
from tornado.testing import AsyncHTTPTestCase, gen_test
from tornado.web import Application
from tornado.websocket import websocket_connect

from handlers.socketio import Engine, routes
from handlers.socketio.reader import Reason
from handlers.socketio.session import Session


class Echo:
    def __init__(self, session: Session) -> None:
        self.session = session

    def on_message(self, data: str | bytes) -> None:
        self.session.send(data)

    def on_close(self, reason: Reason) -> None: ...


class EchoTest(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        return Application(routes(Engine(Echo)))

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
