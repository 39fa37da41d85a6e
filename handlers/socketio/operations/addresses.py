"""Addresses and networks that may use the pages for administrators."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Protocol

LOOPBACK = ("127.0.0.0/8", "::1")


NAMED_BY = ("X-Forwarded-For", "X-Real-Ip", "Forwarded")
"""Headers by which a proxy tells whom it speaks for; an address in a Forwarded is written so that none is let in."""


class HasAddress(Protocol):
    """What is looked at of a request, be it one of HTTP or the one that opened a client's connection."""

    @property
    def remote_ip(self) -> str | None:
        """The address that it came from."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers; those of one name joined by commas (RFC 9110, section 5.3)."""


class Addresses:
    """Who may ask: addresses and networks, `192.0.2.1` or `10.0.0.0/8`. Raises ValueError for what is neither."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(word.strip(), strict=False) for word in allowed if word.strip()]

    def why_denied(self, request: HasAddress) -> str | None:
        """Return why a request may not be made, in a line that says what to do about it; None where it may."""
        denied_address = self.denied_address(request)
        if denied_address is None:
            return None
        return f"{denied_address or 'An unnamed address':.60} may not see this: --admin-addresses names those that may"

    def denied_address(self, request: HasAddress) -> str | None:
        """Return the first of those that a request names as its origin who may not ask, None where all may.

        What a header says is thus believed only against the request: a proxy on this machine lets nobody in.
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
