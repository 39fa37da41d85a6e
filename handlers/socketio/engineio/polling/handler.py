"""The requests of polling clients that a RequestHandler takes: the first of a session, the last, and what is refused.

Source: Engine.IO protocol, revision 4, "HTTP long-polling".
"""

from __future__ import annotations

from tornado.web import stream_request_body

from ..codec.packet import encode_payload
from ..endpoint import Endpoint
from ..errors import RequestRefused
from ..session import Session
from .access import PollingAccess
from .requests import TEXT
from .transport import PollingTransport


@stream_request_body
class PollHandler(Endpoint):
    """Any other request: the first of a session, the last, or one that is refused, whatever its body."""

    transport_name = PollingTransport.name
    access_kind = PollingAccess

    def admit(self) -> Session | None:
        """Also check that a client asks for one thing at a time."""
        session = super().admit()
        if session is not None:
            assert isinstance(session.transport, PollingTransport)
            self._transport = session.transport
            if session.reason is None:
                self._transport.check_idle(str(self.request.method))
        return session

    def refuse(self, refusal: RequestRefused) -> None:
        """Besides: no body is waited for, so that the connection closes, which whoever has more to ask should know."""
        self.set_header("Connection", "close")
        super().refuse(refusal)

    def get(self) -> None:
        """Open a session, or bid farewell."""
        if self.session is not None:
            self._transport.answer_last_poll(self)
            return
        transport = PollingTransport()
        transport.session = self.engine.open(transport, self.handshake())
        self.answer(encode_payload([self.engine.open_packet(transport.session)]).encode())

    def post(self) -> None:
        """Ignore packets that crossed the end of the session; every other POST is refused before.

        An error would keep the client from reading its last poll.
        """
        self.finish("ok")

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
