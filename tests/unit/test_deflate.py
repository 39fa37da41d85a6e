from __future__ import annotations

import zlib

import conformance_server
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_frames import code_of, frame, unmask
from tornado.httpclient import HTTPRequest
from tornado.testing import AsyncHTTPTestCase, gen_test
from tornado.web import Application
from tornado.websocket import WebSocketClientConnection, websocket_connect

from handlers.socketio.engineio.codec.deflate import TAIL, agrees, deflate, inflate
from handlers.socketio.engineio.codec.frames import BINARY, CONTINUATION, TEXT, FrameReader, Received

LONG = "long " * 1000


def read(*frames: bytes, max_size: int = 100_000) -> list[Received]:
    return FrameReader(max_size, unmask, inflate).feed(b"".join(frames))


@given(st.binary())
def test_any_message_comes_back(message: bytes) -> None:
    assert inflate(deflate(message), len(message)) == message


def test_a_message_ends_without_the_tail_of_its_flush() -> None:
    assert not deflate(b"x" * 1000).endswith(TAIL)
    assert zlib.decompressobj(-15).decompress(deflate(b"x" * 1000) + TAIL) == b"x" * 1000


@pytest.mark.parametrize(
    ("offers", "agreed"),
    [
        ("permessage-deflate", True),
        ("permessage-deflate; client_max_window_bits", True),
        ("x-other, permessage-deflate; server_max_window_bits=15", True),
        ("permessage-deflate; server_max_window_bits=10", False),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", True),
        ("permessage-bzip2", False),
        ("", False),
    ],
)
def test_an_offer_is_taken_unless_it_asks_for_a_smaller_window(offers: str, agreed: bool) -> None:
    assert agrees(offers) is agreed


def test_compressed_messages_are_read_whole_or_in_fragments_beside_plain_ones() -> None:
    body = deflate(LONG.encode())
    assert read(
        frame(TEXT, body, reserved=4),
        frame(TEXT, b"plain"),
        frame(BINARY, body[:7], final=False, reserved=4),
        frame(CONTINUATION, body[7:]),
    ) == [LONG, "plain", LONG.encode()]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(TEXT, b"\xff\xff\xff", reserved=4)], 1007),
        ([frame(TEXT, deflate(b"\xff"), reserved=4)], 1007),
        ([frame(BINARY, deflate(b"x" * 100_001), reserved=4)], 1009),
        ([frame(TEXT, b"a", final=False), frame(CONTINUATION, b"b", reserved=4)], 1002),
        ([frame(9, b"a", reserved=4)], 1002),
        ([frame(TEXT, b"a", reserved=2)], 1002),
        ([frame(TEXT, b"a", reserved=6)], 1002),
    ],
)
def test_what_may_not_be_compressed_so_is_a_violation(frames: list[bytes], code: int) -> None:
    assert code_of(read(*frames)) == code


class CompressionTest(AsyncHTTPTestCase):
    """By Tornado's own client, which has its own implementation."""

    def get_app(self) -> Application:
        return conformance_server.make_app(compress=1000)

    async def connect(self, compressed: bool) -> WebSocketClientConnection:
        url = self.get_url("/socket.io/?EIO=4&transport=websocket").replace("http", "ws")
        client = await websocket_connect(HTTPRequest(url), compression_options={} if compressed else None)
        for packet in ("", "40"):
            if packet:
                await client.write_message(packet)
            await client.read_message()
        return client

    @gen_test
    async def test_those_who_can_are_sent_long_messages_compressed(self) -> None:
        clients = [await self.connect(compressed) for compressed in (True, True, False)]
        self.assertIn("permessage-deflate", clients[0].headers["Sec-WebSocket-Extensions"])
        self.assertNotIn("Sec-WebSocket-Extensions", clients[2].headers)
        await clients[0].write_message(f'42["shout","{LONG}"]')
        for client in clients:
            self.assertEqual(await client.read_message(), f'42["shout","{LONG}"]')
        sizes = [client.protocol._wire_bytes_in for client in clients]
        self.assertLess(sizes[0], 500)
        self.assertEqual(sizes[0], sizes[1])
        self.assertGreater(sizes[2], len(LONG))
        for client in clients:
            client.close()

    @gen_test
    async def test_short_ones_go_as_they_are(self) -> None:
        client = await self.connect(True)
        await client.write_message('42["say","short"]')
        self.assertEqual(await client.read_message(), '42["said","short"]')
        client.close()
