"""The one place that calls the application's code.

Whatever a method returns or raises, at once or later, is given to the function that settles it; nothing passes by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from .methods import EventMethod

Settle = Callable[..., "Awaitable[None] | None"]
"""Called with the method, what it returned, what it raised (None: nothing), and what else `call` was given."""


def call(
    method: EventMethod, handler: object, args: Sequence[Any], settle: Settle, *context: Any
) -> Awaitable[None] | None:
    """Call a method; return what finishes it, None where it is done.

    Only the end of the process, KeyboardInterrupt and SystemExit, is raised here.
    """
    try:
        result = method.function(handler, *args)
        is_pending = hasattr(result, "__await__")
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        return settle(method, None, error, *context)
    if is_pending:
        return _wait(method, result, settle, context)
    return settle(method, result, None, *context)


async def _wait(method: EventMethod, pending: Awaitable[Any], settle: Settle, context: Sequence[Any]) -> None:
    try:
        result, raised = await pending, None
    except (KeyboardInterrupt, SystemExit):
        raise
    except asyncio.CancelledError as error:
        settle(method, None, error, *context)
        raise
    except BaseException as error:
        result, raised = None, error
    rest = settle(method, result, raised, *context)
    if rest is not None:
        await rest
