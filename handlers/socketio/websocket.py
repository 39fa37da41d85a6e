"""WebSockets: a connection reads for its session whenever its socket has taken what was sent before.

Source: Engine.IO protocol, revision 4, "WebSocket" and "Upgrade"; RFC 6455.
"""

from __future__ import annotations

import logging
from asyncio import Future
from typing import Any, ClassVar

from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.websocket import WebSocketHandler

from .endpoint import Endpoint
from .errors import BadRequest, ProtocolError
from .frames import Violation
from .packet import Packet, PacketType, decode, frame
from .reader import Reason
from .room import Slice
from .session import Session
from .wire import WireProtocol

logger = logging.getLogger(__name__)

PROBE_ANSWER = frame(Packet(PacketType.PONG, "probe"))

CLOSE_CODES: dict[Reason, int] = {"parse error": 1002, "server shutting down": 1001}
"""RFC 6455 §7.4.1; 1000 for other reasons."""


class WebSocketTransport(Endpoint, WebSocketHandler):
    """One WebSocket. Each server has a subclass of its own, so that two servers in one process never mix."""

    name = transport_name = "websocket"
    live: ClassVar[set[WebSocketTransport]] = set()
    """The connections of the server that are on the line now."""

    def __init_subclass__(cls) -> None:
        cls.live = set()

    # -- the request

    def check_fits(self, session: Session, version: str) -> None:
        """Besides: a session upgrades once, by one connection."""
        super().check_fits(session, version)
        session.check_upgradable()
        self._check_upgrades()

    def check_opens(self) -> None:
        """Besides: a WebSocket begins with an Upgrade."""
        super().check_opens()
        self._check_upgrades()

    def _check_upgrades(self) -> None:
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise BadRequest("transport=websocket without an Upgrade header: a proxy may have removed it")

    @property
    def max_message_size(self) -> int:
        """Bytes of one message; Tornado closes with 1009 beyond them."""
        return self.engine.max_payload

    def get_websocket_protocol(self) -> WireProtocol | None:
        """Return what speaks RFC 6455; None for a version that is not 13."""
        return WireProtocol(self) if self.request.headers.get("Sec-WebSocket-Version") == "13" else None

    # -- the connection

    def open(self, *args: str, **kwargs: str) -> None:
        """Open a session, or propose to take over the one that the request named."""
        assert self.ws_connection is not None
        assert self.ws_connection.stream is not None
        self.set_nodelay(True)
        self._stream: IOStream = self.ws_connection.stream
        # An encrypted stream has to do all the writing itself.
        self._socket = None if isinstance(self._stream, SSLIOStream) else self._stream.socket
        self._writing = False
        self.live.add(self)
        if self.session is None:
            self.session = self.engine.open(self, self.handshake())
            self._write(frame(self.engine.greeting(self.session)))
            return
        try:
            self.session.propose(self)
        except BadRequest:
            self.close()

    def on_message(self, message: str | bytes) -> None:
        """Take a packet."""
        assert self.session is not None
        try:
            packet = decode(message)
        except ProtocolError as error:
            self.session.malformed(error, self)
        else:
            self.session.receive(packet, self)

    def on_violation(self, violation: Violation) -> None:
        """Part with a client that does what RFC 6455 forbids."""
        if self.session is not None:
            logger.info("%s (%s) sent %s", self.session.sid, self.request.remote_ip, violation)
            self.session.lost(self, "transport error")

    def on_close(self) -> None:
        """Part with the session."""
        self.live.discard(self)
        if self.session is not None:
            self.session.lost(self, "transport error" if self._stream.error else "transport close")

    # -- the transport

    def catch_up(self) -> None:
        """Send what is unread, unless the socket has not taken what was sent before."""
        if not self._writing and self.session is not None:
            unread = self.session.read()
            if unread:
                self._write(unread.frames)

    def answer_probe(self) -> None:
        """Answer `2probe`."""
        self._write(PROBE_ANSWER)

    def release(self) -> None:
        """Close: the session goes on with another transport."""
        self.close()

    def end(self, farewell: Slice, reason: Reason) -> None:
        """Close: the session is over."""
        if farewell and not self._writing:
            self._write(farewell.frames)
        self.close(CLOSE_CODES.get(reason, 1000))

    def _write(self, data: bytes) -> None:
        sent = self._send(data)
        if sent == len(data):
            return
        try:
            writing = self._stream.write(data[sent:])
        except StreamClosedError:
            return
        if self._stream.writing():
            self._writing = True
            writing.add_done_callback(self._written)

    def _send(self, data: bytes) -> int:
        """Send what the kernel takes at once, which costs a tenth of a write through the stream; return how much."""
        if self._socket is None or self._stream.writing():
            return 0
        try:
            return self._socket.send(data)
        except OSError:
            # The stream finds out by itself whether the socket is full or broken.
            return 0

    def _written(self, _: Future[Any]) -> None:
        self._writing = False
        if self.session is not None:
            self.engine.wake(self.session)
