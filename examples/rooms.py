"""Private rooms with a password: `python examples/rooms.py --port=3004`.

The first person in a room chooses its password; when the last one has left, there is no such room any more.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from hmac import compare_digest
from pathlib import Path
from typing import Any

from tornado.options import define, options, parse_command_line
from tornado.web import Application, StaticFileHandler

sys.path.insert(0, str(Path(__file__).parents[1]))  # where handlers/ is, wherever this is started

from handlers.socketio import Hub, Refused, SocketIOHandler, routes

define("port", default=3004, type=int, help="TCP port to listen on")


def read(what: str, typed: Any, most: int) -> str:
    """Return a text on one line; raise Refused if too long."""
    text = " ".join(typed.split()) if isinstance(typed, str) else ""
    if len(text) > most or not any(char.isprintable() and char != " " for char in text):
        raise Refused(f"{what} has 1 to {most} characters, and one at least that can be seen")
    return text


class GuestHandler(SocketIOHandler):
    """Someone in a room."""

    def authenticate(self, auth: dict[str, Any]) -> None:
        """Let in who knows the password, or is the first."""
        self.name = read("A name", auth.get("name"), 20)
        room = read("The name of a room", auth.get("room"), 30)
        self.password = read("A password", auth.get("password"), 100).encode("utf-8", "surrogatepass")
        self.place = f"room {room}"  # never the id of a client, which names a room as well
        if not all(compare_digest(self.password, guest.password) for guest in self.to(self.place).clients):
            raise Refused(f"This is not the password of the room “{room}”")

    def on_connect(self) -> None:
        """Enter, and show everyone who is here."""
        self.enter(self.place)
        self.show_guests()

    def on_say(self, text: Any = None) -> dict[str, str]:
        """Tell everyone in the room."""
        try:
            self.to(self.place).emit("said", self.name, read("A message", text, 500))
        except Refused as refusal:
            return {"error": refusal.message}
        return {}

    def on_disconnect(self, reason: str) -> None:
        """Show those who are left that one has gone."""
        self.show_guests()

    def show_guests(self) -> None:
        """Send everyone in the room the names of all."""
        self.to(self.place).emit("guests", [guest.name for guest in self.to(self.place).clients])


async def main() -> None:
    """Serve the page, and the rooms."""
    hub = Hub({"/": GuestHandler}, recovery=0)  # a client that comes back is asked for the password again
    page = {"path": Path(__file__).parent, "default_filename": "rooms.html"}
    Application([(r"/(|style\.css)", StaticFileHandler, page), *routes(hub)]).listen(options.port)
    print(f"Listening on port {options.port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parse_command_line()
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
