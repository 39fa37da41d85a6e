"""Socket.IO for Tornado: what an application needs to know of it.

    hub = Hub({"/": BoardHandler})
    app = Application([(r"/", HomeHandler), *routes(hub)])

`SocketIOHandler` is what an application's own events derive from; `Engine` alone serves Engine.IO without Socket.IO.
`operations` has what a process needs to serve a hub, `testing` a client for tests; docs/reference.md lists all names.
"""

from .audience import Audience
from .engineio.endpoint import start_clock
from .engineio.engine import Engine
from .engineio.http_server import UNREAD_TIMEOUT, Server
from .engineio.limits import RateLimit
from .engineio.origins import Origins
from .engineio.timer import RepeatingTimer
from .errors import CallTimeout, Disconnected, Refused
from .events import event
from .gauges import Gauges, read_gauges
from .handler import SocketIOHandler
from .hub import Hub
from .questions import Acks, FetchedClient, FetchedClients
from .routes import Rules, event_stream, routes

__version__ = "1.0.0"
"""The version of the library: https://semver.org."""

__all__ = [
    "UNREAD_TIMEOUT",
    "Acks",
    "Audience",
    "CallTimeout",
    "Disconnected",
    "Engine",
    "FetchedClient",
    "FetchedClients",
    "Gauges",
    "Hub",
    "Origins",
    "RateLimit",
    "Refused",
    "RepeatingTimer",
    "Rules",
    "Server",
    "SocketIOHandler",
    "__version__",
    "event",
    "event_stream",
    "read_gauges",
    "routes",
    "start_clock",
]
