"""Static files: kept for a year where the address has their version, asked for again where it has not."""

from __future__ import annotations

from pathlib import Path

from tornado.web import HTTPError, StaticFileHandler

from .headers import GuardedHandler

FOR_EVER = "public, max-age=31536000, immutable"
"""A year (RFC 8246): a file that changes has another address, `static_url` sees to that."""
ASK_AGAIN = "no-cache"


class StaticHandler(GuardedHandler, StaticFileHandler):
    """Files of one directory and of no other, whatever the path says or a link points to."""

    async def get(self, path: str, include_body: bool = True) -> None:
        """Send a file. What is none, or lies elsewhere, is not there, which is no affair of the log's."""
        try:
            await super().get(path, include_body)
        except HTTPError as error:
            raise HTTPError(404 if error.status_code == 403 else error.status_code) from None

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Return the path of a file, or raise HTTPError."""
        try:
            inside = Path(absolute_path).resolve().is_relative_to(Path(root).resolve())
        except (OSError, RuntimeError, ValueError):
            # No path that a file system takes, or links in a circle.
            inside = False
        if not inside:
            raise HTTPError(404)
        return super().validate_absolute_path(root, absolute_path)

    def set_headers(self) -> None:
        """Besides: say how long the file may be kept. An old version's address may not keep what is new."""
        super().set_headers()
        self.clear_header("Expires")
        asked = self.get_argument("v", "")
        current = asked != "" and asked == self.get_version(self.settings, self.path)
        self.set_header("Cache-Control", FOR_EVER if current else ASK_AGAIN)
