"""Engine.IO v4 packets, and their encoding for each transport.

Pure functions on values: a packet is encoded as text for a poll or as a finished frame for a WebSocket, and decoded
from either. Invalid data raises ProtocolError.

Source: Engine.IO protocol, revision 4, "Packet encoding"; RFC 6455, section 5.2, for the frame.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from ..errors import ProtocolError

EncodeBytes = Callable[[bytes], "str | bytes"]
"""Returns the WebSocket message of a binary packet."""
SEPARATOR = "\x1e"
"""Separates the packets of one payload."""


class PacketType(IntEnum):
    """Type of a packet: the first digit of its text."""

    OPEN = 0
    CLOSE = 1
    PING = 2
    PONG = 3
    MESSAGE = 4
    UPGRADE = 5
    NOOP = 6


make = tuple.__new__
"""Makes a named tuple from its fields in half the time of its constructor; for the hot path."""

MESSAGE = PacketType.MESSAGE
"""Module constant for the hot path, because looking up a member of an enum class takes longer than comparing it."""


class Packet(NamedTuple):
    """One Engine.IO packet. `data` is bytes only for a binary MESSAGE."""

    type: PacketType
    data: str | bytes = ""

    def __str__(self) -> str:
        if isinstance(self.data, bytes):
            return f"{self.type.name} {len(self.data)} bytes"
        return f"{self.type.name} {self.data[:80]!r}" if self.data else self.type.name


_TYPES = {str(type_.value): type_ for type_ in PacketType}
_DIGITS = {type_: digit for digit, type_ in _TYPES.items()}


def decode(data: str | bytes) -> Packet:
    """Decode one packet of either transport.

    Bytes of a binary message, or a text with a type digit.

    Polls, and WebSockets of a client with `forceBase64`, carry binary as `b` and base64.
    """
    if isinstance(data, bytes):
        return Packet(MESSAGE, data)
    type_ = _TYPES.get(data[:1])
    if type_ is not None:
        return Packet(type_, data[1:])
    if not data.startswith("b"):
        raise ProtocolError(f"not an Engine.IO packet: {data[:80]!r}")
    try:
        return Packet(MESSAGE, base64.b64decode(data[1:], validate=True))
    except ValueError:
        raise ProtocolError(f"not base64: {data[:80]!r}") from None


def encode(packet: Packet) -> str | bytes:
    """Encode one packet as a WebSocket message."""
    return packet.data if isinstance(packet.data, bytes) else encode_text(packet)


def encode_text(packet: Packet) -> str:
    """Encode one packet as text; binary as `b` and base64."""
    return encode_base64(packet.data) if isinstance(packet.data, bytes) else _DIGITS[packet.type] + packet.data


def encode_base64(data: bytes) -> str:
    """Return a binary packet as text."""
    return "b" + base64.b64encode(data).decode("ascii")


def decode_payload(payload: bytes) -> Iterator[Packet]:
    """Decode the packets of a POST body, one by one."""
    try:
        items = payload.decode().split(SEPARATOR)
    except UnicodeDecodeError as error:
        raise ProtocolError(f"a body that is not UTF-8: {error}") from None
    yield from map(decode, items)


def encode_payload(packets: Iterable[Packet]) -> str:
    """Encode packets as the body of one poll."""
    return SEPARATOR.join(encode_text(packet) for packet in packets)


def frame(
    packet: Packet, deflate: Callable[[bytes], bytes] | None = None, encode_bytes: EncodeBytes | None = None
) -> bytes:
    """Encode one packet as one unmasked WebSocket frame (RFC 6455 §5.2).

    deflate: compresses the data (RFC 7692 §6: marked by the first reserved bit).
    encode_bytes: returns a text, or other bytes, for the data of a binary packet; by default it is sent as it is.
    """
    type_, data = packet
    if isinstance(data, str):
        opcode, body = 0x81, (_DIGITS[type_] + data).encode()
    else:
        encoded = data if encode_bytes is None else encode_bytes(data)
        opcode, body = (0x81, encoded.encode()) if isinstance(encoded, str) else (0x82, encoded)
    if deflate is not None:
        opcode, body = opcode | 0x40, deflate(body)
    length = len(body)
    if length < 126:
        return bytes((opcode, length)) + body
    if length < 1 << 16:
        return struct.pack("!BBH", opcode, 126, length) + body
    return struct.pack("!BBQ", opcode, 127, length) + body
