"""Offsets: the numbers of entries, which rise over all rooms, as text.

An offset is written `<ms>-<seq>`, as the id of an entry of a Redis stream is, because in a cluster it is that id.
Between two entries of the stream a node numbers what only its own clients receive: `<ms>-<seq>-<local>`.

Source: Redis, "Entry IDs"; recovery of Node's socket.io 4.8 takes only the first form.
"""

from __future__ import annotations

import re

SEQUENCE = 1 << 32
"""The distance of two offsets with consecutive sequence numbers: a server alone counts these."""
_MASK = SEQUENCE - 1
ALONE = 1 << 31
"""The local number after which a node has published what the stream has later."""
_TEXT = re.compile(r"([0-9]{1,19})(?:-([0-9]{1,10})(?:-([0-9]{1,10}))?)?")


def first_offset(milliseconds: int) -> int:
    """Return the first offset of a server that starts at this time."""
    return milliseconds << 64


def write_offset(offset: int) -> str:
    """Return an offset as text."""
    local = offset & _MASK
    text = f"{offset >> 64}-{offset >> 32 & _MASK}"
    return f"{text}-{local}" if local else text


def read_offset(text: object) -> int:
    """Return the offset of a text; 0 for anything else.

    A number alone is an offset of version 1 of this server, which is lower than all of today's.
    """
    match = _TEXT.fullmatch(text) if isinstance(text, str) and text.isascii() else None
    if match is None:
        return 0
    milliseconds, sequence, local = (int(part or 0) for part in match.groups())
    if match[2] is None:
        return migrate_offset(milliseconds)
    return milliseconds << 64 | min(sequence, _MASK) << 32 | min(local, _MASK)


def migrate_offset(number: int) -> int:
    """Return the offset for a number of version 1."""
    return number << 32


def place_in_stream(offset: int) -> int:
    """Return the last entry of the stream up to an offset.

    Return 0 where that entry is not all that this node has published of the stream.
    """
    local = offset & _MASK
    return 0 if local > ALONE else offset - local
