"""Calling of handler methods, with their number of arguments, also decorated."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from types import FunctionType, MethodType
from typing import Any, NamedTuple

HOOKS = {
    "authenticate": ("auth",),
    "on_connect": (),
    "before_event": ("event", "args"),
    "on_any": ("event",),
    "on_disconnecting": ("reason",),
    "on_disconnect": ("reason",),
}
"""Methods that the server calls of itself, and what it calls them with; `on_any` gets the event's arguments too."""
ACKS = ("ack", "acknowledge", "callback", "cb", "done", "fn", "reply", "respond")
"""What Node's handlers call their last argument, a function that acknowledges."""
_NO_METHODS = (property, cached_property, type)


class EventMethod(NamedTuple):
    """The method that answers an event, and how many arguments it takes."""

    name: str
    """Class and method, for the log."""
    function: Callable[..., Any]
    """Called with the handler, then the arguments."""
    min_args: int = 0
    max_args: float = float("inf")
    event: str | None = None
    """The event that it answers; None for a hook."""

    @property
    def label(self) -> str:
        """The event as it was declared, or the name of the hook."""
        name = self.name.rpartition(".")[2]
        return name if self.event is None or name in HOOKS else self.event

    def about(self, event: str) -> EventMethod:
        """Return the hook as method of this event, called with its name."""
        function = self.function
        return self._replace(function=lambda handler, *args: function(handler, event, *args), event=event)

    def describe_misfit(self, event: str, number: int) -> str:
        """Return a hint for the author about a wrong number of arguments."""
        last = _list_parameters(self.function)[-1:]
        wants_ack = number < self.min_args and last and last[0] in ACKS
        hint = f": remove `{last[0]}`, what the method returns acknowledges the event" if wants_ack else ""
        return f"{self.name} takes {self.arity}, {number} came with {event!r:.80}{hint}"

    @property
    def arity(self) -> str:
        """The numbers of arguments it takes, in words."""
        if self.max_args == float("inf"):
            return f"{self.min_args} or more arguments"
        if self.min_args != self.max_args:
            return f"{self.min_args} to {self.max_args:g} arguments"
        return {0: "no argument", 1: "1 argument"}.get(self.min_args, f"{self.min_args} arguments")


def make_method(handler: type, attribute: str, raw: object, event: str | None) -> EventMethod:
    """Return the method of an attribute; raise TypeError if not callable.

    event: what it is to answer; None for a hook.
    """
    name = f"{handler.__name__}.{attribute}"
    if isinstance(raw, FunctionType):
        method = EventMethod(name, raw, *_count_arguments(raw, name, bound=False), event)
    else:
        method = _make_bound(handler, attribute, raw, name)._replace(event=event)
    return _fit_hook(method, attribute) if event is None else method


def _make_bound(handler: type, attribute: str, raw: object, name: str) -> EventMethod:
    """Return a method for an attribute that is no plain function."""
    get = getattr(type(raw), "__get__", None)
    try:
        bound = raw if get is None or isinstance(raw, _NO_METHODS) else get(raw, object(), handler)
    except Exception as error:
        raise TypeError(f"{name} raises {error!r:.80} where it is looked at: write a method") from error
    if isinstance(raw, _NO_METHODS) or not callable(bound):
        raise TypeError(
            f"{name} is a {type(raw).__name__}, which cannot answer an event: write a method, "
            f"`def {attribute}(self, data)`, or choose a name that does not begin with on_"
        )

    def call(self: object, *args: Any) -> Any:
        return (bound if get is None else get(raw, self, type(self)))(*args)

    return EventMethod(name, call, *_count_arguments(bound, name, bound=True))


def _fit_hook(method: EventMethod, attribute: str) -> EventMethod:
    """Return a hook without the arguments that the server adds."""
    given = len(HOOKS[attribute])
    left = method._replace(min_args=max(0, method.min_args - given), max_args=method.max_args - given)
    if left.max_args < 0 or (left.min_args > 0 and attribute != "on_any"):
        more = ("*args",) if attribute == "on_any" else ()
        parameters = ", ".join(("self", *HOOKS[attribute], *more))
        raise TypeError(
            f"{method.name} takes {method.arity}, but is called with {given}: write `def {attribute}({parameters})`"
        )
    return left


def _count_arguments(function: Any, name: str, *, bound: bool) -> tuple[int, float]:
    """Return the minimum and maximum number of arguments, by signature."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{name} has a `yield`, and an event has one answer: return a list instead")
    signature = _own_signature(function)
    if signature is None:
        return 0, float("inf")
    parameters = list(signature.parameters.values())
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


def _list_parameters(function: Any) -> list[str]:
    """Return the names of a function's parameters; none without signature."""
    signature = _own_signature(function)
    return [] if signature is None else list(signature.parameters)


def _own_signature(function: Any) -> inspect.Signature | None:
    """Return the signature of a wrapper, or of its wrapped function."""
    try:
        return inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is None:
            return None
        return _own_signature(MethodType(wrapped, object()) if isinstance(function, MethodType) else wrapped)
