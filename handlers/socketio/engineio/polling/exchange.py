"""HTTP exchange of one poll: its connection, and the response head.

Source: RFC 9112, sections 4 and 6.3; Fetch standard, "CORS protocol".
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Protocol

from tornado.httputil import HTTPMessageDelegate, format_timestamp

IDLE = 60.0
"""Seconds from one request to the end of the next request's head."""
BODY = 30.0
"""Seconds without a byte of an unfinished body."""
REASONS = {200: "OK", 400: "Bad Request", 413: "Payload Too Large", 429: "Too Many Requests"}


class Exchange(Protocol):
    """A connection with one request and its response."""

    @property
    def closed(self) -> bool:
        """Whether the connection is closed."""

    def request_received(self, request: HTTPMessageDelegate) -> Exchange:
        """Return the exchange for the response, after the request is complete.

        `request.on_connection_close` is called if the connection closes before.
        """

    def wait_on(self) -> None:
        """Restart the timeout for the next part of the body."""

    def respond(self, status: int, kind: str, origin: str | None, body: bytes) -> None:
        """Send the response.

        kind: content type. origin: page that may read the body.
        """


def fields(kind: str, origin: str | None) -> dict[str, str]:
    """Return the header fields of a response, except Date and Content-Length."""
    shared = {"Content-Type": kind, "Cache-Control": "no-store", "Vary": "Origin"}
    if origin is None:
        return shared
    return {**shared, "Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}


@lru_cache(maxsize=100)
def _head(status: int, kind: str, origin: str | None) -> bytes:
    lines = [f"{name}: {value}" for name, value in fields(kind, origin).items()]
    return "\r\n".join([f"HTTP/1.1 {status} {REASONS[status]}", *lines, ""]).encode("latin-1")


@lru_cache(maxsize=1)
def date(second: int) -> str:
    """Return the Date header of a second since 1970."""
    return format_timestamp(second)


def response(status: int, kind: str, origin: str | None, body: bytes) -> bytes:
    """Return the bytes of a whole response."""
    head = _head(status, kind, origin)
    return b"%bDate: %b\r\nContent-Length: %d\r\n\r\n%b" % (head, date(int(time.time())).encode(), len(body), body)
