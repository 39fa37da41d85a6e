"""What the server serves: its pages, and the namespaces of its real-time side."""

from __future__ import annotations

from .board import BoardHandler
from .home import HomeHandler
from .socketio import SocketIOHandler
from .status import StatusNamespace

NAMESPACES: dict[str, type[SocketIOHandler]] = {"/": BoardHandler, "/status": StatusNamespace}
PAGES = [(r"/", HomeHandler)]
