"""Tornado's HTTP server, with limits of time and size for requests.

It lends connections of polling clients to `polling/fast_path.py`, which reads their requests faster. Tornado itself
allows an hour for the head of a request, and no limit of time and 100 MB for its body.
"""

from __future__ import annotations

import logging
import socket
from asyncio import TimerHandle, get_running_loop
from collections.abc import Awaitable
from typing import Any, Protocol
from weakref import WeakSet

from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream

from .tornado_internals import LendingParameters, ResetSafeServer, parameters_of

logger = logging.getLogger(__name__)

HEAD_TIMEOUT = 20.0
"""Seconds for the first request head of a connection."""
IDLE_TIMEOUT = 60.0
"""Seconds from one request of a connection to the end of the next one's head."""
BODY_TIMEOUT = 30.0
"""Seconds without a byte of an unfinished body."""
UNREAD_TIMEOUT = 60.0
"""Seconds for which a client may leave sent data unread; enforced by Linux."""

BODY_SIZE = 1 << 16
"""Maximum bytes of a request body; POSTs of polling clients have `max_payload` instead."""

LONGEST = (1 << 31) - 1
"""Largest TCP_USER_TIMEOUT in milliseconds."""


def limit_unread_time(line: socket.socket, seconds: float) -> None:
    """Let Linux close a connection whose peer reads nothing for so long."""
    if hasattr(socket, "TCP_USER_TIMEOUT") and line.family != socket.AF_UNIX:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(min(1000 * seconds, LONGEST)))


TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class LentConnection(Protocol):
    """A connection that is lent to the fast path."""

    def close(self) -> None:
        """Close the connection at once."""


class Server(ResetSafeServer):
    """Tornado's HTTPServer with timeouts, and a fast path for polls.

    `head`, `idle`, `body` and `unread` are in seconds; other options are Tornado's.
    """

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
        """Store the timeouts and pass on Tornado's options.

        Raises TypeError for what cannot answer requests.
        """
        if not callable(application) and not isinstance(application, HTTPServerConnectionDelegate):
            raise TypeError(f"Server needs an Application, got {application!r:.80}: write Server(Application([…]))")
        super().initialize(application, idle_connection_timeout=idle, **{"max_body_size": BODY_SIZE, **options})
        self.idle = idle
        self.lent: set[LentConnection] = set()
        parameters = parameters_of(self)
        self.conn_params = LendingParameters(self, **parameters)
        self._first = LendingParameters(self, **{**parameters, "header_timeout": head})
        self._begun: WeakSet[object] = WeakSet()
        self._body = body
        self._unread = unread

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Set the unread timeout of a connection and serve it."""
        limit_unread_time(stream.socket, self._unread)
        super().handle_stream(stream, address)

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Return the delegate of a connection's next request, with a body timeout."""
        delegate = super().start_request(server_conn, request_conn)
        assert isinstance(request_conn, HTTP1Connection)
        if server_conn not in self._begun:
            self._begun.add(server_conn)
            request_conn.params = self._first
        return BodyTimeout(delegate, request_conn, self._body)

    def reclaim(self, line: socket.socket, address: Any) -> None:
        """Serve a lent connection again, from its next request on."""
        stream = IOStream(line, max_buffer_size=self.max_buffer_size, read_chunk_size=self.read_chunk_size)
        self.handle_stream(stream, address)

    async def close_all_connections(self) -> None:
        """Close all connections, lent ones too."""
        for connection in list(self.lent):
            connection.close()
        await super().close_all_connections()


class BodyTimeout(HTTPMessageDelegate):
    """Delegates a request; closes the connection if its body stalls.

    wait: seconds without a byte of the body.
    """

    def __init__(self, delegate: HTTPMessageDelegate, connection: HTTP1Connection, wait: float) -> None:
        self._delegate = delegate
        self._connection = connection
        self._wait = wait
        self._end: TimerHandle | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Start the timeout if a body follows."""
        if "Content-Length" in headers or "Transfer-Encoding" in headers:
            self._begin()
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Restart the timeout."""
        self._stop()
        self._begin()
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        """Stop the timeout: the body is complete."""
        self._stop()
        self._delegate.finish()

    def on_connection_close(self) -> None:
        """Stop the timeout: the connection is closed."""
        self._stop()
        self._delegate.on_connection_close()

    def _begin(self) -> None:
        self._end = get_running_loop().call_later(self._wait, self._give_up)

    def _stop(self) -> None:
        if self._end is not None:
            self._end.cancel()

    def _give_up(self) -> None:
        logger.info("%s sent no byte of an unfinished body for %g s", self._connection.context, self._wait)
        self._connection.stream.write(TIMED_OUT)
        self._connection.close()
