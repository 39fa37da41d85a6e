"""Every private name of Tornado that is relied on, and every use of a public one that Tornado does not promise.

Each has a test in tests/unit/test_tornado_internals.py, which runs on the oldest and the newest Tornado that are
supported: a Tornado that changes one of them fails there, with its name.
"""

from __future__ import annotations

import math
import socket
from copy import copy
from typing import Any

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters, HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.iostream import IOStream
from tornado.util import _websocket_mask
from tornado.websocket import WebSocketHandler, WebSocketProtocol13, _WebSocketParams

NO_ARGUMENTS: dict[str, list[bytes]] = {}
NO_HEADERS = HTTPHeaders()

unmask = _websocket_mask
"""Apply a mask of 4 bytes to data (RFC 6455 §5.3). In C where Tornado was built with its extension."""


# -- WebSockets


class HandshakeOnly(WebSocketProtocol13):
    """Tornado's side of a WebSocket, of which only the handshake is used.

    A subclass reads frames itself: it overrides `_receive_frame_loop`, which Tornado awaits after the handshake, and
    `_abort`, which Tornado calls where a handler raises.
    """

    def __init__(self, handler: WebSocketHandler, max_size: int) -> None:
        super().__init__(handler, False, _WebSocketParams(max_message_size=max_size))

    def release_stream(self) -> IOStream:
        """Return the stream, which Tornado uses no more after the handshake."""
        stream = self.stream
        del self.stream
        return stream


def forget_request(handler: WebSocketHandler) -> None:
    """Drop what only the handshake of a WebSocket needed: it would be half of what a client costs."""
    request = handler.request
    request.connection = request.server_connection = None
    request.arguments = request.query_arguments = request.body_arguments = NO_ARGUMENTS
    handler._headers = NO_HEADERS
    handler.open_args, handler.open_kwargs = (), {}
    del handler._transforms, handler.path_args, handler.path_kwargs, handler.ui


# -- sockets and streams


def take_socket(stream: IOStream) -> socket.socket:
    """Return the socket of a stream that is read and written here from now on; the stream watches it no more."""
    stream.io_loop.remove_handler(stream.fileno())
    taken: socket.socket = stream.socket
    return taken


def is_untouched(stream: IOStream) -> bool:
    """Whether a stream is open, has nothing to write, and has read nothing that it was not asked for."""
    return not (stream.closed() or stream.writing() or stream._read_buffer_size)


def address_of(connection: HTTP1Connection) -> Any:
    """Return the address that a connection was accepted from, as `HTTPServer.handle_stream` takes it."""
    return getattr(connection.context, "address", None)


# -- the HTTP server


class LendingParameters(HTTP1ConnectionParameters):
    """Tornado's parameters of a connection, and the server that lends it."""

    def __init__(self, lender: Any, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.lender = lender


def parameters_of(server: HTTPServer) -> dict[str, Any]:
    """Return the parameters that a server has for its connections, as arguments of `HTTP1ConnectionParameters`."""
    return vars(server.conn_params)


def lender_of(connection: HTTP1Connection) -> Any:
    """Return the server that lends a connection; None where that is Tornado's own, which lends none."""
    return getattr(connection.params, "lender", None)


def limit_idle_time(request: HTTPServerRequest, seconds: float) -> None:
    """Close the connection of a request that brings no other in time: Tornado's own server waits for an hour."""
    server = request.server_connection
    if isinstance(server, HTTP1ServerConnection) and (server.params.header_timeout or math.inf) > seconds:
        server.params = copy(server.params)
        server.params.header_timeout = seconds
