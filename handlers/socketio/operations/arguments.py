"""Checks of the arguments of `serve`, with what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from difflib import get_close_matches
from inspect import signature
from math import isfinite
from os import PathLike
from typing import Any

from tornado.web import Application

from .. import Hub

ELSEWHERE = {
    "origins": "routes(hub, origins=…)",
    "path": "routes(hub, path=…)",
    "ssl_options": "certfile=… and keyfile=…",
    "xheaders": "trust_proxy=True",
    "host": "address=…",
    "debug": "Application(…, debug=True)",
    "autoreload": "Application(…, autoreload=True)",
    "addresses": "admin(hub, addresses)",
}
"""Where options stand that are looked for in `serve`, some by Tornado's names."""


def check_objects(app: Any, hub: Any, lifespan: Any) -> None:
    """Raise TypeError or ValueError for objects that cannot be served."""
    if not isinstance(app, Application):
        raise TypeError(f"serve needs an Application, got {app!r:.80}: write serve(Application([…]), hub, port=3000)")
    if not isinstance(hub, Hub):
        raise TypeError(f"serve needs the application's Hub, got {hub!r:.80}: write serve(app, hub, port=3000)")
    if not hub.is_routed:
        raise ValueError("no rules lead to the hub: write Application([…, *routes(hub)])")
    if lifespan is not None and not isinstance(lifespan, AbstractAsyncContextManager):
        raise TypeError(
            f"lifespan must be an asynchronous context manager, got {lifespan!r:.80}: "
            "write a function with @asynccontextmanager, and call it"
        )


def refuse_unknown(serve: Callable[..., Any], given: Iterable[str]) -> None:
    """Raise TypeError for options that `serve` does not have."""
    names = [name for name, p in signature(serve).parameters.items() if name == "port" or p.default is not p.empty]
    for name in given:
        likely = get_close_matches(name.lower(), names, 1)
        hint = f"did you mean {likely[0]!r}?" if likely else f"it has {', '.join(names)}"
        hint = f"write {ELSEWHERE[name]}" if name in ELSEWHERE else hint
        raise TypeError(f"serve has no option {name!r}: {hint}")


def check_numbers(port: Any, drain: Any, max_body_size: Any) -> None:
    """Raise TypeError or ValueError for numbers that cannot be."""
    _check_whole("port", port, 0, 65535)
    _check_seconds("drain", drain)
    _check_whole("max_body_size", max_body_size, 1)


def _check_whole(name: str, value: Any, least: int, most: float = float("inf")) -> None:
    described = f"{name} must be a whole number {_range(least, most)}, got {value!r:.80}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(described + _suggest(name, value, "[0-9]+"))
    if not least <= value <= most:
        raise ValueError(described)


def _check_seconds(name: str, value: Any) -> None:
    described = f"{name} must be a number of seconds, 0 or more, got {value!r:.80}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(described + _suggest(name, value, r"[0-9]+(\.[0-9]+)?"))
    if not (isfinite(value) and value >= 0):
        raise ValueError(described)


def check_texts(**values: Any) -> None:
    """Raise TypeError for values that are neither texts, paths nor None."""
    for name, value in values.items():
        if value is not None and not isinstance(value, (str, PathLike)):
            raise TypeError(f"{name} must be a text, got {value!r:.80}: write {name}={str(value)[:80]!r}")


def check_flag(name: str, value: Any) -> None:
    """Raise TypeError for what is neither True nor False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r:.80}")


def _range(least: int, most: float) -> str:
    return f"from {least} to {most}" if isfinite(most) else f"of {least} or more"


def _suggest(name: str, value: Any, number: str) -> str:
    written = isinstance(value, str) and re.fullmatch(number, value.strip())
    return f": write {name}={value.strip()}" if written else ""
