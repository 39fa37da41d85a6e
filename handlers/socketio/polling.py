"""Long-polling: the requests, and what stands for the client between them.

A GET is held until there is something to read; a POST brings packets. Whoever polls is ready to read, so a held poll is
to this transport what a writable socket is to the other.

Source: Engine.IO protocol, revision 4, "HTTP long-polling".
"""

from __future__ import annotations

from asyncio import Future, get_running_loop

from tornado.http1connection import HTTP1Connection
from tornado.web import stream_request_body

from .endpoint import Endpoint
from .errors import BadRequest, PayloadTooLarge, ProtocolError, Refusal
from .packet import SEPARATOR, Packet, PacketType, decode_payload, encode_payload
from .reader import Reason
from .room import Slice
from .session import Session

NOOP = encode_payload([Packet(PacketType.NOOP)])
CLOSE = encode_payload([Packet(PacketType.CLOSE)])


class PollingTransport:
    """A client between its polls."""

    __slots__ = ("_farewells", "_poll", "_posting", "session")

    name = "polling"
    session: Session

    def __init__(self) -> None:
        self._poll: PollHandler | None = None
        self._posting = False
        self._farewells: list[list[str]] = []

    def hold(self, poll: PollHandler) -> None:
        """Take a poll to answer when there is something to read; raise BadRequest where one is held already."""
        if self._poll is not None:
            self.session.close("transport error")
            raise BadRequest("two polls at once")
        self._poll = poll
        self.session.resume()
        self.session.engine.wake(self.session)

    def begin_post(self) -> None:
        """Take note of a POST; raise BadRequest where another is on its way."""
        if self._posting:
            self.session.close("transport error")
            raise BadRequest("two POSTs at once")
        self._posting = True

    def end_post(self) -> None:
        """Take note that the POST has come, or will not come any more."""
        self._posting = False

    def receive(self, packet: Packet) -> None:
        """Take a packet of a POST."""
        if packet.type is PacketType.CLOSE:
            self.session.lost(self, "transport close")
        else:
            self.session.receive(packet, self)

    def catch_up(self) -> None:
        """Answer the poll that is held, if there is something to say."""
        if self._poll is None:
            return
        unread = self.session.read()
        if unread:
            self._answer(unread.payloads)
        elif self.session.probed:
            self._answer([NOOP])

    def release(self) -> None:
        """Let the client's last poll go: it listens elsewhere."""
        self._answer([NOOP])

    def end(self, farewell: Slice, reason: Reason) -> None:
        """Tell the client that it is over, with its next poll if none is held; a client that closed knows."""
        if reason == "transport close":
            self._answer([NOOP])
            return
        if reason == "server shutting down":
            # Told to close, python-socketio's client would not come back; its next poll fails, and then it does.
            self._answer(farewell.payloads or [NOOP])
            return
        # In one payload with the last events, a CLOSE would be read before them by the official client.
        self._farewells = [*([farewell.payloads] if farewell else []), [CLOSE]]
        if self._poll is None:
            self.session.engine.depart(self.session)
        else:
            self._bid_farewell()

    def bid_farewell(self, poll: PollHandler) -> None:
        """Answer a poll that comes when it is over."""
        self._poll = poll
        self._bid_farewell()

    def _bid_farewell(self) -> None:
        self._answer(self._farewells.pop(0))
        if self._farewells:
            self.session.engine.depart(self.session)

    def lost(self, poll: PollHandler) -> None:
        """Take note that a request was broken off."""
        if poll is self._poll:
            self._poll = None
        self.session.lost(self, "transport close")

    def _answer(self, payloads: list[str]) -> None:
        poll, self._poll = self._poll, None
        if poll is not None:
            poll.answer(SEPARATOR.join(payloads))


@stream_request_body
class PollHandler(Endpoint):
    """One request of a polling client. Its body is streamed, so that its size is checked before memory is spent."""

    transport_name = PollingTransport.name

    def prepare(self) -> None:
        """Admit the request, and the size of its body as far as it is announced."""
        self._body = bytearray()
        self._answered: Future[None] = get_running_loop().create_future()
        self._carrier: PollingTransport | None = None
        super().prepare()
        if self.request.method == "POST" and not self._finished:
            self._begin_post()

    def check_fits(self, session: Session, version: str) -> None:
        """Besides: a session that has left polling does not come back to it."""
        super().check_fits(session, version)
        if not isinstance(session.transport, PollingTransport):
            raise BadRequest(f"{session.sid} has upgraded to {session.transport.name}")

    def find(self, sid: str) -> Session:
        """Besides: the last poll of a session that is over is still answered."""
        departed = self.engine.departed(sid) if self.request.method == "GET" else None
        return departed or super().find(sid)

    async def get(self) -> None:
        """Open a session, or hold the poll until there is something to read."""
        if self.session is None:
            transport = PollingTransport()
            transport.session = self.engine.open(transport, self.handshake())
            self.answer(encode_payload([self.engine.greeting(transport.session)]))
            return
        carrier = self._carrier = self._polling(self.session)
        if self.session.reason is not None:
            carrier.bid_farewell(self)
            return
        try:
            carrier.hold(self)
        except BadRequest as refusal:
            self.refuse(refusal)
            return
        if self._http.stream.closed():
            # Tornado tells of a connection that closes from now on, not of one that has closed already.
            carrier.lost(self)
        else:
            await self._answered

    def post(self) -> None:
        """Take the packets of the body."""
        if self._finished or self.session is None or self._carrier is None:
            return
        carrier, self._carrier = self._carrier, None
        carrier.end_post()
        try:
            for packet in decode_payload(self._body.decode()):
                carrier.receive(packet)
        except (ProtocolError, UnicodeDecodeError) as error:
            self.session.malformed(ProtocolError(str(error)), carrier)
        if self.session.reason == "parse error":
            self.refuse(BadRequest("the body is not what the protocol allows"))
        else:
            self.set_header("Content-Type", "text/html")
            self.finish("ok")

    def data_received(self, chunk: bytes) -> None:
        """Take a part of the body."""
        self._body += chunk
        self.engine.counters.traffic[self.transport_name].received += len(chunk)
        if len(self._body) > self.engine.max_payload and not self._finished:
            self._refuse_post(self._too_large(len(self._body)))

    def answer(self, payload: str) -> None:
        """Answer a poll."""
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        body = payload.encode()
        self.engine.counters.traffic[self.transport_name].sent += len(body)
        self.finish(body)
        if not self._answered.done():
            self._answered.set_result(None)

    def compute_etag(self) -> None:
        """Need none: no two polls are alike."""

    def on_connection_close(self) -> None:
        """Part with a client whose request was broken off."""
        super().on_connection_close()
        if not self._answered.done():
            self._answered.set_result(None)
        if self._carrier is not None:
            self._carrier.lost(self)

    def _begin_post(self) -> None:
        if self.session is None:
            return
        length = self.request.headers.get("Content-Length", "")
        announced = int(length) if length.isdecimal() else 0
        try:
            if announced > self.engine.max_payload:
                raise self._too_large(announced)
            carrier = self._polling(self.session)
            carrier.begin_post()
            # The size is our own affair: Tornado would answer a bare 400.
            self._http.set_max_body_size(1 << 62)
            self._carrier = carrier
        except Refusal as refusal:
            self.refuse(refusal)

    def _refuse_post(self, refusal: Refusal) -> None:
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.end_post()
        self.refuse(refusal)

    def _too_large(self, size: int) -> PayloadTooLarge:
        return PayloadTooLarge(f"{size} bytes, where {self.engine.max_payload} are allowed by --max-payload")

    @property
    def _http(self) -> HTTP1Connection:
        assert isinstance(self.request.connection, HTTP1Connection)
        return self.request.connection

    @staticmethod
    def _polling(session: Session) -> PollingTransport:
        assert isinstance(session.transport, PollingTransport)
        return session.transport
