"""Tornado's HTTP server, with limits on what a client leaves unfinished: of time, and of size.

It lends the connections of clients that poll to `polling/fast_path.py`, which reads their requests quicker.

Tornado's own are an hour for the head of a request, none for its body, and 100 MB of it.
"""

from __future__ import annotations

import logging
import socket
from asyncio import TimerHandle, get_running_loop
from collections.abc import Awaitable
from typing import Any, Protocol
from weakref import WeakSet

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream

from .tornado_internals import LendingParameters, parameters_of

logger = logging.getLogger(__name__)

HEAD_TIMEOUT = 20.0
"""Seconds for the first head of a connection."""
IDLE_TIMEOUT = 60.0
"""Seconds from one request of a connection to the end of the next one's head."""
BODY_TIMEOUT = 30.0
"""Seconds without a byte of a body that is due."""
UNREAD_TIMEOUT = 60.0
"""Seconds for which a client may take nothing of what is sent to it; Linux keeps the time."""

BODY_SIZE = 1 << 16
"""Bytes that the body of a request may have, but for the POSTs of polling clients, which have a limit of their own."""

LONGEST = (1 << 31) - 1
"""Milliseconds that the kernel can wait."""

TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class LentConnection(Protocol):
    """A connection that is lent."""

    def close(self) -> None:
        """Close at once."""


class Server(HTTPServer):
    """The server. `head`, `idle`, `body` and `unread` are in seconds; other options are Tornado's."""

    def initialize(  # type: ignore[override]
        self,
        application: Any,
        *,
        head: float = HEAD_TIMEOUT,
        idle: float = IDLE_TIMEOUT,
        body: float = BODY_TIMEOUT,
        unread: float = UNREAD_TIMEOUT,
        **options: Any,
    ) -> None:
        """Take the options."""
        super().initialize(application, idle_connection_timeout=idle, **{"max_body_size": BODY_SIZE, **options})
        self.idle = idle
        self.lent: set[LentConnection] = set()
        parameters = parameters_of(self)
        self.conn_params = LendingParameters(self, **parameters)
        self._first = LendingParameters(self, **{**parameters, "header_timeout": head})
        self._begun: WeakSet[object] = WeakSet()
        self._body = body
        self._unread = round(min(1000 * unread, LONGEST))

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Serve a connection."""
        if hasattr(socket, "TCP_USER_TIMEOUT") and stream.socket.family != socket.AF_UNIX:
            stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._unread)
        super().handle_stream(stream, address)

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Return what takes the next request of a connection."""
        delegate = super().start_request(server_conn, request_conn)
        assert isinstance(request_conn, HTTP1Connection)
        if server_conn not in self._begun:
            self._begun.add(server_conn)
            request_conn.params = self._first
        return BodyTimeout(delegate, request_conn, self._body)

    def reclaim(self, line: socket.socket, address: Any) -> None:
        """Serve a connection that was lent, from its next request on."""
        stream = IOStream(line, max_buffer_size=self.max_buffer_size, read_chunk_size=self.read_chunk_size)
        self.handle_stream(stream, address)

    async def close_all_connections(self) -> None:
        """Close all connections, those that are lent as well."""
        for connection in list(self.lent):
            connection.close()
        await super().close_all_connections()


class BodyTimeout(HTTPMessageDelegate):
    """Passes a request on, and waits for each part of its body for `wait` seconds only."""

    def __init__(self, delegate: HTTPMessageDelegate, connection: HTTP1Connection, wait: float) -> None:
        self._delegate = delegate
        self._connection = connection
        self._wait = wait
        self._end: TimerHandle | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Pass it on; begin to wait where a body is due."""
        if "Content-Length" in headers or "Transfer-Encoding" in headers:
            self._begin()
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Pass it on, and wait for the next."""
        self._stop()
        self._begin()
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        """Pass it on: all has come."""
        self._stop()
        self._delegate.finish()

    def on_connection_close(self) -> None:
        """Pass it on: no more will come."""
        self._stop()
        self._delegate.on_connection_close()

    def _begin(self) -> None:
        self._end = get_running_loop().call_later(self._wait, self._give_up)

    def _stop(self) -> None:
        if self._end is not None:
            self._end.cancel()

    def _give_up(self) -> None:
        logger.info("%s sent nothing more of a body for %g s", self._connection.context, self._wait)
        self._connection.stream.write(TIMED_OUT)
        self._connection.close()
