"""The page of the board."""

from __future__ import annotations

from ..socketio.operations import GuardedHandler


class HomeHandler(GuardedHandler):
    """Renders the page of the board."""

    def get(self) -> None:
        """Send the page; its content comes over the socket."""
        self.set_header("Cache-Control", "no-cache")
        self.render("home.html")

    head = get
