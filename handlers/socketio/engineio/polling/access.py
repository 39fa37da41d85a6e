"""Admission of requests of polling clients."""

from __future__ import annotations

from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from ..access import Access
from ..errors import BadRequest, Forbidden, PayloadTooLarge
from ..session import Session
from .formats import is_jsonp
from .transport import PollingTransport


def too_large(size: int, limit: int) -> PayloadTooLarge:
    """Return the error for a body of `size` bytes."""
    return PayloadTooLarge(f"{size} bytes, where {limit} are allowed by max_payload")


class PollingAccess(Access):
    """The checks of requests of polling clients."""

    def find(self, sid: str) -> Session:
        """Return also a closed session whose client is not told yet."""
        return self.engine.lingering(sid) or super().find(sid)

    def check_fits(self, request: HTTPServerRequest, session: Session) -> None:
        """Refuse also requests of a session that has upgraded."""
        super().check_fits(request, session)
        if not isinstance(session.transport, PollingTransport):
            raise BadRequest(f"{session.sid} has upgraded to {session.transport.name}")

    def check_origin(self, request: HTTPServerRequest) -> None:
        """Check also the page that loads polls as scripts.

        Such requests have no Origin.
        """
        super().check_origin(request)
        if self.engine.allow_eio3 and is_jsonp(request):
            page = urlsplit(request.headers.get("Referer", ""))
            if not page.netloc:
                raise Forbidden("JSONP without a Referer, so any page may have sent it: allow the page to send one")
            self.check_page(f"{page.scheme}://{page.netloc}", request)

    def admit(self, request: HTTPServerRequest) -> Session | None:
        """Refuse also a body whose announced size is too large.

        A chunked body announces no size; it is checked while it is read.
        """
        session = super().admit(request)
        length = request.headers.get("Content-Length", "")
        size = int(length[:20]) if length.isdecimal() else 0
        if session is not None and size > self.engine.max_payload:
            raise too_large(size, self.engine.max_payload)
        return session
