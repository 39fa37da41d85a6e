"""The board below a path, such as `/board`.

A host may have several applications. A proxy that strips the path asks for `/socket.io/`, one that keeps it for
`/board/socket.io/`: both are answered, and pages name all addresses relative to their own.
"""

from __future__ import annotations

import re
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RedirectHandler

from ..socketio.operations import GuardedHandler

OWN = ("static", "socket.io", "events", "status", "healthz", "metrics", "worker.js")
"""First parts of the board's own paths."""


def read_base_path(text: str) -> str:
    """Return a base path without its last slash.

    "" is the root. Raises ValueError, which says what to write instead.
    """
    path = text.rstrip("/")
    if path and not path.startswith("/"):
        raise ValueError(f"must begin with a slash: write /{path}")
    if not re.fullmatch(r"(/(?!\.{1,2}(/|$))[\w.~-]+)*", path, re.ASCII):
        raise ValueError("may have letters, digits and . _ ~ - between its slashes: write one such as /board")
    if path[1:].partition("/")[0] in OWN:
        raise ValueError("is a path of the board itself: choose another one")
    return path


class ToPageHandler(GuardedHandler, RedirectHandler):
    """Adds the slash that relative addresses need."""


class BelowPath(Application):
    """An application that answers below a path as at the root.

    base_path: such as `/board`; "": none.
    """

    def __init__(self, rules: list[Any], base_path: str, **settings: Any) -> None:
        self._base_path = base_path
        to_page = ("", ToPageHandler, {"url": f"{base_path}/"})
        super().__init__([to_page, *rules] if base_path else rules, **settings)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Return what answers a request; its `uri` stays as it was."""
        base = self._base_path
        if request.path == base or request.path.startswith(f"{base}/"):
            request.path = request.path[len(base) :]
        return super().find_handler(request, **kwargs)
