"""One client in one namespace: connecting, rooms, leaving, recovery.

The application's handler has a client, and speaks through it; nothing here reads an attribute of the handler but its
class's hooks and events, so that all other names are the author's.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .dispatch import Settle, call
from .engineio.codec.packet import Packet
from .engineio.room import Room, Slice
from .errors import Disconnected, Refused
from .inbox import FORBIDDEN, SENT_AWAY, Event, Inbox, find_objection
from .message import EVENT, Kind, Message
from .methods import EventMethod
from .namespace import Namespace, packets
from .recovery.recovery import PROTOCOL_KEYS, RecoveryTrail, read_offset, with_offsets
from .serial_queue import SerialQueue

if TYPE_CHECKING:
    from .connection import Connection
    from .engineio.session import Session

logger = logging.getLogger(__name__)

INTERNAL_ERROR = Refused("Internal error")
"""What a client is told of a failure: nothing about it."""


UNKNOWN: Any = object()
"""The user of a client about whom nobody has asked yet."""


class Return:
    """A client's request to recover: auth of its CONNECT, waiting events.

    connection, user: what it had when it was admitted last, and has again where it may not come back.
    """

    __slots__ = ("auth", "connection", "events", "user")

    def __init__(self, auth: dict[str, Any], connection: Connection, user: Any) -> None:
        self.auth = auth
        self.connection = connection
        self.user = user
        self.events: list[Event] = []


def visible_auth(auth: dict[str, Any]) -> dict[str, Any]:
    """Return what the application sees of the auth of a CONNECT."""
    return {key: value for key, value in auth.items() if key not in PROTOCOL_KEYS}


class Client:
    """One client, `known` to its namespace while online or recoverable.

    Before that it is joining: what it says to itself, and the rooms it enters, wait for its admission.
    """

    __slots__ = (
        "__weakref__",
        "_acks",
        "_deferred",
        "answered",
        "auth",
        "connected",
        "connection",
        "disconnect_reason",
        "handler",
        "id",
        "inbox",
        "left",
        "namespace",
        "recoverable",
        "recovered",
        "returning",
        "room",
        "rooms",
        "trail",
        "user",
    )

    def __init__(self, namespace: Namespace, connection: Connection, auth: dict[str, Any]) -> None:
        self.id = secrets.token_urlsafe(15)
        """Unguessable, 20 characters; also the name of the room that this client alone is in."""
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
        self.returning: Return | None = None
        """That it asks to come back, while the application has not decided."""
        self.disconnect_reason = ""
        self.room = Room(self.id)
        self.rooms: dict[str, None] = {}
        self.trail: RecoveryTrail | None = None
        self.recoverable = namespace.hub.recovery.wants(auth, self.session.handshake.query)
        self._acks: dict[int, asyncio.Future[Any]] | None = None
        self._deferred: list[Callable[[], None]] | None = []
        self.inbox = Inbox(self)

    def restore(self, id_: str, reason: str) -> None:
        """Be the client that an earlier server had: away, for a reason."""
        self.id, self.room, self.disconnect_reason = id_, Room(id_), reason
        self._deferred = None

    def __repr__(self) -> str:
        return f"<{self.namespace.handler.__name__} {self.id} in {self.namespace.name}>"

    @property
    def session(self) -> Session:
        """The session that carries it now, or carried it last."""
        return self.connection.session

    # -- connecting

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

    def join(self) -> None:
        """Make the application's object, and ask whether the client may come in."""
        self.make_handler(self._settle_init)
        if not self.left:
            self.inbox.run(self._authenticate, self.auth)

    def _settle_init(self, method: EventMethod, _: Any, error: BaseException | None) -> None:
        if error is not None and self.left:
            self.log_failure(method, error)
        elif error is not None:
            self._refuse(method, error)

    def _authenticate(self, auth: dict[str, Any]) -> Awaitable[None] | None:
        method = self.namespace.events.hook("authenticate")
        return call(self.namespace.watch, method, self.handler, [auth], self._settle_authenticate, self.returning)

    def _settle_authenticate(
        self, method: EventMethod, result: Any, error: BaseException | None, returning: Return | None
    ) -> Awaitable[None] | None:
        if error is None:
            error = find_objection(method, result)
        if self.left or returning is not self.returning:
            # The client is gone meanwhile, or has asked once more: nobody waits for this verdict.
            if error is not None and not isinstance(error, Refused):
                self.log_failure(method, error)
            return None
        if error is not None:
            self._refuse(method, error)
        elif returning is None:
            return self._connect()
        else:
            self.auth = visible_auth(returning.auth)
            self._recover(returning)
        return None

    def _refuse(self, method: EventMethod, error: BaseException) -> None:
        refusal = error if isinstance(error, Refused) else self.describe_failure(method, error)
        if refusal is not error:
            self.log_failure(method, error)
        self.refuse(refusal, method)

    def refuse(self, refusal: Refused, method: EventMethod | None = None) -> None:
        """Refuse a client that joins, or that asks to come back."""
        try:
            self.connection.refuse(self, refusal)
        except Exception as error:
            if method is not None:
                self.log_failure(method, error)
            self.connection.refuse(self, INTERNAL_ERROR)
        if self.returning is None:
            self._give_up_joining()
        else:
            self.expire()

    def _give_up_joining(self) -> None:
        self.left, self._deferred = True, None
        self.connection.release(self)
        # The client was never admitted: what it sent meanwhile is not for the application.
        self.inbox.clear()

    def _connect(self) -> Awaitable[None] | None:
        namespace = self.namespace
        answer = {"sid": self.id}
        if self.recoverable:
            self.trail = namespace.hub.recovery.begin(self)
            answer["pid"] = self.trail.pid
        self.connected = True
        deferred, self._deferred = self._deferred or (), None
        namespace.admit(self)
        self._answer_connect(answer)
        namespace.send_kept(self, namespace.everyone)
        for room in self.rooms:
            namespace.enter(self, room)
        for action in deferred:
            action()
        return self._run_on_connect()

    def _answer_connect(self, answer: dict[str, str]) -> None:
        self.send(Message(Kind.CONNECT, self.namespace.name, answer))
        self.answered = False
        # A CONNECT that was sent before the answer could be heard is read within these two turns of the loop.
        call_soon = self.namespace.hub.delivery.loop.call_soon
        call_soon(partial(call_soon, self._mark_answered))

    def _mark_answered(self) -> None:
        self.answered = True

    def _run_on_connect(self) -> Awaitable[None] | None:
        namespace = self.namespace
        return call(namespace.watch, namespace.events.hook("on_connect"), self.handler, [], self._settle_connect)

    def _settle_connect(self, method: EventMethod, _: Any, error: BaseException | None) -> None:
        if isinstance(error, Refused):
            logger.warning(
                "%s refused %r, which is connected already: it is sent away. "
                "Raise Refused in authenticate, so that the client hears why: %s", method.name, self, error,
            )  # fmt: skip
            self.send_away()
        elif error is not None:
            self.log_failure(method, error)

    # -- sending

    def send(self, message: Message) -> None:
        """Send a message.

        Raises TypeError or ValueError, and sends nothing, if the data cannot be encoded.
        """
        encoded = packets(message, self.namespace.hub.json_default)
        is_event = message.kind is EVENT and message.id is None
        if self._deferred is None:
            self._publish(encoded, is_event)
        elif not self.left:
            self._deferred.append(partial(self._publish, encoded, is_event))

    def _publish(self, encoded: Sequence[Packet], is_event: bool) -> None:
        self.namespace.hub.delivery.publish([self.room], encoded, replayable=is_event)

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
        """Log, once, what the application's code raised."""
        self.namespace.watch.failed(method)
        on_event = "" if method.event is None else f" on {method.event!r:.80}"
        if isinstance(error, asyncio.CancelledError):
            logger.warning("%s was cancelled for %r%s", method.name, self, on_event)
        else:
            logger.error("%s failed for %r%s", method.name, self, on_event, exc_info=error)

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
        if self._deferred is None:
            self.namespace.enter(self, room)

    def leave(self, room: str) -> None:
        """Leave a room. What was said there before still reaches the client."""
        if room in self.rooms and self._may_move:
            if self._deferred is None:
                self.namespace.leave(self, room)
            del self.rooms[room]

    @property
    def _may_move(self) -> bool:
        return self._deferred is not None or self.id in self.namespace.known

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

    # -- leaving

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
            self._send_away_absent()

    def _send_away_absent(self) -> None:
        self.disconnect_reason = SENT_AWAY
        if self.trail is None or self.returning is not None:
            self.refuse(FORBIDDEN)
        else:
            self.expire()

    def disconnect(self, reason: str, may_return: bool) -> None:
        """Leave; the hooks follow when the handlers in flight are done."""
        if self.left:
            return
        if self.connected:
            self._leave(reason, may_return)
        elif self.returning is None:
            self._give_up_joining()
        elif may_return:
            self._take_back(self.returning)
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
        del self.namespace.clients[self.id]
        for name in ("on_disconnecting", "on_disconnect"):
            self.inbox.run(self._run_disconnect_hook, name, self.disconnect_reason)

    def _run_disconnect_hook(self, name: str, reason: str) -> Awaitable[None] | None:
        hook = self.namespace.events.hook(name)
        return call(self.namespace.watch, hook, self.handler, [reason], self.log_settled)

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
        self._forget()
        if returning is not None:
            self._take_back(returning)
        if self.id in self.namespace.clients:
            self.run_disconnect_hooks()

    def _take_back(self, returning: Return) -> None:
        """Restore the last admitted connection and user, for the leaving hooks."""
        self.returning = None
        self.connection, self.user = returning.connection, returning.user

    # -- coming back

    def may_resume(self, auth: dict[str, Any]) -> bool:
        """Return whether a client may recover from this offset.

        Not a second time if the client itself closed after it was sent the missed events.
        """
        return self.trail is not None and self.trail.resent_from != read_offset(auth)

    def come_back(self, connection: Connection, auth: dict[str, Any]) -> None:
        """Ask to recover the session, on another connection, with a new auth."""
        self.returning = Return(auth, self.connection, self.user)
        self.connection, self.user, self.answered = connection, UNKNOWN, False
        self.recovered = True
        hub = self.namespace.hub
        hub.recovery.hold(self)
        if hub.recovery_skips_authenticate:
            self._recover(self.returning)
        else:
            # Not behind its handlers: one of them may run for long, and the client waits.
            SerialQueue(hub.running).take(self._authenticate, visible_auth(auth))

    def _recover(self, returning: Return) -> None:
        assert self.trail is not None
        self.returning = None
        offset = read_offset(returning.auth)
        missed = self.trail.missed(offset)
        if missed is None:
            self.expire()
            self.connection.join(self.namespace, returning.auth, returning.events)
            return
        self.trail.resent_from = offset if missed else None
        self._return(self.trail.pid, missed)
        self.inbox.receive_all(returning.events)

    def _return(self, pid: str, missed: Slice) -> None:
        hub = self.namespace.hub
        self.connected = True
        had_left = hub.recovery.back(self)
        self.namespace.readmit(self)
        self.session.requeue(missed)
        hub.counters.recovered += 1
        hub.counters.deliveries += len(missed.entries)
        self._answer_connect({"sid": self.id, "pid": pid})
        if had_left:
            self.inbox.run(self._run_on_connect)
