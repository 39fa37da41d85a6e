"""Which part of a value has no JSON form, in words for whoever tried to send it."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

DEEP = 200
"""How deep arrays and objects of a message may nest that is sent. What nests deeper may contain itself."""
ARGUMENTS = 2
"""How deep an argument is that is an array or an object: it is within the array of the message."""


def find_culprit(args: list[Any]) -> str:
    """Return the path to the first part of an event's arguments that cannot be encoded, and what it is."""
    for number, value in enumerate(args):
        for fault in _faults(value, f"args[{number}]", ARGUMENTS):
            return fault
    return "the arguments cannot be encoded"


def find_placeholder(args: Any, path: str = "args") -> str | None:
    """Return the path to the first object that a decoder would take for the placeholder of an attachment."""
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
    """Whether arrays and objects nest deeper than this."""
    level = [value]
    for _ in range(depth):
        containers = [part for part in level if isinstance(part, (list, tuple, dict))]
        level = [item for part in containers for item in (part.values() if isinstance(part, dict) else part)]
    return any(isinstance(part, (list, tuple, dict)) for part in level)


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
        yield f"{path} is of the type {type(value).__name__}, which has no JSON form: {value!r:.80}"
