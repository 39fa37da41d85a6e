"""The requests of polling clients.

A RequestHandler costs more than all the rest of a poll, so that the requests of open sessions do without: a router
takes them right behind Tornado's HTTP. Handshakes, refusals and last words go to PollHandler.

Source: Engine.IO protocol, revision 4, "HTTP long-polling".
"""

from __future__ import annotations

import json
import logging
import time
from asyncio import get_running_loop
from functools import lru_cache
from typing import Any

from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
    format_timestamp,
)
from tornado.routing import Router
from tornado.web import stream_request_body

from .endpoint import Endpoint, host_of, keep_time, parameter
from .engine import Engine
from .errors import BadRequest, PayloadTooLarge, Refusal, TooManyRequests
from .origins import Origins
from .packet import decode_payload, encode_payload
from .polling import PollingTransport
from .session import Session

logger = logging.getLogger(__name__)

REASONS = {200: "OK", 400: "Bad Request", 413: "Payload Too Large", 429: "Too Many Requests"}
TEXT = "text/plain; charset=UTF-8"


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return format_timestamp(second)


def announced_size(request: HTTPServerRequest) -> int:
    """Return the bytes of a body as far as the request tells; 0 where it comes in chunks."""
    length = request.headers.get("Content-Length", "")
    return int(length[:20]) if length.isdecimal() else 0


def _too_large(size: int, limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"{size} bytes, where {limit} are allowed by --max-payload")


class Polls(Router):
    """Finds what takes a request of an open session; None for every other."""

    def __init__(self, engine: Engine, origins: Origins, trust_proxy: bool) -> None:
        self._engine = engine
        self._origins = origins
        self._trust_proxy = trust_proxy

    def find_handler(self, request: HTTPServerRequest, **_: Any) -> HTTPMessageDelegate | None:
        """Return what answers a request that needs no refusal. The order of refusals is PollHandler's affair."""
        method = request.method
        if method not in ("GET", "POST") or announced_size(request) > self._engine.max_payload:
            return None
        carrier = self._carrier(request)
        if carrier is None or not carrier.alone(method) or parameter(request, "EIO") != "4":
            return None
        origin = request.headers.get("Origin")
        if origin is not None and not self._origins.allows(origin, host_of(request, self._trust_proxy)):
            return None
        assert isinstance(request.connection, HTTP1Connection)
        return (Get if method == "GET" else Post)(request.connection, origin, carrier)

    def _carrier(self, request: HTTPServerRequest) -> PollingTransport | None:
        keep_time(self._engine)
        try:
            transport = self._engine.find(parameter(request, "sid")).transport
        except Refusal:
            return None
        return transport if isinstance(transport, PollingTransport) else None


class Request(HTTPMessageDelegate):
    """A request of an open session."""

    __slots__ = ("_carrier", "_connection", "_origin")

    def __init__(self, connection: HTTP1Connection, origin: str | None, carrier: PollingTransport) -> None:
        self._connection = connection
        self._origin = origin
        self._carrier = carrier

    def on_connection_close(self) -> None:
        """Part with a client whose request was broken off."""
        self._carrier.lost()

    def _respond(self, status: int, kind: str, body: bytes) -> None:
        headers = HTTPHeaders()
        headers["Date"] = _date(int(time.time()))
        headers["Content-Type"] = kind
        headers["Content-Length"] = str(len(body))
        headers["Cache-Control"] = "no-store"
        headers["Vary"] = "Origin"
        if self._origin is not None:
            headers["Access-Control-Allow-Origin"] = self._origin
            headers["Access-Control-Allow-Credentials"] = "true"
        self._connection.write_headers(ResponseStartLine("HTTP/1.1", status, REASONS[status]), headers, body)
        self._connection.finish()


class Get(Request):
    """A poll, held until there is something to read."""

    __slots__ = ()

    def finish(self) -> None:
        """Hold it, now that it is all there."""
        if self._connection.stream.closed():
            # Tornado tells of a connection that closes from now on, not of one that has closed already.
            self.on_connection_close()
            return
        self._connection.set_close_callback(self.on_connection_close)
        self._carrier.hold(self)

    def answer(self, payload: bytes) -> None:
        """Answer it."""
        self._carrier.session.engine.counters.traffic[PollingTransport.name].sent += len(payload)
        self._respond(200, TEXT, payload)

    def on_connection_close(self) -> None:
        """Part with a client that waits no more."""
        self._carrier.lost(self)


class Post(Request):
    """Packets, which may come in parts."""

    __slots__ = ("_body", "_over", "_packets")

    def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        """Begin to read the body. Its size is our own affair: Tornado would answer a bare 400."""
        self._body = bytearray()
        self._over = False
        self._connection.set_max_body_size(1 << 62)
        self._carrier.begin_post()

    def data_received(self, chunk: bytes) -> None:
        """Take a part of the body."""
        self._body += chunk
        session = self._carrier.session
        session.engine.counters.traffic[PollingTransport.name].received += len(chunk)
        if len(self._body) > session.engine.max_payload and not self._over:
            self._end()
            self._refuse(_too_large(len(self._body), session.engine.max_payload))

    def finish(self) -> None:
        """Take the packets, now that they are all there."""
        self._packets = decode_payload(bytes(self._body))
        self._receive()

    def _receive(self) -> None:
        if self._over:
            return
        pause = self._carrier.receive(self._packets)
        if pause and self._carrier.session.reason is None:
            self._connection.set_close_callback(self.on_connection_close)
            get_running_loop().call_later(pause, self._receive)
        else:
            self._end()
            self._answer()

    def _answer(self) -> None:
        reason = self._carrier.session.reason
        if reason == "parse error":
            self._refuse(BadRequest("the body is not what the protocol allows"))
        elif reason == "rate limited":
            self._refuse(TooManyRequests(self._carrier.session.fault))
        else:
            self._respond(200, "text/html", b"ok")

    def on_connection_close(self) -> None:
        """Part with a client whose packets will not come."""
        if not self._over:
            self._end()
            super().on_connection_close()

    def _end(self) -> None:
        self._over = True
        self._carrier.end_post()

    def _refuse(self, refusal: Refusal) -> None:
        session = self._carrier.session
        logger.info("refused %s: %s (%s)", session.handshake.remote_ip, refusal.message, refusal.hint)
        session.engine.counters.refuse(session.handshake.remote_ip, refusal, time.time())
        self._respond(refusal.status, "application/json", json.dumps(refusal.payload).encode())


@stream_request_body
class PollHandler(Endpoint):
    """Any other request: the first of a session, the last, or one that is refused, whatever its body."""

    transport_name = PollingTransport.name

    def check_fits(self, session: Session, version: str) -> None:
        """Besides: a session that has left polling does not come back."""
        super().check_fits(session, version)
        carrier = session.transport
        if not isinstance(carrier, PollingTransport):
            raise BadRequest(f"{session.sid} has upgraded to {carrier.name}")
        self._carrier = carrier

    def find(self, sid: str) -> Session:
        """Besides: the last poll of a session that is over is still answered."""
        departed = self.engine.departed(sid) if self.request.method == "GET" else None
        return departed or super().find(sid)

    def admit(self) -> Session | None:
        """Besides: a POST is not too large, and a client asks for one thing at a time."""
        session = super().admit()
        if session is not None and session.reason is None:
            self._check_size()
            self._carrier.check_alone(str(self.request.method))
        return session

    def _check_size(self) -> None:
        size = announced_size(self.request)
        if size > self.engine.max_payload:
            raise _too_large(size, self.engine.max_payload)

    def get(self) -> None:
        """Open a session, or bid farewell."""
        if self.session is not None:
            self._carrier.bid_farewell(self)
            return
        transport = PollingTransport()
        transport.session = self.engine.open(transport, self.handshake())
        self.answer(encode_payload([self.engine.greeting(transport.session)]).encode())

    def answer(self, payload: bytes) -> None:
        """Answer a poll."""
        self.engine.counters.traffic[self.transport_name].sent += len(payload)
        self.set_header("Content-Type", TEXT)
        self.set_header("Cache-Control", "no-store")
        self.finish(payload)

    def compute_etag(self) -> None:
        """Need none: no two polls are alike."""

    def data_received(self, chunk: bytes) -> None:
        """Let it go: what is refused is not read."""
