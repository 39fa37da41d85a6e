"""Which polls are let in."""

from __future__ import annotations

from tornado.httputil import HTTPServerRequest

from ..access import Access
from ..errors import BadRequest, PayloadTooLarge
from ..session import Session
from .transport import PollingTransport


def too_large(size: int, limit: int) -> PayloadTooLarge:
    """Return the refusal of a body."""
    return PayloadTooLarge(f"{size} bytes, where {limit} are allowed by max_payload")


class PollingAccess(Access):
    """The checks of requests that poll."""

    def find(self, sid: str) -> Session:
        """Also return a session that is over, if its client has still to be told."""
        return self.engine.lingering(sid) or super().find(sid)

    def check_fits(self, request: HTTPServerRequest, session: Session) -> None:
        """Also refuse a session that has left polling: it does not come back."""
        super().check_fits(request, session)
        if not isinstance(session.transport, PollingTransport):
            raise BadRequest(f"{session.sid} has upgraded to {session.transport.name}")

    def admit(self, request: HTTPServerRequest) -> Session | None:
        """Also refuse a body that is too large, as far as the head tells: it may come in chunks."""
        session = super().admit(request)
        length = request.headers.get("Content-Length", "")
        size = int(length[:20]) if length.isdecimal() else 0
        if session is not None and size > self.engine.max_payload:
            raise too_large(size, self.engine.max_payload)
        return session
