"""Pages and static files, sent with security headers.

Browsers cache a static file for a year if its URL has its version; otherwise they ask for it again each time.
"""

from __future__ import annotations

from pathlib import Path

from tornado.web import HTTPError, RequestHandler, StaticFileHandler

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Allow scripts and styles only from files of this server, and connections only to it.

'self' includes WebSockets to the same host (CSP 3, section 6.7.2.8). Safari before 16 does not know that and stays on
long-polling. Adding `ws: wss:` for it would allow WebSockets to any host, in every browser.
"""
HEADERS = {
    "Server": "Tornado",  # without its version, which Tornado would name
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class GuardedHandler(RequestHandler):
    """A RequestHandler that sends a Content-Security-Policy, with errors too.

    It sends `nosniff` and a Referrer-Policy as well, and does not name Tornado's version.
    """

    def set_default_headers(self) -> None:
        """Set the headers; Tornado calls this again before an error page."""
        for name, value in HEADERS.items():
            self.set_header(name, value)


FOR_EVER = "public, max-age=31536000, immutable"
"""A year (RFC 8246); `static_url` gives a changed file a new URL."""
ASK_AGAIN = "no-cache"


class StaticHandler(GuardedHandler, StaticFileHandler):
    """Serves files of one folder.

    Paths and links that leave it are not found.
    """

    async def get(self, path: str, include_body: bool = True) -> None:
        """Send a file; answer 404, without logging, for anything outside the folder."""
        try:
            await super().get(path, include_body)
        except HTTPError as error:
            raise HTTPError(404 if error.status_code == 403 else error.status_code) from None

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Return the path of a file in the folder.

        Raise HTTPError 404 otherwise.
        """
        try:
            inside = Path(absolute_path).resolve().is_relative_to(Path(root).resolve())
        except (OSError, RuntimeError, ValueError):
            # The file system accepts no such path, or links form a circle.
            inside = False
        if not inside:
            raise HTTPError(404)
        return super().validate_absolute_path(root, absolute_path)

    def set_headers(self) -> None:
        """Add the time to cache the file.

        None if the URL has another version.
        """
        super().set_headers()
        self.clear_header("Expires")
        asked = self.get_argument("v", "")
        current = asked != "" and asked == self.get_version({"static_path": self.root}, self.path)
        self.set_header("Cache-Control", FOR_EVER if current else ASK_AGAIN)
