"""Cache of request heads on one connection: each is parsed once.

A head is read by Tornado's parser when it comes for the first time. From then on it is known by its bytes, but for two
things that differ from poll to poll: the `t` that keeps caches away, and the length of the body. Only heads without
any doubt are known here; all others are left to Tornado.

Source: RFC 9112, sections 3, 5 and 6.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tornado.httputil import HTTPHeaders, HTTPInputError, HTTPServerRequest, parse_request_start_line

T = TypeVar("T")

END = b"\r\n\r\n"
CACHE_BUSTER = re.compile(rb"[\w.~-]*(?=[& ])")
LENGTH = re.compile(rb"(?<=\r\nContent-Length: )[0-9]{1,9}(?=\r\n)", re.IGNORECASE)
UNSUPPORTED_FIELDS = ("Expect", "Trailer", "Transfer-Encoding", "Upgrade")
"""Header fields that the fast path does not support."""
MAX_KNOWN = 16
"""Maximum number of heads in the cache."""


@dataclass(frozen=True, slots=True)
class KnownHead(Generic[T]):  # Python 3.10 has no NamedTuple that is generic
    """A parsed head."""

    request: T
    size: int
    """Bytes of the head, with the empty line at its end."""
    length: int
    """Bytes of the body."""


class HeadCache(Generic[T]):
    """The parsed heads of one connection.

    read: interprets a request; returns None if the fast path cannot serve it.
    max_length: maximum bytes of a body.
    """

    __slots__ = ("_known", "_max_length", "_read")

    def __init__(self, read: Callable[[HTTPServerRequest], T | None], max_length: int) -> None:
        self._read = read
        self._max_length = max_length
        self._known: dict[bytes, T] = {}

    def match(self, data: bytes) -> KnownHead[T] | None:
        """Return the head at the start of the data.

        None if Tornado must read it.
        """
        is_post = data.startswith(b"POST")
        request = None if is_post else self._known.get(data)
        if request is not None:
            return KnownHead(request, len(data), 0)
        end = data.find(END) + len(END)
        if end < len(END):
            return None
        key, length = data[:end], 0
        if is_post:
            announced = LENGTH.search(key)
            if announced is None:
                return None
            key, length = _without(announced.span(), key), int(announced[0])
        at = key.find(b"&t=", 0, key.find(b"\r")) + 3
        buster = CACHE_BUSTER.match(key, at)
        if at >= 3 and buster is not None:
            key = _without(buster.span(), key)
        request = self._known.get(key) or self._learn(key, data[:end])
        return None if request is None or length > self._max_length else KnownHead(request, end, length)

    def _learn(self, key: bytes, head: bytes) -> T | None:
        parsed = read(head)
        request = None if parsed is None else self._read(parsed)
        if request is not None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[key] = request
        return request


def read(head: bytes) -> HTTPServerRequest | None:
    """Parse the head of a request; return None unless it is plain."""
    line, _, rest = head.decode("latin-1").partition("\r\n")
    try:
        request = HTTPServerRequest(start_line=parse_request_start_line(line), headers=HTTPHeaders.parse(rest))
    except HTTPInputError:
        return None
    return request if head.count(b"\n") == head.count(b"\r\n") and is_plain(request) else None


def is_plain(request: HTTPServerRequest) -> bool:
    """Return whether a request is HTTP/1.1, keep-alive, and of known length."""
    headers = request.headers
    length = headers.get("Content-Length")
    return (
        request.version == "HTTP/1.1"
        and headers.get("Connection", "keep-alive").lower() == "keep-alive"
        and not any(name in headers for name in UNSUPPORTED_FIELDS)
        and (length is None if request.method == "GET" else length is not None and length.isdecimal())
    )


def _without(span: tuple[int, int], data: bytes) -> bytes:
    return data[: span[0]] + data[span[1] :]
