"""Long-polling: what stands for a client between its polls.

A GET is held until there is something to read; a POST brings packets. Whoever polls is ready to read, so a held poll is
to this transport what a writable socket is to the other.

Source: Engine.IO protocol, revision 4, "HTTP long-polling".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from ..codec.packet import SEPARATOR, Packet, PacketType, encode_payload
from ..errors import BadRequest, ProtocolError, SessionUnknown
from ..reasons import CloseReason
from ..room import Entry, Slice
from ..session import Session

NOOP = encode_payload([Packet(PacketType.NOOP)]).encode()
CLOSE = encode_payload([Packet(PacketType.CLOSE)]).encode()

TOGETHER = 0.1
"""Seconds for which a client's CLOSE waits for a GET that was sent with it, and comes by another connection."""


def write_payload(entries: Sequence[Entry]) -> bytes:
    """Write entries as the body of a poll."""
    return SEPARATOR.join([entry.derive(_payload) for entry in entries]).encode()


def _payload(entry: Entry) -> str:
    return encode_payload(entry.packets)


class Poll(Protocol):
    """A GET that waits for its answer."""

    def answer(self, payload: bytes) -> None:
        """Answer it."""


class PollingTransport:
    """A client between its polls."""

    __slots__ = ("_closing", "_poll", "_posting", "session")

    name = "polling"
    burst = 0
    session: Session

    def __init__(self) -> None:
        self._poll: Poll | None = None
        self._posting = self._closing = False

    def is_idle(self, method: str) -> bool:
        """Whether no other request of this method is under way."""
        return not self._posting if method == "POST" else self._poll is None

    def accepts(self, method: str) -> bool:
        """Whether a request of this method would be taken now."""
        return self.is_idle(method) and self.session.transport is self and self.session.reason is None

    def check_idle(self, method: str) -> None:
        """Raise BadRequest for a second GET, or a second POST, at once, which ends the session.

        Raises SessionUnknown where the client has closed it.
        """
        if self._closing:
            self._close()
            raise SessionUnknown("a request together with the CLOSE of its session")
        if not self.is_idle(method):
            self.session.close("transport error")
            raise BadRequest(f"two {method}s at once")

    def hold(self, poll: Poll) -> None:
        """Take a poll to answer when there is something to read."""
        self._poll = poll
        if self._closing:
            self._close()
            return
        self.session.resume()
        self.session.delivery.schedule(self.session)

    def begin_post(self) -> None:
        """Take note of a POST."""
        self._posting = True

    def end_post(self) -> None:
        """Take note that the POST has come, or will not come any more."""
        self._posting = False

    def receive(self, packets: Iterator[Packet]) -> float:
        """Take packets of a POST; return the seconds to wait before the rest of them is taken, 0 when there is none."""
        if self._closing:
            self._close()
            return 0.0
        try:
            for packet in packets:
                if packet.type is PacketType.CLOSE:
                    return self._begin_close()
                self.session.receive(packet, self)
                pause = self.session.spend()
                if pause:
                    return pause
        except ProtocolError as error:
            self.session.fail(error, self)
        return 0.0

    def _begin_close(self) -> float:
        """Close for the client, as soon as the poll has come that it may have sent with its CLOSE."""
        self._closing = True
        self.session.closed_by_client |= self.session.transport is self
        if self._poll is None:
            return TOGETHER
        self._close()
        return 0.0

    def _close(self) -> None:
        self.session.lost(self, "transport close")

    @property
    def ready(self) -> bool:
        """Whether a poll is held."""
        return self._poll is not None

    def deliver(self, unread: Slice) -> bool:
        """Answer the poll that is held, if there is something to read, or the client is about to upgrade."""
        if self._poll is None:
            return False
        if unread:
            self._answer(unread.written(write_payload))
        elif self.session.probed:
            self._answer(NOOP)
        return True

    def release(self) -> None:
        """Let the client's last poll go: it listens elsewhere."""
        self._answer(NOOP)

    def end(self, farewell: Slice, reason: CloseReason) -> None:
        """Tell the client that it is over, with its next poll if none is held; a client that closed knows."""
        if reason == "transport close":
            self._answer(NOOP)
            return
        if reason == "server shutting down":
            # Told to close, python-socketio's client would not come back; its next poll fails, and then it does.
            self._answer(farewell.written(write_payload) if farewell else NOOP)
            return
        if reason in ("ping timeout", "parse error"):
            # The next poll is told that there is no such session (Engine.IO's own test suite).
            self._answer(farewell.written(write_payload) if farewell else CLOSE)
            return
        self.session.requeue(farewell)
        if self._poll is None:
            self.session.engine.linger(self.session)
        else:
            self._answer_last_poll()

    def answer_last_poll(self, poll: Poll) -> None:
        """Answer a poll that comes when it is over."""
        self._poll = poll
        self._answer_last_poll()

    def _answer_last_poll(self) -> None:
        # In one payload with the last events, a CLOSE would be read before them by the official client.
        unread = self.session.read()
        self._answer(unread.written(write_payload) if unread else CLOSE)
        if unread:
            self.session.engine.linger(self.session)
        else:
            self.session.engine.told(self.session)

    def lost(self, poll: Poll | None = None) -> None:
        """Take note that a request was broken off: the poll that is held, or a POST."""
        if poll is self._poll:
            self._poll = None
        self.session.lost(self, "transport close")

    def _answer(self, payload: bytes) -> None:
        poll, self._poll = self._poll, None
        if poll is not None:
            poll.answer(payload)
