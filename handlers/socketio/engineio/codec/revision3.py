"""Engine.IO v3 packets, as clients of Socket.IO 1 and 2 speak them.

Texts are those of revision 4. What differs: bytes have the type of their packet before them, and a payload has the
length of each packet instead of separators.

Source: Engine.IO protocol, revision 3, "Encoding".
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator

from ..errors import ProtocolError
from . import packet as revision4
from .packet import MESSAGE, Packet

MAX_DIGITS = 10
"""Maximum digits of a length in a payload."""
_BINARY_MESSAGE = bytes([MESSAGE])
_TEXT, _BINARY, _END = 0, 1, 255
"""What begins a packet in a binary payload, and what ends its length."""


def encode_bytes(data: bytes) -> bytes:
    """Return the WebSocket message of a binary packet."""
    return _BINARY_MESSAGE + data


def encode_base64(data: bytes) -> str:
    """Return a binary packet as text."""
    return f"b{MESSAGE.value}{base64.b64encode(data).decode('ascii')}"


def decode(data: str | bytes) -> Packet:
    """Decode one packet. Raises ProtocolError if it is none."""
    if isinstance(data, bytes):
        if not data.startswith(_BINARY_MESSAGE):
            raise ProtocolError(f"a binary packet that is no message: {data[:20]!r}")
        return Packet(MESSAGE, data[1:])
    if not data.startswith("b"):
        return revision4.decode(data)
    if data[1:2] != str(MESSAGE.value):
        raise ProtocolError(f"base64 that is no message: {data[:80]!r}")
    return revision4.decode("b" + data[2:])


# -- payloads


def encode_payload(packets: Iterable[Packet]) -> str:
    """Encode packets as a text, `<length>:<packet>` each.

    The length is in UTF-16 units, as JavaScript counts.
    """
    texts = [_encode_text(packet) for packet in packets]
    return "".join([f"{_utf_16_length(text)}:{text}" for text in texts])


def encode_binary_payload(packets: Iterable[Packet]) -> bytes:
    """Encode packets as bytes.

    For each its kind, the digits of its length, 255, and the packet.
    """
    return b"".join(map(_encode_binary, packets))


def _encode_binary(packet: Packet) -> bytes:
    if isinstance(packet.data, bytes):
        kind, body = _BINARY, encode_bytes(packet.data)
    else:
        kind, body = _TEXT, _encode_text(packet).encode()
    return bytes([kind, *map(int, str(len(body))), _END]) + body


def _encode_text(packet: Packet) -> str:
    return encode_base64(packet.data) if isinstance(packet.data, bytes) else revision4.encode_text(packet)


def _utf_16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def decode_payload(payload: bytes) -> Iterator[Packet]:
    """Decode the packets of a body, text or binary, one by one.

    Raises ProtocolError if it is neither.
    """
    return _decode_binary_payload(payload) if payload[:1] in (b"\0", b"\1") else _decode_text_payload(payload)


def _decode_text_payload(payload: bytes) -> Iterator[Packet]:
    try:
        units = payload.decode().encode("utf-16-le")
    except UnicodeDecodeError as error:
        raise ProtocolError(f"a body that is not UTF-8: {error}") from None
    colon, start = ":".encode("utf-16-le"), 0
    if not units:
        raise ProtocolError("an empty body")
    while start < len(units):
        digits, found, _ = units[start : start + 2 * MAX_DIGITS + 2].decode("utf-16-le", "replace").partition(":")
        if not found or not (digits.isascii() and digits.isdigit()):
            raise ProtocolError(f"a packet without its length: {payload[:80]!r}")
        start += 2 * len(digits) + len(colon)
        end = start + 2 * int(digits)
        yield _decode_part(units[start:end], "utf-16-le", end - start)
        start = end


def _decode_binary_payload(payload: bytes) -> Iterator[Packet]:
    start = 0
    while start < len(payload):
        kind, end_of_length = payload[start], payload.find(_END, start + 1, start + MAX_DIGITS + 2)
        digits = payload[start + 1 : end_of_length]
        if kind not in (_TEXT, _BINARY) or end_of_length < 0 or not digits or max(digits) > 9:
            raise ProtocolError(f"a packet without its length: {payload[start : start + 20]!r}")
        size = int("".join(map(str, digits)))
        start = end_of_length + 1 + size
        body = payload[end_of_length + 1 : start]
        yield decode(body) if kind == _BINARY and len(body) == size else _decode_part(body, "utf-8", size)


def _decode_part(body: bytes, encoding: str, size: int) -> Packet:
    if len(body) != size:
        raise ProtocolError(f"a packet shorter than its length: {body[:80]!r}")
    try:
        return decode(body.decode(encoding))
    except UnicodeDecodeError as error:
        raise ProtocolError(f"a packet with half a character: {error}") from None
