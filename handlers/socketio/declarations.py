"""Checks of namespaces, options and handler classes, with what to write instead."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from types import FunctionType
from typing import Any

from .descriptors import Fixed
from .engineio.declared import check_number
from .events import mark_of
from .methods import HOOKS, make_method

logger = logging.getLogger(__name__)

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
    "cookies": 'headers={"Cookie": "name=value"}, where a test connects',
    "namespace": 'event_stream(hub, namespace="/…")',
}
"""Where options stand that are looked for in the wrong place, some by their names in python-socketio and Node."""

CONNECTED = "on_connect(self)"
LEFT = "on_disconnect(self, reason)"
ADMITTED = "authenticate(self, auth)"
LIFECYCLE = {
    "check_origin": 'routes(hub, origins=["https://…"])',
    "connect": CONNECTED,
    "initialize": "__init__(self)",
    "on_auth": ADMITTED,
    "on_authenticate": ADMITTED,
    "on_close": LEFT,
    "on_connected": CONNECTED,
    "on_connection": CONNECTED,
    "on_connection_close": LEFT,
    "on_disconnected": LEFT,
    "on_disconnection": LEFT,
    "on_event": "on_any(self, event, *args)",
    "on_finish": LEFT,
    "on_open": CONNECTED,
    "open": CONNECTED,
    "prepare": ADMITTED,
}
"""Methods that other libraries call of themselves, Tornado and sockjs-tornado included, and what is called here."""


def refuse_unknown(function: Callable[..., Any], given: Mapping[str, object]) -> None:
    """Raise TypeError for options that a function or class does not have."""
    known = [name for name, p in inspect.signature(function).parameters.items() if p.default is not p.empty]
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
    if not handlers:
        raise ValueError('Hub needs a namespace: write Hub({"/": BoardHandler})')
    for name, handler in handlers.items():
        if isinstance(name, re.Pattern):
            _check_pattern(name)
        else:
            check_name(name)
            _refuse_expression(name)
        if not isinstance(handler, type) or not issubclass(handler, base):
            called = handler.__name__ if isinstance(handler, type) else "BoardHandler"
            raise TypeError(
                f"the handler of {name_of(name)!r} must be a subclass of SocketIOHandler, got {handler!r:.80}: "
                f"write class {called}(SocketIOHandler)"
            )


def check_name(name: Any) -> None:
    """Raise TypeError or ValueError for a name that no namespace can have."""
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


def _refuse_expression(name: str) -> None:
    """Raise ValueError for a name that was meant as an expression."""
    if re.search(r"[][\\(){}<>*^$|]", name):
        meant = re.sub(r"<[^>]*>|\{\D[^}]*\}", "([^/]+)", name)
        raise ValueError(f"the namespace {name!r:.80} fits only itself: write re.compile(r'{meant:.80}')")


def _check_pattern(pattern: re.Pattern[Any]) -> None:
    text = pattern.pattern
    if not isinstance(text, str):
        raise TypeError(f"the names of namespaces are texts, and {pattern!r:.80} fits bytes: write re.compile(r'/…')")
    if re.match(r"\^?\w", text):
        raise ValueError(f"{pattern!r:.80} fits no namespace, since their names begin with /: write re.compile(r'/…')")


def name_of(declared: str | re.Pattern[str]) -> str:
    """Return a declared namespace as text: its name, or its expression."""
    return declared if isinstance(declared, str) else declared.pattern


def check_class(handler: Any, base: type) -> None:
    """Raise TypeError for a handler class that cannot work as written.

    base: the class whose attributes it must not hide.
    """
    for name, fixed in vars(base).items():
        if isinstance(fixed, Fixed) and getattr(handler, name) is not fixed:
            hidden = f"{handler.__name__}.{name} hides the library's ({fixed.__doc__})"
            raise TypeError(f"{hidden}: choose another name, such as my_{name}")
    for name in dir(base):
        _check_override(handler, base, name)
    if inspect.iscoroutinefunction(handler.get_current_user):
        described = f"{handler.__name__}.get_current_user is async, and self.current_user cannot wait for it"
        raise TypeError(f"{described}: set self.current_user in authenticate instead")
    _check_init(handler)
    for limit in ("max_rooms", "max_name"):
        check_number(f"{handler.__name__}.{limit}", getattr(handler, limit), limit[4:], zero=True, whole=True)
    names: Any = handler.remembered
    if not isinstance(names, (tuple, list, set, frozenset)) or not all(isinstance(name, str) for name in names):
        described = f"{handler.__name__}.remembered must be the names of attributes, got {names!r:.80}"
        raise TypeError(f'{described}: write remembered = ("name", "color")')


def _check_override(handler: Any, base: type, name: str) -> None:
    """Raise TypeError for a method or property that hides another kind."""
    verb, own = inspect.getattr_static(base, name), inspect.getattr_static(handler, name)
    if own is verb or name.startswith("_") or name in HOOKS:
        return
    if isinstance(verb, FunctionType):
        fits = _may_replace(handler, name, own, make_method(base, name, verb, "").min_args)
    else:
        fits = not isinstance(verb, property) or verb.fset is not None or inspect.isdatadescriptor(own)
    if not fits:
        hint = f"; when a client leaves, {LEFT} is called" if name == "disconnect" else ""
        described = str(verb.__doc__).partition(".")[0]
        hidden = f"{handler.__name__}.{name} hides the library's ({described}), which is used otherwise"
        raise TypeError(f"{hidden}: choose another name, such as my_{name}{hint}")


def _may_replace(handler: type, name: str, own: object, number: int) -> bool:
    """Return whether a method can be called with so many arguments."""
    try:
        method = make_method(handler, name, own, "")
    except TypeError:
        return False
    return mark_of(own) is None and method.min_args <= number <= method.max_args


def warn_of_lifecycle(handler: type, base: type) -> None:
    """Warn of methods that other libraries call, and this one does not."""
    for name, instead in LIFECYCLE.items():
        raw = inspect.getattr_static(handler, name, None)
        is_told = any(issubclass(each, base) and getattr(each, name, None) for each in handler.__bases__)
        if is_told or not callable(getattr(handler, name, None)) or mark_of(raw) is not None:
            continue
        method, event = f"{handler.__name__}.{name}", name.removeprefix("on_")
        if event == name:
            logger.warning("the library never calls %s: write %s, or rename a helper of your own", method, instead)
        else:
            described = "only clients that send %r call %s: write %s, or @event(%r)"
            logger.warning(described, event, method, instead, event)


def _check_init(handler: Any) -> None:
    """Raise TypeError where a handler cannot be made without arguments."""
    init: Any = handler.__init__
    name = f"{handler.__name__}.__init__"
    if inspect.iscoroutinefunction(init):
        raise TypeError(f"{name} is async: write `def __init__(self)`, and wait in authenticate or on_connect")
    with suppress(ValueError):  # what has no signature, of a C type
        try:
            inspect.signature(init).bind(object())
        except TypeError as error:
            raise TypeError(
                f"{name} is called without arguments, and needs some ({error}): write `def __init__(self)`; "
                "what it works with is in self.settings, which are the application's"
            ) from None
