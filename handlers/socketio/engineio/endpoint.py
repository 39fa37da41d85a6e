"""What both transports have in common as Tornado handlers: who is let in, and how the others are refused.

Source: Engine.IO protocol, revision 4, "Handshake"; the codes and the order of checks are those of Node's engine.io.
"""

from __future__ import annotations

import logging
import sys
import time
from asyncio import AbstractEventLoop, get_running_loop

from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler

from .engine import Engine
from .errors import (
    BadHandshakeMethod,
    BadRequest,
    RequestRefused,
    ServerShuttingDown,
    TransportUnknown,
    UnsupportedVersion,
)
from .origins import Origins, check_bytes
from .polling.exchange import bound_idle_time
from .session import Handshake, Session

PROTOCOL_PARAMETERS = frozenset({"EIO", "transport", "sid", "t", "b64"})

logger = logging.getLogger(__name__)


def start_clock(engine: Engine) -> None:
    """Start the engine and the one callback that beats for it, unless it runs on this loop already.

    The first request does so; a server that restores a snapshot does it before.
    """
    loop = get_running_loop()
    if engine.loop is not loop:
        engine.start(loop, time.time_ns() // 1000)
        _beat(engine, loop)


def _beat(engine: Engine, loop: AbstractEventLoop) -> None:
    # Tornado's PeriodicCallback goes by the time of day: it would rest for an hour if that is set back by an hour.
    if engine.loop is loop:
        loop.call_later(engine.period, _beat, engine, loop)
        engine.beat()


def parameter(request: HTTPServerRequest, name: str) -> str:
    """Return the last value of a query parameter, "" where there is none."""
    values = request.query_arguments.get(name)
    return values[-1].decode("utf-8", "replace") if values else ""


def host_of(request: HTTPServerRequest, trust_proxy: bool) -> str:
    """Return the host that the client asked for, as a trusted proxy tells it."""
    forwarded = request.headers.get("X-Forwarded-Host") if trust_proxy else None
    return forwarded.rpartition(",")[2].strip() if forwarded else request.host


class Endpoint(RequestHandler):
    """A request to the path of the engine: refused here, unless a transport that derives from this takes it."""

    transport_name = ""
    session: Session | None

    def initialize(self, engine: Engine, origins: Origins, trust_proxy: bool) -> None:
        """Take what `routes` passes to every request."""
        self.engine = engine
        self.origins = origins
        self.trust_proxy = trust_proxy

    def set_default_headers(self) -> None:
        """Called by Tornado before each answer; it would name its version."""
        self.set_header("Server", "Tornado")

    def prepare(self) -> None:
        """Find the session this request is for (None: it may open one), or refuse the request."""
        self.engine.adopt_settings(self.application.settings)
        start_clock(self.engine)
        bound_idle_time(self.request)
        self.session = None
        self._allow_origin()
        if self.request.method == "OPTIONS":
            return
        try:
            self.session = self.admit()
        except RequestRefused as refusal:
            self.refuse(refusal)

    def admit(self) -> Session | None:
        """Return the session this request is for, None where it may open one; raise Refusal elsewhere."""
        if not self.transport_name:
            raise TransportUnknown(
                f"transport={parameter(self.request, 'transport')[:40]!r} is neither polling nor websocket"
            )
        sid, version = parameter(self.request, "sid"), parameter(self.request, "EIO")
        check_bytes(self.request.headers.get("Origin"))
        if sid:
            session = self.find(sid)
            self.check_fits(session, version)
        else:
            session = None
            self.check_opens()
        self.origins.check(self.request.headers.get("Origin"), self.host, self.request.protocol)
        if version != "4":
            raise UnsupportedVersion(version)
        if session is None:
            self.engine.admission.check(self.request.remote_ip or "", self.engine.now)
        return session

    def find(self, sid: str) -> Session:
        """Return the session of this sid; raise SessionUnknown where there is none."""
        return self.engine.find(sid)

    def check_fits(self, session: Session, version: str) -> None:
        """Raise BadRequest where the request does not fit the session it names."""
        if version != "4":
            raise BadRequest(f"EIO={version[:10]!r} for a session that began with EIO=4")
        if self.request.method not in ("GET", "POST"):
            raise BadRequest(f"{self.request.method} is no method of the protocol")

    def check_opens(self) -> None:
        """Raise Refusal where the request cannot open a session."""
        if self.request.method != "GET":
            raise BadHandshakeMethod(f"{self.request.method} without a sid")
        if self.engine.draining:
            raise ServerShuttingDown("the server was told to end")

    def refuse(self, refusal: RequestRefused) -> None:
        """Answer a request that is not served; the hint is for the log."""
        logger.info("refused %s: %s (%s)", self.request.remote_ip, refusal.message, refusal.hint)
        self.engine.counters.refuse(self.request.remote_ip or "", refusal, time.time())
        self.set_status(refusal.status)
        self.set_header("Content-Type", "application/json")
        if refusal.retry_after:
            self.set_header("Retry-After", str(refusal.retry_after))
        if self.engine.draining:
            # By a new connection the client finds the next server.
            self.set_header("Connection", "close")
        self.finish(refusal.body)

    @property
    def host(self) -> str:
        """The host that the client asked for."""
        return host_of(self.request, self.trust_proxy)

    def handshake(self) -> Handshake:
        """Return what the application may see of this request."""
        request = self.request
        query = {
            # Tornado decodes names as latin-1, and leaves values as they are.
            name.encode("latin-1").decode("utf-8", "replace"): values
            for name, values in request.query_arguments.items()
            if name not in PROTOCOL_PARAMETERS
        }
        # All clients share the text of the path: the route has one or two.
        path = sys.intern(request.path)
        return Handshake(request.headers, request.remote_ip or "", query, self.host, request.protocol, path)

    def _allow_origin(self) -> None:
        """Let a page of another origin that is let in read the answer. Source: Fetch standard, "CORS protocol"."""
        origin = self.request.headers.get("Origin")
        self.set_header("Vary", "Origin")
        if origin is not None and self.origins.allows(origin, self.host, self.request.protocol):
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Allow-Credentials", "true")

    def options(self) -> None:
        """Answer a preflight (Fetch standard, "CORS-preflight request")."""
        self.set_header("Access-Control-Allow-Methods", "GET, POST")
        asked = self.request.headers.get("Access-Control-Request-Headers")
        if asked:
            self.set_header("Access-Control-Allow-Headers", asked)
        self.set_status(204)
        self.finish()

    # Tornado's own defences guard forms that carry a browser's cookies; here the origin is checked instead, for both
    # transports alike.

    def check_xsrf_cookie(self) -> None:
        """Need no token."""

    def check_trusted_origin(self, origin: str) -> bool:
        """Leave the origin to `admit`."""
        return True

    def check_origin(self, origin: str) -> bool:
        """Leave the origin to `admit`."""
        return True
