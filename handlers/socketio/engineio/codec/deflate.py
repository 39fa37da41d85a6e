"""Compression of WebSocket messages, each on its own (RFC 7692).

The server agrees to `server_no_context_takeover; client_no_context_takeover`: no message refers to another, so one
compressed broadcast serves all clients. That compresses less than a shared context, and needs no memory per client.
"""

from __future__ import annotations

import re
import zlib

from .frames import INVALID_DATA, TOO_BIG, WebSocketProtocolError

AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
LEVEL = 6
TAIL = b"\x00\x00\xff\xff"
"""End of a sync flush; it is not sent (§7.2.1)."""

_SMALL_WINDOW = re.compile(r"server_max_window_bits\s*=\s*\"?(8|9|1[0-4])\b", re.IGNORECASE)


def agrees(offers: str) -> bool:
    """Return whether an offer of Sec-WebSocket-Extensions can be accepted.

    Offers that ask for a smaller window of the server cannot (§7.1).
    """
    for offer in offers.split(","):
        if offer.split(";")[0].strip().lower() == "permessage-deflate" and not _SMALL_WINDOW.search(offer):
            return True
    return False


def deflate(message: bytes) -> bytes:
    """Compress one message (§7.2.1)."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return (compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def inflate(data: bytes, max_size: int) -> bytes:
    """Decompress one message (§7.2.2).

    Raises WebSocketProtocolError for invalid data, or more than `max_size` bytes.
    """
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        message = decompressor.decompress(data + TAIL, max_size + 1)
    except zlib.error as error:
        raise WebSocketProtocolError(INVALID_DATA, f"data that cannot be decompressed: {error}") from None
    if len(message) > max_size:
        raise WebSocketProtocolError(TOO_BIG, f"a message of more than {max_size} bytes when decompressed")
    return message
