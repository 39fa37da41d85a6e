"""Addresses of administrators, and the base of their pages."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Protocol

from .. import Hub, start_clock
from .static_files import GuardedHandler

LOOPBACK = ("127.0.0.0/8", "::1")
"""The addresses of this machine."""


NAMED_BY = ("X-Forwarded-For", "X-Real-Ip", "Forwarded")
"""Headers in which a proxy names the client. Forwarded writes addresses as `for=…`, so any Forwarded is denied."""


class HasAddress(Protocol):
    """A request with a remote address and headers: HTTP or Socket.IO."""

    @property
    def remote_ip(self) -> str | None:
        """The address of the peer; None on a Unix socket."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, with repeated names joined by commas (RFC 9110, 5.3)."""


class Addresses:
    """A list of allowed addresses and networks.

    allowed: such as `192.0.2.1`, `10.0.0.0/8` or `::1`. Raises TypeError or ValueError for anything else.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        if isinstance(allowed, str):
            raise TypeError(f"addresses must be a list of texts, got {allowed!r:.80}: write [{allowed!r:.80}]")
        self._networks = [network for word in allowed for network in _networks(word)]

    def why_denied(self, request: HasAddress) -> str | None:
        """Return why a request is denied, and what to do.

        None if it is allowed.
        """
        denied_address = self.denied_address(request)
        if denied_address is None:
            return None
        return f"{denied_address or 'An unknown address':.60} may not see this: add it to the admin addresses"

    def denied_address(self, request: HasAddress) -> str | None:
        """Return the first denied address that a request names.

        None if all are allowed.

        A header can thus only lead to a denial, never to access: a proxy on this machine opens the pages to nobody.
        """
        named = [request.remote_ip or ""]
        for header in NAMED_BY:
            if header in request.headers:
                named += [address.strip() for address in request.headers[header].split(",")]
        return next((address for address in named if not self._allow(address)), None)

    def _allow(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self._networks)


def _networks(word: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    if not isinstance(word, str):
        raise TypeError(f"addresses must be texts, got {word!r:.80}: write {str(word)!r:.80}")
    try:
        return [ipaddress.ip_network(word.strip(), strict=False)] if word.strip() else []
    except ValueError as error:
        raise ValueError(f"{error}: write an address such as 192.0.2.1, or a network such as 10.0.0.0/8") from None


class AdminHandler(GuardedHandler):
    """A page that only administrators may open."""

    def initialize(self, hub: Hub, addresses: Addresses) -> None:
        """Store the arguments that `admin` passes."""
        self.hub = hub
        self.addresses = addresses

    def prepare(self) -> None:
        """Answer 403 unless the request comes from an administrator."""
        start_clock(self.hub)
        self.set_header("Cache-Control", "no-store")
        why_denied = self.addresses.why_denied(self.request)
        if why_denied is not None:
            self.set_status(403)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(f"{why_denied}\n")
