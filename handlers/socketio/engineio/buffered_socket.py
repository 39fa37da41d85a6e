"""A non-blocking socket that keeps what the kernel does not take.

It is taken over from Tornado's stream. What is sent goes straight to the kernel, without a future or a task. A TLS
socket works like a plain one: OpenSSL, too, only reads and writes what it can at once.
"""

from __future__ import annotations

import socket
import ssl

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream

from .tornado_internals import take_socket

CHUNK = 1 << 16
"""Maximum bytes read at once; the rest is read in the next round, after other connections."""
WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class BufferedSocket:
    """A watched socket; subclasses read from it."""

    __slots__ = ("_loop", "_paused", "_socket", "_unsent", "busy", "closed")

    def __init__(self, stream: IOStream) -> None:
        self.busy = self.closed = False
        self._loop = stream.io_loop
        self._unsent: list[memoryview[int]] = []
        self._paused = False
        self._socket = take_socket(stream)
        self._loop.add_handler(self._socket, self._on_event, IOLoop.READ)

    def send(self, data: bytes) -> None:
        """Send bytes, or keep them until the socket is writable; `busy` meanwhile."""
        if self._unsent:
            # Not joined, because equally slow readers then share the same bytes objects.
            self._unsent.append(memoryview(data))
            return
        try:
            sent = self._socket.send(data)
        except WOULD_BLOCK:
            sent = 0
        except OSError:
            # Not closed at once, because the caller must finish first.
            self._loop.add_callback(self.close, True)
            return
        if sent < len(data):
            self._unsent.append(memoryview(data)[sent:])
            self.busy = True
            self._watch()

    def pause_reading(self) -> None:
        """Stop reading; TCP flow control then slows down the client."""
        self._paused = True
        self._watch()

    def resume_reading(self) -> None:
        """Continue reading."""
        self._paused = False
        self._watch()

    def close(self, error: bool = False) -> None:
        """Close without sending waiting bytes; only the first call counts."""
        if not self.closed:
            self._release()
            self._socket.close()
            self._unsent.clear()
            self._on_close(error)

    def _release(self) -> None:
        self.closed = self.busy = True
        self._loop.remove_handler(self._socket)

    def _watch(self) -> None:
        if not self.closed:
            reads = 0 if self._paused else IOLoop.READ
            self._loop.update_handler(self._socket, reads | IOLoop.WRITE if self._unsent else reads)

    def _send_more(self) -> None:
        try:
            while self._unsent:
                rest = self._unsent[0][self._socket.send(self._unsent[0]) :]
                self._unsent[:1] = [rest] if rest else []
        except WOULD_BLOCK:
            return
        except OSError:
            self.close(error=True)
            return
        self.busy = False
        self._watch()
        self._drained()

    def _on_event(self, _: socket.socket, events: int) -> None:
        """Read what has come, and call `_send_more` if writable."""
        raise NotImplementedError

    def _drained(self) -> None:
        """All waiting bytes are sent."""
        raise NotImplementedError

    def _on_close(self, error: bool) -> None:
        """The socket is closed; error: whether by an error."""
        raise NotImplementedError
