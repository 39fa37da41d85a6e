"""The requests of open sessions that poll.

A RequestHandler costs more than all the rest of a poll, so that these do without: a router takes them right behind
Tornado's HTTP, or a lane (`lane.py`) before it. Handshakes, refusals and last words go to PollHandler.

Source: Engine.IO protocol, revision 4, "HTTP long-polling".
"""

from __future__ import annotations

import logging
import time
from asyncio import get_running_loop
from typing import Any, NamedTuple

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import Router

from ..codec.packet import decode_payload
from ..engine import Engine
from ..errors import BadRequest, RequestRefused, TooManyRequests
from ..origins import Origins
from .access import PollingAccess, too_large
from .exchange import Exchange
from .fast_path import TornadoExchange
from .transport import PollingTransport

logger = logging.getLogger(__name__)

TEXT = "text/plain; charset=UTF-8"


class PollRequest(NamedTuple):
    """What a request is for."""

    method: str
    """GET or POST."""
    origin: str | None
    """The page that asks, if it is one that may."""
    transport: PollingTransport


class PollRequests(Router):
    """Finds what takes a request of an open session; None for every other, which is left to PollHandler."""

    def __init__(self, engine: Engine, origins: Origins, trust_proxy: bool) -> None:
        self._engine = engine
        self._access = PollingAccess(engine, origins, trust_proxy)
        self.max_payload = engine.max_payload

    def find_handler(self, request: HTTPServerRequest, **_: Any) -> HTTPMessageDelegate | None:
        """Return what takes the body of a request and answers it; None where it is not a poll to be served."""
        poll_request = self.admit(request)
        return None if poll_request is None else self.begin(poll_request, TornadoExchange(request, self))

    def admit(self, request: HTTPServerRequest) -> PollRequest | None:
        """Return what a request asks for; None where it is not one of an open session, or is to be refused."""
        if "sid" not in request.query_arguments:
            return None
        try:
            session = self._access.admit(request)
        except RequestRefused:
            return None
        if session is None or not isinstance(session.transport, PollingTransport):
            return None
        return PollRequest(str(request.method), request.headers.get("Origin"), session.transport)

    def begin(self, poll_request: PollRequest, exchange: Exchange) -> HTTPMessageDelegate | None:
        """Return what takes the body of a request and answers it; None where the session cannot take it now."""
        transport = poll_request.transport
        if not transport.accepts(poll_request.method) or self._engine.is_overdue(transport.session):
            return None
        kind = HeldGet if poll_request.method == "GET" else PacketPost
        return kind(poll_request, exchange)


class OpenSessionRequest(HTTPMessageDelegate):
    """A request of an open session."""

    __slots__ = ("_exchange", "_origin", "_transport")

    def __init__(self, ask: PollRequest, exchange: Exchange) -> None:
        _, self._origin, self._transport = ask
        self._exchange = exchange

    def on_connection_close(self) -> None:
        """Part with a client whose request was broken off."""
        self._transport.lost()

    def _respond(self, status: int, kind: str, body: bytes) -> None:
        self._exchange.respond(status, kind, self._origin, body)


class HeldGet(OpenSessionRequest):
    """A poll, held until there is something to read."""

    __slots__ = ()

    def finish(self) -> None:
        """Hold it, now that it is all there."""
        self._exchange = self._exchange.request_received(self)
        if not self._exchange.closed:
            self._transport.hold(self)
        else:
            self.on_connection_close()

    def answer(self, payload: bytes) -> None:
        """Answer it."""
        self._transport.session.engine.counters.traffic[PollingTransport.name].sent += len(payload)
        self._respond(200, TEXT, payload)

    def on_connection_close(self) -> None:
        """Part with a client that waits no more."""
        self._transport.lost(self)


class PacketPost(OpenSessionRequest):
    """Packets, which may come in parts."""

    __slots__ = ("_body", "_over", "_packets")

    def __init__(self, ask: PollRequest, exchange: Exchange) -> None:
        super().__init__(ask, exchange)
        self._body = bytearray()
        self._over = False
        self._transport.begin_post()

    def data_received(self, chunk: bytes) -> None:
        """Take a part of the body."""
        self._body += chunk
        self._exchange.wait_on()
        session = self._transport.session
        session.engine.counters.traffic[PollingTransport.name].received += len(chunk)
        if len(self._body) > session.engine.max_payload and not self._over:
            self._end()
            self._refuse(too_large(len(self._body), session.engine.max_payload))

    def finish(self) -> None:
        """Take the packets, now that they are all there."""
        if not self._over:
            self._exchange = self._exchange.request_received(self)
            self._packets = decode_payload(bytes(self._body))
            self._receive()

    def _receive(self) -> None:
        if self._over:
            return
        pause = self._transport.receive(self._packets)
        if pause and self._transport.session.reason is None:
            get_running_loop().call_later(pause, self._receive)
        else:
            self._end()
            self._answer()

    def _answer(self) -> None:
        reason = self._transport.session.reason
        if reason == "parse error":
            self._refuse(BadRequest("the body is not what the protocol allows"))
        elif reason == "rate limited":
            self._refuse(TooManyRequests(self._transport.session.fault))
        else:
            self._respond(200, "text/html", b"ok")

    def on_connection_close(self) -> None:
        """Part with a client whose packets will not come."""
        if not self._over:
            self._end()
            super().on_connection_close()

    def _end(self) -> None:
        self._over = True
        self._transport.end_post()

    def _refuse(self, refusal: RequestRefused) -> None:
        session = self._transport.session
        logger.info("refused %s: %s (%s)", session.handshake.remote_ip, refusal.message, refusal.hint)
        session.engine.counters.refuse(session.handshake.remote_ip, refusal, time.time())
        self._respond(refusal.status, "application/json", refusal.body.encode())
