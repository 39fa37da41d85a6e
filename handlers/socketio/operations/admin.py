"""Pages for the operator's tools: `/healthz` for load balancers, `/metrics` for Prometheus.

Both answer only the addresses of administrators, as does any other handler derived from `AdminHandler`.
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
"""Returns one line that describes a problem, or None."""


class AdminHandler(GuardedHandler):
    """A page that only administrators may open."""

    def initialize(self, hub: Hub, addresses: Addresses) -> None:
        """Store the arguments that `admin` passes."""
        self.hub = hub
        self.addresses = addresses

    def prepare(self) -> None:
        """Answer 403 unless the request comes from an administrator."""
        self.set_header("Cache-Control", "no-store")
        why_denied = self.addresses.why_denied(self.request)
        if why_denied is not None:
            self.set_status(403)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(f"{why_denied}\n")


class HealthHandler(AdminHandler):
    """Says whether to send clients here: 200, or 503 while draining."""

    def get(self) -> None:
        """Send JSON: `status`, `clients`, and `trouble`, the problems, one line each."""
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
    """Sends the metrics, in the text format of Prometheus."""

    def get(self) -> None:
        """Send the current values."""
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(write_metrics(self.hub, self.settings["lag"]))

    def compute_etag(self) -> None:
        """Return no ETag, because no two answers are alike."""


def admin(hub: Hub, addresses: Iterable[str] = LOOPBACK) -> list[tuple[Any, ...]]:
    """Return the URL rules of both pages.

    They read two settings of the application: `lag`, a LoopLag, and `trouble`, a list of Checks.
    """
    options = {"hub": hub, "addresses": Addresses(addresses)}
    return [("/healthz", HealthHandler, options), ("/metrics", MetricsHandler, options)]
