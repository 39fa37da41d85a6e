"""The request that opened a session, as the application sees it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from tornado.httputil import parse_cookie


@dataclass(frozen=True, slots=True)
class Handshake:
    """The request that opened a session.

    Attributes with a name of Tornado's HTTPServerRequest have the same type, except `query`.
    """

    headers: Mapping[str, str]
    remote_ip: str
    query_arguments: Mapping[str, list[bytes]]
    """All values of each query parameter, without those of the protocol."""
    host: str = ""
    """Host, and port if the client named one; that of a trusted proxy's header."""
    protocol: str = "http"
    """`http` or `https`."""
    path: str = ""
    revision: int = 4
    """Of the Engine.IO protocol that the client speaks: 4, or 3 for those of Socket.IO 1 and 2."""

    @property
    def query(self) -> dict[str, str]:
        """The last value of each query parameter, without those of the protocol."""
        return {name: values[-1].decode("utf-8", "replace") for name, values in self.query_arguments.items()}

    @property
    def cookies(self) -> SimpleCookie:
        """The cookies by name, `cookies["name"].value`, without malformed ones."""
        cookies = SimpleCookie()
        for name, value in parse_cookie(self.headers.get("Cookie", "")).items():
            with suppress(CookieError):
                cookies[name] = value
        return cookies
