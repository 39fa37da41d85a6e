"""Clients of Redis: the only module that makes them.

The package's own retries are off, because a command whose connection broke may have been executed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .errors import MissingPackageError
from .redis_address import RedisAddress

CONNECT_TIMEOUT = 2.0
"""Seconds to connect."""


def make_client(address: RedisAddress, **options: Any) -> Any:
    """Return a client of redis-py that tries everything once, on one connection."""
    from redis.asyncio import Redis, Sentinel
    from redis.asyncio.retry import Retry

    return _make(Redis, Sentinel, Retry, address, {"max_connections": 1, **options})


def make_pool(address: RedisAddress, **options: Any) -> Any:
    """Return a client that opens as many connections as it needs."""
    from redis.asyncio import Redis, Sentinel
    from redis.asyncio.retry import Retry

    return _make(Redis, Sentinel, Retry, address, options)


def make_blocking_pool(address: RedisAddress, **options: Any) -> Any:
    """Return a client without a loop, which threads may share."""
    from redis import Redis, Sentinel
    from redis.retry import Retry

    return _make(Redis, Sentinel, Retry, address, options)


def _make(client: Any, sentinels: Any, retry: Any, address: RedisAddress, options: dict[str, Any]) -> Any:
    from redis.backoff import NoBackoff

    common: dict[str, Any] = {
        "retry": retry(NoBackoff(), 0),
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "protocol": 2,
        "decode_responses": False,
        "health_check_interval": 0,
        **options,
    }
    if not address.sentinels:
        return client.from_url(address.url, **common)
    credentials = {"username": address.username or None, "password": address.password or None}
    asked = sentinels(list(address.sentinels), sentinel_kwargs=_sentinel_options(address, common["retry"]))
    return asked.master_for(address.service, db=address.database, **credentials, **common)


def _sentinel_options(address: RedisAddress, retry: Any) -> dict[str, Any]:
    # Without these the package asks a sentinel that is down for seconds, before it asks the next one.
    return {
        "retry": retry,
        "protocol": 2,
        "socket_timeout": CONNECT_TIMEOUT,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "username": address.sentinel_username or None,
        "password": address.sentinel_password or None,
    }


def make_sentinels(address: RedisAddress) -> list[Any]:
    """Return a client of each sentinel of an address."""
    from redis.asyncio import Sentinel
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    options = _sentinel_options(address, Retry(NoBackoff(), 0))
    return list(Sentinel(list(address.sentinels), sentinel_kwargs=options).sentinels)


def error_types() -> tuple[type[Exception], ...]:
    """Return the exceptions of Redis and its connections.

    Raises MissingPackageError if the package is not installed.
    """
    try:
        from redis.exceptions import RedisError
    except ImportError:
        raise MissingPackageError("a cluster needs redis: pip install 'tornado-socketio[redis]'") from None
    return (RedisError, OSError, asyncio.TimeoutError)
