"""The sockets that the server listens on: those it was started with, or its own.

A service manager that holds the socket (socket activation) keeps it while the server is restarted, so that nobody is
refused meanwhile: connections wait in the kernel for the next process. Source: sd_listen_fds(3).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import MutableMapping

from tornado.netutil import bind_sockets

from .options import fail

FIRST = 3
"""The first file descriptor that is handed over (SD_LISTEN_FDS_START)."""


def listening_sockets(port: int, address: str) -> list[socket.socket]:
    """Return the sockets that the process was given or, for want of any, new ones; or end with what is wrong."""
    return inherited(os.environ) or bind(port, address)


def inherited(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """Return the sockets handed over to this process, and take what says so out of the environment."""
    count, pid = environ.pop("LISTEN_FDS", "0"), environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()):
        return []
    if not count.isdecimal():
        fail(f"LISTEN_FDS={count!r} in the environment: the number of sockets handed over is due")
    return [_take(descriptor) for descriptor in range(FIRST, FIRST + int(count))]


def _take(descriptor: int) -> socket.socket:
    try:
        given = socket.socket(fileno=descriptor)
        listens = given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        fail(f"file descriptor {descriptor}, handed over by LISTEN_FDS, is no socket: {error.strerror}")
    if not listens or given.type != socket.SOCK_STREAM or given.family not in (socket.AF_INET, socket.AF_INET6):
        fail(
            f"file descriptor {descriptor}, handed over by LISTEN_FDS, is no listening TCP socket: "
            "in the socket unit, ListenStream= with a port and Accept=no are due"
        )
    given.setblocking(False)
    given.set_inheritable(False)
    return given


def bind(port: int, address: str) -> list[socket.socket]:
    """Return new listening sockets, or end with what stands against them."""
    try:
        return bind_sockets(port, address, backlog=4096)
    except OSError as error:
        reason = {
            errno.EADDRINUSE: "is in use: stop the other server, or choose another with --port",
            errno.EACCES: "is not allowed: choose one above 1023 with --port",
        }.get(error.errno or 0, f"cannot be listened on: {error.strerror or error}; see --address")
        fail(f"port {port} {reason}")
