"""A client for tests of handlers.

Real code, no sockets, a fake clock.

    async def test_everyone_hears_who_comes():
        hub = Hub({"/": BoardHandler})
        ann = await connect(hub)
        bob = await connect(hub, auth={"name": "Bob"})
        assert await ann.receive("news") == {"msg": "One more person is online", "count": 1}
        bob.drop()

It works wherever an asyncio loop runs: pytest-tornado's `gen_test`, AsyncHTTPTestCase, `asyncio.run`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from tornado.escape import parse_qs_bytes
from tornado.httputil import HTTPHeaders

from ..declarations import refuse_unknown
from ..engineio.handshake import Handshake
from ..hub import Hub
from .client import TestClient
from .clock import Clock

__all__ = ["Clock", "TestClient", "connect"]

KINDS: dict[str, tuple[type, str]] = {
    "namespace": (str, 'a text such as "/"'),
    "auth": (Mapping, 'an object such as {"token": "…"}'),
    "headers": (Mapping, 'an object such as {"Cookie": "name=value"}'),
    "query": (str, 'a text such as "token=…"'),
}
"""What the arguments of `connect` have to be."""


async def connect(
    hub: Hub,
    namespace: str = "/",
    *,
    auth: dict[str, Any] | None = None,
    recovery: bool = False,
    headers: Mapping[str, str] | None = None,
    query: str = "",
    remote_ip: str = "127.0.0.1",
    raises: bool = True,
    **unknown: NoReturn,
) -> TestClient:
    """Connect a client to a hub and return it.

    recovery: whether the client takes part in recovery. headers, such as Cookie, and query, `"token=…"`, are those of
    its first request. A hub that is not started yet, or was on an earlier loop, is started on a `Clock`: `hub.loop`.
    raises: whether the client raises what the handler's methods raise, and AssertionError for events that they do not
    answer; else it is told what a browser would be, `{"message": "Internal error"}`.
    Raises Refused, TypeError for invalid arguments, and KeyError for a namespace that the hub does not have.
    """
    refuse_unknown(connect, unknown)
    _check(hub, namespace=namespace, auth=auth, headers=headers, query=query)
    if hub.loop is None or hub.home.is_elsewhere:
        hub.start(Clock(hub))
    if raises:
        hub.of(namespace)
    arguments = parse_qs_bytes(query, keep_blank_values=True)
    handshake = Handshake(HTTPHeaders(headers or {}), remote_ip, arguments, "127.0.0.1", "http", "/socket.io/")
    auth = {**(auth or {}), **({"recovery": True} if recovery else {})}
    client = TestClient(hub, namespace, auth, handshake, raises)
    await client.connect()
    return client


def _check(hub: Any, **values: Any) -> None:
    """Raise TypeError for arguments of another kind."""
    if not isinstance(hub, Hub):
        raise TypeError(f'connect needs a Hub, got {hub!r:.80}: write connect(Hub({{"/": …}}))')
    for name, value in values.items():
        kind, example = KINDS[name]
        if not isinstance(value, kind) and not (value is None and kind is Mapping):
            raise TypeError(f"{name} of connect must be {example}, got {value!r:.80}")
