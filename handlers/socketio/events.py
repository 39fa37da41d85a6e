"""Which events a handler answers: the table that its class makes once, when it is declared.

A client can name only what stands in the table: a hook, a helper or anything private is never called from outside.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from .message import RESERVED_EVENTS

Function = TypeVar("Function", bound=Callable[..., Any])

HOOKS = frozenset({"on_connect", "on_disconnecting", "on_disconnect", "on_any"})
"""Methods that the server calls of itself."""
_MARK = "_socketio_event"


def event(name: str) -> Callable[[Function], Function]:
    """Have a method answer the event of this name: `@event("chat message")`.

    A method `on_<name>` needs no mark.
    """
    if name in RESERVED_EVENTS:
        raise ValueError(f"{name!r} is an event of the protocol's own: choose another name")

    def mark(function: Function) -> Function:
        setattr(function, _MARK, name)
        return function

    return mark


class Answer(NamedTuple):
    """The method that answers an event, and how many arguments it takes."""

    function: Callable[..., Any]
    least: int = 0
    most: float = float("inf")

    def fits(self, number: int) -> bool:
        """Whether the method can be called with as many arguments."""
        return self.least <= number <= self.most

    @property
    def arity(self) -> str:
        """The numbers of arguments it takes, in words."""
        if self.most == float("inf"):
            return f"{self.least} or more"
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most:g}"


def answers(handler: type) -> dict[str, Answer]:
    """Make the table of a handler class: event name → what answers it."""
    table = {}
    for attribute in dir(handler):
        function = getattr(handler, attribute, None)
        if not inspect.isfunction(function):
            continue
        name = getattr(function, _MARK, None)
        if name is None and attribute.startswith("on_") and attribute not in HOOKS:
            name = attribute.removeprefix("on_")
        if name is not None:
            table[name] = _answer(function)
    return table


def _answer(function: Callable[..., Any]) -> Answer:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    least = sum(p.default is p.empty for p in positional)
    most = float("inf") if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(positional)
    return Answer(function, least, most)
