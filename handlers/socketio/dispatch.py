"""The one place that calls the application's code.

Whatever a method returns or raises, at once or later, is given to the function that settles it; nothing passes by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from http.client import responses
from inspect import isawaitable
from time import perf_counter
from types import AsyncGeneratorType, GeneratorType
from typing import Any, NoReturn

from tornado.web import HTTPError, MissingArgumentError

from .errors import Refused
from .methods import EventMethod
from .watch import MethodWatch, Watched

PLAIN = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict})
"""Types of most results, which are never awaited."""
Settle = Callable[..., "Awaitable[None] | None"]
"""Called with the method, what it returned, what it raised (None: nothing), and what else `call` was given."""


def call(
    watch: MethodWatch, method: EventMethod, handler: object, args: Sequence[Any], settle: Settle, *context: Any
) -> Awaitable[None] | None:
    """Call a method; return an awaitable if unfinished, else None; raise nothing.

    SystemExit and KeyboardInterrupt are settled like any failure, and then end the loop.
    """
    start = perf_counter()
    try:
        result = method.function(handler, *args)
        pending = type(result) not in PLAIN and _is_pending(result)
    except BaseException as error:
        _end_loop(error)
        watch.ran(method, perf_counter() - start)
        return settle(method, None, _as_refusal(error), *context)
    if pending:
        return _wait(watch, method, result, start, settle, context)
    watch.ran(method, perf_counter() - start)
    return settle(method, result, None, *context)


async def _wait(
    watch: MethodWatch,
    method: EventMethod,
    pending: Awaitable[Any],
    start: float,
    settle: Settle,
    context: Sequence[Any],
) -> None:
    raised: BaseException | None = None
    result = None
    try:
        result = await Watched(watch, method, pending)
        if result is not None and _is_pending(result):
            raise TypeError(f"{method.name} returned a {type(result).__name__}, which nobody awaits: await it there")
    except GeneratorExit:
        raise  # The loop was closed, and Python closes what still waited in it.
    except asyncio.CancelledError as error:
        watch.ended(method, perf_counter() - start)
        settle(method, None, error, *context)
        raise
    except BaseException as error:
        _end_loop(error)
        raised = _as_refusal(error)
    watch.ended(method, perf_counter() - start)
    rest = settle(method, result, raised, *context)
    if rest is not None:
        await rest


def _is_pending(result: Any) -> bool:
    """Return whether a result must be awaited.

    Raises TypeError for a generator, because nothing of its body has run.
    """
    if not isinstance(result, (GeneratorType, AsyncGeneratorType)):
        return hasattr(result, "__await__")
    if not isawaitable(result):
        raise TypeError(
            "returned a generator, of which nothing has run: an event has one answer, return a list instead"
        )
    return True


def _as_refusal(error: BaseException) -> BaseException:
    """Convert Tornado's client errors: HTTPError(403) to Refused("Forbidden")."""
    if not isinstance(error, HTTPError) or not 400 <= error.status_code < 500:
        return error
    if isinstance(error, MissingArgumentError):
        return Refused(f"Missing argument {error.arg_name}")
    return Refused(error.reason or responses.get(error.status_code, "Unknown"))


def _end_loop(error: BaseException) -> None:
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        # In a turn of its own: what the server does now for this client is done to its end.
        asyncio.get_running_loop().call_soon(_raise, error)


def _raise(error: BaseException) -> NoReturn:
    raise error
