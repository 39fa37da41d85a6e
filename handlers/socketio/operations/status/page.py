"""The status page for administrators, and the namespace that feeds it.

The page joins only `/status`, so it does not count as a client of the application. It is sent `history`, the samples
of the last ten minutes, when it connects, and `now` once a second.
"""

from __future__ import annotations

import logging
import socket
import time
from pathlib import Path
from typing import Any, ClassVar

from ... import Hub, Origins, Refused, RepeatingTimer, SocketIOHandler, __version__, read_gauges
from ..addresses import Addresses, AdminHandler
from ..lag import LoopLag
from ..logs import printable
from ..static_files import StaticHandler
from .client_table import ClientTable, read_query
from .places import largest
from .samples import PERIOD, Sample, Samples
from .worst import worst

logger = logging.getLogger(__name__)

BOARD = "/"
STATUS = "/status"

FILES = {"static_path": str(Path(__file__).parent), "static_url_prefix": "/status/"}
"""Folder and URL prefix of the page's script and style."""

PLOTS = (
    ("online", "People online", [("online", "")]),
    ("deliveries", "Deliveries a second", [("deliveries", "")]),
    ("events", "Events a second", [("events", "")]),
    ("lag", "Event loop lag", [("lag_p50", "p50"), ("lag_p99", "p99")]),
    ("cpu", "Processor", [("cpu", "")]),
    ("memory", "Memory", [("memory", "")]),
    ("bytes", "Bytes a second", [("sent", "sent"), ("received", "received")]),
    ("gone", "Gone a second", [("gone_left", "left"), ("gone_lost", "lost"), ("gone_ended", "ended")]),
)
"""The plots: a key, a title, and fields of a Sample with their labels."""
RANGES = ((60, "1 min"), (600, "10 min"), (3600, "1 h"), (86400, "24 h"))
"""What the plots may span: seconds, and a label."""
COLUMNS = (
    ("address", "Address"),
    ("name", "Name"),
    ("transport", "Transport"),
    ("seconds", "Since"),
    ("namespace", "Namespace"),
    ("rooms", "Rooms"),
    ("backlog", "Backlog"),
    ("events", "Events/s"),
)
"""Columns of the table of clients: fields of a Row, and titles."""
PLACES = (
    ("namespaces", "Namespaces", "namespace_count", ("Name", "Clients", "Rooms")),
    ("rooms", "Rooms", "room_count", ("Name", "Clients", "Kept")),
)
"""Tables of the largest: an id, a title, the field of `places` that counts all, and heads."""
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
        self.render(
            "status.html",
            script=script,
            host=socket.gethostname(),
            version=__version__,
            plots=PLOTS,
            ranges=RANGES,
            columns=COLUMNS,
            transports=TRANSPORTS,
            places=PLACES,
            reasons=REASONS,
        )

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

    def on_minutes(self) -> list[dict[str, Any]]:
        """Return the coarse samples of the last day, oldest first."""
        return [sample._asdict() for sample in self.status.samples.minutes]

    def on_clients(self, query: Any) -> dict[str, Any]:
        """Return a page of the table of clients."""
        return self.status.clients(query)

    def on_send_away(self, namespace: Any, id_: Any) -> None:
        """Close the connection of a client for good."""
        self.status.send_away(namespace, id_, by=self.request.remote_ip)


class Status:
    """Takes a sample each second, and sends it to open status pages.

    hub: gets the namespace `/status`.
    """

    def __init__(self, hub: Hub, lag: LoopLag, addresses: Addresses) -> None:
        hub.declare(STATUS, type("StatusNamespace", (StatusNamespace,), {"status": self}))
        self.addresses = addresses
        self.samples = Samples(hub, lag)
        self._table = ClientTable(hub, hidden=STATUS)
        self._hub = hub
        self._began = time.time()

    def rules(self) -> list[tuple[Any, ...]]:
        """Return the URL rules of the page and its files."""
        return [
            (STATUS, StatusHandler, {"hub": self._hub, "addresses": self.addresses}),
            (
                rf"{STATUS}/(status\.css|(?:plots|clients|status)\.js|icon\.svg)",
                StaticHandler,
                {"path": FILES["static_path"]},
            ),
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
        else:
            self._table.forget()

    def history(self) -> list[dict[str, Any]]:
        """Return the samples, oldest first."""
        return [sample._asdict() for sample in self.samples]

    def clients(self, query: Any) -> dict[str, Any]:
        """Return a page of the table of clients.

        Raises Refused for what is no query.
        """
        return self._table.page(read_query(query), self._hub.now())

    def send_away(self, namespace: Any, id_: Any, by: str) -> None:
        """Close the connection of a client.

        by: the administrator's address, for the log. Raises Refused if the client has left.
        """
        known = isinstance(namespace, str) and isinstance(id_, str)
        client = self._table.find(namespace, id_) if known else None
        if client is None:
            raise Refused("It has left already")
        logger.info("%s (%s) is sent away by %s", client.id, client.session.handshake.remote_ip, by)
        client.handler.disconnect(close=True)

    def now(self) -> dict[str, Any]:
        """Return the last samples, counts, places, nodes, handlers and refusals."""
        counters, gauges, sample = self._hub.counters, read_gauges(self._hub), self.samples.last
        return {
            "sample": _as_dict(sample),
            "newest_minute": _as_dict(self.samples.minutes[-1] if self.samples.minutes else None),
            "places": largest(self._hub, hidden=STATUS),
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


def _as_dict(sample: Sample | None) -> dict[str, Any] | None:
    return None if sample is None else sample._asdict()
