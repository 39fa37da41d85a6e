"""The sockets that the server listens on."""

from __future__ import annotations

import errno
import socket

from tornado.netutil import bind_sockets

from .options import fail


def bind(port: int, address: str) -> list[socket.socket]:
    """Return the listening sockets, or end with what stands against them."""
    try:
        return bind_sockets(port, address, backlog=4096)
    except OSError as error:
        reason = {
            errno.EADDRINUSE: "is in use: stop the other server, or choose another with --port",
            errno.EACCES: "is not allowed: choose one above 1023 with --port",
        }.get(error.errno or 0, f"cannot be listened on: {error.strerror or error}; see --address")
        fail(f"port {port} {reason}")
