"""Socket.IO for Tornado: what an application needs to know of it.

    hub = Hub({"/": BoardHandler})
    app = Application([(r"/", HomeHandler), *routes(hub)])

`SocketIOHandler` is what an application's own events derive from; `Engine` alone serves Engine.IO without Socket.IO.
"""

from .census import Census, take_census
from .endpoint import keep_time
from .engine import Engine
from .errors import CallTimeout, Disconnected, Refused
from .events import event
from .handler import SocketIOHandler
from .hub import Hub
from .routes import event_stream, routes

__all__ = [
    "CallTimeout",
    "Census",
    "Disconnected",
    "Engine",
    "Hub",
    "Refused",
    "SocketIOHandler",
    "event",
    "event_stream",
    "keep_time",
    "routes",
    "take_census",
]
