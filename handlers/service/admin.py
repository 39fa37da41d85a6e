"""What the operator's tools ask: `/healthz`, whether the server can be sent clients, and `/metrics`, what it counts.

Both answer only addresses that are an administrator's, and so does whatever else derives from `AdminHandler`.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from ..socketio import Hub
from .headers import GuardedHandler
from .metrics import CONTENT_TYPE, write_metrics

logger = logging.getLogger(__name__)

Check = Callable[[], str | None]
"""Returns a line on what is in trouble, None where nothing is."""

LOOPBACK = ("127.0.0.0/8", "::1")
NAMED_BY = ("X-Forwarded-For", "X-Real-Ip", "Forwarded")
"""Headers by which a proxy tells whom it speaks for; an address in a Forwarded is written so that none is let in."""


class Asking(Protocol):
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

    def objection(self, request: Asking) -> str | None:
        """Return why a request may not be made, in a line that says what to do about it; None where it may."""
        stranger = self.stranger(request)
        if stranger is None:
            return None
        return f"{stranger or 'An unnamed address':.60} may not see this: --admin-addresses names those that may"

    def stranger(self, request: Asking) -> str | None:
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


class AdminHandler(GuardedHandler):
    """A request that only an administrator may make."""

    def initialize(self, hub: Hub, addresses: Addresses) -> None:
        """Take what `admin` passes."""
        self.hub = hub
        self.addresses = addresses

    def prepare(self) -> None:
        """Refuse whoever is none."""
        self.set_header("Cache-Control", "no-store")
        objection = self.addresses.objection(self.request)
        if objection is not None:
            self.set_status(403)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(f"{objection}\n")


class HealthHandler(AdminHandler):
    """Says whether clients may be sent here: 200, or 503 while the server is about to end."""

    def get(self) -> None:
        """Send JSON: `status`, `clients`, and `trouble`, lines on what a person should look after."""
        trouble = list(self._trouble())
        self.set_status(503 if self.hub.draining else 200)
        self.finish(
            {
                "status": "draining" if self.hub.draining else "trouble" if trouble else "ok",
                "clients": len(self.hub.sessions) + len(self.hub.streams),
                "trouble": trouble,
            }
        )

    head = get

    def _trouble(self) -> Iterator[str]:
        checks: list[Check] = self.settings["trouble"]
        for check in checks:
            try:
                line = check()
            except Exception as error:
                logger.exception("the check %r failed", check)
                line = f"a check failed: {error!r:.200}"
            if line is not None:
                yield line


class MetricsHandler(AdminHandler):
    """Sends what the server counts, for Prometheus and whoever reads its format."""

    def get(self) -> None:
        """Send it."""
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(write_metrics(self.hub, self.settings["lag"]))

    def compute_etag(self) -> None:
        """Need none: no two are alike."""


def admin(hub: Hub, addresses: Iterable[str] = LOOPBACK) -> list[tuple[Any, ...]]:
    """Return the rules of both. They read two settings: `lag`, a LoopLag, and `trouble`, a list of Checks."""
    options = {"hub": hub, "addresses": Addresses(addresses)}
    return [("/healthz", HealthHandler, options), ("/metrics", MetricsHandler, options)]
