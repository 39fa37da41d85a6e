"""Pages for administrators; they answer no other addresses.

`/healthz` is for load balancers, `/metrics` for Prometheus, `/status` for people.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .. import Hub, Rules
from .addresses import LOOPBACK, Addresses, AdminHandler
from .lag import LoopLag
from .metrics import CONTENT_TYPE, write_metrics
from .status import Status

logger = logging.getLogger(__name__)

Check = Callable[[], str | None]
"""Returns one line that describes a problem, or None."""


class HealthHandler(AdminHandler):
    """Says whether to send clients here: 200, or 503 while draining."""

    def initialize(  # type: ignore[override]
        self, hub: Hub, addresses: Addresses, checks: Sequence[Check]
    ) -> None:
        """Store the arguments that `admin` passes."""
        super().initialize(hub, addresses)
        self.checks = checks

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
        for check in (*self.checks, self._check_backplane):
            try:
                line = check()
            except Exception as error:
                logger.exception("the check %r failed", check)
                line = f"a check failed: {error!r:.200}"
            if line is not None:
                yield line

    def _check_backplane(self) -> str | None:
        return self.hub.backplane.trouble


class MetricsHandler(AdminHandler):
    """Sends the metrics, in the text format of Prometheus."""

    def initialize(  # type: ignore[override]
        self, hub: Hub, addresses: Addresses, lag: LoopLag
    ) -> None:
        """Store the arguments that `admin` passes."""
        super().initialize(hub, addresses)
        self.lag = lag

    def get(self) -> None:
        """Send the current values."""
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(write_metrics(self.hub, self.lag))

    def compute_etag(self) -> None:
        """Return no ETag, because no two answers are alike."""


def admin(hub: Hub, addresses: Iterable[str] = LOOPBACK, *, checks: Iterable[Check] = ()) -> Rules:
    """Return the URL rules of `/healthz`, `/metrics` and `/status`.

    addresses: those of administrators, such as `192.0.2.1` or `10.0.0.0/8`.
    checks: functions that return one line on a problem, or None; `/healthz` shows the lines.
    The hub gets the namespace `/status`, which feeds that page. Samples are taken from the hub's start on.
    Raises TypeError or ValueError for invalid arguments.
    """
    if not isinstance(hub, Hub):
        raise TypeError(f'admin needs a Hub, got {hub!r:.80}: write admin(Hub({{"/": …}}))')
    allowed, checks = Addresses(addresses), _listed(checks)
    lag = LoopLag()
    try:
        status = Status(hub, lag, allowed)
    except ValueError as error:
        raise ValueError(f"{error}; call admin(hub) once") from None
    hub.when_started += [lag.start, status.start]
    rules: list[tuple[Any, ...]] = [
        ("/healthz", HealthHandler, {"hub": hub, "addresses": allowed, "checks": checks}),
        ("/metrics", MetricsHandler, {"hub": hub, "addresses": allowed, "lag": lag}),
    ]
    return Rules("admin(hub)", rules + status.rules())


def _listed(checks: Iterable[Check]) -> list[Check]:
    if callable(checks):
        name = getattr(checks, "__name__", "check")
        raise TypeError(f"checks must be a list of functions, got {checks!r:.80}: write checks=[{name}]")
    listed = list(checks)
    for check in listed:
        if not callable(check):
            raise TypeError(f"checks must be functions, got {check!r:.80}: write one that returns a line, or None")
    return listed
