"""The page of the board."""

from __future__ import annotations

from tornado.web import RequestHandler


class HomeHandler(RequestHandler):
    """Renders the page."""

    def get(self) -> None:
        """Send it; what happens on it comes over the socket."""
        self.render("home.html")

    head = get
