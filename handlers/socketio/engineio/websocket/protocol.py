"""The WebSocket protocol: Tornado's handshake, then the library's own frames.

Tornado waits for its stream three times a frame; here all frames that have come are read in one go. The checks are
those of `frames.py`, which are stricter than Tornado's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Protocol

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketHandler

from ..codec.deflate import inflate
from ..codec.frames import (
    CLOSE,
    PING,
    PONG,
    Control,
    FrameReader,
    Received,
    WebSocketProtocolError,
    control_frame,
    read_close,
)
from ..counters import Traffic
from ..tornado_internals import HandshakeOnly, unmask
from .connection import SocketConnection

CLOSING = 5.0
"""Seconds for the client to answer a CLOSE, and to read the data before it."""


class Receiver(Protocol):
    """Callbacks of a WebSocket: the transport."""

    broken: bool
    """Whether the connection was closed by an error."""
    closed_by_peer: bool
    """Whether the client sent a CLOSE."""

    def message_received(self, message: str | bytes) -> float:
        """Handle a message; return the seconds to pause reading."""

    def on_protocol_error(self, violation: WebSocketProtocolError) -> None:
        """Handle the client's violation of RFC 6455; the connection is being closed."""

    def spend(self) -> float:
        """Count a control frame; return the seconds to pause reading."""

    def drained(self) -> None:
        """All waiting bytes are sent."""


class WebSocketProtocol(HandshakeOnly):
    """One WebSocket: called by Tornado for the handshake, then by its connection."""

    def __init__(
        self, handler: WebSocketHandler, receiver: Receiver, max_size: int, compressed: bool, traffic: Traffic
    ) -> None:
        super().__init__(handler, max_size)
        self._receiver = receiver
        self._traffic = traffic
        self._reader = FrameReader(max_size, unmask, inflate if compressed else None)
        self._received: Iterator[Received] = iter(())
        self._paused = False
        self._pong: bytes | None = None
        self._deadline: asyncio.TimerHandle | None = None

    # -- for the transport

    def begin(self) -> SocketConnection | None:
        """Take over the socket after the handshake.

        Returns the connection, or None if the client is gone.
        """
        self._loop = asyncio.get_running_loop()
        try:
            self.set_nodelay(True)
            self._connection: SocketConnection | None = SocketConnection(self.release_stream(), self)
        except StreamClosedError:
            self._connection = None
        return self._connection

    def send(self, frames: bytes) -> None:
        """Send frames, unless CLOSE was sent (§5.5.1)."""
        if self._connection is not None and not self.server_terminated:
            self._traffic.sent += len(frames)
            self._connection.send(frames)

    # -- for Tornado

    async def _receive_frame_loop(self) -> None:
        # Tornado has nothing to wait for: the loop calls the connection.
        if self._connection is None:
            self.connection_lost(error=True)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Start or complete the closing handshake."""
        if self._connection is None:
            return
        if not self.server_terminated:
            body = b"" if code is None else code.to_bytes(2, "big") + (reason or "").encode()
            last = control_frame(CLOSE, body)
            self._traffic.sent += len(last)
            self._connection.send_last(last)
            self.server_terminated = True
        if self._deadline is None:
            self._deadline = self._loop.call_later(CLOSING, self._connection.close)
        if self.client_terminated:
            self._connection.finish()

    def _abort(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def is_closing(self) -> bool:
        """Return whether either side has sent CLOSE."""
        return self.client_terminated or self.server_terminated

    # -- for the connection

    def data_received(self, data: bytes) -> None:
        """Handle received bytes; none: go on after a pause."""
        if data:
            self._traffic.received += len(data)
            self._received = iter(self._reader.feed(data))
        receiver = self._receiver
        try:
            for message in self._received:
                if self.client_terminated:
                    return
                if isinstance(message, Control):
                    self._take_control(message)
                    pause = receiver.spend()
                elif isinstance(message, WebSocketProtocolError):
                    raise message
                else:
                    pause = receiver.message_received(message)
                if pause:
                    self._pause(pause)
                    return
        except WebSocketProtocolError as violation:
            self._fail(violation)
        if self._paused and self._connection is not None:
            self._paused = False
            self._connection.resume_reading()

    def _fail(self, violation: WebSocketProtocolError) -> None:
        self.close(violation.code, str(violation))
        self._receiver.on_protocol_error(violation)
        self.client_terminated = True  # ignore all data after it (§7.1.7)
        if self._connection is not None:
            self._connection.finish()

    def _pause(self, seconds: float) -> None:
        if self._connection is not None and not self._paused:
            self._paused = True
            self._connection.pause_reading()
        self._loop.call_later(seconds, self.data_received, b"")

    def drained(self) -> None:
        """Answer the last ping of the meantime, then call the transport."""
        if self._pong is not None:
            pong, self._pong = self._pong, None
            self.send(control_frame(PONG, pong))
        self._receiver.drained()

    def connection_lost(self, error: bool) -> None:
        """Tell the transport that the connection is closed."""
        if self._deadline is not None:
            self._deadline.cancel()
        self.client_terminated = self.server_terminated = True
        self._receiver.broken = error
        self.handler.on_ws_connection_close(self.close_code, self.close_reason)

    def _take_control(self, frame: Control) -> None:
        if frame.opcode == CLOSE:
            self.close_code = read_close(frame.data)
            self.client_terminated = self._receiver.closed_by_peer = True
            self.close(self.close_code)
        elif frame.opcode == PING and self._connection is not None and self._connection.busy:
            # Only the most recent ping needs an answer (§5.5.3), so unread pongs do not accumulate.
            self._pong = frame.data
        elif frame.opcode == PING:
            self.send(control_frame(PONG, frame.data))
