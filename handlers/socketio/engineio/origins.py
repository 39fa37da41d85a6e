"""Origins of pages that may connect: by default the host's own.

Browsers send the origin of the page; other clients send none and need none. Source: RFC 6454, section 7.
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
    """Allowed origins: the host's own, and those of a list.

    allowed: such as `https://example.org`, or `*` for all. Raises TypeError or ValueError for anything else.
    option: where the author names them, for the log.
    """

    def __init__(self, allowed: Iterable[str] = (), option: str = "the list") -> None:
        if isinstance(allowed, str):
            raise TypeError(f"origins must be a list, got the text {allowed!r:.80}: write origins=[{allowed!r:.80}]")
        if not isinstance(allowed, Iterable):
            raise TypeError(f'origins must be a list, got {allowed!r:.80}: write origins=["https://…"], or nothing')
        texts = [_normalize(origin) for origin in allowed]
        self._option = option
        self._any = "*" in texts
        self._allowed = {read_origin(text) or text for text in texts}

    def check(self, origin: str | None, host: str, protocol: str) -> None:
        """Raise Forbidden for an origin that is not allowed.

        host: the server's, as the client named it. protocol: that of the request, `http` or `https`.
        """
        if origin is not None and not self.allows(origin, host, protocol):
            raise Forbidden(self._describe(origin[:80], host[:80]))

    def _describe(self, origin: str, host: str) -> str:
        if origin.lower() == "null":  # HTML standard, "Origin"
            return (
                f"a page without an origin (a file, or a sandboxed iframe) may not connect to {host!r}: "
                "serve the page over HTTP, and allow its frame same-origin"
            )
        return f"a page of {origin!r} may not connect to {host!r}: add {origin!r} to {self._option}"

    def allows(self, origin: str, host: str, protocol: str) -> bool:
        """Return whether pages of this origin may connect."""
        if self._any:
            return True
        page = read_origin(origin.lower().removesuffix("/"))  # some clients that are no browsers write it
        if page is None:
            return origin.lower() in self._allowed
        # An untrusted proxy may have removed TLS: then believe the page's scheme.
        scheme = "https" if protocol == "https" else page[0]
        return page in self._allowed or page == read_origin(f"{scheme}://{host.lower()}")


def _normalize(origin: str) -> str:
    """Return an allowed origin in normal form; raise TypeError or ValueError."""
    if not isinstance(origin, str):
        raise TypeError(f'an origin is a text, got {origin!r:.80}: write origins=["https://example.org"]')
    text = origin.strip().lower()
    scheme, colon, rest = text.partition("://")
    host, *path = re.split(r"[/?#]", rest.rstrip("/"), maxsplit=1)
    if text in ("*", "null"):
        return text
    if "*" in text:
        raise ValueError(f"{origin!r:.80} has a wildcard, which is not understood: name each origin, or '*' for all")
    if not colon or not scheme:
        raise ValueError(
            f"{origin!r:.80} is no origin: write the scheme, too, as in 'https://{text or 'example.org':.80}'"
        )
    if path:
        raise ValueError(f"{origin!r:.80} is no origin, which has no path: write '{scheme}://{host:.80}'")
    normal = f"{scheme}://{host}"
    if scheme in DEFAULT_PORTS and read_origin(normal) is None:
        raise ValueError(f"{origin!r:.80} is no origin: write a scheme, a host and at most a port, 'https://host:8443'")
    return normal


def read_origin(text: str) -> Origin | None:
    """Return scheme, host and port of an HTTP origin.

    None for other texts.
    """
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
    """Raise BadRequest for an Origin with bytes that headers forbid."""
    if origin is not None and _UNPRINTABLE.search(origin):
        raise BadRequest(f"malformed Origin {origin[:80]!r}")
