"""The sockets that the server listens on: those it was started with, or its own.

A service manager that holds the socket (socket activation) keeps it while the server is restarted, so that nobody is
refused meanwhile: connections wait in the kernel for the next process. Source: sd_listen_fds(3).
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from asyncio import get_running_loop
from collections.abc import MutableMapping

from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets

from .errors import exit_with

logger = logging.getLogger(__name__)

FIRST = 3
"""The first file descriptor that is handed over (SD_LISTEN_FDS_START)."""
REST = 0.5
"""Seconds without accepting, when there is nothing to accept with."""
SILENCE = 60.0
"""Seconds from one line in the log to the next."""
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class ExhaustionSafeSocket(socket.socket):
    """A listening socket that survives EMFILE: it pauses accepting, where Tornado's would spin and log each time.

    Connections wait in the kernel's queue meanwhile.
    """

    _silent_until = 0.0

    def accept(self) -> tuple[socket.socket, object]:
        """Accept a connection; raise BlockingIOError where there is none, or nothing to accept it with."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            self._rest(error)
            raise BlockingIOError from error

    def _rest(self, error: OSError) -> None:
        loop = get_running_loop()
        if loop.time() >= self._silent_until:
            self._silent_until = loop.time() + SILENCE
            logger.error("cannot accept connections: %s; raise the limit (ulimit -n, LimitNOFILE=)", error.strerror)
        IOLoop.current().update_handler(self, 0)
        loop.call_later(REST, self._go_on)

    def _go_on(self) -> None:
        if self.fileno() != -1:
            IOLoop.current().update_handler(self, IOLoop.READ)


def listening_socket(listening: socket.socket) -> ExhaustionSafeSocket:
    """Return a socket that takes the place of this one."""
    return ExhaustionSafeSocket(listening.family, listening.type, listening.proto, listening.detach())


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
        exit_with(f"LISTEN_FDS={count!r} in the environment: the number of sockets handed over is due")
    return [_take(descriptor) for descriptor in range(FIRST, FIRST + int(count))]


def _take(descriptor: int) -> socket.socket:
    try:
        given = socket.socket(fileno=descriptor)
        listens = given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        exit_with(f"file descriptor {descriptor}, handed over by LISTEN_FDS, is no socket: {error.strerror}")
    if not listens or given.type != socket.SOCK_STREAM or given.family not in (socket.AF_INET, socket.AF_INET6):
        exit_with(
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
        exit_with(f"port {port} {reason}")
