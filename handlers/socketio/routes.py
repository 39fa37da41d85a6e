"""URL rules for a Tornado application: `Application([…, *routes(hub)])`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, PathMatches

from .client_script import MODULE_EXPORTS, ScriptHandler, load
from .engineio.endpoint import Endpoint
from .engineio.engine import Engine
from .engineio.origins import Origins
from .engineio.polling.handler import PollHandler
from .engineio.polling.requests import PollRequests
from .engineio.websocket.transport import WebSocketTransport
from .event_stream import EventStreamHandler
from .hub import Hub


class TransportMatches(Matcher):
    """Matches requests to a path with `transport=` this one."""

    def __init__(self, path: str, transport: str) -> None:
        self._path = PathMatches(path)
        self._transport = transport.encode()

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Return {} if the request matches, else None."""
        named = request.query_arguments.get("transport")
        return self._path.match(request) if named and named[-1] == self._transport else None


def event_stream(
    hub: Hub, path: str = "/events", *, namespace: str = "/", origins: Iterable[str] = (), trust_proxy: bool = False
) -> list[tuple[Any, ...]]:
    """Return the URL rule that serves a namespace's broadcasts as Server-Sent Events."""
    options = {"engine": hub, "namespace": namespace, "origins": Origins(origins), "trust_proxy": trust_proxy}
    return [(re.escape(path), EventStreamHandler, options)]


def routes(
    engine: Engine, *, path: str = "/socket.io/", origins: Iterable[str] = (), trust_proxy: bool = False
) -> list[tuple[Any, ...]]:
    """Return the URL rules that serve an engine and the browser client.

    path: prefix of all of them.
    origins: origins of other hosts' pages to allow; "*" allows all.
    trust_proxy: trust X-Forwarded-Host. Client addresses come from the HTTP server (`xheaders=True`).
    """
    websocket = type("WebSocketTransport", (WebSocketTransport,), {})
    options: dict[str, Any] = {"engine": engine, "origins": Origins(origins), "trust_proxy": trust_proxy}
    base = re.escape(path.rstrip("/"))
    return [
        (TransportMatches(f"{base}/?", "websocket"), websocket, options),
        (TransportMatches(f"{base}/?", "polling"), PollRequests(**options)),
        (TransportMatches(f"{base}/?", "polling"), PollHandler, options),
        (f"{base}/?", Endpoint, options),
        (rf"{base}/socket\.io\.js", ScriptHandler, {"script": load()}),
        (rf"{base}/socket\.io\.esm\.js", ScriptHandler, {"script": load(MODULE_EXPORTS)}),
    ]
