"""What every page and file of the board is sent with, so that a browser does with them what was meant and no more."""

from __future__ import annotations

from tornado.web import RequestHandler

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
