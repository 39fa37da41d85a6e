"""What sentinels say at the start of a node.

A sentinel that does not answer, or does not know the name, is a mistake in the address, for which the package has one
error only, and that error is raised during a failover, too.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from .errors import ClusterError
from .redis_address import RedisAddress
from .redis_client import error_types, make_sentinels


async def check_sentinels(address: RedisAddress) -> None:
    """Raise ClusterError if no sentinel knows the name of the server.

    One that knows it is enough; the server itself may be down.
    """
    sentinels = make_sentinels(address)
    answers = await asyncio.gather(*(_ask(sentinel, address) for sentinel in sentinels))
    known = {name for answer in answers if isinstance(answer, set) for name in answer}
    if sentinels and address.service not in known:
        troubles = [answer for answer in answers if isinstance(answer, str)]
        names = f"the sentinels know no {address.service!r}, only: {', '.join(sorted(known)) or 'nothing'}"
        said = "; ".join(sorted(set(troubles))) if len(troubles) == len(answers) else names
        raise ClusterError(f"--redis={address.shown}: {said}")


async def _ask(sentinel: Any, address: RedisAddress) -> set[str] | str:
    """Return the names that a sentinel knows, or its error."""
    errors = error_types()
    try:
        masters = await sentinel.sentinel_masters()
    except errors as error:
        return _describe(error, address)
    finally:
        with suppress(*errors, RuntimeError):
            await sentinel.aclose()
    return set(masters)


def _describe(error: BaseException, address: RedisAddress) -> str:
    described = address.hide(str(error)) or type(error).__name__
    if "uthentication required" in described or "username-password" in described:
        return f"a sentinel wants a password: write ?sentinel_password=… ({described})"
    if "unknown command" in described:
        return "this is a Redis and no sentinel, whose port is mostly 26379"
    return f"no sentinel answers: {described}"
