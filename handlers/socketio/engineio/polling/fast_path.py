"""Keep-alive connections of polling clients, served without Tornado's HTTP parser.

Tornado's HTTP takes four times as long as the rest of a poll. A connection that has brought one poll will bring
others, so it is taken out of Tornado's hands. What comes on it is looked at while it is still in the kernel: a poll is
taken from there, and whatever else it is, the connection goes back to Tornado, which finds it untouched.

Source: RFC 9112.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any, Protocol

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest, ResponseStartLine
from tornado.iostream import SSLIOStream

from ..buffered_socket import CHUNK, WOULD_BLOCK, BufferedSocket
from ..tornado_internals import address_of, is_untouched, lender_of, limit_idle_time
from .exchange import BODY, IDLE, REASONS, Exchange, date, fields, response
from .known_heads import HeadCache, is_plain
from .transport import PollRequest


class LendingServer(Protocol):
    """The HTTP server that lends its connections."""

    idle: float
    """Seconds from a response to the next request."""
    lent: set[LentConnection]
    """The connections that are lent now."""

    def reclaim(self, line: socket.socket, address: Any) -> None:
        """Serve a lent connection again, from its next request on."""


class PollRouter(Protocol):
    """Recognises polls, and makes their delegates."""

    max_payload: int

    def admit(self, request: HTTPServerRequest) -> PollRequest | None:
        """Return the poll of a request.

        Returns None for a request that belongs to no open session, or must be refused.
        """

    def begin(self, poll_request: PollRequest, exchange: Exchange) -> HTTPMessageDelegate | None:
        """Return the delegate of a request.

        None if its session cannot accept it now.
        """


class TornadoExchange:
    """A request on a connection that Tornado reads."""

    __slots__ = ("_connection", "_request", "_router", "_settled", "_timer")

    def __init__(self, request: HTTPServerRequest, router: PollRouter) -> None:
        assert isinstance(request.connection, HTTP1Connection)
        self._request = request
        self._connection = request.connection
        self._router = router
        self._settled = False
        self._timer: asyncio.TimerHandle | None = None
        limit_idle_time(request, IDLE)
        if request.method == "POST":
            # The body's size is checked here, because Tornado would answer a bare 400.
            self._connection.set_max_body_size(1 << 62)
            self.wait_on()

    @property
    def closed(self) -> bool:
        """Whether the connection is closed.

        Tornado calls back only for connections that close later.
        """
        return self._connection.stream.closed()

    def wait_on(self) -> None:
        """Restart the body timeout: Tornado's own server has none."""
        self._stop_waiting()
        self._timer = asyncio.get_running_loop().call_later(BODY, self._connection.close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def request_received(self, request: HTTPMessageDelegate) -> Exchange:
        """Return a LentConnection if the connection can be lent, else this."""
        self._stop_waiting()
        lender: LendingServer | None = lender_of(self._connection)
        if lender is not None and self._can_be_lent():
            # As on the wire: an application may have cut the request's own path.
            path = (self._request.uri or "").partition("?")[0]
            return LentConnection(self._connection, lender, self._router, path, request)
        self._connection.set_close_callback(request.on_connection_close)
        self._settled = True
        return self

    def _can_be_lent(self) -> bool:
        stream = self._connection.stream
        return is_untouched(stream) and not isinstance(stream, SSLIOStream) and is_plain(self._request)

    def respond(self, status: int, kind: str, origin: str | None, body: bytes) -> None:
        """Send the response through Tornado."""
        self._stop_waiting()
        own = {"Date": date(int(time.time())), "Content-Length": str(len(body))}
        if not self._settled:
            own["Connection"] = "close"  # the rest of the body is not read
        headers = HTTPHeaders({**fields(kind, origin), **own})
        self._connection.write_headers(ResponseStartLine("HTTP/1.1", status, REASONS[status]), headers, body)
        self._connection.finish()


class LentConnection(BufferedSocket):
    """A connection taken over from Tornado, with its first request.

    Reading is paused while a request waits in the kernel for the response before it to be made, or sent.
    """

    __slots__ = ("_address", "_clock", "_heads", "_lender", "_path", "_request", "_router", "_since", "_timer")

    def __init__(
        self,
        connection: HTTP1Connection,
        lender: LendingServer,
        router: PollRouter,
        path: str,
        request: HTTPMessageDelegate,
    ) -> None:
        super().__init__(connection.detach())
        self._address = address_of(connection)
        self._lender = lender
        self._router = router
        self._path = path
        self._heads = HeadCache(self._read_request, router.max_payload)
        self._request: HTTPMessageDelegate | None = request
        if self._socket.family != socket.AF_UNIX:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._clock = asyncio.get_running_loop()  # Tornado's loop uses the time of day
        self._since = self._clock.time()
        self._timer = self._clock.call_later(lender.idle, self._check_idle)
        lender.lent.add(self)

    # -- for requests

    def wait_on(self) -> None:
        """Do nothing: requests with incomplete bodies go back to Tornado."""

    def request_received(self, _: HTTPMessageDelegate) -> Exchange:
        """Return this connection, which also sends the response."""
        return self

    def respond(self, status: int, kind: str, origin: str | None, body: bytes) -> None:
        """Send the response, and wait for the next request."""
        self._request = None
        self._since = self._clock.time()
        self.send(response(status, kind, origin, body))
        if self.busy:
            self.pause_reading()
        elif self._paused:
            self.resume_reading()

    # -- what comes

    def _on_event(self, _: socket.socket, __: int) -> None:
        if self.busy:
            self._send_more()
        else:
            self._look()

    def _look(self) -> None:
        try:
            data = self._socket.recv(CHUNK, socket.MSG_PEEK)
        except WOULD_BLOCK:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
        elif self._request is not None:
            # The client sent a request before the last response: read it after that.
            self.pause_reading()
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        head = self._heads.match(data)
        end = 0 if head is None else head.size + head.length
        request = None if head is None or end > len(data) else self._router.begin(head.request, self)
        if head is None or request is None:
            self._release()
            self._lender.reclaim(self._socket, self._address)
            return
        self._socket.recv(end)
        self._request = request
        if head.length:
            request.data_received(data[head.size : end])
        request.finish()

    def _read_request(self, request: HTTPServerRequest) -> PollRequest | None:
        same = request.path == self._path and request.query_arguments.get("transport") == [b"polling"]
        return self._router.admit(request) if same else None

    # -- the end

    def _check_idle(self) -> None:
        end = self._since + self._lender.idle
        if self._request is not None:
            end = self._clock.time() + self._lender.idle
        elif self._clock.time() >= end:
            self.close()
            return
        self._timer = self._clock.call_at(end, self._check_idle)

    def _drained(self) -> None:
        self.resume_reading()

    def _release(self) -> None:
        super()._release()
        self._timer.cancel()
        self._lender.lent.discard(self)

    def _on_close(self, error: bool) -> None:
        request, self._request = self._request, None
        if request is not None:
            request.on_connection_close()
