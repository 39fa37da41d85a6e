"""The Tornado handler that both transports share; it refuses requests."""

from __future__ import annotations

import sys
import time
from asyncio import get_running_loop

from tornado.web import RequestHandler

from .access import Access, parameter
from .engine import Engine
from .errors import RequestRefused
from .handshake import Handshake
from .offsets import first_offset
from .polling.exchange import IDLE
from .session import Session
from .timer import RepeatingTimer
from .tornado_internals import limit_idle_time

PROTOCOL_PARAMETERS = frozenset({"EIO", "transport", "sid", "t", "b64"})


def start_clock(engine: Engine) -> None:
    """Start the engine and its beat, unless running on this loop.

    The first request calls this; a server that restores a snapshot calls it before.
    """
    loop = get_running_loop()
    if engine.loop is loop:
        return
    engine.start(loop, first_offset(time.time_ns() // 1_000_000))

    def beat() -> None:
        if engine.loop is loop:
            engine.beat()
        else:
            timer.stop()

    timer = RepeatingTimer(beat, engine.period)
    timer.start()
    for function in engine.when_started:
        function()


class Endpoint(RequestHandler):
    """A request to the engine's path; transports derive from this class.

    This class itself refuses requests that name no known transport.
    """

    transport_name = ""
    session: Session | None

    def initialize(self, access: Access) -> None:
        """Store the argument that `routes` passes."""
        self.engine = access.engine
        self.access = access

    def set_default_headers(self) -> None:
        """Replace Tornado's Server header, which has its version."""
        self.set_header("Server", "Tornado")

    def prepare(self) -> None:
        """Set `session` (None: the request may open one), or refuse the request."""
        self.engine.adopt_settings(self.application.settings)
        start_clock(self.engine)
        limit_idle_time(self.request, IDLE)
        self.session = None
        self._allow_origin()
        if self.request.method == "OPTIONS":
            return
        try:
            self.session = self.admit()
        except RequestRefused as refusal:
            self.refuse(refusal)

    def admit(self) -> Session | None:
        """Return the request's session, or None if it may open one.

        Raises RequestRefused for any other request.
        """
        return self.access.admit(self.request)

    def refuse(self, refusal: RequestRefused) -> None:
        """Answer a refused request."""
        self.engine.note_refusal(self.request.remote_ip or "", refusal)
        self.set_status(refusal.status)
        self.set_header("Content-Type", "application/json")
        if refusal.retry_after:
            self.set_header("Retry-After", str(refusal.retry_after))
        if self.engine.draining:
            # A new connection reaches the next server.
            self.set_header("Connection", "close")
        self.finish(refusal.body)

    def handshake(self) -> Handshake:
        """Return the data of this request for the application."""
        request = self.request
        query = {
            # Tornado decodes names as latin-1, and does not decode values.
            name.encode("latin-1").decode("utf-8", "replace"): values
            for name, values in request.query_arguments.items()
            if name not in PROTOCOL_PARAMETERS
        }
        # All clients share one string of the path, which saves memory.
        path = sys.intern(request.path)
        return Handshake(
            request.headers,
            request.remote_ip or "",
            query,
            self.access.host(request),
            request.protocol,
            path,
            revision=int(parameter(request, "EIO")),
        )

    def _allow_origin(self) -> None:
        """Set the CORS headers for pages of allowed origins.

        Source: Fetch standard, "CORS protocol".
        """
        origin = self.access.reader_of(self.request)
        self.set_header("Vary", "Origin")
        if origin is not None:
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
        """Accept requests without an XSRF token."""

    def check_trusted_origin(self, origin: str) -> bool:
        """Return True, because `admit` checks the origin."""
        return True

    def check_origin(self, origin: str) -> bool:
        """Return True, because `admit` checks the origin."""
        return True
