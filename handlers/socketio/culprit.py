"""Which part of a value has no JSON form, in words for whoever tried to send it."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

DEEP = 200
"""Beyond this depth a value is called too deep, or one that contains itself."""


def find_culprit(args: list[Any]) -> str:
    """Return the path to the first part of an event's arguments that cannot be encoded, and what it is."""
    for number, value in enumerate(args):
        for fault in _faults(value, f"args[{number}]", 0):
            return fault
    return "the arguments cannot be encoded"


def _faults(value: Any, path: str, depth: int) -> Iterator[str]:
    if depth > DEEP:
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
        yield f"{path} is of the type {type(value).__name__}, which has no JSON form: {value!r:.80}"
