"""The WebSocket protocol as this server speaks it: Tornado's handshake and closing, with a receive loop of its own.

Tornado waits for the stream three times a frame; here what the socket has is taken in one go, and all frames in it are
read. The checks are those of `frames.py`, which are stricter than Tornado's.

Source: RFC 6455.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tornado.iostream import StreamClosedError
from tornado.util import _websocket_mask
from tornado.websocket import WebSocketProtocol13, _WebSocketParams

from .frames import CLOSE, PING, Control, FrameReader, Received, Violation, read_close

if TYPE_CHECKING:
    from .websocket import WebSocketTransport

CHUNK = 1 << 16
"""Bytes that are read at once."""


class WireProtocol(WebSocketProtocol13):
    """One connection. It has no compression."""

    def __init__(self, transport: WebSocketTransport) -> None:
        super().__init__(transport, False, _WebSocketParams(max_message_size=transport.max_message_size))
        self._transport = transport

    async def _receive_frame_loop(self) -> None:
        reader = FrameReader(self.params.max_message_size, _websocket_mask)
        try:
            while not self.client_terminated:
                reading = asyncio.ensure_future(self.stream.read_bytes(CHUNK, partial=True))
                if reading.done():
                    # Whoever floods us waits for everybody else's turn.
                    await asyncio.sleep(0)
                self._take(reader.feed(await reading))
        except StreamClosedError:
            self._abort()
        except Violation as violation:
            self.close(violation.code, str(violation)[:120])
            self._transport.on_violation(violation)
            self._abort()
        finally:
            self.handler.on_ws_connection_close(self.close_code, self.close_reason)

    def _take(self, received: list[Received]) -> None:
        for message in received:
            if self.client_terminated:
                return
            if isinstance(message, Control):
                self._take_control(message)
            else:
                self._transport.on_message(message)

    def _take_control(self, frame: Control) -> None:
        if frame.opcode == CLOSE:
            self.close_code = read_close(frame.data)
            self.client_terminated = True
            self.close(self.close_code)
        elif frame.opcode == PING:
            self._send_pong(frame.data)
