"""Places in the stream: ids of its entries as offsets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_ID = re.compile(rb"([0-9]{1,16})-([0-9]{1,9})")

Fields = Mapping[bytes, bytes]
"""The fields of an entry."""


class StreamState(NamedTuple):
    """Offsets of the first and last entry of the stream.

    0 and 0: it is empty.
    """

    first: int
    last: int


def offset_of_id(id_: bytes) -> int:
    """Return the offset of an entry's id; else 0."""
    match = _ID.fullmatch(id_)
    return int(match[1]) << 64 | int(match[2]) << 32 if match else 0
