"""Shared cursors, 60 moves a second: `python examples/cursors.py --port=3001`.

A game is a namespace of its own: the page `/#garden` plays in `/garden`. Moves are volatile: who cannot take one at
once misses it, because the next one tells all that it did. Names, arrivals and departures reach everyone.
"""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from tornado.options import define, options, parse_command_line
from tornado.web import Application, StaticFileHandler

sys.path.insert(0, str(Path(__file__).parents[1]))  # where handlers/ is, wherever this is started

from handlers.socketio import Hub, SocketIOHandler, routes

define("port", default=3001, type=int, help="TCP port to listen on")


class CursorHandler(SocketIOHandler):
    """The cursor of one player."""

    place: tuple[float, float] | None = None

    def on_connect(self) -> None:
        """Take the first free number, which gives a colour; send all players."""
        others = self.others.clients
        self.number: int = min(set(range(1, len(others) + 2)) - {player.number for player in others})
        self.name = f"Guest {self.number}"
        for player in others:
            self.emit("player", player.card)
        self.broadcast("player", self.card)

    @property
    def card(self) -> dict[str, Any]:
        """What others see of a player."""
        return {"id": self.id, "number": self.number, "name": self.name, "place": self.place}

    def on_name(self, name: Any = None) -> dict[str, str]:
        """Change the player's name."""
        name = " ".join(name.split()) if isinstance(name, str) else ""
        if len(name) > 20 or not any(char.isprintable() and char != " " for char in name):
            return {"error": "A name has 1 to 20 characters, and one at least that can be seen"}
        self.name = name
        self.broadcast("player", self.card)
        return {}

    def on_move(self, x: Any = None, y: Any = None) -> dict[str, str]:
        """Send the cursor's place, from 0 to 1, to the others."""
        if not all(isinstance(part, (int, float)) and 0 <= part <= 1 for part in (x, y)):
            return {"error": "A place is two numbers from 0 to 1, parts of the field's width and height"}
        self.place = x, y
        self.others.volatile.emit("move", self.id, x, y)
        return {}

    def on_disconnect(self, reason: str) -> None:
        """Take the cursor away."""
        self.broadcast("leave", self.id)


async def main() -> None:
    """Serve the page, and the games."""
    hub = Hub({re.compile(r"/[a-z0-9-]{1,32}"): CursorHandler}, recovery=0)  # old moves are of no use to anyone
    page = {"path": Path(__file__).parent, "default_filename": "cursors.html"}
    Application([(r"/(|style\.css)", StaticFileHandler, page), *routes(hub)]).listen(options.port)
    print(f"Listening on port {options.port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parse_command_line()
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
