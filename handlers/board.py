"""What happens on the board."""

from __future__ import annotations

import logging
from typing import Any

from .socketio import SocketIOHandler

logger = logging.getLogger(__name__)


class BoardHandler(SocketIOHandler):
    """Everyone on the page hears who comes and goes."""

    def on_connect(self) -> None:
        """Tell everyone, then greet the newcomer."""
        self.broadcast("news", {"msg": "One more person is online", "count": self.online})
        self.emit("private", {"msg": f"Welcome you are the {self.online} person here"})

    def on_private(self, data: Any) -> None:
        """Log what a client has to say."""
        logger.info("private from %s: %.200r", self.id, data)

    def on_disconnect(self, reason: str) -> None:
        """Tell those who are left."""
        self.broadcast("news", {"msg": "Someone went home", "count": self.online})
