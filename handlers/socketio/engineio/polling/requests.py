"""Requests of open polling sessions: held GETs and POSTs of packets.

A RequestHandler costs more than all the rest of a poll, so a router serves these requests directly after Tornado's HTTP
parser, or a lent connection (`fast_path.py`) before it. PollHandler serves handshakes, refusals and last polls.

Source: Engine.IO protocol, revision 4, "HTTP long-polling".
"""

from __future__ import annotations

from asyncio import get_running_loop
from typing import Any

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import Router

from ..access import parameter
from ..errors import BadRequest, RequestRefused, TooManyRequests
from .access import PollingAccess, too_large
from .exchange import Exchange
from .fast_path import TornadoExchange
from .transport import PollingTransport, PollRequest


class PollRequests(Router):
    """Router for requests of open sessions; leaves all others to PollHandler."""

    def __init__(self, access: PollingAccess) -> None:
        self._access = access
        self.max_payload = access.engine.max_payload

    def find_handler(self, request: HTTPServerRequest, **_: Any) -> HTTPMessageDelegate | None:
        """Return the delegate of a poll; None for any other request."""
        poll_request = self.admit(request)
        return None if poll_request is None else self.begin(poll_request, TornadoExchange(request, self))

    def admit(self, request: HTTPServerRequest) -> PollRequest | None:
        """Return the poll of a request.

        Returns None for a request that belongs to no open session, or must be refused.
        """
        if not parameter(request, "sid"):
            return None
        try:
            session = self._access.admit(request)
        except RequestRefused:
            return None
        if session is None or not isinstance(session.transport, PollingTransport):
            return None
        return PollRequest(str(request.method), request.headers.get("Origin"), session.transport)

    def begin(self, poll_request: PollRequest, exchange: Exchange) -> HTTPMessageDelegate | None:
        """Return the delegate of a request.

        None if its session cannot accept it now.
        """
        transport = poll_request.transport
        if not transport.accepts(poll_request.method) or self._access.engine.is_overdue(transport.session):
            return None
        kind = HeldGet if poll_request.method == "GET" else PacketPost
        return kind(poll_request, exchange)


class OpenSessionRequest(HTTPMessageDelegate):
    """A request of an open session, GET or POST."""

    __slots__ = ("_exchange", "_origin", "_transport")

    def __init__(self, poll_request: PollRequest, exchange: Exchange) -> None:
        _, self._origin, self._transport = poll_request
        self._exchange = exchange

    def on_connection_close(self) -> None:
        """Close the session: the client broke off its request."""
        self._transport.lost()

    def _respond(self, status: int, kind: str, body: bytes) -> None:
        self._exchange.respond(status, kind, self._origin, body)


class HeldGet(OpenSessionRequest):
    """A GET, held until there are entries to read."""

    __slots__ = ()

    def finish(self) -> None:
        """Hold the poll, after its request is complete."""
        self._exchange = self._exchange.request_received(self)
        if not self._exchange.closed:
            self._transport.hold(self)
        else:
            self.on_connection_close()

    def answer(self, payload: bytes) -> None:
        """Send the response."""
        self._transport.session.engine.counters.traffic[PollingTransport.name].sent += len(payload)
        self._respond(200, self._transport.format.kind(payload), payload)

    def on_connection_close(self) -> None:
        """Close the session: the client broke off its poll."""
        self._transport.lost(self)


class PacketPost(OpenSessionRequest):
    """A POST with packets; its body may come in parts."""

    __slots__ = ("_body", "_over", "_packets")

    def __init__(self, poll_request: PollRequest, exchange: Exchange) -> None:
        super().__init__(poll_request, exchange)
        self._body = bytearray()
        self._over = False
        self._transport.begin_post()

    def data_received(self, chunk: bytes) -> None:
        """Store a part of the body."""
        self._body += chunk
        self._exchange.wait_on()
        session = self._transport.session
        session.engine.counters.traffic[PollingTransport.name].received += len(chunk)
        if len(self._body) > session.engine.max_payload and not self._over:
            self._end()
            self._refuse(too_large(len(self._body), session.engine.max_payload))

    def finish(self) -> None:
        """Handle the packets, after the body is complete."""
        if not self._over:
            self._exchange = self._exchange.request_received(self)
            self._packets = self._transport.format.decode(bytes(self._body))
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
        """Close the session if the POST is incomplete."""
        if not self._over:
            self._end()
            super().on_connection_close()

    def _end(self) -> None:
        self._over = True
        self._transport.end_post()

    def _refuse(self, refusal: RequestRefused) -> None:
        session = self._transport.session
        session.engine.note_refusal(session.handshake.remote_ip, refusal)
        self._respond(refusal.status, "application/json", refusal.body.encode())
