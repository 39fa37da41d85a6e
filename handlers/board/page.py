"""The page of the board."""

from __future__ import annotations

from typing import Any

from ..socketio.operations import GuardedHandler


class HomeHandler(GuardedHandler):
    """Renders the page of the board."""

    def get(self) -> None:
        """Send the page; its content comes over the socket."""
        self.set_header("Cache-Control", "no-cache")
        self.render("home.html")

    head = get

    def static_url(self, path: str, include_host: bool | None = None, **kwargs: Any) -> str:
        """Return the address of a file, relative to the page."""
        return super().static_url(path, include_host, **kwargs).removeprefix("/")
