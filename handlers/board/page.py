"""The page of the board."""

from __future__ import annotations

from ..socketio.operations import GuardedHandler


class HomeHandler(GuardedHandler):
    """Renders the page."""

    def get(self) -> None:
        """Send it; what happens on it comes over the socket."""
        self.set_header("Cache-Control", "no-cache")
        self.render("home.html")

    head = get
