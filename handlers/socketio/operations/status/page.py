"""The server at work: a page for its administrators, and the namespace that feeds it, once a second.

Who looks on joins `/status` alone, and is nobody on the board. It is sent `history`, the samples of the last ten
minutes, when it comes, and `now` from then on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ... import Hub, Origins, Refused, RepeatingTimer, SocketIOHandler, read_gauges
from ..addresses import Addresses
from ..admin import AdminHandler
from ..lag import LoopLag
from ..logs import printable
from ..static_files import StaticHandler
from .samples import PERIOD, Samples

BOARD = "/"
STATUS = "/status"

FILES = {"static_path": str(Path(__file__).parent), "static_url_prefix": "/status/"}
"""Where the page's script and style lie, and their address."""

PLOTS = (
    ("online", "People online", [("online", "")]),
    ("deliveries", "Deliveries a second", [("deliveries", "")]),
    ("events", "Events a second", [("events", "")]),
    ("lag", "Event loop lag", [("lag_p50", "p50"), ("lag_p99", "p99")]),
    ("memory", "Memory", [("memory", "")]),
)
"""What is plotted: a key, a title, and the fields of a Sample with what tells them apart."""
TRANSPORTS = {"websocket": "WebSocket", "polling": "Long-polling", "events": "Event streams"}
REASONS = {
    "transport close": "the client left",
    "transport error": "the connection broke",
    "ping timeout": "no answer to a ping",
    "parse error": "it broke the protocol",
    "forced close": "the application ended it",
    "slow consumer": "it did not read",
    "rate limited": "it sent too much",
    "server shutting down": "the server ended",
}
"""What the reasons for which connections end mean to a person."""


class StatusHandler(AdminHandler):
    """Renders the page."""

    def get(self) -> None:
        """Send it; the numbers come over the socket."""
        self.render("status.html", plots=PLOTS, transports=TRANSPORTS, reasons=REASONS)

    head = get

    def get_template_path(self) -> str:
        """Return the folder of this module: the page is the library's own."""
        return FILES["static_path"]

    def static_url(self, path: str, include_host: bool | None = None, **kwargs: Any) -> str:
        """Return the address of a file of the page, with its version."""
        return StaticHandler.make_static_url(FILES, path)


class StatusNamespace(SocketIOHandler):
    """An administrator who looks on."""

    def authenticate(self, auth: dict[str, Any]) -> None:
        """Keep out strangers, and in an administrator's own browser the pages of others."""
        why_denied = self.status.addresses.why_denied(self.request)
        if why_denied is not None:
            raise Refused(why_denied)
        headers = self.request.headers
        if "Origin" in headers and not Origins().allows(headers["Origin"], headers.get("Host", ""), "http"):
            raise Refused(f"A page of {headers['Origin']:.80} may not see this: open {STATUS} of this server")

    def on_connect(self) -> None:
        """Show what there was, and what there is."""
        self.emit("history", self.status.history())
        self.emit("now", self.status.now())

    @property
    def status(self) -> Status:
        """What looks at this server."""
        status: Status = self.settings["status"]
        return status


class Status:
    """Looks at a server once a second, from `start` on, and tells those who look on.

    addresses: those that may, as `Addresses` takes them.
    """

    def __init__(self, hub: Hub, lag: LoopLag, addresses: Iterable[str]) -> None:
        self.addresses = Addresses(addresses)
        self.samples = Samples(hub, lag)
        self._hub = hub
        self._began = time.time()

    def rules(self) -> list[tuple[Any, ...]]:
        """Return the rules of the page and its files."""
        return [
            (STATUS, StatusHandler, {"hub": self._hub, "addresses": self.addresses}),
            (rf"{STATUS}/(status\.css|status\.js|icon\.svg)", StaticHandler, {"path": FILES["static_path"]}),
        ]

    def start(self) -> None:
        """Begin to look, on the loop that is running."""
        self._timer = RepeatingTimer(self.look, PERIOD)
        self._timer.start()
        self.look()

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()

    def look(self) -> None:
        """Take a sample; what costs more is looked for only where somebody wants to know."""
        self.samples.take(self._online(BOARD), time.monotonic(), time.time())
        if self._online(STATUS):
            self._hub.of(STATUS).emit("now", self.now())

    def history(self) -> list[dict[str, Any]]:
        """Return the samples, the oldest first."""
        return [sample._asdict() for sample in self.samples]

    def now(self) -> dict[str, Any]:
        """Return the last sample, connections by transport, those that ended by reason, and the last refusals."""
        counters, census, sample = self._hub.counters, read_gauges(self._hub), self.samples.last
        return {
            "sample": sample and sample._asdict(),
            "began": self._began,
            "clients": census.clients,
            "behind": census.behind,
            "backlog": census.backlog,
            "closed": counters.closed,
            "refused": sum(counters.refused.values()),
            "refusals": [
                {**refusal._asdict(), "hint": printable(refusal.hint)} for refusal in reversed(counters.refusals)
            ],
        }

    def _online(self, name: str) -> int:
        namespace = self._hub.namespaces.get(name)
        return len(namespace.clients) if namespace else 0
