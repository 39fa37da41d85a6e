"""URL rules for a Tornado application: `Application([…, *routes(hub)])`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, PathMatches

from .client_script import MODULE_END, SCRIPT_END, ScriptHandler, load
from .declarations import refuse_unknown
from .engineio.access import NoTransport
from .engineio.declared import check_flag
from .engineio.endpoint import Endpoint
from .engineio.engine import Engine
from .engineio.origins import Origins
from .engineio.polling.access import PollingAccess
from .engineio.polling.handler import PollHandler
from .engineio.polling.requests import PollRequests
from .engineio.websocket.transport import WebSocketAccess, WebSocketTransport
from .event_stream import EventStreamAccess, EventStreamHandler
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


class Rules(Sequence[tuple[Any, ...]]):
    """URL rules to unpack into an application: `[*rules]`; `[rules]` raises TypeError.

    call: how they were made, `routes(hub)`, for its message.
    """

    def __init__(self, call: str, rules: list[tuple[Any, ...]]) -> None:
        self._call = call
        self._rules = rules

    def __getitem__(self, place: Any) -> Any:
        return self._rules[place]

    def __len__(self) -> int:
        return len(self._rules)

    def __add__(self, others: list[Any]) -> list[Any]:
        return [*self._rules, *others]

    def __radd__(self, others: list[Any]) -> list[Any]:
        return [*others, *self._rules]

    @property
    def name(self) -> NoReturn:
        """Tornado asks each rule for its name."""
        raise TypeError(f"{self._call} is a list of rules: write *{self._call} in the list of an Application")


def event_stream(
    hub: Hub,
    path: str = "/events",
    *,
    namespace: str = "/",
    origins: Iterable[str] | Origins = (),
    trust_proxy: bool = False,
    **unknown: NoReturn,
) -> Rules:
    """Return the URL rule that serves a namespace's broadcasts as Server-Sent Events.

    Raises TypeError or ValueError for options that cannot be, KeyError for a namespace that the hub does not have.
    """
    refuse_unknown(event_stream, unknown)
    if not isinstance(hub, Hub):
        raise TypeError(f'event_stream needs a Hub, got {hub!r:.80}: write event_stream(Hub({{"/": …}}))')
    _check_path(path, "/events")
    check_flag("trust_proxy", trust_proxy)
    hub.of(namespace)
    hub.is_routed = True
    access = EventStreamAccess(hub, _origins("event_stream", origins), trust_proxy)
    return Rules(
        "event_stream(hub)", [(re.escape(path), EventStreamHandler, {"access": access, "namespace": namespace})]
    )


def routes(
    engine: Engine,
    path: str = "/socket.io/",
    *,
    origins: Iterable[str] | Origins = (),
    trust_proxy: bool = False,
    **unknown: NoReturn,
) -> Rules:
    """Return the URL rules that serve an engine and the browser client.

    path: prefix of all of them; begins with a slash, may end with one. The browser client connects to where it is
        served; other clients need it: `io(url, { path: "/elsewhere/" })`.
    origins: a list of other hosts' origins to allow, `["https://example.org"]`; `["*"]` allows all. An `Origins` also
        has the name of the option that a refusal in the log tells to change.
    trust_proxy: trust X-Forwarded-Host. Client addresses come from the HTTP server (`xheaders=True`).
    Raises TypeError or ValueError for invalid options.
    """
    refuse_unknown(routes, unknown)
    if not isinstance(engine, Engine):
        raise TypeError(f'routes needs a Hub, got {engine!r:.80}: write routes(Hub({{"/": …}}))')
    _check_path(path, "/socket.io/")
    check_flag("trust_proxy", trust_proxy)
    websocket = type("WebSocketTransport", (WebSocketTransport,), {})
    args = (engine, _origins("routes", origins), trust_proxy)
    polling = PollingAccess(*args)
    engine.path, engine.is_routed = f"{path.rstrip('/')}/", True
    base = re.escape(path.rstrip("/"))
    rules = [
        (TransportMatches(f"{base}/?", "websocket"), websocket, {"access": WebSocketAccess(*args)}),
        (TransportMatches(f"{base}/?", "polling"), PollRequests(polling)),
        (TransportMatches(f"{base}/?", "polling"), PollHandler, {"access": polling}),
        (f"{base}/?", Endpoint, {"access": NoTransport(*args)}),
        (rf"{base}/socket\.io\.js", ScriptHandler, {"script": load(SCRIPT_END)}),
        (rf"{base}/socket\.io\.esm\.js", ScriptHandler, {"script": load(MODULE_END)}),
    ]
    return Rules("routes(hub)", rules)


def _origins(function: str, origins: Iterable[str] | Origins) -> Origins:
    if isinstance(origins, Origins):
        return origins
    return Origins(origins, f"the origins of {function}(hub, origins=[…])")


def _check_path(path: Any, example: str) -> None:
    described = f"path must be a text that begins with /, got {path!r:.80}"
    if not isinstance(path, str):
        raise TypeError(f"{described}: write path={example!r}")
    if not path.startswith("/"):
        raise ValueError(f"{described}: write path='/{path:.80}'")
    if not path.strip("/"):
        raise ValueError(f"path={path!r} takes the place of the application's first page: write path={example!r}")
    if re.search(r"[?#\s]|//", path):
        raise ValueError(f"path={path!r:.80} is no path of an address: leave out queries, blanks and double slashes")
