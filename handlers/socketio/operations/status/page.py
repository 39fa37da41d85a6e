"""The status page for administrators, and the namespace that feeds it.

The page joins only `/status`, so it does not count as a client of the application. It is sent `history`, the samples
of the last ten minutes, when it connects, and `now` once a second.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from ... import Hub, Origins, Refused, RepeatingTimer, SocketIOHandler, read_gauges
from ..addresses import Addresses, AdminHandler
from ..lag import LoopLag
from ..logs import printable
from ..static_files import StaticHandler
from .samples import PERIOD, Samples
from .worst import worst

BOARD = "/"
STATUS = "/status"

FILES = {"static_path": str(Path(__file__).parent), "static_url_prefix": "/status/"}
"""Folder and URL prefix of the page's script and style."""

PLOTS = (
    ("online", "People online", [("online", "")]),
    ("deliveries", "Deliveries a second", [("deliveries", "")]),
    ("events", "Events a second", [("events", "")]),
    ("lag", "Event loop lag", [("lag_p50", "p50"), ("lag_p99", "p99")]),
    ("memory", "Memory", [("memory", "")]),
)
"""The plots: a key, a title, and fields of a Sample with their labels."""
TRANSPORTS = {"websocket": "WebSocket", "polling": "Long-polling", "events": "Event streams"}
REASONS = {
    "transport close": "the client left",
    "transport error": "the connection broke",
    "ping timeout": "no answer to a ping",
    "parse error": "it violated the protocol",
    "forced close": "the application closed it",
    "slow consumer": "it read too slowly",
    "rate limited": "it sent too much",
    "server shutting down": "the server shut down",
}
"""The reasons for which connections are closed, explained to a person."""


class StatusHandler(AdminHandler):
    """Renders the status page."""

    def get(self) -> None:
        """Send the page; the numbers come over the socket."""
        script = f"{self.hub.path}socket.io.js".removeprefix("/")
        self.render("status.html", script=script, plots=PLOTS, transports=TRANSPORTS, reasons=REASONS)

    head = get

    def get_template_path(self) -> str:
        """Return this module's folder: the page belongs to the library."""
        return FILES["static_path"]

    def static_url(self, path: str, include_host: bool | None = None, **kwargs: Any) -> str:
        """Return the relative address of a file, with its version."""
        return StaticHandler.make_static_url(FILES, path).removeprefix("/")


class StatusNamespace(SocketIOHandler):
    """The connection of an open status page."""

    status: ClassVar[Status]
    """What it shows; each Status has a class of its own."""

    def authenticate(self, auth: dict[str, Any]) -> None:
        """Refuse all but administrators, and in their browsers pages of other origins."""
        why_denied = self.status.addresses.why_denied(self.request)
        if why_denied is not None:
            raise Refused(why_denied)
        headers = self.request.headers
        if "Origin" in headers and not Origins().allows(headers["Origin"], headers.get("Host", ""), "http"):
            raise Refused(f"A page of {headers['Origin']:.80} may not see this: open {STATUS} on this server")

    def on_connect(self) -> None:
        """Send the samples of the last ten minutes, and the current state."""
        self.emit("history", self.status.history())
        self.emit("now", self.status.now())


class Status:
    """Takes a sample each second, and sends it to open status pages.

    hub: gets the namespace `/status`.
    """

    def __init__(self, hub: Hub, lag: LoopLag, addresses: Addresses) -> None:
        hub.declare(STATUS, type("StatusNamespace", (StatusNamespace,), {"status": self}))
        self.addresses = addresses
        self.samples = Samples(hub, lag)
        self._hub = hub
        self._began = time.time()

    def rules(self) -> list[tuple[Any, ...]]:
        """Return the URL rules of the page and its files."""
        return [
            (STATUS, StatusHandler, {"hub": self._hub, "addresses": self.addresses}),
            (rf"{STATUS}/(status\.css|status\.js|icon\.svg)", StaticHandler, {"path": FILES["static_path"]}),
        ]

    def start(self) -> None:
        """Start to take samples on the running loop."""
        RepeatingTimer(self.look, PERIOD).start()
        self.look()

    def look(self) -> None:
        """Take a sample.

        Send the costlier `now` only if a page is open.
        """
        self.samples.take(self._online(BOARD), time.monotonic(), time.time())
        if self._online(STATUS):
            self._hub.of(STATUS).local.emit("now", self.now())

    def history(self) -> list[dict[str, Any]]:
        """Return the samples, oldest first."""
        return [sample._asdict() for sample in self.samples]

    def now(self) -> dict[str, Any]:
        """Return the last sample, counts, nodes, handlers and refusals."""
        counters, gauges, sample = self._hub.counters, read_gauges(self._hub), self.samples.last
        return {
            "sample": sample and sample._asdict(),
            "began": self._began,
            "clients": gauges.clients,
            "behind": gauges.behind,
            "backlog": gauges.backlog,
            "closed": counters.closed,
            "nodes": [node._asdict() for node in self._hub.backplane.nodes()],
            "handlers": worst(self._hub, hidden=STATUS),
            "refused": sum(counters.refused.values()),
            "refusals": [
                {**refusal._asdict(), "hint": printable(refusal.hint)} for refusal in reversed(counters.refusals)
            ],
        }

    def _online(self, name: str) -> int:
        namespace = self._hub.namespaces.get(name)
        return len(namespace.clients) if namespace else 0
