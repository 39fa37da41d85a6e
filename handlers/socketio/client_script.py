"""Serves the browser client.

It is read and compressed once, at the start.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from tornado.web import RequestHandler

SOURCE = Path(__file__).parent / "browser" / "socket.io.js"
ACCEPTS_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", re.IGNORECASE)
"""Source: RFC 9110, section 12.5.3."""
SCRIPT_END = b"""
if (globalThis.document?.currentScript?.tagName === "SCRIPT") io.source = document.currentScript.src;
"""
"""Tells the client where it is served; the file, copied, does not know. An `<img name=currentScript>` is no script."""
MODULE_END = b"""
io.source = import.meta.url;
export { io, io as default };
export const { connect, Manager, Socket, protocol } = io;
"""


class Script(NamedTuple):
    """The browser client as a script or as a module."""

    body: bytes
    compressed: bytes
    hash: str


def load(end: bytes) -> Script:
    """Read the client.

    end: SCRIPT_END for a script tag, MODULE_END for `import`.
    """
    body = SOURCE.read_bytes() + end
    return Script(body, gzip.compress(body, 9, mtime=0), hashlib.sha256(body).hexdigest()[:20])


class ScriptHandler(RequestHandler):
    """Serves one form of the client; browsers cache and revalidate it."""

    def initialize(self, script: Script) -> None:
        """Store the script that `routes` passes."""
        self.script = script

    def set_default_headers(self) -> None:
        """Replace Tornado's Server header, which has its version."""
        self.set_header("Server", "Tornado")

    def get(self) -> None:
        """Send the script, or 304 if the browser has this version."""
        self._compressed = bool(ACCEPTS_GZIP.search(self.request.headers.get("Accept-Encoding", "")))
        self.set_header("Content-Type", "text/javascript; charset=UTF-8")
        self.set_header("Cache-Control", "public, max-age=0")
        self.set_header("Vary", "Accept-Encoding")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        # A module that a page of another origin imports is fetched by the rules of CORS.
        self.set_header("Access-Control-Allow-Origin", "*")
        if self._compressed:
            self.set_header("Content-Encoding", "gzip")
        self.write(self.script.compressed if self._compressed else self.script.body)

    head = get

    def compute_etag(self) -> str:
        """Return an ETag for each encoding, as RFC 9110 §8.8.3.3 requires."""
        return f'"{self.script.hash}{"-gzip" if self._compressed else ""}"'
