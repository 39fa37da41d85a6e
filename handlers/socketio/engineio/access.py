"""Admission of requests, for handlers and the fast path.

Source: Engine.IO protocol, revision 4, "Handshake". Codes and the order of checks are those of Node's
engine.io, because clients' tests compare them.
"""

from __future__ import annotations

from tornado.httputil import HTTPServerRequest

from .engine import Engine
from .errors import BadHandshakeMethod, BadRequest, ServerShuttingDown, TransportUnknown, UnsupportedVersion
from .origins import Origins, check_bytes
from .session import Session


def parameter(request: HTTPServerRequest, name: str) -> str:
    """Return the last value of a query parameter.

    "" if there is none.
    """
    values = request.query_arguments.get(name)
    return values[-1].decode("utf-8", "replace") if values else ""


class Access:
    """The checks of requests to one engine; transports derive their own.

    trust_proxy: trust X-Forwarded-Host.
    """

    def __init__(self, engine: Engine, origins: Origins, trust_proxy: bool) -> None:
        self.engine = engine
        self._origins = origins
        self._trust_proxy = trust_proxy

    def host(self, request: HTTPServerRequest) -> str:
        """Return the host that the client named, or a trusted proxy."""
        forwarded = request.headers.get("X-Forwarded-Host") if self._trust_proxy else None
        return forwarded.rpartition(",")[2].strip() if forwarded else request.host

    def reader_of(self, request: HTTPServerRequest) -> str | None:
        """Return a request's Origin if that page may read the answer."""
        origin: str | None = request.headers.get("Origin")
        allowed = origin is not None and self._origins.allows(origin, self.host(request), request.protocol)
        return origin if allowed else None

    def check_origin(self, request: HTTPServerRequest) -> None:
        """Raise Forbidden if the page of the request may not connect."""
        self.check_page(request.headers.get("Origin"), request)

    def check_page(self, origin: str | None, request: HTTPServerRequest) -> None:
        """Raise Forbidden unless pages of this origin may send this request."""
        self._origins.check(origin, self.host(request), request.protocol)

    def check_limits(self, request: HTTPServerRequest) -> None:
        """Raise RequestRefused if the request's address is at a limit."""
        self.engine.admission.check(request.remote_ip or "", self.engine.now)

    def admit(self, request: HTTPServerRequest) -> Session | None:
        """Return a request's session, or None if it may open one.

        Raises RequestRefused for any other request.
        """
        check_bytes(request.headers.get("Origin"))
        sid, version = parameter(request, "sid"), parameter(request, "EIO")
        session = self.find(sid) if sid else None
        if session is None:
            self.check_opens(request)
        else:
            self.check_fits(request, session)
        self.check_origin(request)
        if version != "4" and not (version == "3" and self.engine.allow_eio3):
            raise UnsupportedVersion(version)
        if session is None:
            self.check_limits(request)
        return session

    def find(self, sid: str) -> Session:
        """Return the session of a sid; raise SessionUnknown if there is none."""
        return self.engine.find(sid)

    def check_fits(self, request: HTTPServerRequest, session: Session) -> None:
        """Raise BadRequest if the request does not fit its session."""
        version, revision = parameter(request, "EIO"), session.handshake.revision
        if version != str(revision):
            raise BadRequest(f"EIO={version[:10]!r} for a session that began with EIO={revision}")
        if request.method not in ("GET", "POST"):
            raise BadRequest(f"{request.method} is no method of the protocol")

    def check_opens(self, request: HTTPServerRequest) -> None:
        """Raise RequestRefused if the request cannot open a session."""
        if request.method != "GET":
            raise BadHandshakeMethod(f"{request.method} without a sid")
        if self.engine.draining:
            raise ServerShuttingDown("the server is shutting down")


class NoTransport(Access):
    """Refuses a request that names no transport of this server."""

    def admit(self, request: HTTPServerRequest) -> Session | None:
        """Raise TransportUnknown for every request."""
        name = parameter(request, "transport")[:40]
        raise TransportUnknown(f"transport={name!r} is neither polling nor websocket")
