"""Listening sockets that endure: a server that has run out of file descriptors serves those who are in.

Tornado's own would be called again at once, for as long as there is nothing to accept with, and log each time.
"""

from __future__ import annotations

import errno
import logging
import socket
from asyncio import get_running_loop

from tornado.ioloop import IOLoop

logger = logging.getLogger(__name__)

REST = 0.5
"""Seconds without accepting, when there is nothing to accept with."""
SILENCE = 60.0
"""Seconds from one line in the log to the next."""
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class PatientSocket(socket.socket):
    """A listening socket, on the loop that accepts from it. Whoever dials meanwhile waits in the kernel's queue."""

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


def patient(listening: socket.socket) -> PatientSocket:
    """Return a socket that takes the place of this one."""
    return PatientSocket(listening.family, listening.type, listening.proto, listening.detach())
