"""Reads and writes the bytes of a WebSocket after the handshake."""

from __future__ import annotations

import socket
from typing import Protocol

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError

from ..buffered_socket import CHUNK, WOULD_BLOCK, BufferedSocket
from ..tornado_internals import bytes_read_ahead


class ConnectionOwner(Protocol):
    """Callbacks of a connection."""

    def data_received(self, data: bytes) -> None:
        """Handle received bytes."""

    def drained(self) -> None:
        """All waiting bytes are sent."""

    def connection_lost(self, error: bool) -> None:
        """The connection is closed; called once. error: whether by an error."""


class SocketConnection(BufferedSocket):
    """The connection of one WebSocket, plain or TLS.

    It is busy while bytes wait to be sent, and for good once the last bytes were sent. Raises StreamClosedError if the
    stream is closed.
    """

    __slots__ = ("_ended", "_finishing", "_owner")

    def __init__(self, stream: IOStream, owner: ConnectionOwner) -> None:
        if stream.closed():
            raise StreamClosedError
        early = bytes_read_ahead(stream)
        super().__init__(stream)
        self._owner = owner
        self._ended = self._finishing = False
        if early:
            self._loop.add_callback(self._receive, early)

    def send_last(self, data: bytes) -> None:
        """Send the last bytes; the connection is busy from then on."""
        self.send(data)
        self._ended = self.busy = True

    def finish(self) -> None:
        """Close when all waiting bytes are sent."""
        if self._unsent:
            self._finishing = True
        else:
            self.close()

    def _on_event(self, _: socket.socket, events: int) -> None:
        if events & IOLoop.WRITE:
            self._send_more()
        if not events & (IOLoop.READ | IOLoop.ERROR) or self.closed:
            return
        try:
            data = self._socket.recv(CHUNK)
        except WOULD_BLOCK:
            return
        except OSError:
            self.close(error=True)
            return
        if data:
            self._owner.data_received(data)
        else:
            self.close()

    def _receive(self, early: bytes) -> None:
        if not self.closed:
            self._owner.data_received(early)

    def _drained(self) -> None:
        self.busy = self._ended
        if self._finishing:
            self.close()
        elif not self._ended:
            self._owner.drained()

    def _on_close(self, error: bool) -> None:
        owner = self._owner
        del self._owner  # the owner refers to the connection
        owner.connection_lost(error)
