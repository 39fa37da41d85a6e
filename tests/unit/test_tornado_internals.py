"""What is relied on of Tornado's insides.

It runs on the oldest and the newest Tornado that are supported.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
from typing import Any

import pytest
from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.netutil import add_accept_handler, bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler, WebSocketProtocol13, websocket_connect

from handlers.socketio.engineio.tornado_internals import (
    HandshakeOnly,
    LendingParameters,
    ResetSafeServer,
    address_of,
    bytes_read_ahead,
    forget_request,
    is_untouched,
    lender_of,
    limit_idle_time,
    parameters_of,
    take_socket,
    unmask,
)


async def request(handler: type[RequestHandler], *, server_kind: Any = HTTPServer, path: str = "/") -> bytes:
    """Serve one request by Tornado alone; return the whole answer."""
    server = server_kind(Application([(path, handler)], log_function=lambda _: None))
    listening = bind_sockets(0, "127.0.0.1")
    server.add_sockets(listening)
    reader, writer = await asyncio.open_connection("127.0.0.1", listening[0].getsockname()[1])
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    server.stop()
    await server.close_all_connections()
    return answer


def test_a_mask_is_applied_and_taken_off() -> None:
    masked = bytes(a ^ b for a, b in zip(b"hello", b"\x01\x02\x03\x04\x01", strict=True))
    assert unmask(b"\x01\x02\x03\x04", b"hello") == masked
    assert unmask(b"abcd", unmask(b"abcd", b"")) == b""


def test_the_protocol_has_what_is_overridden_and_read() -> None:
    assert inspect.iscoroutinefunction(WebSocketProtocol13._receive_frame_loop)
    for name in ("_abort", "close", "is_closing", "accept_connection", "set_nodelay"):
        assert callable(getattr(WebSocketProtocol13, name))
    assert callable(WebSocketHandler.get_websocket_protocol)
    assert callable(WebSocketHandler.on_ws_connection_close)


@pytest.mark.gen_test
async def test_tornado_awaits_the_loop_of_frames_after_the_handshake_and_leaves_the_stream_alone() -> None:
    seen: list[Any] = []
    closed = asyncio.Event()

    class Protocol(HandshakeOnly):
        async def _receive_frame_loop(self) -> None:
            seen.append((self.client_terminated, self.server_terminated, self.close_code, self.close_reason))
            self.handler.on_ws_connection_close(4000, "enough")

        def _abort(self) -> None:
            seen.append("aborted")

    class Handler(WebSocketHandler):
        def get_websocket_protocol(self) -> WebSocketProtocol13:
            return Protocol(self, 100)

        def open(self, *_: str, **__: str) -> None:
            assert isinstance(self.ws_connection, Protocol)
            self.held = self.ws_connection.release_stream()
            forget_request(self)
            seen.append(is_untouched(self.held))

        def on_close(self) -> None:
            seen.append((self.close_code, self.close_reason))
            self.held.close()
            closed.set()

    server = HTTPServer(Application([("/", Handler)], log_function=lambda _: None))
    listening = bind_sockets(0, "127.0.0.1")
    server.add_sockets(listening)
    client = await websocket_connect(f"ws://127.0.0.1:{listening[0].getsockname()[1]}/")
    assert await client.read_message() is None
    await closed.wait()
    client.close()
    server.stop()
    await server.close_all_connections()
    assert seen == [True, (False, False, None, None), "aborted", (4000, "enough")]


@pytest.mark.gen_test
async def test_a_socket_that_is_taken_from_its_stream_is_watched_by_nobody() -> None:
    near, far = socket.socketpair()
    stream = IOStream(near)
    reading = stream.read_bytes(1, partial=True)
    far.send(b"x")
    assert await reading == b"x"
    assert is_untouched(stream)
    taken = take_socket(stream)
    assert taken is near
    far.send(b"y")
    came: asyncio.Future[bytes] = asyncio.Future()
    IOLoop.current().add_handler(taken, lambda *_: came.set_result(taken.recv(10)), IOLoop.READ)
    assert await came == b"y"
    IOLoop.current().remove_handler(taken)
    near.close()
    far.close()


@pytest.mark.gen_test
async def test_what_a_stream_has_read_ahead_is_returned() -> None:
    near, far = socket.socketpair()
    stream = IOStream(near)
    assert bytes_read_ahead(stream) == b""
    far.send(b"head\nrest")
    assert await stream.read_until(b"\n") == b"head\n"
    assert bytes_read_ahead(stream) == b"rest"
    stream.close()
    far.close()


@pytest.mark.gen_test
async def test_a_connection_carries_the_parameters_of_its_server_and_its_address() -> None:
    seen: list[Any] = []

    class Lender(HTTPServer):
        def initialize(self, *args: Any, **options: Any) -> None:
            super().initialize(*args, **options)
            self.conn_params = LendingParameters(self, **parameters_of(self))

    class Handler(RequestHandler):
        def get(self) -> None:
            assert isinstance(self.request.connection, HTTP1Connection)
            seen.append((lender_of(self.request.connection), address_of(self.request.connection)))

    await request(Handler, server_kind=Lender)
    await request(Handler)
    (lender, address), (nobody, _) = seen
    assert (type(lender), address[0], nobody) == (Lender, "127.0.0.1", None)
    assert set(vars(HTTP1ConnectionParameters())) <= set(parameters_of(lender)), "the arguments are the attributes"


@pytest.mark.gen_test
async def test_the_server_takes_connections_by_the_method_that_is_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(HTTPServer, "handle_stream", lambda _, stream, address: taken.append((stream.socket, address)))
    one, other = socket.socketpair()
    ResetSafeServer(lambda _: None)._handle_connection(one, "address")
    assert taken == [(one, "address")]
    one.close()
    other.close()


@pytest.mark.gen_test
async def test_the_idle_time_of_one_connection_is_its_own() -> None:
    times: list[Any] = []

    class Handler(RequestHandler):
        def get(self) -> None:
            before: Any = self.request.server_connection
            shared = before.params
            limit_idle_time(self.request, 60)
            times.append((shared.header_timeout, before.params.header_timeout))
            limit_idle_time(self.request, 90)
            times.append(before.params.header_timeout)

    await request(Handler)
    assert times == [(3600, 60), 60]


@pytest.mark.gen_test
async def test_an_accept_that_would_block_ends_the_round_without_an_error() -> None:
    calls: list[str] = []

    class Empty(socket.socket):
        def accept(self) -> Any:
            calls.append("accept")
            raise BlockingIOError

    (bound,) = bind_sockets(0, "127.0.0.1")
    listening = Empty(bound.family, bound.type, bound.proto, bound.detach())
    stop = add_accept_handler(listening, lambda *_: calls.append("accepted"))
    client = socket.create_connection(listening.getsockname())
    while not calls:
        await asyncio.sleep(0)
    stop()
    client.close()
    listening.close()
    assert set(calls) == {"accept"}
