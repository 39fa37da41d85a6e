"""RequestHandler for polling clients: handshake, last poll, refusals.

Source: Engine.IO protocol, revision 4, "HTTP long-polling".
"""

from __future__ import annotations

from tornado.web import stream_request_body

from ..endpoint import Endpoint
from ..errors import RequestRefused
from ..session import Session
from .formats import format_of
from .transport import PollingTransport


@stream_request_body
class PollHandler(Endpoint):
    """Handles a session's first and last request, and refused requests.

    All others are served by PollRequests.
    """

    transport_name = PollingTransport.name

    def admit(self) -> Session | None:
        """Check also that no other request of the same method is running."""
        session = super().admit()
        if session is not None:
            assert isinstance(session.transport, PollingTransport)
            self._transport = session.transport
            if session.reason is None:
                self._transport.check_idle(str(self.request.method))
        return session

    def refuse(self, refusal: RequestRefused) -> None:
        """Refuse the request, and close its connection: the body is not read."""
        self.set_header("Connection", "close")
        super().refuse(refusal)

    def get(self) -> None:
        """Open a session, or answer the last poll of a closed one."""
        if self.session is not None:
            self._transport.answer_last_poll(self)
            return
        self._transport = PollingTransport(format_of(self.request))
        self._transport.session = self.engine.open(self._transport, self.handshake())
        self.answer(self._transport.format.encode([self.engine.open_packet(self._transport.session)]))

    def post(self) -> None:
        """Ignore packets that were sent before the client knew of the close.

        Every other POST is refused before. An error would keep the client from reading its last poll.
        """
        self.finish("ok")

    def answer(self, payload: bytes) -> None:
        """Send the response of a poll."""
        self.engine.counters.traffic[self.transport_name].sent += len(payload)
        self.set_header("Content-Type", self._transport.format.kind(payload))
        self.set_header("Cache-Control", "no-store")
        self.finish(payload)

    def compute_etag(self) -> None:
        """Return no ETag, because no two polls are alike."""

    def data_received(self, chunk: bytes) -> None:
        """Ignore the body of a refused request."""
