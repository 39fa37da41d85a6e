"""The events of a handler class.

A table of methods by event name.

A client can name only what stands in the table: a hook, a helper or anything private is never called from outside.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import partialmethod
from itertools import chain
from operator import is_
from typing import Any, NamedTuple, NoReturn, TypeVar

from .message import RESERVED_EVENTS
from .methods import HOOKS, EventMethod, make_method

logger = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])

MAX_LISTED = 10
"""How many events are listed in a message."""
_SEVERAL = "write a method for each, of which one calls the other"
_MARK = "_socketio_event"
_DEFAULT = "_socketio_default"
_BOUND_KINDS = (staticmethod, classmethod, partialmethod)


def event(name: str, *more: NoReturn) -> Callable[[Function], Function]:
    """Mark the method that answers an event: `@event("chat message")`.

    A method `on_<name>` needs no mark. The mark is the outermost decorator. Raises ValueError for a name that the
    protocol reserves, TypeError for one that is no text, for several names, and for an object that cannot be marked.
    """
    if more:
        raise TypeError(f"@event takes one name, got {name!r:.80} and {more!r:.80}: {_SEVERAL}")
    if not isinstance(name, str):
        raise TypeError(f'the name of an event is a text, got {name!r:.80}: write @event("…")')
    if name in RESERVED_EVENTS:
        raise ValueError(f"{name!r} is an event of the protocol's own: choose another name")

    def mark(function: Function) -> Function:
        other = getattr(function, "__dict__", {}).get(_MARK, name)
        if other != name and not hasattr(function, "__wrapped__"):
            raise TypeError(f"{function!r:.80} answers {other!r:.80} already: {_SEVERAL}")
        try:
            setattr(function, _MARK, name)
        except AttributeError:
            raise TypeError(f"{function!r:.80} cannot be marked: write a method that calls it") from None
        return function

    return mark


def default_hook(function: Function) -> Function:
    """Mark a hook that does nothing, to save its call."""
    setattr(function, _DEFAULT, True)
    return function


class _Found(NamedTuple):
    """A method, and a check whether the class has replaced it."""

    attribute: str
    raw: object
    """What the class has under this name, as it was declared."""
    seen: object
    """What each look-up of the class returns; None where every look-up returns another object."""
    method: EventMethod
    is_default: bool
    """Whether it is a hook that does nothing."""


class EventTable:
    """The events and hooks of one handler class.

    The class may change later, by a decorator or an assignment: the table follows. What cannot be called then is an
    error in the log: a hook stays what it was, an event is unknown.
    """

    def __init__(self, handler: type) -> None:
        self._handler = handler
        self._events: dict[str, _Found] = {}
        self._hooks: dict[str, _Found] = {}
        self._declared: list[object] = []
        self._methods: list[object] = []
        self._scan(_raise)

    def __iter__(self) -> Iterator[str]:
        return iter(self._events)

    def find(self, event: str) -> EventMethod | None:
        """Return the method of an event; None if there is none."""
        found = self._events.get(event)
        if found is not None and getattr(self._handler, found.attribute, None) is found.seen:
            return found.method  # the hot path: what `_is_current` says of nearly all
        if not (self._is_scanned() if found is None else self._is_current(found)):
            self._scan(_log)
            found = self._events.get(event)
        return None if found is None else found.method

    def describe_unknown(self, event: str) -> str:
        """Return a hint for the author about an event without method."""
        known = sorted(self._events)
        likely = get_close_matches(_fold(event[:80]), map(_fold, known), 1)
        hint = f": did you mean {next(name for name in known if _fold(name) == likely[0])!r}?" if likely else "."
        listed = ", ".join(known[:MAX_LISTED]) + (", …" if len(known) > MAX_LISTED else "")
        answers = f"It answers {listed}" if known else f"It answers none: write `def on_{event:.40}(self, …)`"
        return f"{self._handler.__name__} has no event {event!r:.80}{hint} {answers}"

    def hook(self, name: str) -> EventMethod:
        """Return one of HOOKS."""
        return self._find_current(name).method

    def own_hook(self, name: str) -> EventMethod | None:
        """Return one of HOOKS if the class has its own, else None."""
        found = self._hooks[name]
        if getattr(self._handler, name, None) is not found.seen:
            found = self._find_current(name)
        return None if found.is_default else found.method

    def _find_current(self, name: str) -> _Found:
        if not self._is_current(self._hooks[name]):
            self._scan(_log)
        return self._hooks[name]

    def _is_current(self, found: _Found) -> bool:
        if found.seen is None:
            return inspect.getattr_static(self._handler, found.attribute, None) is found.raw
        return getattr(self._handler, found.attribute, None) is found.seen

    def _is_scanned(self) -> bool:
        # Unknown events come from clients: this has to be cheap, also where the class counts something.
        declared = _list_declared(self._handler)
        if _are_same(declared, self._declared):
            return True
        self._declared, methods = declared, self._methods
        self._methods = _list_methods(self._handler)
        return _are_same(self._methods, methods)

    def _scan(self, refuse: Callable[[TypeError], None]) -> None:
        self._declared, self._methods = _list_declared(self._handler), _list_methods(self._handler)
        old, self._events = self._hooks, {}
        self._hooks = {name: self._find_hook(name, old.get(name), refuse) for name in HOOKS}
        for attribute in dir(self._handler):
            self._add(attribute, refuse)

    def _find_hook(self, name: str, old: _Found | None, refuse: Callable[[TypeError], None]) -> _Found:
        try:
            return self._find(name, None)
        except TypeError as error:
            refuse(error)
            assert old is not None
            return old._replace(raw=inspect.getattr_static(self._handler, name), seen=None)

    def _add(self, attribute: str, refuse: Callable[[TypeError], None]) -> None:
        name = _event_name(self._handler, attribute)
        if name is None:
            return
        try:
            found = self._find(attribute, name)
            self._check_name(name, found)
        except TypeError as error:
            refuse(error)
        else:
            self._events[name] = found

    def _check_name(self, name: str, found: _Found) -> None:
        if name in RESERVED_EVENTS:
            raise TypeError(
                f"{found.method.name} is never called: {name!r} is an event of the protocol's own. Choose another name"
            )
        other = self._events.get(name)
        if other is not None and other.raw is not found.raw:
            raise TypeError(f"{found.method.name} and {other.method.name} both answer {name!r}: keep one of them")

    def _find(self, attribute: str, event: str | None) -> _Found:
        handler, raw = self._handler, inspect.getattr_static(self._handler, attribute)
        method = make_method(handler, attribute, raw, event)
        seen = getattr(handler, attribute)
        stable = seen if getattr(handler, attribute) is seen else None
        return _Found(attribute, raw, stable, method, getattr(method.function, _DEFAULT, False))


def _fold(event: str) -> str:
    """Return a name without case and punctuation, to find similar names."""
    return "".join(filter(str.isalnum, event)).casefold()


def _list_declared(handler: type) -> list[object]:
    """Return all names of a class and what they stand for."""
    return list(
        chain.from_iterable(part for base in handler.__mro__[:-1] for part in (vars(base), vars(base).values()))
    )


def _list_methods(handler: type) -> list[object]:
    """Return those names, and what they stand for, that may be methods."""
    items = [item for base in handler.__mro__[:-1] for item in vars(base).items()]
    return [each for item in items if _is_callable(item[1]) for each in item]


def _are_same(some: list[object], others: list[object]) -> bool:
    return len(some) == len(others) and all(map(is_, some, others))


def _raise(error: TypeError) -> NoReturn:
    raise error


def _log(error: TypeError) -> None:
    logger.error("%s", error)


def _event_name(handler: type, attribute: str) -> str | None:
    """Return the event of an attribute: by mark, overridden mark, or name."""
    raw = inspect.getattr_static(handler, attribute)
    if not _is_callable(raw):
        return None
    for base in handler.__mro__:
        mark = mark_of(vars(base).get(attribute))
        if mark is not None:
            return mark
    return attribute.removeprefix("on_") if attribute.startswith("on_") and attribute not in HOOKS else None


def _is_callable(raw: object) -> bool:
    """Return whether an attribute is a method, not data."""
    return callable(raw) or hasattr(type(raw), "__get__")


def mark_of(raw: object) -> str | None:
    """Return the event that an attribute is marked for; None without mark."""
    inner = getattr(raw, "__func__", None) or getattr(raw, "func", None) if isinstance(raw, _BOUND_KINDS) else None
    for marked in (raw, inner):
        mark = inspect.getattr_static(marked, _MARK, None)
        if isinstance(mark, str):
            return mark
    return None
