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
from typing import Any

from tornado.escape import parse_qs_bytes
from tornado.httputil import HTTPHeaders

from ..engineio.handshake import Handshake
from ..hub import Hub
from .client import TestClient
from .clock import Clock

__all__ = ["Clock", "TestClient", "connect"]


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
) -> TestClient:
    """Connect a client to a hub and return it.

    recovery: whether the client takes part in recovery. headers, such as Cookie, and query, `"token=…"`, are those of
    its first request. A hub that is not started yet is started on a `Clock`, which is then `hub.loop`.
    raises: whether the client raises what the handler's methods raise, and AssertionError for events that they do not
    answer; else it is told what a browser would be, `{"message": "Internal error"}`. Raises Refused.
    """
    if hub.loop is None:
        hub.start(Clock(hub))
    arguments = parse_qs_bytes(query, keep_blank_values=True)
    handshake = Handshake(HTTPHeaders(headers or {}), remote_ip, arguments, "127.0.0.1", "http", "/socket.io/")
    auth = {**(auth or {}), **({"recovery": True} if recovery else {})}
    client = TestClient(hub, namespace, auth, handshake, raises)
    await client.connect()
    return client
