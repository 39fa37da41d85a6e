"""What the operator's tools ask: `/healthz`, whether the server can be sent clients, and `/metrics`, what it counts.

Both answer only addresses that are an administrator's, and so does whatever else derives from `AdminHandler`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .. import Hub
from .addresses import LOOPBACK, Addresses
from .metrics import CONTENT_TYPE, write_metrics
from .static_files import GuardedHandler

logger = logging.getLogger(__name__)

Check = Callable[[], str | None]
"""Returns a line on what is in trouble, None where nothing is."""


class AdminHandler(GuardedHandler):
    """A request that only an administrator may make."""

    def initialize(self, hub: Hub, addresses: Addresses) -> None:
        """Take what `admin` passes."""
        self.hub = hub
        self.addresses = addresses

    def prepare(self) -> None:
        """Refuse whoever is none."""
        self.set_header("Cache-Control", "no-store")
        why_denied = self.addresses.why_denied(self.request)
        if why_denied is not None:
            self.set_status(403)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(f"{why_denied}\n")


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
