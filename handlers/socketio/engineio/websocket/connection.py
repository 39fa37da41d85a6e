"""Reads and writes the bytes of a WebSocket after the handshake.

A plain socket is taken over from Tornado's stream: what it has is read in one call, what is sent goes straight to the
kernel, and only what the kernel does not take waits here. That costs no future and no task. An
encrypted stream has to read and write itself.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError

from ..counters import Traffic
from ..tornado_internals import take_socket

CHUNK = 1 << 16
"""Maximum bytes read at once; the rest is read in the next round, after other connections."""


class ConnectionOwner(Protocol):
    """Callbacks of a connection."""

    def data_received(self, data: bytes) -> None:
        """Handle received bytes."""

    def drained(self) -> None:
        """All waiting bytes are sent."""

    def connection_lost(self, error: bool) -> None:
        """The connection is closed; called once. error: whether by an error."""


class Connection(Protocol):
    """A connection to one client."""

    busy: bool
    """Whether bytes wait to be sent, or the last bytes were sent."""

    def send(self, data: bytes) -> None:
        """Send bytes, or keep them until the socket is writable."""

    def send_last(self, data: bytes) -> None:
        """Send the last bytes; the connection is busy from then on."""

    def pause_reading(self) -> None:
        """Stop reading; TCP flow control then slows down the client."""

    def resume_reading(self) -> None:
        """Continue reading."""

    def finish(self) -> None:
        """Close when all waiting bytes are sent."""

    def close(self, error: bool = False) -> None:
        """Close without sending waiting bytes."""

    async def run(self) -> None:
        """Read until the connection is closed, if that needs a task."""


def detach_stream(stream: IOStream, owner: ConnectionOwner, traffic: Traffic) -> Connection:
    """Return a connection that takes over a stream.

    Raises StreamClosedError if the stream is closed.
    """
    return (TLSConnection if isinstance(stream, SSLIOStream) else SocketConnection)(stream, owner, traffic)


class SocketConnection:
    """A connection on a plain socket."""

    __slots__ = ("_ended", "_finishing", "_loop", "_owner", "_paused", "_socket", "_traffic", "_unsent", "busy")

    def __init__(self, stream: IOStream, owner: ConnectionOwner, traffic: Traffic) -> None:
        self.busy = False
        self._owner: ConnectionOwner | None = owner
        self._traffic = traffic
        self._loop = stream.io_loop
        self._unsent: list[memoryview[int]] = []
        self._ended = self._finishing = self._paused = False
        early = stream.read_bytes(CHUNK, partial=True)
        if stream.closed():
            raise StreamClosedError
        self._socket = take_socket(stream)
        self._loop.add_handler(self._socket, self._on_event, IOLoop.READ)
        if isinstance(early, asyncio.Future) and early.done():
            self._loop.add_callback(self._take_early, early)

    async def run(self) -> None:
        """Return at once, because the loop calls back for reading."""

    def send(self, data: bytes) -> None:
        """Send bytes, or keep them until the socket is writable."""
        self._traffic.sent += len(data)
        if self._unsent:
            # Not joined, because equally slow readers then share the same bytes objects.
            self._unsent.append(memoryview(data))
            return
        try:
            sent = self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._gone(error=True)
            return
        if sent < len(data):
            self._unsent.append(memoryview(data)[sent:])
            self.busy = True
            self._watch()

    def send_last(self, data: bytes) -> None:
        """Send the last bytes; the connection is busy from then on."""
        self.send(data)
        self._ended = self.busy = True

    def pause_reading(self) -> None:
        """Stop reading; TCP flow control then slows down the client."""
        if self._owner is not None:
            self._paused = True
            self._watch()

    def resume_reading(self) -> None:
        """Continue reading."""
        if self._owner is not None:
            self._paused = False
            self._watch()

    def _watch(self) -> None:
        reads = 0 if self._paused else IOLoop.READ
        self._loop.update_handler(self._socket, reads | IOLoop.WRITE if self._unsent else reads)

    def finish(self) -> None:
        """Close when all waiting bytes are sent."""
        if self._unsent:
            self._finishing = True
        else:
            self.close()

    def close(self, error: bool = False) -> None:
        """Close without sending waiting bytes."""
        owner, self._owner = self._owner, None
        if owner is None:
            return
        self._loop.remove_handler(self._socket)
        self._socket.close()
        self._unsent.clear()
        self.busy = True
        owner.connection_lost(error)

    def _gone(self, error: bool) -> None:
        # Not at once, because the caller of `send` must finish first.
        self._loop.add_callback(self.close, error)

    def _take_early(self, early: asyncio.Future[bytes]) -> None:
        if early.exception() is not None:
            self.close(error=True)
        elif self._owner is not None:
            self._traffic.received += len(early.result())
            self._owner.data_received(early.result())

    def _on_event(self, _: socket.socket, events: int) -> None:
        if events & IOLoop.WRITE:
            self._send_more()
        if not events & (IOLoop.READ | IOLoop.ERROR) or self._owner is None:
            return
        try:
            data = self._socket.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close(error=True)
            return
        if not data:
            self.close()
        else:
            self._traffic.received += len(data)
            self._owner.data_received(data)

    def _send_more(self) -> None:
        try:
            while self._unsent:
                part = self._unsent.pop(0)
                sent = self._socket.send(part)
                if sent < len(part):
                    self._unsent.insert(0, part[sent:])
                    return
        except (BlockingIOError, InterruptedError):
            self._unsent.insert(0, part)
            return
        except OSError:
            self.close(error=True)
            return
        self.busy = self._ended
        self._watch()
        if self._finishing:
            self.close()
        elif self._owner is not None and not self._ended:
            self._owner.drained()


class TLSConnection:
    """A connection on a TLS stream."""

    __slots__ = ("_ended", "_finishing", "_owner", "_reads", "_stream", "_traffic", "_writing", "busy")

    def __init__(self, stream: IOStream, owner: ConnectionOwner, traffic: Traffic) -> None:
        self.busy = False
        self._owner: ConnectionOwner | None = owner
        self._traffic = traffic
        self._stream = stream
        self._writing = self._ended = self._finishing = False
        self._reads = asyncio.Event()
        self._reads.set()

    async def run(self) -> None:
        """Read until the TLS stream is closed."""
        try:
            while self._owner is not None:
                data = await self._stream.read_bytes(CHUNK, partial=True)
                self._traffic.received += len(data)
                self._owner.data_received(data)
                # A stream with buffered data returns at once: let other connections run.
                await asyncio.sleep(0)
                await self._reads.wait()
        except StreamClosedError:
            self.close(error=self._stream.error is not None)

    def send(self, data: bytes) -> None:
        """Send bytes, or keep them until the socket is writable."""
        self._traffic.sent += len(data)
        try:
            sending = self._stream.write(data)
        except StreamClosedError:
            return
        if self._stream.writing() and not self._writing:
            self._writing = self.busy = True
            sending.add_done_callback(self._sent)

    def send_last(self, data: bytes) -> None:
        """Send the last bytes; the connection is busy from then on."""
        self.send(data)
        self._ended = self.busy = True

    def pause_reading(self) -> None:
        """Stop reading; TCP flow control then slows down the client."""
        self._reads.clear()

    def resume_reading(self) -> None:
        """Continue reading."""
        self._reads.set()

    def finish(self) -> None:
        """Close when all waiting bytes are sent."""
        if self._writing:
            self._finishing = True
        else:
            self.close()

    def close(self, error: bool = False) -> None:
        """Close without sending waiting bytes."""
        owner, self._owner = self._owner, None
        if owner is not None:
            self.busy = True
            self._reads.set()
            self._stream.close()
            owner.connection_lost(error)

    def _sent(self, sending: asyncio.Future[None]) -> None:
        if self._owner is None or sending.exception() is not None:
            return
        if self._stream.writing():
            # More was sent meanwhile; an empty write completes after it.
            self._stream.write(b"").add_done_callback(self._sent)
            return
        self._writing, self.busy = False, self._ended
        if self._finishing:
            self.close()
        elif not self._ended:
            self._owner.drained()
