"""JSON of messages: strict, bounded, with bytes as attachments.

For a value that has no JSON form, `describe_unencodable` tells the programmer which part that is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from math import isfinite
from typing import Any, NoReturn

from .engineio.errors import ProtocolError

Default = Callable[[Any], Any]
"""Returns for a value that has no JSON form one that has."""
DEEP = 200
"""Maximum depth of arrays and objects in a message that is sent; deeper data may contain itself."""
ARGUMENTS = 2
"""Depth of an argument that is an array or an object, because it is in the array of the message."""


def check_default(default: Default | None) -> Default | None:
    """Return the function, or None; raise TypeError for anything else."""
    if default is not None and not callable(default):
        raise TypeError(f"json_default must be a function, got {default!r:.80}: write json_default=str")
    return default


def describe_unencodable(args: list[Any]) -> str:
    """Return a text that names the first part without JSON form."""
    for number, value in enumerate(args):
        for fault in _faults(value, f"args[{number}]", ARGUMENTS):
            return fault
    return "the arguments cannot be encoded"


def find_placeholder(args: Any, path: str = "args") -> str | None:
    """Return the path of the first object like an attachment's placeholder."""
    if isinstance(args, dict):
        if args.get("_placeholder") is True:
            return path
        items = ((repr(key)[:80], item) for key, item in args.items())
    elif isinstance(args, (list, tuple)):
        items = ((str(index), item) for index, item in enumerate(args))
    else:
        return None
    found = (find_placeholder(item, f"{path}[{key}]") for key, item in items)
    return next((place for place in found if place is not None), None)


def nests_deeper(value: Any, depth: int) -> bool:
    """Return whether arrays and objects nest deeper than `depth`."""
    level = [value]
    for _ in range(depth):
        containers = [part for part in level if isinstance(part, (list, tuple, dict))]
        level = [item for part in containers for item in (part.values() if isinstance(part, dict) else part)]
    return any(isinstance(part, (list, tuple, dict)) for part in level)


def replace_unencodable(value: Any, default: Default, depth: int = 0) -> Any:
    """Return data with values without JSON form replaced by `default`'s results.

    Raises TypeError with the value for which `default` fails, ValueError where data nests too deep.
    """
    if depth > DEEP:
        raise ValueError(
            f"the data nests deeper than {DEEP}, contains itself, or json_default returns what it is given"
        )
    if isinstance(value, dict):
        return {key: replace_unencodable(item, default, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [replace_unencodable(item, default, depth + 1) for item in value]
    if value is None or isinstance(value, (str, int, float, bytes, bytearray, memoryview)):
        return value
    try:
        replaced = default(value)
    except Exception as error:
        kind = type(value).__name__
        raise TypeError(f"json_default raised {error!r:.80} for a value of the type {kind}: {value!r:.80}") from error
    return replace_unencodable(replaced, default, depth + 1)


def _faults(value: Any, path: str, depth: int) -> Iterator[str]:
    if depth > DEEP and isinstance(value, (list, tuple, dict)):
        yield f"{path[:80]}… nests deeper than {DEEP}, or contains itself"
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, (str, int, float, bool, type(None))):
                yield f"{path} has the key {key!r:.80}, a {type(key).__name__}: JSON has only texts for keys"
            yield from _faults(item, f"{path}[{key!r:.80}]", depth + 1)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _faults(item, f"{path}[{index}]", depth + 1)
    elif isinstance(value, float):
        if not isfinite(value):
            yield f"{path} is {value}, which JSON does not have: it makes JavaScript clients reconnect for ever"
    elif not isinstance(value, (str, int, bytes, bytearray, memoryview, type(None))):
        described = f"{path} is of the type {type(value).__name__}, which has no JSON form: {value!r:.80}"
        yield f"{described} (Hub(json_default=…) may return one)"


MAX_DEPTH = 100
"""Maximum depth of arrays and objects in a received message. It is less than DEEP, so that handlers can send received
data on within other data."""


MAX_DIGITS = 4301
"""Maximum characters of a number with a point; Python itself limits integers to 4,300 digits."""


def dump(data: Any, attachments: list[bytes]) -> str:
    """Return data as JSON.

    Append its bytes to `attachments`, with placeholders for them.
    """
    try:
        text = "".join(_encode_plain(data, 0))
    except _BytesFoundError:
        text = "".join(_encoder(_Detacher(attachments))(data, 0))
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            # Half of a surrogate pair has no UTF-8; JSON can escape it, as JavaScript does.
            return _escape_surrogates(text)
    return text


class _BytesFoundError(Exception):
    """The data has bytes, so it is not plain JSON."""


class _Detacher:
    """Moves the bytes of one message to its attachments."""

    def __init__(self, attachments: list[bytes]) -> None:
        self._attachments = attachments

    def __call__(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError(type(value).__name__)
        self._attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(self._attachments) - 1}


def _no_bytes(value: Any) -> NoReturn:
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise _BytesFoundError
    raise TypeError(type(value).__name__)


def _encoder(default: Callable[[Any], Any]) -> Callable[[Any, int], Iterable[str]]:
    """Return a function of data and its indentation: to parts of JSON."""
    if c_make_encoder is None:
        encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=default)
        return lambda data, _: encoder.encode(data)
    # A JSONEncoder would make this object for each call, which takes longer than encoding a short message.
    encode: Callable[[Any, int], Iterable[str]]
    encode = c_make_encoder(None, default, encode_basestring, None, ":", ",", False, False, False)
    return encode


def _escape_surrogates(text: str) -> str:
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


_encode_plain = _encoder(_no_bytes)


_NESTING = re.compile(r'"(?:[^"\\]+|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def load(text: str, start: int, max_depth: int) -> Any:
    """Return the JSON value that begins at `start`.

    Raises ProtocolError if it is not JSON, or nests deeper than `max_depth`.
    """
    if len(text) > max_depth:
        _check_depth(text, max_depth)
    try:
        data, end = _scan(text, start)
    except StopIteration:
        raise ProtocolError(f"JSON expected: {text[:80]!r}") from None
    except ValueError as error:
        raise ProtocolError(f"bad JSON, {error}: {text[:80]!r}") from None
    if end != len(text) and not text[end:].isspace():
        raise ProtocolError(f"text after the JSON: {text[end : end + 80]!r}")
    if data is None:
        raise ProtocolError("array or object expected, got null")
    return data


def read_value(text: str, start: int, max_depth: int) -> tuple[Any, int]:
    """Return the JSON value that begins at `start`, and where it ends.

    Raises ProtocolError if it is not JSON, or the text nests deeper than `max_depth`.
    """
    if len(text) > max_depth:
        _check_depth(text, max_depth)
    try:
        value: tuple[Any, int] = _scan(text, start)
    except (StopIteration, ValueError) as error:
        raise ProtocolError(f"bad JSON, {error!r:.80}: {text[start : start + 80]!r}") from None
    return value


def _check_depth(text: str, max_depth: int) -> None:
    if text.count("[") + text.count("{") <= max_depth:
        return
    depth = 0
    for token in _NESTING.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > max_depth:
                raise ProtocolError(f"nested deeper than {max_depth}")
        elif token[0] in "]}":
            depth -= 1


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


_scan = json.JSONDecoder(parse_constant=_not_json, parse_float=_finite).scan_once  # type: ignore[attr-defined]
