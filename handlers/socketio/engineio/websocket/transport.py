"""The WebSocket transport: reads for its session whenever the socket is writable.

Source: Engine.IO protocol, revision 4, "WebSocket" and "Upgrade"; RFC 6455.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable
from functools import cache
from typing import ClassVar

from tornado.httputil import HTTPServerRequest
from tornado.websocket import WebSocketHandler

from ..access import Access, parameter
from ..buffered_socket import CHUNK
from ..codec import revision3
from ..codec.deflate import AGREED, agrees, deflate
from ..codec.frames import WebSocketProtocolError
from ..codec.packet import EncodeBytes, Packet, PacketType, decode, encode_base64, frame
from ..endpoint import Endpoint
from ..errors import BadRequest, ProtocolError
from ..reasons import CloseReason
from ..room import Entry, Slice
from ..session import Session
from ..tornado_internals import forget_request
from .protocol import WebSocketProtocol

logger = logging.getLogger(__name__)

PROBE_ANSWER = frame(Packet(PacketType.PONG, "probe"))

KEY_LENGTH = 24
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A valid name of a subprotocol (RFC 9110, section 5.6.2)."""
MAX_REASON = 120
"""Maximum bytes of the reason in a CLOSE frame (RFC 6455 §5.5 allows 123)."""
CLOSE_CODES: dict[CloseReason, int] = {
    "parse error": 1002,
    "server shutting down": 1001,
    "rate limited": 1008,
    "slow consumer": 1008,
}
"""Close codes (RFC 6455 §7.4.1); 1000 for other reasons."""


def is_key(text: str) -> bool:
    """Return whether a Sec-WebSocket-Key is 16 bytes in base64."""
    try:
        return len(text) == KEY_LENGTH and len(base64.b64decode(text, validate=True)) == 16
    except ValueError:
        return False


Write = Callable[[Slice], bytes]


def write_frames(unread: Slice) -> bytes:
    """Return entries as WebSocket frames."""
    entries = unread.entries
    return entries[0].derive(_frames) if len(entries) == 1 else b"".join([entry.derive(_frames) for entry in entries])


def _frames(entry: Entry) -> bytes:
    packets = entry.packets
    return frame(packets[0]) if len(packets) == 1 else b"".join(map(frame, packets))


@cache
def writing(threshold: int, encode_bytes: EncodeBytes | None) -> Write:
    """Return a function that writes frames for other clients than most.

    threshold: bytes from which on they are compressed; 0: none is. encode_bytes: that of `frame`.
    """

    def frames(entry: Entry) -> bytes:
        return b"".join(
            frame(packet, deflate if 0 < threshold <= len(packet.data) else None, encode_bytes)
            for packet in entry.packets
        )

    return lambda unread: b"".join([entry.derive(frames) for entry in unread.entries])


class WebSocketAccess(Access):
    """The checks of WebSocket requests; they need an Upgrade header."""

    def check_fits(self, request: HTTPServerRequest, session: Session) -> None:
        """Check the Upgrade header, too."""
        super().check_fits(request, session)
        _check_upgrades(request)

    def check_opens(self, request: HTTPServerRequest) -> None:
        """Check the Upgrade header, too."""
        super().check_opens(request)
        _check_upgrades(request)


def _check_upgrades(request: HTTPServerRequest) -> None:
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise BadRequest("transport=websocket without an Upgrade header: a proxy may have removed it")
    if not is_key(request.headers.get("Sec-WebSocket-Key", "")):
        raise BadRequest("a Sec-WebSocket-Key that is not 16 bytes in base64 (RFC 6455, section 4.2.1)")


class WebSocketTransport(Endpoint, WebSocketHandler):
    """One WebSocket; each server has its own subclass.

    So servers in one process do not share `live`.
    """

    name = transport_name = "websocket"
    live: ClassVar[set[WebSocketTransport]] = set()
    """The open WebSockets of the server."""
    broken = closed_by_peer = False
    burst = CHUNK
    _decode = staticmethod(decode)

    # Slots for the attributes that each broadcast uses, because they are faster than the handler's dictionary.
    __slots__ = ("_connection", "_traffic", "_write")

    def __init_subclass__(cls) -> None:
        cls.live = set()

    # -- the request

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Return the first offered subprotocol, as Node does.

        Without one a browser closes the connection.
        """
        return next(filter(TOKEN.fullmatch, subprotocols), None)

    @property
    def max_message_size(self) -> int:
        """Maximum bytes of one message; larger ones close with 1009."""
        return self.engine.max_payload

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """Return the WebSocket protocol; None for another version than 13."""
        headers, threshold = self.request.headers, self.engine.compress
        if headers.get("Sec-WebSocket-Version") != "13":
            return None
        in_base64 = parameter(self.request, "b64") != ""
        compressed = threshold > 0 and not in_base64 and agrees(headers.get("Sec-WebSocket-Extensions", ""))
        if compressed:
            self.set_header("Sec-WebSocket-Extensions", AGREED)
        is_old = parameter(self.request, "EIO") == "3"
        if is_old:
            self._decode = revision3.decode
        encoders = (revision3.encode_bytes, revision3.encode_base64) if is_old else (None, encode_base64)
        encode_bytes: EncodeBytes | None = encoders[in_base64]
        plain = encode_bytes is None and not compressed
        self._write: Write = write_frames if plain else writing(threshold if compressed else 0, encode_bytes)
        self._traffic = self.engine.counters.traffic[self.name]
        return WebSocketProtocol(self, self, self.max_message_size, compressed, self._traffic)

    # -- the connection

    def open(self, *args: str, **kwargs: str) -> None:
        """Open a session, or start the upgrade of the request's session."""
        assert isinstance(self.ws_connection, WebSocketProtocol)
        self._protocol = self.ws_connection
        connection = self._protocol.begin()
        if connection is None:
            return
        self._connection = connection
        self.live.add(self)
        if self.session is None:
            self.session = self.engine.open(self, self.handshake())
            self._protocol.send(frame(self.engine.open_packet(self.session)))
        else:
            try:
                self.session.begin_upgrade(self)
            except BadRequest as refusal:
                # Close the WebSocket instead of an HTTP error, because Engine.IO's own test suite requires it.
                logger.debug("closed a second WebSocket of %s: %s", self.request.remote_ip, refusal.hint)
                self.session = None
                self.close()
        forget_request(self)

    def message_received(self, message: str | bytes) -> float:
        """Handle a packet; return the seconds to pause reading."""
        session = self.session
        if session is None:  # a second WebSocket, which is closing
            return 0.0
        if message[:1] == "4" and session.transport is self:
            session.receive_message(message[1:], self)
        else:
            try:
                session.receive(self._decode(message), self)
            except ProtocolError as error:
                session.fail(error, self)
        return session.spend()

    def spend(self) -> float:
        """Count a packet; return the seconds to pause reading."""
        return 0.0 if self.session is None else self.session.spend()

    def on_protocol_error(self, violation: WebSocketProtocolError) -> None:
        """Close the connection: the client violated RFC 6455."""
        if self.session is not None:
            logger.debug("%s (%s) sent %s", self.session.sid, self.request.remote_ip, violation)
            self.session.lost(self, "transport error", str(violation))

    def on_close(self) -> None:
        """Tell the session that its transport is lost."""
        self.live.discard(self)
        if self.session is not None:
            self.session.closed_by_client |= self.closed_by_peer and self.session.transport is self
            self.session.lost(self, "transport error" if self.broken else "transport close")

    # -- the transport

    @property
    def ready(self) -> bool:
        """Whether the last write is complete."""
        return not self._connection.busy

    def deliver(self, unread: Slice) -> bool:
        """Send entries unless the last write is incomplete; return whether sent."""
        connection = self._connection
        if connection.busy:
            return False
        if unread.entries:
            data = unread.derive(self._write)
            self._traffic.sent += len(data)
            connection.send(data)
        return True

    def drained(self) -> None:
        """Let the session catch up: the last write is complete."""
        if self.session is not None:
            self.session.delivery.schedule(self.session)

    def answer_probe(self) -> None:
        """Answer the probe `2probe` with `3probe`."""
        self._protocol.send(PROBE_ANSWER)

    def release(self) -> None:
        """Close the WebSocket: the session continues on another transport."""
        self.close()

    def end(self, farewell: Slice, reason: CloseReason) -> None:
        """Send the last entries, and close the WebSocket."""
        # A slow client that does not read its DISCONNECT would reconnect.
        is_urgent = reason == "forced close" and not self._protocol.is_closing()
        if farewell and (is_urgent or self.ready):
            self._protocol.send(farewell.derive(self._write))
        fault = self.session.fault if self.session is not None else ""
        self.close(CLOSE_CODES.get(reason, 1000), fault.encode()[:MAX_REASON].decode(errors="ignore") or None)
