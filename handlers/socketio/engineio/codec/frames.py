"""Reader of WebSocket frames: bytes in, whole messages out.

It accepts bytes cut at any place, and has no socket. Violations of RFC 6455 raise WebSocketProtocolError with the

close code.

Source: RFC 6455, sections 5 (framing), 7.4 (close codes) and 8.1 (UTF-8).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FINAL, RESERVED, OPCODE, CONTROL = 0x80, 0x70, 0x0F, 0x08
MASKED, LENGTH = 0x80, 0x7F
COMPRESSED = 0x40
FINAL_TEXT = FINAL | TEXT

PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009

MAX_FRAGMENTS = 10_000
"""Maximum number of frames of one message."""

Unmask = Callable[[bytes, bytes], bytes]
"""Arguments: four bytes of mask, masked data. Returns the data (§5.3)."""


Inflate = Callable[[bytes, int], bytes]
"""Arguments: compressed message, maximum size. Returns the message."""


class WebSocketProtocolError(Exception):
    """The client violated RFC 6455; `code` is the close code."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class Control(NamedTuple):
    """A control frame: PING, PONG or CLOSE."""

    opcode: int
    data: bytes


Received = str | bytes | Control | WebSocketProtocolError
"""A whole message, text or binary, a control frame, or a violation."""


NOT_UTF_8 = "text that is not UTF-8 (§8.1)"


class FrameReader:
    """Reads the frames of one connection incrementally.

    max_size: maximum bytes of one message, all fragments together.
    inflate: decompresses a message, if compression was agreed (RFC 7692).
    """

    __slots__ = (
        "_compressed",
        "_fragments",
        "_inflate",
        "_max_size",
        "_needed",
        "_opcode",
        "_quick",
        "_rest",
        "_size",
        "_unmask",
    )

    def __init__(self, max_size: int, unmask: Unmask, inflate: Inflate | None = None) -> None:
        self._max_size = max_size
        self._inflate = inflate
        self._compressed = False
        self._unmask = unmask
        self._quick = MASKED | min(125, max_size)
        self._rest: bytearray | None = None
        self._needed = 0
        self._fragments: list[bytes] | None = None
        self._opcode = 0
        self._size = 0

    def feed(self, data: bytes) -> list[Received]:
        """Add bytes; return the messages and control frames that they complete.

        A violation is the last item; bytes after it are meaningless.
        """
        if self._rest is not None:
            self._rest += data
            if len(self._rest) < self._needed:
                return []
            data, self._rest = bytes(self._rest), None
        received: list[Received] = []
        try:
            self._read(data, received)
        except WebSocketProtocolError as violation:
            received.append(violation)
        except UnicodeDecodeError:
            received.append(WebSocketProtocolError(INVALID_DATA, NOT_UTF_8))
        return received

    def _read(self, data: bytes, received: list[Received]) -> None:
        """Read all complete frames in the data."""
        at, end, quick = 0, len(data), self._quick
        while at < end:
            # Fast path for the common case, a short final text frame.
            start = at + 6
            if start <= end and data[at] == FINAL_TEXT and MASKED <= data[at + 1] <= quick and not self._opcode:
                stop = start + data[at + 1] - MASKED
                if stop > end:
                    self._needed = stop - at
                    break
                received.append(self._unmask(data[at + 2 : start], data[start:stop]).decode())
                at = stop
                continue
            stop = self._read_frame(data, at, received)
            if stop == at:
                break
            at = stop
        if at < end:
            self._rest = bytearray(data[at:])

    def _read_frame(self, data: bytes, at: int, received: list[Received]) -> int:
        """Read one frame; return its end, or its start if incomplete."""
        self._needed = 0
        if len(data) - at < 2:
            return at
        head, second = data[at], data[at + 1]
        self._check_head(head, second)
        length, start = second & LENGTH, at + 2
        if length >= 126:
            width = 2 if length == 126 else 8
            start += width
            if len(data) < start:
                return at
            length = int.from_bytes(data[at + 2 : start], "big")
        if self._size + length > self._max_size and not head & CONTROL:
            raise WebSocketProtocolError(TOO_BIG, f"a message of more than {self._max_size} bytes")
        start, stop = start + 4, start + 4 + length
        if len(data) < stop:
            self._needed = stop - at
            return at
        payload = self._unmask(data[start - 4 : start], data[start:stop])
        if head & CONTROL:
            received.append(Control(head & OPCODE, payload))
        else:
            self._take(head, payload, received)
        return stop

    def _check_head(self, head: int, second: int) -> None:
        opcode = head & OPCODE
        if head & RESERVED and not (
            head & RESERVED == COMPRESSED and self._inflate is not None and opcode in (TEXT, BINARY)
        ):
            raise WebSocketProtocolError(
                PROTOCOL_ERROR, "a reserved bit, and no extension that gives it a meaning (§5.2)"
            )
        if not second & MASKED:
            raise WebSocketProtocolError(PROTOCOL_ERROR, "a frame without a mask (§5.1)")
        if opcode & CONTROL:
            if opcode > PONG:
                raise WebSocketProtocolError(PROTOCOL_ERROR, f"the reserved opcode {opcode} (§5.2)")
            if not head & FINAL or second & LENGTH > 125:
                raise WebSocketProtocolError(
                    PROTOCOL_ERROR, "a control frame in fragments, or of more than 125 bytes (§5.5)"
                )
        elif opcode > BINARY:
            raise WebSocketProtocolError(PROTOCOL_ERROR, f"the reserved opcode {opcode} (§5.2)")
        elif (opcode == CONTINUATION) != bool(self._opcode):
            raise WebSocketProtocolError(
                PROTOCOL_ERROR, "a continuation of nothing, or a message within another (§5.4)"
            )

    def _take(self, head: int, payload: bytes, received: list[Received]) -> None:
        """Handle a data frame, which may be a fragment."""
        opcode = head & OPCODE or self._opcode
        if head & OPCODE:
            self._compressed = bool(head & COMPRESSED)
        if not head & FINAL:
            self._opcode = opcode
            self._size += len(payload)
            self._fragments = self._fragments or []
            self._fragments.append(payload)
            if len(self._fragments) > MAX_FRAGMENTS:
                raise WebSocketProtocolError(TOO_BIG, f"a message in more than {MAX_FRAGMENTS} fragments")
            return
        if self._fragments is not None:
            payload = b"".join([*self._fragments, payload])
            self._opcode, self._size, self._fragments = 0, 0, None
        if self._compressed and self._inflate is not None:
            payload = self._inflate(payload, self._max_size)
        received.append(_text(payload) if opcode == TEXT else payload)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise WebSocketProtocolError(INVALID_DATA, NOT_UTF_8) from None


def read_close(data: bytes) -> int | None:
    """Return the code of a CLOSE frame; None if it has none.

    Raises WebSocketProtocolError for a code that is not allowed (§7.4).
    """
    if not data:
        return None
    code = int.from_bytes(data[:2], "big")
    if len(data) == 1 or not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise WebSocketProtocolError(PROTOCOL_ERROR, f"the close code {code} (§7.4)")
    _text(data[2:])
    return code


def control_frame(opcode: int, data: bytes) -> bytes:
    """Return an unmasked control frame (§5.5); data: at most 125 bytes."""
    return bytes((FINAL | opcode, len(data))) + data
