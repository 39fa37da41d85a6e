"""Values as MessagePack, with what JavaScript makes of dates, numbers and keys.

Source: the MessagePack specification; Node's adapters use @msgpack/msgpack and notepack.io.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Any

from ..json_codec import DEEP
from .errors import MalformedError, MissingPackageError

UNDEFINED = 0
"""The extension type of `undefined` in notepack."""
MAX_INTEGER = (1 << 64) - 1
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def msgpack() -> Any:
    """Return the package; raise MissingPackageError if it is not installed."""
    try:
        import msgpack
    except ImportError:
        raise MissingPackageError("a cluster needs msgpack: pip install 'tornado-socketio[redis]'") from None
    return msgpack


def pack(value: Any) -> bytes:
    """Return a value as MessagePack; integers beyond 64 bits as floats."""
    try:
        packed: bytes = msgpack().packb(value, unicode_errors="replace")
    except OverflowError:
        packed = msgpack().packb(_bounded(value), unicode_errors="replace")
    return packed


def unpack(data: bytes) -> Any:
    """Return the value, which has a JSON form except for its bytes.

    Raises MalformedError for anything that is no single value.
    """
    try:
        value = msgpack().unpackb(data, ext_hook=_extension, strict_map_key=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise MalformedError("msgpack", repr(error)) from None
    return _plain(value, 0)


def _extension(code: int, _: bytes) -> None:
    if code != UNDEFINED:
        raise ValueError(f"extension {code}")


def _plain(value: Any, depth: int) -> Any:
    if depth > DEEP:
        raise MalformedError("depth", f"nests deeper than {DEEP}")
    if isinstance(value, dict):
        return {_key(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int, bytes)):
        return value
    return _date(value.seconds, value.nanoseconds)


def _key(key: Any) -> str:
    if isinstance(key, bool) or not isinstance(key, (str, int)):
        raise MalformedError("msgpack", f"the key {key!r}")
    return str(key)


def _date(seconds: int, nanoseconds: int) -> str:
    """Return a date as JavaScript's JSON has it."""
    try:
        date = EPOCH + timedelta(seconds=seconds, milliseconds=nanoseconds // 1_000_000)
    except OverflowError:
        raise MalformedError("msgpack", f"a date {seconds} s from 1970") from None
    return f"{date:%Y-%m-%dT%H:%M:%S}.{date.microsecond // 1000:03d}Z".rjust(24, "0")


def _bounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_bounded(item) for item in value]
    return float(value) if isinstance(value, int) and abs(value) > MAX_INTEGER >> 1 else value
