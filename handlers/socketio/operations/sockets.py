"""Listening sockets: inherited from a service manager, or bound here.

With socket activation, systemd keeps the socket open during a restart: no connection is refused meanwhile, because
all wait in the kernel for the next process. Source: sd_listen_fds(3).
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
"""The first inherited file descriptor (SD_LISTEN_FDS_START)."""
ACCEPT_PAUSE = 0.5
"""Seconds to pause accepting when there is no file descriptor or memory for a connection."""
LOG_PAUSE = 60.0
"""Minimum seconds between two log lines about it."""
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class ExhaustionSafeSocket(socket.socket):
    """A listening socket that survives EMFILE: it pauses accepting.

    Tornado's own loop would spin and log each time. Connections wait in the kernel's queue meanwhile.
    """

    _silent_until = 0.0

    def accept(self) -> tuple[socket.socket, object]:
        """Accept a connection; raise BlockingIOError if there is none, or while paused."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            self._pause(error)
            raise BlockingIOError from error

    def _pause(self, error: OSError) -> None:
        loop = get_running_loop()
        if loop.time() >= self._silent_until:
            self._silent_until = loop.time() + LOG_PAUSE
            logger.error("cannot accept connections: %s; raise the limit (ulimit -n, LimitNOFILE=)", error.strerror)
        IOLoop.current().update_handler(self, 0)
        loop.call_later(ACCEPT_PAUSE, self._resume)

    def _resume(self) -> None:
        if self.fileno() != -1:
            IOLoop.current().update_handler(self, IOLoop.READ)


def listening_socket(listening: socket.socket) -> ExhaustionSafeSocket:
    """Return an ExhaustionSafeSocket with the descriptor of this socket."""
    return ExhaustionSafeSocket(listening.family, listening.type, listening.proto, listening.detach())


def listening_sockets(port: int, address: str) -> list[socket.socket]:
    """Return inherited sockets, else bind new ones; exit on error."""
    return inherited(os.environ) or bind(port, address)


def inherited(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """Return the inherited sockets; remove their variables from the environment."""
    count, pid = environ.pop("LISTEN_FDS", "0"), environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()):
        return []
    if not count.isdecimal():
        exit_with(f"LISTEN_FDS in the environment must be a number of sockets, got {count!r}: unset it, or use systemd")
    return [_inherit(descriptor) for descriptor in range(FIRST, FIRST + int(count))]


def _inherit(descriptor: int) -> socket.socket:
    try:
        given = socket.socket(fileno=descriptor)
        listens = given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        exit_with(f"LISTEN_FDS: file descriptor {descriptor} must be a socket: {error.strerror}")
    if not listens or given.type != socket.SOCK_STREAM or given.family not in (socket.AF_INET, socket.AF_INET6):
        exit_with(
            f"LISTEN_FDS: file descriptor {descriptor} must be a listening TCP socket: "
            "write ListenStream= with a port, and Accept=no, in the socket unit"
        )
    given.setblocking(False)
    given.set_inheritable(False)
    return given


def bind(port: int, address: str) -> list[socket.socket]:
    """Return new listening sockets; exit with a message on error."""
    try:
        return bind_sockets(port, address, backlog=4096)
    except OSError as error:
        reason = {
            errno.EADDRINUSE: "is in use: stop the other server, or choose another port",
            errno.EACCES: "is not allowed: choose a port above 1023",
        }.get(error.errno or 0, f"cannot be opened: {error.strerror or error}: check the address")
        exit_with(f"port {port} {reason}")
    except ValueError as error:  # a name with an empty or too long part, such as 127..0.1
        exit_with(f"port {port} cannot be opened: {error}: check the address")
