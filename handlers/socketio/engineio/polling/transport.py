"""The long-polling transport: keeps the client's state between its polls.

A GET is held until there is something to read; a POST brings packets. A client that polls is ready to read, so a held
poll is to this transport what a writable socket is to the other.

Source: Engine.IO protocol, revision 4, "HTTP long-polling".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from ..codec.packet import Packet, PacketType
from ..errors import BadRequest, ProtocolError, SessionUnknown
from ..reasons import CloseReason
from ..room import Slice
from ..session import Session
from .formats import Format

TOGETHER = 0.1
"""Seconds that a client's CLOSE waits for a GET that was sent with it on another connection."""


class Poll(Protocol):
    """A GET that waits for its response."""

    def answer(self, payload: bytes) -> None:
        """Send the response with this body."""


class PollingTransport:
    """Transport of a client that polls; ready while a poll is held."""

    __slots__ = ("_closing", "_poll", "_posting", "format", "session")

    name = "polling"
    burst = 0
    session: Session

    def __init__(self, format_: Format) -> None:
        self.format = format_
        """How the client writes and reads bodies."""
        self._poll: Poll | None = None
        self._posting = self._closing = False

    def is_idle(self, method: str) -> bool:
        """Return whether no other request of this method is running."""
        return not self._posting if method == "POST" else self._poll is None

    def accepts(self, method: str) -> bool:
        """Return whether a request of this method is accepted now."""
        return self.is_idle(method) and self.session.transport is self and self.session.reason is None

    def check_idle(self, method: str) -> None:
        """Raise BadRequest and close the session for a second simultaneous request.

        Raises SessionUnknown if the client has closed the session.
        """
        if self._closing:
            self._close()
            raise SessionUnknown("a request together with the CLOSE of its session")
        if not self.is_idle(method):
            self.session.close("transport error")
            raise BadRequest(f"two {method}s at once")

    def hold(self, poll: Poll) -> None:
        """Hold a poll until there are entries to read."""
        self._poll = poll
        if self._closing:
            self._close()
            return
        self.session.resume()
        self.session.delivery.schedule(self.session)

    def begin_post(self) -> None:
        """Note that a POST is running."""
        self._posting = True

    def end_post(self) -> None:
        """Note that the POST is complete, or broken off."""
        self._posting = False

    def receive(self, packets: Iterator[Packet]) -> float:
        """Handle packets of a POST.

        Returns the seconds to pause before the rest; 0 if all are handled.
        """
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
        """Close after the poll that may have been sent with CLOSE."""
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
        """Answer the held poll if there are entries, or the client upgrades."""
        if self._poll is None:
            return False
        if unread:
            self._answer(unread.derive(self.format.write))
        elif self.session.probed:
            self._answer(self.format.noop)
        return True

    def release(self) -> None:
        """Answer the client's last poll: the session continues on another transport."""
        self._answer(self.format.noop)

    def end(self, farewell: Slice, reason: CloseReason) -> None:
        """Tell the client of the close, with its held or next poll.

        A client that has sent CLOSE is not told.
        """
        if reason == "transport close":
            self._answer(self.format.noop)
            return
        if reason == "server shutting down":
            # After a CLOSE python-socketio's client would not reconnect; after a poll that fails it does.
            self._answer(farewell.derive(self.format.write) if farewell else self.format.noop)
            return
        if reason in ("ping timeout", "parse error"):
            # The next poll gets SessionUnknown (required by Engine.IO's own test suite).
            self._answer(farewell.derive(self.format.write) if farewell else self.format.close)
            return
        self.session.requeue(farewell)
        if self._poll is None:
            self.session.engine.linger(self.session)
        else:
            self._answer_last_poll()

    def answer_last_poll(self, poll: Poll) -> None:
        """Answer the first poll after the close."""
        self._poll = poll
        self._answer_last_poll()

    def _answer_last_poll(self) -> None:
        # In one payload the official client would handle CLOSE before the last events.
        unread = self.session.read()
        self._answer(unread.derive(self.format.write) if unread else self.format.close)
        if unread:
            self.session.engine.linger(self.session)
        else:
            self.session.engine.told(self.session)

    def lost(self, poll: Poll | None = None) -> None:
        """Close the session after a broken-off request.

        The held poll, or a POST.
        """
        if poll is self._poll:
            self._poll = None
        self.session.lost(self, "transport close")

    def _answer(self, payload: bytes) -> None:
        poll, self._poll = self._poll, None
        if poll is not None:
            poll.answer(payload)


class PollRequest(NamedTuple):
    """The session, transport and kind of one request."""

    method: str
    """GET or POST."""
    origin: str | None
    """Origin of the page, if it may read the response."""
    transport: PollingTransport
