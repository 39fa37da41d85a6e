"""All uses of Tornado's private names and undocumented behaviour.

Each has a test in tests/unit/test_tornado_internals.py, which runs with the oldest and the newest supported Tornado:
if a Tornado changes one of them, the test of that name fails.
"""

from __future__ import annotations

import logging
import math
import socket
from copy import copy
from typing import Any

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters, HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.iostream import IOStream, SSLIOStream
from tornado.util import _websocket_mask
from tornado.websocket import WebSocketHandler, WebSocketProtocol13, _WebSocketParams

logger = logging.getLogger(__name__)

NO_ARGUMENTS: dict[str, list[bytes]] = {}
NO_HEADERS = HTTPHeaders()

unmask = _websocket_mask
"""Apply a mask of 4 bytes to data (RFC 6455 §5.3); in C if Tornado has its extension."""


# -- WebSockets


class HandshakeOnly(WebSocketProtocol13):
    """Tornado's WebSocket protocol, used only for the handshake.

    A subclass reads frames itself: it overrides `_receive_frame_loop`, which Tornado awaits after the handshake, and
    `_abort`, which Tornado calls where a handler raises.
    """

    def __init__(self, handler: WebSocketHandler, max_size: int) -> None:
        super().__init__(handler, False, _WebSocketParams(max_message_size=max_size))

    def release_stream(self) -> IOStream:
        """Return the stream, which Tornado no longer uses after the handshake."""
        stream = self.stream
        del self.stream
        return stream


def forget_request(handler: WebSocketHandler) -> None:
    """Drop data that only the handshake needs: half of a client's memory."""
    request = handler.request
    request.connection = request.server_connection = None
    request.arguments = request.query_arguments = request.body_arguments = NO_ARGUMENTS
    handler._headers = NO_HEADERS
    handler.open_args, handler.open_kwargs = (), {}
    del handler._transforms, handler.path_args, handler.path_kwargs, handler.ui


# -- sockets and streams


def take_socket(stream: IOStream) -> socket.socket:
    """Return the socket of a stream, and stop the stream's watching."""
    stream.io_loop.remove_handler(stream.fileno())
    taken: socket.socket = stream.socket
    return taken


def bytes_read_ahead(stream: IOStream) -> bytes:
    """Return the bytes that a stream has read from its socket already."""
    decrypted = stream.socket.pending() if isinstance(stream, SSLIOStream) else 0
    return bytes(stream._read_buffer) + (stream.socket.recv(decrypted) if decrypted else b"")


def is_untouched(stream: IOStream) -> bool:
    """Return whether a stream is open, with empty buffers."""
    return not (stream.closed() or stream.writing() or stream._read_buffer_size)


def address_of(connection: HTTP1Connection) -> Any:
    """Return a connection's address, as `HTTPServer.handle_stream` takes it."""
    return getattr(connection.context, "address", None)


# -- the HTTP server


class ResetSafeServer(HTTPServer):
    """Closes TLS connections that were reset before they were accepted.

    A check of a load balancer or a scanner does that. Python's ssl raises for them, and Tornado's server would log a
    traceback.
    """

    def _handle_connection(self, connection: socket.socket, address: Any) -> None:
        try:
            if self.ssl_options is not None:
                connection.getpeername()  # here already, because ssl would lose the socket that it has taken
            super()._handle_connection(connection, address)
        except OSError as error:
            logger.debug("%s was gone before TLS began: %s", address, error)
            connection.close()


class LendingParameters(HTTP1ConnectionParameters):
    """Tornado's connection parameters, and the server that lends the connection."""

    def __init__(self, lender: Any, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.lender = lender


def parameters_of(server: HTTPServer) -> dict[str, Any]:
    """Return a server's connection parameters, as arguments of `HTTP1ConnectionParameters`."""
    return vars(server.conn_params)


def lender_of(connection: HTTP1Connection) -> Any:
    """Return the server that lends a connection; None for Tornado's own server."""
    return getattr(connection.params, "lender", None)


def limit_idle_time(request: HTTPServerRequest, seconds: float) -> None:
    """Close the request's connection if no other request follows in time.

    Tornado's own server would wait for an hour.
    """
    server = request.server_connection
    if isinstance(server, HTTP1ServerConnection) and (server.params.header_timeout or math.inf) > seconds:
        server.params = copy(server.params)
        server.params.header_timeout = seconds
