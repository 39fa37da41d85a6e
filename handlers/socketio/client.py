"""One client in one namespace: sending, rooms, leaving.

The application's handler has a client, and speaks through it; nothing here reads an attribute of the handler but its
class's hooks and events, so that all other names are the author's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Any

from .dispatch import Settle, call
from .engineio.room import Room
from .entering import Joining, Returning, visible_auth
from .errors import Disconnected, Refused
from .hints import note_unanswered
from .inbox import FORBIDDEN, INTERNAL_ERROR, SENT_AWAY, Inbox
from .json_codec import dump
from .message import EVENT, Kind, Message
from .methods import EventMethod
from .namespace import Namespace, packets
from .recovery.recovery import RecoveryTrail, offset_of, with_offsets

if TYPE_CHECKING:
    from .connection import Connection
    from .engineio.session import Session

logger = logging.getLogger(__name__)

MAX_SHOWN = 1000
"""Maximum bytes, as JSON, of what one client shows."""

UNKNOWN: Any = object()
"""The user of a client about whom nobody has asked yet."""


class Client:
    """One client, `known` to its namespace while online or recoverable.

    Before that it is joining: what it says to itself, and the rooms it enters, wait for its admission.
    """

    __slots__ = (
        "__weakref__",
        "_acks",
        "answered",
        "auth",
        "connected",
        "connection",
        "disconnect_reason",
        "events",
        "handler",
        "id",
        "inbox",
        "joining",
        "left",
        "namespace",
        "recoverable",
        "recovered",
        "returning",
        "room",
        "rooms",
        "shown",
        "trail",
        "user",
    )

    def __init__(self, namespace: Namespace, connection: Connection, auth: dict[str, Any]) -> None:
        self.id = connection.new_id(namespace)
        """Also the name of the room that this client alone is in."""
        self.namespace = namespace
        self.connection = connection
        self.handler: Any = None
        """The application's object; None until `make_handler`."""
        self.connected = False
        """Whether it is there: from before `on_connect` until before `on_disconnecting`."""
        self.auth = visible_auth(auth)
        """What it sent with its CONNECT; of a client that comes back the new one counts when it is admitted."""
        self.user = UNKNOWN
        """Who it is, as far as the application has found out by the request of its connection."""
        self.recovered = False
        """Whether it has come back; while `authenticate` runs, whether it asks to."""
        self.answered = False
        """Whether its CONNECT was answered long enough ago that it may have heard so."""
        self.left = False
        """Whether it has left for good, or was refused."""
        self.joining: Joining | None = None
        """Its request to enter, until the application has decided."""
        self.returning: Returning | None = None
        """Its request to come back, until the application has decided."""
        self.shown: Any = None
        """What all nodes see of it."""
        self.disconnect_reason = ""
        self.events = 0
        """How many events it has sent."""
        self.room = Room(self.id)
        self.rooms: dict[str, None] = {}
        self.trail: RecoveryTrail | None = None
        self.recoverable = connection.wants_recovery(auth)
        self._acks: dict[int, asyncio.Future[Any]] | None = None
        self.inbox = Inbox(self)

    def restore(self, id_: str, reason: str) -> None:
        """Be the client that an earlier server had: away, for a reason."""
        self.id, self.room, self.disconnect_reason = id_, Room(id_), reason

    def __repr__(self) -> str:
        return f"<{self.namespace.handler.__name__} {self.id} in {self.namespace.name}>"

    @property
    def session(self) -> Session:
        """The session that carries it now, or carried it last."""
        return self.connection.session

    def make_handler(self, settle: Settle) -> None:
        """Make the application's object, and settle whether its `__init__` failed."""
        method = EventMethod(f"{self.namespace.handler.__name__}.__init__", Client._make)
        call(self.namespace.watch, method, self, [], settle)

    def _make(self) -> None:
        handler_class = self.namespace.handler
        handler = handler_class.__new__(handler_class, self)
        result = handler_class.__init__(handler)
        if result is not None:
            raise TypeError(f"__init__ returned a {type(result).__name__}: write `def __init__(self)`, without `async`")
        self.handler = handler

    # -- sending

    def send(self, message: Message) -> None:
        """Send a message.

        Raises TypeError or ValueError, and sends nothing, if the data cannot be encoded.
        """
        hub = self.namespace.hub
        encoded = packets(message, hub.json_default)
        kind, _, _, id_ = message
        is_event = kind is EVENT and id_ is None
        if self.joining is None:
            hub.backplane.send_to(self, encoded, is_event)
        else:
            self.joining.deferred.append(partial(hub.backplane.send_to, self, encoded, is_event))

    def create_ack(self, id_: int) -> asyncio.Future[Any]:
        """Return a future of the acknowledgement for this id."""
        self._acks = self._acks or {}
        ack = self._acks[id_] = asyncio.get_running_loop().create_future()
        return ack

    def drop_ack(self, id_: int) -> None:
        """Wait no more for an answer."""
        if self._acks is not None:
            self._acks.pop(id_, None)

    def resolve_ack(self, id_: int | None, args: list[Any]) -> None:
        """Handle an ACK; one that nothing waits for is ignored."""
        ack = None if id_ is None or self._acks is None else self._acks.pop(id_, None)
        if ack is not None and not ack.done():
            ack.set_result(args[0] if len(args) == 1 else tuple(args) or None)

    def _fail_acks(self, error: Disconnected) -> None:
        for ack in (self._acks or {}).values():
            if not ack.done():
                ack.set_exception(error)

    # -- the application's failures

    def describe_failure(self, method: EventMethod, error: BaseException) -> Refused:
        """Return the message for the client; details only in debug mode."""
        if not self.namespace.hub.debug:
            return INTERNAL_ERROR
        try:
            described = f"{error!r:.500}"
        except Exception:  # of the application's own `__repr__`
            described = type(error).__name__
        return Refused(f"{method.name} failed: {described}")

    def log_settled(self, method: EventMethod, _: Any, error: BaseException | None) -> None:
        """Settle a call to which nothing is answered."""
        if error is not None:
            self.log_failure(method, error)

    def log_failure(self, method: EventMethod, error: BaseException) -> None:
        """Log and count what the application's code raised."""
        is_gone = not self.connected and self.joining is None
        if isinstance(error, Disconnected) and is_gone and method.label not in ("on_disconnecting", "on_disconnect"):
            note_unanswered(self.namespace.hub.notices, method.name)
            return
        self.namespace.watch.failed(method)
        self.namespace.hub.failures.log(method, self, error)

    # -- rooms

    def enter(self, room: str) -> None:
        """Enter a room.

        Raises Refused beyond `max_rooms`, or for a name longer than `max_name`.
        """
        limits = self.namespace.handler
        if len(room) > limits.max_name:
            raise Refused(f"The name of a room has {limits.max_name} characters at most, and {room[:20]!r}… more")
        if room in self.rooms or not self._may_move:
            return
        if len(self.rooms) >= limits.max_rooms:
            raise Refused(f"One can be in {limits.max_rooms} rooms at most")
        self.rooms[room] = None
        if self.joining is None:
            self.namespace.enter(self, room)
            self.namespace.hub.backplane.moved(self)

    def leave(self, room: str) -> None:
        """Leave a room. What was said there before still reaches the client."""
        if room in self.rooms and self._may_move:
            if self.joining is None:
                self.namespace.leave(self, room)
            del self.rooms[room]
            self.namespace.hub.backplane.moved(self)

    @property
    def _may_move(self) -> bool:
        return self.joining is not None or self.id in self.namespace.known

    def subscribe(self, room: Room) -> None:
        """Read a room from now on; a client away recovers its entries."""
        if self.trail is not None:
            self.trail.enter(room, self.namespace.hub.delivery.offset)
        if self.connected:
            self.session.enter(room, with_offsets if self.trail is not None else None)

    def unsubscribe(self, room: Room) -> None:
        """Read a room no more."""
        self.session.leave(room)
        if self.trail is not None:
            self.trail.leave(room)

    def show(self, value: Any) -> None:
        """Set what all nodes see of the client.

        Raises TypeError or ValueError for what has no JSON form, or more than MAX_SHOWN bytes.
        """
        if len(dump(value, [])) > MAX_SHOWN:
            raise ValueError(f"what a client shows has {MAX_SHOWN} bytes of JSON at most: show less")
        self.shown = value
        if self.id in self.namespace.clients:
            self.namespace.hub.backplane.changed(self)

    # -- leaving

    def move_away(self) -> None:
        """Leave without a hook: the client has come back to another node."""
        session, was_online = self.session, self.id in self.namespace.clients
        self.connected = False
        self._fail_acks(Disconnected(f"{self.id} has come back to another node"))
        self._forget()
        if was_online:
            self.namespace.disappear(self)
            self.namespace.hub.background.end(self)
        session.close("transport close")

    def send_away(self, close: bool = False) -> None:
        """Disconnect the client finally, whether online, away or connecting.

        close: disconnect all clients of its connection.
        """
        if close:
            self.connection.send_away()
        elif self.connected:
            self.send(Message(Kind.DISCONNECT, self.namespace.name))
            self.disconnect(SENT_AWAY, may_return=False)
        elif not self.left:
            self.disconnect_reason = SENT_AWAY
            entering = self.joining or self.returning
            if entering is not None:
                entering.refuse(FORBIDDEN)
            else:
                self.expire()

    def disconnect(self, reason: str, may_return: bool) -> None:
        """Leave; the hooks follow when the handlers in flight are done."""
        if self.left:
            return
        if self.connected:
            self._leave(reason, may_return)
        elif self.joining is not None:
            self.joining.cancel()
        elif self.returning is not None and may_return:
            self.returning.cancel()
            self.namespace.hub.recovery.wait_again(self, self.namespace.hub.now())
        else:
            self.expire()

    def _leave(self, reason: str, may_return: bool) -> None:
        self.connected = False
        self.disconnect_reason = reason
        self._fail_acks(Disconnected(f"{self.id} left before it answered: {reason}"))
        if may_return and self.trail is not None:
            self._be_away(self.trail)
        else:
            self._end_session()
            self._forget()
            self.run_disconnect_hooks()

    def _be_away(self, trail: RecoveryTrail) -> None:
        hub = self.namespace.hub
        self.namespace.suspend(self)
        if not self.session.closed_by_client:
            trail.resent_from = None
        if hub.recovery.lost(self, hub.now()):
            self.run_disconnect_hooks()

    def run_disconnect_hooks(self) -> None:
        """Tell the application that the client has left."""
        self.namespace.disappear(self)
        self.namespace.hub.background.end(self)
        for name in ("on_disconnecting", "on_disconnect"):
            self.inbox.run(self._run_disconnect_hook, name, self.disconnect_reason)

    def _run_disconnect_hook(self, name: str, reason: str) -> Awaitable[None] | None:
        hook = self.namespace.events.hook(name)
        return call(self.namespace.watch, hook, self.handler, [reason], self.log_settled)

    def _end_session(self) -> None:
        if self.trail is not None:
            self.namespace.hub.backplane.ended(self.trail.pid)

    def _forget(self) -> None:
        self.left = True
        self.connection.release(self)
        self.namespace.dismiss(self)
        if self.trail is not None:
            self.namespace.hub.recovery.forget(self, self.trail)
            self.trail = None
        self.namespace.hub.prune(self.namespace)

    def expire(self) -> None:
        """Remove the client finally: its time to reconnect is over."""
        returning = self.returning
        self._end_session()
        self._forget()
        if returning is not None:
            returning.cancel()
        if self.id in self.namespace.clients:
            self.run_disconnect_hooks()

    # -- coming back

    def may_resume(self, auth: dict[str, Any]) -> bool:
        """Return whether a client may recover from this offset.

        Not a second time if the client itself closed after it was sent the missed events.
        """
        return self.trail is not None and self.trail.resent_from != offset_of(auth)

    def come_back(self, connection: Connection, auth: dict[str, Any]) -> None:
        """Ask to recover the session, on another connection, with a new auth."""
        self.returning = Returning(self, auth)
        self.connection, self.user, self.answered = connection, UNKNOWN, False
        self.recovered = True
        self.returning.start()
