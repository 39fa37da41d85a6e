"""WebSockets: a connection reads for its session whenever its socket has taken what was sent before.

Source: Engine.IO protocol, revision 4, "WebSocket" and "Upgrade"; RFC 6455.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import ClassVar

from tornado.httputil import HTTPServerRequest
from tornado.websocket import WebSocketHandler

from ..access import Access, parameter
from ..codec.deflate import AGREED, agrees, deflate
from ..codec.frames import WebSocketProtocolError
from ..codec.packet import Packet, PacketType, decode, frame
from ..endpoint import Endpoint
from ..errors import BadRequest, ProtocolError
from ..reasons import CloseReason
from ..room import Entry, Slice
from ..session import Session
from ..tornado_internals import forget_request
from .connection import CHUNK
from .protocol import WebSocketProtocol

logger = logging.getLogger(__name__)

PROBE_ANSWER = frame(Packet(PacketType.PONG, "probe"))

KEY_LENGTH = 24
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A name of a subprotocol (RFC 9110, section 5.6.2)."""
MAX_REASON = 120
"""Bytes of a reason in a CLOSE frame (RFC 6455 §5.5 allows 123)."""
CLOSE_CODES: dict[CloseReason, int] = {
    "parse error": 1002,
    "server shutting down": 1001,
    "rate limited": 1008,
    "slow consumer": 1008,
}
"""RFC 6455 §7.4.1; 1000 for other reasons."""


def is_key(text: str) -> bool:
    """Whether a Sec-WebSocket-Key is one: 16 bytes in base64."""
    try:
        return len(text) == KEY_LENGTH and len(base64.b64decode(text, validate=True)) == 16
    except ValueError:
        return False


Write = Callable[[Sequence[Entry]], bytes]


def write_frames(entries: Sequence[Entry]) -> bytes:
    """Write entries as WebSocket frames."""
    return entries[0].derive(_frames) if len(entries) == 1 else b"".join([entry.derive(_frames) for entry in entries])


def _frames(entry: Entry) -> bytes:
    packets = entry.packets
    return frame(packets[0]) if len(packets) == 1 else b"".join(map(frame, packets))


def write_text(entries: Sequence[Entry]) -> bytes:
    """Write entries for a client that asks for base64 (`b64` in its address): it takes no binary frames."""
    return b"".join([frame(packet, binary=False) for entry in entries for packet in entry.packets])


@cache
def compressing(threshold: int) -> Write:
    """Return what writes entries as frames, and compresses those of `threshold` bytes and more."""

    def compressed_frames(entry: Entry) -> bytes:
        parts = [frame(packet, deflate if len(packet.data) >= threshold else None) for packet in entry.packets]
        return b"".join(parts)

    return lambda entries: b"".join([entry.derive(compressed_frames) for entry in entries])


class WebSocketAccess(Access):
    """The checks of requests for a WebSocket: they begin with an Upgrade."""

    def check_fits(self, request: HTTPServerRequest, session: Session) -> None:
        """Also check the Upgrade."""
        super().check_fits(request, session)
        _check_upgrades(request)

    def check_opens(self, request: HTTPServerRequest) -> None:
        """Also check the Upgrade."""
        super().check_opens(request)
        _check_upgrades(request)


def _check_upgrades(request: HTTPServerRequest) -> None:
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise BadRequest("transport=websocket without an Upgrade header: a proxy may have removed it")
    if not is_key(request.headers.get("Sec-WebSocket-Key", "")):
        raise BadRequest("a Sec-WebSocket-Key that is not 16 bytes in base64 (RFC 6455, section 4.2.1)")


class WebSocketTransport(Endpoint, WebSocketHandler):
    """One WebSocket. Each server has a subclass of its own, so that two servers in one process never mix."""

    name = transport_name = "websocket"
    access_kind = WebSocketAccess
    live: ClassVar[set[WebSocketTransport]] = set()
    """The connections of the server that are on the line now."""
    broken = closed_by_peer = False
    burst = CHUNK

    # What each broadcast touches is quicker to find outside the dictionary of the handler.
    __slots__ = ("_connection", "_write")

    def __init_subclass__(cls) -> None:
        cls.live = set()

    # -- the request

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Return the first that is offered, as Node does: without one a browser ends the connection."""
        return next(filter(TOKEN.fullmatch, subprotocols), None)

    @property
    def max_message_size(self) -> int:
        """Bytes of one message; Tornado closes with 1009 beyond them."""
        return self.engine.max_payload

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """Return what speaks RFC 6455; None for a version that is not 13."""
        headers, threshold = self.request.headers, self.engine.compress
        if headers.get("Sec-WebSocket-Version") != "13":
            return None
        in_base64 = parameter(self.request, "b64") != ""
        compressed = threshold > 0 and not in_base64 and agrees(headers.get("Sec-WebSocket-Extensions", ""))
        if compressed:
            self.set_header("Sec-WebSocket-Extensions", AGREED)
        self._write: Write = write_text if in_base64 else compressing(threshold) if compressed else write_frames
        traffic = self.engine.counters.traffic[self.name]
        return WebSocketProtocol(self, self, self.max_message_size, compressed, traffic)

    # -- the connection

    def open(self, *args: str, **kwargs: str) -> None:
        """Open a session, or propose to take over the one that the request named."""
        assert isinstance(self.ws_connection, WebSocketProtocol)
        self._line = self.ws_connection
        connection = self._line.begin()
        if connection is None:
            return
        self._connection = connection
        self.live.add(self)
        if self.session is None:
            self.session = self.engine.open(self, self.handshake())
            self._line.send(frame(self.engine.open_packet(self.session)))
        else:
            try:
                self.session.begin_upgrade(self)
            except BadRequest as refusal:
                # No HTTP error, but a WebSocket that closes: Engine.IO's own test suite asks for it.
                logger.debug("closed a second WebSocket of %s: %s", self.request.remote_ip, refusal.hint)
                self.session = None
                self.close()
        forget_request(self)

    def message_received(self, message: str | bytes) -> float:
        """Take a packet; return the seconds to wait before the next is taken."""
        session = self.session
        if session is None:  # a second WebSocket, which is closing
            return 0.0
        if session.transport is self and message[:1] == "4" and isinstance(message, str):
            session.receive_message(message[1:], self)
        else:
            try:
                session.receive(decode(message), self)
            except ProtocolError as error:
                session.fail(error, self)
        return session.spend()

    def spend(self) -> float:
        """Count a packet; return the seconds to wait before the next is taken."""
        return 0.0 if self.session is None else self.session.spend()

    def on_protocol_error(self, violation: WebSocketProtocolError) -> None:
        """Part with a client that does what RFC 6455 forbids."""
        if self.session is not None:
            logger.debug("%s (%s) sent %s", self.session.sid, self.request.remote_ip, violation)
            self.session.lost(self, "transport error", str(violation))

    def on_close(self) -> None:
        """Part with the session."""
        self.live.discard(self)
        if self.session is not None:
            self.session.closed_by_client |= self.closed_by_peer and self.session.transport is self
            self.session.lost(self, "transport error" if self.broken else "transport close")

    # -- the transport

    @property
    def ready(self) -> bool:
        """Whether the socket has taken what was sent before."""
        return not self._connection.busy

    def deliver(self, unread: Slice) -> bool:
        """Send entries, unless the socket has not taken what was sent before; return whether they were sent."""
        connection = self._connection
        if connection.busy:
            return False
        if unread.entries:
            connection.send(unread.written(self._write))
        return True

    def drained(self) -> None:
        """Read on: the socket has taken what was sent."""
        if self.session is not None:
            self.session.delivery.schedule(self.session)

    def answer_probe(self) -> None:
        """Answer `2probe`."""
        self._line.send(PROBE_ANSWER)

    def release(self) -> None:
        """Close: the session goes on with another transport."""
        self.close()

    def end(self, farewell: Slice, reason: CloseReason) -> None:
        """Close: the session is over."""
        # A client that reads slowly and misses its DISCONNECT would connect again.
        is_urgent = reason == "forced close" and not self._line.is_closing()
        if farewell and (is_urgent or self.ready):
            self._connection.send(farewell.written(self._write))
        fault = self.session.fault if self.session is not None else ""
        self.close(CLOSE_CODES.get(reason, 1000), fault.encode()[:MAX_REASON].decode(errors="ignore") or None)
