"""Pages and files for browsers: sent with headers that let the browser do no more with them than was meant.

A static file is kept for a year where its address has its version; without one it is asked for again.
"""

from __future__ import annotations

from pathlib import Path

from tornado.web import HTTPError, RequestHandler, StaticFileHandler

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""No script or style but from files of this server, and no connection but to it.

'self' takes in the WebSockets of the same host (CSP 3, section 6.7.2.8). Safari before 16 does not know that and stays
on long-polling; letting it in by `ws: wss:` would let in every host of the world, for every browser.
"""
HEADERS = {
    "Server": "Tornado",  # without its version, which Tornado would name
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class GuardedHandler(RequestHandler):
    """Answers with these headers, also where it answers with an error."""

    def set_default_headers(self) -> None:
        """Called by Tornado before the answer, and again before that of an error."""
        for name, value in HEADERS.items():
            self.set_header(name, value)


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
        current = asked != "" and asked == self.get_version({"static_path": self.root}, self.path)
        self.set_header("Cache-Control", FOR_EVER if current else ASK_AGAIN)
