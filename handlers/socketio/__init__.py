"""Socket.IO for Tornado: what an application needs to know of it.

    hub = Hub({"/": BoardHandler})
    app = Application([(r"/", HomeHandler), *routes(hub)])

`SocketIOHandler` is what an application's own events derive from; `Engine` alone serves Engine.IO without Socket.IO.
"""

from .engineio.endpoint import start_clock
from .engineio.engine import Engine
from .errors import CallTimeout, Disconnected, Refused
from .events import event
from .gauges import Gauges, read_gauges
from .handler import SocketIOHandler
from .hub import Hub
from .routes import event_stream, routes

__all__ = [
    "CallTimeout",
    "Disconnected",
    "Engine",
    "Gauges",
    "Hub",
    "Refused",
    "SocketIOHandler",
    "event",
    "event_stream",
    "read_gauges",
    "routes",
    "start_clock",
]
