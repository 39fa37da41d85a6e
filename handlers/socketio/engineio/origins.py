"""Which pages may connect: by default those that this very host served.

A browser names the page's origin; other clients name none, and none is needed. Source: RFC 6454, section 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from .errors import BadRequest, Forbidden

_UNPRINTABLE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")


DEFAULT_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]
"""Scheme, host and port (RFC 6454, section 4)."""


class Origins:
    """The origins that are let in: the host's own and those of a list, `https://example.org`, or `*` for all."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        texts = [origin.strip().rstrip("/").lower() for origin in allowed]
        self._any = "*" in texts
        self._allowed = {read_origin(text) or text for text in texts}

    def check(self, origin: str | None, host: str, protocol: str) -> None:
        """Raise Forbidden for an origin that is not let in.

        host: the server's, as the client named it. protocol: by which the request came, `http` or `https`.
        """
        if origin is not None and not self.allows(origin, host, protocol):
            raise Forbidden(f"a page of {origin[:80]!r} may not connect to {host[:80]!r}: add its origin to origins")

    def allows(self, origin: str, host: str, protocol: str) -> bool:
        """Whether a page of this origin is let in."""
        if self._any:
            return True
        page = read_origin(origin.lower())
        if page is None:
            return origin.lower() in self._allowed
        # A proxy that nobody trusts may have taken TLS off: then the page's own scheme is believed.
        scheme = "https" if protocol == "https" else page[0]
        return page in self._allowed or page == read_origin(f"{scheme}://{host.lower()}")


def read_origin(text: str) -> Origin | None:
    """Return an origin of the web, with the default port of its scheme where it names none; None for any other text."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    default = DEFAULT_PORTS.get(parts.scheme)
    if default is None or not parts.hostname or parts.username is not None or parts.path or parts.query:
        return None
    return parts.scheme, parts.hostname, default if port is None else port


def check_bytes(origin: str | None) -> None:
    """Raise BadRequest for an origin that can be none."""
    if origin is not None and _UNPRINTABLE.search(origin):
        raise BadRequest(f"malformed Origin {origin[:80]!r}")
