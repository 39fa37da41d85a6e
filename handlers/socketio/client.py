"""The life of one client in one namespace: how it comes in, where it is, how it leaves and comes back."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ClassVar

from .dispatch import Dispatch
from .errors import Disconnected, Refused
from .events import Answer
from .message import EVENT, Kind, Message
from .namespace import Namespace, packets
from .recovery import PROTOCOL_KEYS, Trail
from .room import Room, Slice

if TYPE_CHECKING:
    from .connection import Connection

logger = logging.getLogger(__name__)


class Client(Dispatch):
    """A client. It is `known` to its namespace from when it comes in until it has left and cannot come back."""

    max_rooms: ClassVar[int] = 1000
    """How many rooms one client may be in."""
    max_name: ClassVar[int] = 200
    """How many characters the name of a room may have."""

    remembered: ClassVar[tuple[str, ...]] = ()
    """Names of own attributes, with JSON values, that a client still has after a restart of the server."""

    def __init__(self, namespace: Namespace, connection: Connection, auth: dict[str, Any]) -> None:
        super().__init__(namespace.hub.running)
        self.id = secrets.token_urlsafe(15)
        """Unguessable, 20 characters; also the name of the room that this client alone is in."""
        self.auth: dict[str, Any] = {}
        """What the client sent with its CONNECT."""
        self.connected = False
        """Whether it is there: from before `on_connect` until before `on_disconnecting`."""
        self.recovered = False
        """Whether it has come back and was sent what it had missed."""
        self.session = connection.session
        self.room = Room(self.id)
        self._namespace = namespace
        self._connection = connection
        self._rooms: dict[str, None] = {}
        self._trail: Trail | None = None
        self._left = False
        self._farewell = ""
        self._recoverable = namespace.hub.recovery.asked(auth, self.session.handshake.query)
        self._take_auth(auth)

    @property
    def namespace(self) -> str:
        """The name of the namespace."""
        return self._namespace.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} in {self._namespace.name}>"

    # -- hooks

    def authenticate(self, auth: dict[str, Any]) -> Awaitable[None] | None:
        """Override to decide whether a client may come in; raise `Refused(message, data)` where it may not.

        A client that is recovered is not asked again.
        """

    def on_connect(self) -> Awaitable[None] | None:
        """Override to greet a client that has come in."""

    def on_disconnecting(self, reason: str) -> Awaitable[None] | None:
        """Override to act when a client has left, while `rooms` still says where it was."""

    def on_disconnect(self, reason: str) -> Awaitable[None] | None:
        """Override to act when a client has left, by whatever way. Called once."""

    # -- coming in

    def _join(self) -> None:
        self._turns.take(self._authenticate)

    def _authenticate(self) -> Awaitable[None] | None:
        try:
            verdict = self.authenticate(self.auth)
        except Exception as error:
            self._refuse(error)
            return None
        if isawaitable(verdict):
            return self._await_verdict(verdict)
        return self._come_in()

    async def _await_verdict(self, verdict: Awaitable[None]) -> None:
        try:
            await verdict
        except Exception as error:
            self._refuse(error)
            return
        greeting = self._come_in()
        if greeting is not None:
            await greeting

    def _refuse(self, error: Exception) -> None:
        if not isinstance(error, Refused):
            logger.error("authenticate failed for %r", self, exc_info=error)
            error = Refused("Internal error")
        if self._left:
            # The connection may have joined anew meanwhile: that is another client's affair.
            return
        try:
            self._connection.refuse(self._namespace.name, error)
        except Exception as unspeakable:
            self._refuse(unspeakable)
        self._left = True

    def _come_in(self) -> Awaitable[None] | None:
        if self._left:
            return None
        namespace = self._namespace
        greeting = {"sid": self.id}
        if self._recoverable:
            self._trail = namespace.hub.recovery.begin(self)
            greeting["pid"] = self._trail.pid
        self.connected = True
        namespace.admit(self)
        self._say(Message(Kind.CONNECT, namespace.name, greeting))
        namespace.recall(self, namespace.everyone)
        return self._run(Answer(type(self).on_connect), [], None)

    def _say(self, message: Message) -> None:
        event = message.kind is EVENT and message.id is None
        self._namespace.hub.say([self.room], packets(message), event=event)

    def _take_auth(self, auth: dict[str, Any]) -> None:
        self.auth = {key: value for key, value in auth.items() if key not in PROTOCOL_KEYS}

    # -- rooms

    @property
    def rooms(self) -> frozenset[str]:
        """Names of the rooms this client has entered, besides the one that is its id."""
        return frozenset(self._rooms)

    def enter(self, room: str) -> None:
        """Let this client into a room. Raises Refused beyond `max_rooms`, or for a name longer than `max_name`."""
        if len(room) > self.max_name:
            raise Refused(f"The name of a room has {self.max_name} characters at most, and {room[:20]!r}… more")
        if room in self._rooms or self.id not in self._namespace.known:
            return
        if len(self._rooms) >= self.max_rooms:
            raise Refused(f"One can be in {self.max_rooms} rooms at most")
        self._rooms[room] = None
        self._namespace.enter(self, room)

    def leave(self, room: str) -> None:
        """Let this client out of a room. What was said there before still reaches it."""
        if room in self._rooms and self.id in self._namespace.known:
            self._namespace.leave(self, room)
            del self._rooms[room]

    def disconnect(self, close: bool = False) -> None:
        """Send this client away from the namespace or, with `close`, end its whole connection."""
        if close:
            self.session.close("forced close")
        elif self.connected:
            self._say(Message(Kind.DISCONNECT, self._namespace.name))
            self._connection.part(self, "server namespace disconnect")

    def _read(self, room: Room) -> None:
        if self._trail is not None:
            self._trail.enter(room, self._namespace.hub.stamp)
        self.session.enter(room, stamped=self._trail is not None)

    def _read_no_more(self, room: Room) -> None:
        self.session.leave(room)
        if self._trail is not None:
            self._trail.leave(room)

    # -- leaving, and coming back

    def _part(self, reason: str, may_return: bool) -> None:
        """Leave; the hooks follow when the handlers in flight are done."""
        self._left = True
        if not self.connected:
            return
        self.connected = False
        self._farewell = reason
        self._expect_nothing(Disconnected(f"{self.id} left before it answered: {reason}"))
        hub = self._namespace.hub
        if self._trail is not None and may_return:
            self._namespace.suspend(self)
            if hub.recovery.lost(self, hub.now()):
                self._say_goodbye()
        else:
            self._dismiss()
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        del self._namespace.clients[self.id]
        for hook in (type(self).on_disconnecting, type(self).on_disconnect):
            self._turns.take(self._run, Answer(hook), [self._farewell], None)

    def _dismiss(self) -> None:
        self._namespace.dismiss(self)
        if self._trail is not None:
            self._namespace.hub.recovery.forget(self, self._trail)
            self._trail = None
        self._namespace.hub.prune(self._namespace)

    def _expire(self) -> None:
        """It will not come back."""
        self._dismiss()
        if self.id in self._namespace.clients:
            self._say_goodbye()

    def _forget_through(self, stamp: int) -> None:
        if self._trail is not None:
            self._trail.forget_through(stamp)

    def _missed(self, stamp: int) -> Slice | None:
        return None if self._trail is None else self._trail.missed(stamp)

    def _come_back(self, connection: Connection, auth: dict[str, Any], missed: Slice) -> None:
        assert self._trail is not None
        self.session, self._connection = connection.session, connection
        self._take_auth(auth)
        self._left, self.connected, self.recovered = False, True, True
        had_left = self._namespace.hub.recovery.back(self)
        self._namespace.readmit(self)
        self.session.keep(missed)
        self._namespace.hub.counters.recovered += 1
        self._namespace.hub.counters.deliveries += len(missed.entries)
        self._say(Message(Kind.CONNECT, self._namespace.name, {"sid": self.id, "pid": self._trail.pid}))
        if had_left:
            self._turns.take(self._run, Answer(type(self).on_connect), [], None)

    def _count_unknown_event(self) -> None:
        self._namespace.hub.unknown_events += 1
