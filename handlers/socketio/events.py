"""Which events a handler class answers: a table of its methods, by the name of the event.

A client can name only what stands in the table: a hook, a helper or anything private is never called from outside.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cached_property, partialmethod
from types import FunctionType
from typing import Any, NamedTuple, TypeVar

from .message import RESERVED_EVENTS

Function = TypeVar("Function", bound=Callable[..., Any])

HOOKS = ("authenticate", "on_connect", "before_event", "on_any", "on_disconnecting", "on_disconnect")
"""Methods that the server calls of itself."""
_MARK = "_socketio_event"
_DEFAULT = "_socketio_default"
_BOUND_KINDS = (staticmethod, classmethod, partialmethod)
_NO_METHODS = (property, cached_property, type)


def event(name: str) -> Callable[[Function], Function]:
    """Mark the method that answers an event: `@event("chat message")`.

    A method `on_<name>` needs no mark. Raises ValueError for a name that the protocol reserves.
    """
    if name in RESERVED_EVENTS:
        raise ValueError(f"{name!r} is an event of the protocol's own: choose another name")

    def mark(function: Function) -> Function:
        setattr(function, _MARK, name)
        return function

    return mark


def default_hook(function: Function) -> Function:
    """Mark a hook that does nothing, so that it need not be called."""
    setattr(function, _DEFAULT, True)
    return function


class EventMethod(NamedTuple):
    """The method that answers an event, and how many arguments it takes."""

    name: str
    """Class and method, for the log."""
    function: Callable[..., Any]
    """Called with the handler, then the arguments."""
    min_args: int = 0
    max_args: float = float("inf")

    def fits(self, number: int) -> bool:
        """Whether the method can be called with as many arguments."""
        return self.min_args <= number <= self.max_args

    @property
    def arity(self) -> str:
        """The numbers of arguments it takes, in words."""
        if self.max_args == float("inf"):
            return f"{self.min_args} or more arguments"
        if self.min_args != self.max_args:
            return f"{self.min_args} to {self.max_args:g} arguments"
        return {0: "no argument", 1: "1 argument"}.get(self.min_args, f"{self.min_args} arguments")


class _Found(NamedTuple):
    """A method, and how it is noticed that the class has another one in its place."""

    attribute: str
    raw: FunctionType | None
    """What each look-up of the class returns; None where every look-up returns another object."""
    method: EventMethod


class EventTable:
    """The events and hooks of one handler class. Raises TypeError where it declares one that cannot be called.

    The class may change later, by a decorator or an assignment: the table follows.
    """

    def __init__(self, handler: type) -> None:
        self._handler = handler
        self._scan()

    def __iter__(self) -> Iterator[str]:
        return iter(self._events)

    def find(self, event: str) -> EventMethod | None:
        """Return what answers an event; None where the class has no method for it."""
        found = self._events.get(event)
        if found is None:
            if self._count_attributes() == self._scanned:
                return None
        elif found.raw is None or getattr(self._handler, found.attribute, None) is found.raw:
            return found.method
        self._scan()
        found = self._events.get(event)
        return None if found is None else found.method

    def hook(self, name: str) -> EventMethod:
        """Return one of HOOKS."""
        found = self._hooks[name]
        if found.raw is not None and getattr(self._handler, name, None) is not found.raw:
            self._scan()
            found = self._hooks[name]
        return found.method

    def overrides(self, name: str) -> bool:
        """Whether the class has a hook of its own."""
        return not getattr(self.hook(name).function, _DEFAULT, False)

    def _count_attributes(self) -> int:
        # A method that is assigned later adds one. Unknown events come from clients: this has to be cheap.
        return sum(len(vars(base)) for base in self._handler.__mro__)

    def _scan(self) -> None:
        self._scanned = self._count_attributes()
        self._events: dict[str, _Found] = {}
        self._hooks = {name: self._find(name, inspect.getattr_static(self._handler, name)) for name in HOOKS}
        for attribute in dir(self._handler):
            raw = inspect.getattr_static(self._handler, attribute)
            name = _event_name(attribute, raw)
            if name is not None:
                self._events[name] = self._find(attribute, raw)

    def _find(self, attribute: str, raw: object) -> _Found:
        plain = raw if isinstance(raw, FunctionType) else None
        return _Found(attribute, plain, _make_method(self._handler, attribute, raw))


def _event_name(attribute: str, raw: object) -> str | None:
    for marked in (raw, getattr(raw, "__func__", None), getattr(raw, "func", None)):
        mark = getattr(marked, _MARK, None)
        if isinstance(mark, str):
            return mark
    if not attribute.startswith("on_") or attribute in HOOKS:
        return None
    is_data = not callable(raw) and not isinstance(raw, (*_BOUND_KINDS, *_NO_METHODS))
    return None if is_data else attribute.removeprefix("on_")


def _make_method(handler: type, attribute: str, raw: object) -> EventMethod:
    name = f"{handler.__name__}.{attribute}"
    if isinstance(raw, FunctionType):
        return EventMethod(name, raw, *_count_arguments(raw, name, bound=False))
    get = getattr(type(raw), "__get__", None)
    bound = raw if get is None or isinstance(raw, _NO_METHODS) else get(raw, object(), handler)
    if isinstance(raw, _NO_METHODS) or not callable(bound):
        raise TypeError(
            f"{name} is a {type(raw).__name__}, which cannot answer an event: write a method, "
            f"`def {attribute}(self, data)`, or choose a name that does not begin with on_"
        )

    def call(self: object, *args: Any) -> Any:
        return (bound if get is None else get(raw, self, type(self)))(*args)

    return EventMethod(name, call, *_count_arguments(bound, name, bound=True))


def _count_arguments(function: Any, name: str, *, bound: bool) -> tuple[int, float]:
    """Return how many arguments may come, by the signature of the wrapper that is called."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{name} has a `yield`, and an event has one answer: return a list instead")
    try:
        parameters = list(inspect.signature(function, follow_wrapped=False).parameters.values())
    except ValueError:
        return 0, float("inf")
    if any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters):
        raise TypeError(f"{name} needs an argument by its name, and events bring theirs by position: remove the `*`")
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    starred = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if not bound:
        if not positional and not starred:
            raise TypeError(f"{name} takes no argument: write `self` as its first")
        positional = positional[1:]
    min_args = sum(p.default is p.empty for p in positional)
    return min_args, float("inf") if starred else len(positional)
