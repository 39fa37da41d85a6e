"""What a poll needs of the connection that it comes by, and how its answer begins.

Source: RFC 9112, sections 4 and 6.3; Fetch standard, "CORS protocol".
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Protocol

from tornado.httputil import HTTPMessageDelegate, format_timestamp

IDLE = 60.0
"""Seconds from one request of a connection to the end of the next one's head."""
BODY = 30.0
"""Seconds without a byte of a body that is announced."""
REASONS = {200: "OK", 400: "Bad Request", 413: "Payload Too Large", 429: "Too Many Requests"}


class Exchange(Protocol):
    """A connection that brings a request and takes its answer."""

    @property
    def closed(self) -> bool:
        """Whether the peer is gone."""

    def request_received(self, request: HTTPMessageDelegate) -> Exchange:
        """Return what takes the answer, now that the request is all there; it is told if that closes before."""

    def wait_on(self) -> None:
        """Wait for the next part of the body: one has come."""

    def respond(self, status: int, kind: str, origin: str | None, body: bytes) -> None:
        """Answer. kind: of the body; origin: the page that may read it."""


def fields(kind: str, origin: str | None) -> dict[str, str]:
    """Return the header fields of an answer, besides those that follow from its body and from the time."""
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
    """Return the Date of an answer that is given in this second since 1970."""
    return format_timestamp(second)


def response(status: int, kind: str, origin: str | None, body: bytes) -> bytes:
    """Return a whole answer."""
    head = _head(status, kind, origin)
    return b"%bDate: %b\r\nContent-Length: %d\r\n\r\n%b" % (head, date(int(time.time())).encode(), len(body), body)
