"""Which pages may connect: by default those that this very host served.

A browser names the page's origin; other clients name none, and none is needed. Source: RFC 6454, section 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from .errors import BadRequest, Forbidden

_UNPRINTABLE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")


class Origins:
    """The origins that are let in: the host's own and those of a list, `https://example.org`, or `*` for all."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = {origin.strip().rstrip("/").lower() for origin in allowed}

    def check(self, origin: str | None, host: str) -> None:
        """Raise Forbidden for an origin that is not let in. `host` is the server's, as the client named it."""
        if origin is not None and not self.allows(origin, host):
            raise Forbidden(f"a page of {origin[:80]!r} may not connect to {host[:80]!r}: add its origin to --origins")

    def allows(self, origin: str, host: str) -> bool:
        """Whether a page of this origin is let in."""
        origin = origin.lower()
        if "*" in self._allowed or origin in self._allowed:
            return True
        try:
            return urlsplit(origin).netloc == host.lower()
        except ValueError:
            return False


def check_bytes(origin: str | None) -> None:
    """Raise BadRequest for an origin that can be none."""
    if origin is not None and _UNPRINTABLE.search(origin):
        raise BadRequest(f"malformed Origin {origin[:80]!r}")
