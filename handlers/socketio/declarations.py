"""Checks of a hub's namespaces and options, with what to write instead."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

MAX_NAME = 200
"""How many characters the name of a namespace may have; a longer one is refused, and not remembered."""

ELSEWHERE = {
    "origins": 'routes(hub, origins=["https://…"])',
    "cors_allowed_origins": 'routes(hub, origins=["https://…"])',
    "cors": 'routes(hub, origins=["https://…"])',
    "path": 'routes(hub, path="/…/")',
    "trust_proxy": "routes(hub, trust_proxy=True)",
    "max_http_buffer_size": "Hub(max_payload=…)",
    "async_mode": "Hub(…) without it, and routes(hub) in a Tornado application",
    "client_manager": "Hub(…) without it: one process serves a hub",
    "namespace": 'event_stream(hub, namespace="/…")',
}
"""Where options stand that are looked for in the wrong place, some by their names in python-socketio and Node."""


def refuse_unknown(function: Callable[..., Any], given: Mapping[str, object]) -> None:
    """Raise TypeError for options that a function or class does not have."""
    known = [name for name, p in inspect.signature(function).parameters.items() if p.kind is p.KEYWORD_ONLY]
    for name in given:
        described = f"{function.__name__} has no option {name!r}"
        likely = get_close_matches(name.lower(), known, 1)
        place = ELSEWHERE.get(name, "")
        if place and not place.startswith(function.__name__ + "(hub"):
            raise TypeError(f"{described}: write {place}")
        raise TypeError(f"{described}: " + (f"did you mean {likely[0]!r}?" if likely else f"it has {', '.join(known)}"))


def check_handlers(handlers: Any, base: type) -> None:
    """Raise TypeError or ValueError for namespaces that no client could join."""
    if not isinstance(handlers, Mapping):
        name = getattr(handlers, "__name__", "BoardHandler")
        raise TypeError(f'Hub needs handler classes by namespace, got {handlers!r:.80}: write Hub({{"/": {name}}})')
    for name, handler in handlers.items():
        if isinstance(name, re.Pattern):
            _check_pattern(name)
        else:
            _check_name(name)
        if not isinstance(handler, type) or not issubclass(handler, base):
            called = handler.__name__ if isinstance(handler, type) else "BoardHandler"
            raise TypeError(
                f"the handler of {name_of(name)!r} must be a subclass of SocketIOHandler, got {handler!r:.80}: "
                f"write class {called}(SocketIOHandler)"
            )


def _check_name(name: Any) -> None:
    described = f"the name of a namespace must be a text that begins with /, got {name!r:.80}"
    if not isinstance(name, str):
        raise TypeError(f'{described}: write "/", or a re.compile(…)')
    if not name.startswith("/"):
        raise ValueError(f'{described}: write "/{name:.80}"')
    if len(name) > MAX_NAME:
        raise ValueError(f"the name of a namespace has {MAX_NAME} characters at most, and {name[:20]!r}… {len(name)}")
    for character in ",?":
        if character in name:
            raise ValueError(f"no client can join {name!r:.80}: leave out the {character!r}")


def _check_pattern(pattern: re.Pattern[Any]) -> None:
    text = pattern.pattern
    if not isinstance(text, str):
        raise TypeError(f"the names of namespaces are texts, and {pattern!r:.80} fits bytes: write re.compile(r'/…')")
    if re.match(r"\^?\w", text):
        raise ValueError(f"{pattern!r:.80} fits no namespace, since their names begin with /: write re.compile(r'/…')")


def name_of(declared: str | re.Pattern[str]) -> str:
    """Return a declared namespace as text: its name, or its expression."""
    return declared if isinstance(declared, str) else declared.pattern
