"""Requests to join a namespace, or to come back: `authenticate` decides.

Source: Socket.IO protocol, revision 5, "Connection to a namespace"; recovery as in Node's socket.io.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from .dispatch import call
from .engineio.room import Slice
from .errors import Refused
from .inbox import INTERNAL_ERROR, Event, find_objection
from .message import Kind, Message
from .methods import EventMethod
from .recovery.recovery import PROTOCOL_KEYS, RecoveryTrail, offset_of
from .serial_queue import SerialQueue

if TYPE_CHECKING:
    from .client import Client


class Auth(dict[str, Any]):
    """What a client sent; reading an absent key says what to write."""

    __slots__ = ()

    def __missing__(self, key: object) -> NoReturn:
        raise KeyError(f"the client's auth has no {key!r:.80}: write auth.get({key!r:.80})")


def visible_auth(auth: dict[str, Any]) -> Auth:
    """Return what the application sees of the auth of a CONNECT."""
    return Auth((key, value) for key, value in auth.items() if key not in PROTOCOL_KEYS)


class Entering(ABC):
    """A request on which the application has not decided."""

    __slots__ = ("_client",)

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    @abstractmethod
    def _is_current(self) -> bool:
        """Whether the client still waits for this decision."""

    @abstractmethod
    def _admit(self) -> Awaitable[None] | None:
        """Let the client in."""

    @abstractmethod
    def _give_up(self) -> None:
        """The client is refused."""

    def _authenticate(self, auth: dict[str, Any]) -> Awaitable[None] | None:
        namespace = self._client.namespace
        hook = namespace.events.hook("authenticate")
        return call(namespace.watch, hook, self._client.handler, [auth], self._settle_authenticate)

    def _settle_authenticate(
        self, method: EventMethod, result: Any, error: BaseException | None
    ) -> Awaitable[None] | None:
        if error is None:
            error = find_objection(method, result)
        if not self._is_current:
            # The client is gone meanwhile, or has asked once more.
            if error is not None and not isinstance(error, Refused):
                self._client.log_failure(method, error)
            return None
        if error is None:
            return self._admit()
        self._fail(method, error)
        return None

    def _fail(self, method: EventMethod, error: BaseException) -> None:
        client = self._client
        refusal = error if isinstance(error, Refused) else client.describe_failure(method, error)
        if refusal is not error:
            client.log_failure(method, error)
        self.refuse(refusal, method)

    def refuse(self, refusal: Refused, method: EventMethod | None = None) -> None:
        """Refuse the client; method: the one that raised it, if any."""
        client = self._client
        try:
            client.connection.refuse(client, refusal)
        except Exception as error:
            if method is not None:
                client.log_failure(method, error)
            client.connection.refuse(client, INTERNAL_ERROR)
        self._give_up()

    def _answer_connect(self, answer: dict[str, str]) -> None:
        client = self._client
        client.send(Message(Kind.CONNECT, client.namespace.name, client.connection.answer_data(answer)))
        client.answered = False
        # A CONNECT that was sent before the answer could be heard is read within these two turns of the loop.
        call_soon = client.namespace.hub.delivery.loop.call_soon
        call_soon(partial(call_soon, partial(setattr, client, "answered", True)))

    def _run_on_connect(self) -> Awaitable[None] | None:
        namespace = self._client.namespace
        hook = namespace.events.hook("on_connect")
        return call(namespace.watch, hook, self._client.handler, [], self._settle_on_connect)

    def _settle_on_connect(self, method: EventMethod, _: Any, error: BaseException | None) -> None:
        client = self._client
        if isinstance(error, Refused):
            client.namespace.hub.notices.warn(
                (method.name, "refused"),
                "%s refused %r, which is connected already: it is sent away, and so are the next. "
                "Raise Refused in authenticate, so that the client hears why: %.200s",
                method.name, client, error,
            )  # fmt: skip
            client.send_away()
        elif error is not None:
            client.log_failure(method, error)


class Joining(Entering):
    """The request of a new client: what is sent to it waits."""

    __slots__ = ("deferred",)

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.deferred: list[Callable[[], None]] = []
        """Sends what the handler has sent to its client before the admission."""

    def start(self) -> None:
        """Make the application's object, and ask whether the client may come in."""
        client = self._client
        client.joining = self
        client.make_handler(self._settle_init)
        if not client.left:
            client.inbox.run(self._authenticate, client.auth)

    def cancel(self) -> None:
        """Forget a client that was never admitted."""
        client = self._client
        client.left, client.joining = True, None
        client.namespace.hub.background.end(client)
        client.connection.release(client)
        # What it sent meanwhile is not for the application.
        client.inbox.clear()

    @property
    def _is_current(self) -> bool:
        return self._client.joining is self

    def _settle_init(self, method: EventMethod, _: Any, error: BaseException | None) -> None:
        if error is not None and not self._is_current:
            self._client.log_failure(method, error)
        elif error is not None:
            self._fail(method, error)

    def _admit(self) -> Awaitable[None] | None:
        client, namespace = self._client, self._client.namespace
        answer = {"sid": client.id}
        if client.recoverable:
            client.trail = namespace.hub.recovery.begin(client)
            answer["pid"] = client.trail.pid
        client.connected, client.joining = True, None
        namespace.admit(client)
        self._answer_connect(answer)
        namespace.send_kept(client, namespace.everyone)
        for room in client.rooms:
            namespace.enter(client, room)
        for send in self.deferred:
            send()
        return self._run_on_connect()

    def _give_up(self) -> None:
        self.cancel()


class Returning(Entering):
    """The request of a client that was away."""

    __slots__ = ("_auth", "_connection", "_user", "events")

    def __init__(self, client: Client, auth: dict[str, Any]) -> None:
        super().__init__(client)
        self._auth = auth
        self._connection, self._user = client.connection, client.user
        self.events: list[Event] = []
        """What it has sent since, for when it is admitted."""

    def start(self) -> None:
        """Ask whether the client may come back."""
        hub = self._client.namespace.hub
        hub.recovery.hold(self._client)
        if hub.recovery_skips_authenticate:
            self._recover()
        else:
            # Not behind its handlers: one of them may run for long, and the client waits.
            SerialQueue(hub.running).take(self._authenticate, visible_auth(self._auth))

    def cancel(self) -> None:
        """Restore the last admitted connection and user, for the leaving hooks."""
        client = self._client
        client.returning = None
        client.connection, client.user = self._connection, self._user

    @property
    def _is_current(self) -> bool:
        return not self._client.left and self._client.returning is self

    def _admit(self) -> None:
        self._client.auth = visible_auth(self._auth)
        self._recover()

    def _give_up(self) -> None:
        self._client.expire()

    def _recover(self) -> None:
        client, trail = self._client, self._client.trail
        assert trail is not None
        client.returning = None
        offset = offset_of(self._auth)
        missed = trail.missed(offset)
        if missed is None:
            client.expire()
            client.connection.join(client.namespace, self._auth, self.events)
            return
        trail.resent_from = offset if missed else None
        self._return(trail, missed)
        client.inbox.receive_all(self.events)

    def _return(self, trail: RecoveryTrail, missed: Slice) -> None:
        client, hub = self._client, self._client.namespace.hub
        client.connected = True
        had_left = hub.recovery.back(client)
        client.namespace.readmit(client)
        client.session.requeue(missed)
        hub.counters.recovered += 1
        hub.counters.deliveries += len(missed.entries)
        self._answer_connect({"sid": client.id, "pid": trail.pid})
        if had_left:
            client.inbox.run(self._run_on_connect)
