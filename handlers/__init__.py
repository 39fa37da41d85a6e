"""What the server serves: its pages, and the namespaces of its real-time side."""

from __future__ import annotations

from .board import BoardHandler
from .home import HomeHandler

NAMESPACES = {"/": BoardHandler}
PAGES = [(r"/", HomeHandler)]
