"""The oracle of the receive loop: Tornado's own loop against ours.

Each says what becomes of a client's bytes.

Ours is stricter on purpose. Where it is, the oracle has a rule, with the section of RFC 6455, or of RFC 7692, that asks
for it; in all else both have to agree.
"""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketProtocol13, _WebSocketParams

from handlers.socketio.engineio.codec.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    INVALID_DATA,
    PING,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
)
from handlers.socketio.engineio.counters import Traffic
from handlers.socketio.engineio.websocket.protocol import WebSocketProtocol

Trace = list[tuple[str, Any]]
"""What became of a stream, in order: messages, pongs, a close with its code, the end of the data, gone."""

FINAL, RSV1 = 0x80, 0x40

FAREWELL = "bye"
"""At this message the server closes, with 4000."""


class Client(NamedTuple):
    """What a client sends, and where it is cut.

    Negative cuts count from the end.
    """

    stream: bytes
    cuts: tuple[int, ...] = ()
    max_size: int = 1000
    compresses: bool = False

    @property
    def pieces(self) -> list[bytes]:
        size = len(self.stream)
        ends = sorted({*(max(0, min(cut if cut >= 0 else size + cut, size)) for cut in self.cuts), size})
        return [self.stream[a:b] for a, b in zip([0, *ends], ends, strict=False)]


# -- who sees what becomes of it, and what both loops take for a socket


class Witness:
    """The handler of either."""

    broken = False

    def __init__(self) -> None:
        self.trace: Trace = []
        self.line: WebSocketProtocol13

    def on_message(self, message: str | bytes) -> None:
        self.trace.append(("message", message))
        if message == FAREWELL:
            self.line.close(4000)

    def message_received(self, message: str | bytes) -> float:
        self.on_message(message)
        return 0.0

    def on_frame(self, frame: bytes) -> None:
        opcode, data = frame[0] & 15, frame[2:]
        assert frame[:2] == bytes([0x80 | opcode, len(data)]), "the server writes whole control frames"
        assert len(data) <= 125
        if opcode == CLOSE:
            data[2:].decode()
            self.trace.append(("close", int.from_bytes(data[:2], "big") if data else None))
        else:
            self.trace.append(({PONG: "pong"}[opcode], data))

    def on_ws_connection_close(self, code: int | None, reason: str | None) -> None:
        self.trace.append(("gone", code))

    def on_protocol_error(self, violation: Exception) -> None: ...

    def drained(self) -> None: ...

    def spend(self) -> float:
        return 0.0

    def on_ping(self, data: bytes) -> None: ...

    def on_pong(self, data: bytes) -> None: ...

    def log_exception(self, type_: type, error: BaseException, *_: Any) -> None:
        raise error


class Stream:
    """Tornado's stream without a socket: a client's bytes, then the end."""

    def __init__(self, witness: Witness, data: bytes = b"") -> None:
        self.io_loop = IOLoop.current()
        self.witness = witness
        self._data = data
        self._closed = False

    def peek(self, count: int) -> bytes:
        return self._data[:count]

    async def read_bytes(self, count: int) -> bytes:
        if len(self._data) < count:
            self.witness.trace.append(("end", None))
            self._closed = True
            raise StreamClosedError
        data, self._data = self._data[:count], self._data[count:]
        return data

    def write(self, frame: bytes) -> asyncio.Future[None]:
        self.witness.on_frame(frame)
        written: asyncio.Future[None] = asyncio.Future()
        written.set_result(None)
        return written

    def close(self) -> None:
        self._closed = True

    def closed(self) -> bool:
        return self._closed

    def set_nodelay(self, _: bool) -> None: ...


class Connection:
    """Our connection, without a socket.

    It finishes as late as it may: what comes meanwhile must not count.
    """

    busy = False
    finishing = closed = False

    def __init__(self, stream: Stream, owner: WebSocketProtocol) -> None:
        self._owner = owner
        self.send = self.send_last = stream.witness.on_frame

    def finish(self) -> None:
        self.finishing = True

    def close(self, error: bool = False) -> None:
        if not self.closed:
            self.closed = True
            self._owner.connection_lost(error)


async def ours(client: Client) -> Trace:
    """Run our loop on a client's bytes.

    The connection above must be in place of `protocol.SocketConnection`.
    """
    witness = Witness()
    witness.line = line = WebSocketProtocol(witness, witness, client.max_size, client.compresses, Traffic())
    line.stream = Stream(witness)
    assert line.begin()
    connection: Any = line._connection
    for piece in client.pieces:
        line.data_received(piece)
    if not connection.finishing:
        witness.trace.append(("end", None))
    connection.close()
    return witness.trace


async def tornados(client: Client, kind: type[WebSocketProtocol13]) -> Trace:
    """Let Tornado's loop take it, or one with rules."""
    witness = Witness()
    witness.line = line = kind(witness, False, _WebSocketParams(max_message_size=client.max_size))
    if client.compresses:
        alone = dict.fromkeys(["server_no_context_takeover", "client_no_context_takeover"])
        line._create_compressors("server", alone, {})
    line.stream = Stream(witness, client.stream)
    await line._receive_frame_loop()
    return witness.trace


# -- the oracle


class Head(NamedTuple):
    """First two bytes of a frame, and whether a message has begun."""

    first: int
    second: int
    amid: bool

    @property
    def opcode(self) -> int:
        return self.first & 15

    @property
    def control(self) -> bool:
        return self.opcode >= 8


AT_THE_HEAD: dict[str, Callable[[Head], bool]] = {
    "§5.1: a client masks": lambda head: not head.second & 0x80,
    "§5.2: an opcode has a meaning": lambda head: head.opcode not in (0, 1, 2, 8, 9, 10),
    "§5.4: only what has begun goes on": lambda head: head.opcode == CONTINUATION and not head.amid,
    "§5.4: messages are not within another": lambda head: head.opcode in (TEXT, BINARY) and head.amid,
    "§5.5: a control frame is whole": lambda head: head.control and not head.first & FINAL,
    "RFC 7692 §6.1: a control frame is not compressed": lambda head: head.control and bool(head.first & RSV1),
}
"""What is refused as soon as it is seen; of the first two and the last Tornado takes all, of the others the payload."""

MAY_BE_SENT = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}

IN_A_CLOSE: dict[str, tuple[Callable[[bytes], bool], int]] = {
    "§5.5.1: a code has two bytes": (lambda data: len(data) == 1, PROTOCOL_ERROR),
    "§7.4: it is one that may be sent": (
        lambda data: data != b"" and int.from_bytes(data[:2], "big") not in MAY_BE_SENT,
        PROTOCOL_ERROR,
    ),
    "§8.1: the reason is UTF-8": (lambda data: not is_utf8(data[2:]), INVALID_DATA),
}
"""Tornado takes the first two, and fails at the last with an exception."""


class Oracle(WebSocketProtocol13):
    """Tornado's loop, with the rules."""

    _fault = PROTOCOL_ERROR

    def _abort(self) -> None:
        """§7.1.7: the side that fails a connection says why."""
        self.close(self._fault)
        super()._abort()

    async def _receive_frame(self) -> None:
        header = self.stream.peek(2)
        if len(header) < 2:
            return await super()._receive_frame()
        head = Head(*header, self._fragmented_message_buffer is not None)
        if any(breaks(head) for breaks in AT_THE_HEAD.values()):
            return self._abort()
        return await (self._receive_control() if head.control else super()._receive_frame())

    async def _receive_control(self) -> None:
        """§5.4: a control frame between fragments is no part of the message.

        It neither adds to its size nor ends its compression.
        """
        max_size, compressed = self.params.max_message_size, self._frame_compressed
        self.params.max_message_size = sys.maxsize
        await super()._receive_frame()
        self.params.max_message_size, self._frame_compressed = max_size, compressed

    def _handle_message(self, opcode: int, data: bytes) -> asyncio.Future[None] | None:
        if opcode == PING and self.server_terminated:
            return None  # §5.5.1: nothing follows a CLOSE; before 6.6 a pong of Tornado's did
        faults = [code for breaks, code in IN_A_CLOSE.values() if opcode == CLOSE and breaks(data)]
        self._fault = faults[0] if faults else INVALID_DATA
        if faults:
            return self._abort()
        try:
            return super()._handle_message(opcode, data)
        except zlib.error:  # RFC 7692 §7.2.2
            return self._abort()
        finally:
            self._fault = PROTOCOL_ERROR


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
