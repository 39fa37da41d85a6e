"""The base class of an application's events: one instance is one client in one namespace.

    class BoardHandler(SocketIOHandler):
        def on_connect(self) -> None: ...
        def on_private(self, data) -> None: ...
        def on_disconnect(self, reason: str) -> None: ...

A method `on_<event>` answers an event; `@event("chat message")` marks one for any other name. What it returns
acknowledges the event (a tuple: several arguments). Methods may be `async`; those of one client run one after the
other, in the order in which its events came, `on_connect` first and `on_disconnect` last.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ClassVar

from .errors import CallTimeout, Disconnected, Refused
from .events import Answer, answers
from .message import Kind, Message
from .namespace import Audience, Namespace, event_message, packets
from .session import Handshake
from .turns import Turns

if TYPE_CHECKING:
    from .connection import Connection

logger = logging.getLogger(__name__)


class SocketIOHandler:
    """A client. Attributes that the application sets on it are the client's own state."""

    _answers: ClassVar[dict[str, Answer]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._answers = answers(cls)

    def __init__(self, namespace: Namespace, connection: Connection, auth: dict[str, Any] | None) -> None:
        self.id = secrets.token_urlsafe(15)
        """Unguessable, 20 characters; also the name of the room that this client alone is in."""
        self.auth: dict[str, Any] = auth or {}
        """What the client sent with its CONNECT."""
        self.connected = False
        """Whether it is online: from before `on_connect` until before `on_disconnecting`."""
        self.session = connection.session
        self._namespace = namespace
        self._connection = connection
        self._left = False
        self._rooms: set[str] = set()
        self._turns = Turns()
        self._calls: dict[int, asyncio.Future[list[Any]]] = {}
        self._last_call = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} in {self._namespace.name}>"

    # -- for the author: hooks

    def authenticate(self, auth: dict[str, Any]) -> Awaitable[None] | None:
        """Override to decide whether a client may come in; raise `Refused(message, data)` where it may not."""

    def on_connect(self) -> Awaitable[None] | None:
        """Override to greet a client that has come in."""

    def on_disconnecting(self, reason: str) -> Awaitable[None] | None:
        """Override to act when a client has left, while `rooms` still says where it was."""

    def on_disconnect(self, reason: str) -> Awaitable[None] | None:
        """Override to act when a client has left, by whatever way. Called once."""

    # -- for the author: who is there

    @property
    def request(self) -> Handshake:
        """The request that opened the connection: `headers`, `remote_ip`, `query`."""
        return self.session.handshake

    @property
    def online(self) -> int:
        """How many clients are in the namespace at this moment."""
        return len(self._namespace.clients)

    @property
    def rooms(self) -> frozenset[str]:
        """Names of the rooms this client has entered, besides the one that is its id."""
        return frozenset(self._rooms)

    def enter(self, room: str) -> None:
        """Let this client into a room."""
        if self.connected:
            self._rooms.add(room)
            self._namespace.enter(self, room)

    def leave(self, room: str) -> None:
        """Let this client out of a room. What was said there before still reaches it."""
        if self.connected:
            self._rooms.discard(room)
            self._namespace.leave(self, room)

    def disconnect(self, close: bool = False) -> None:
        """Send this client away from the namespace or, with `close`, end its whole connection."""
        if close:
            self.session.close("forced close")
        elif self.connected:
            self._say(Message(Kind.DISCONNECT, self._namespace.name))
            self._connection.part(self, "server namespace disconnect")

    # -- for the author: saying

    def emit(self, event: str, *args: Any) -> None:
        """Send this client an event. Raises TypeError or ValueError, and sends nothing, where it cannot be encoded."""
        self._say(event_message(self._namespace.name, event, args))

    async def call(self, event: str, *args: Any, timeout: float = 20) -> Any:
        """Send this client an event and return its acknowledgement (several arguments: a tuple).

        Raises CallTimeout after `timeout` seconds, Disconnected when the client leaves before it answers.
        """
        if not self.connected:
            raise Disconnected(f"{self.id} has left: nobody can answer {event!r}")
        self._last_call = id_ = self._last_call + 1
        answer = self._calls[id_] = asyncio.get_running_loop().create_future()
        try:
            self._say(event_message(self._namespace.name, event, args, id_))
            arguments = await asyncio.wait_for(answer, timeout)
        except asyncio.TimeoutError:
            raise CallTimeout(f"{self.id} did not answer {event!r} within {timeout:g} s") from None
        finally:
            self._calls.pop(id_, None)
        return arguments[0] if len(arguments) == 1 else tuple(arguments) or None

    def broadcast(self, event: str, *args: Any) -> None:
        """Send everyone in the namespace an event, this client too."""
        self._namespace.audience().emit(event, *args)

    def to(self, *rooms: str) -> Audience:
        """The clients in any of these rooms (names, or ids of clients), this one too if it is in one."""
        return self._namespace.audience().to(*rooms)

    def except_(self, *rooms: str) -> Audience:
        """Everyone but the clients in these rooms (names, or ids of clients)."""
        return self._namespace.audience().except_(*rooms)

    @property
    def others(self) -> Audience:
        """Everyone but this client."""
        return self.except_(self.id)

    def _say(self, message: Message) -> None:
        self._namespace.engine.say([self.session.room], packets(message))

    # -- for the connection

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
        else:
            greeting = self._come_in()
            if greeting is not None:
                await greeting

    def _refuse(self, error: Exception) -> None:
        if not isinstance(error, Refused):
            logger.error("authenticate failed for %r", self, exc_info=error)
            error = Refused("Internal error")
        self._connection.refuse(self._namespace.name, error)

    def _come_in(self) -> Awaitable[None] | None:
        if self._left:
            return None
        self._say(Message(Kind.CONNECT, self._namespace.name, {"sid": self.id}))
        self.connected = True
        self._namespace.admit(self)
        return self._run(Answer(type(self).on_connect, 0, 0), [], None)

    def _receive(self, args: list[Any], id_: int | None) -> None:
        event = str(args[0])
        answer = self._answers.get(event)
        if answer is None:
            logger.debug("%r sent %r, which nobody here answers", self, event[:80])
        elif not answer.fits(args[1:]):
            logger.info("%r sent %r with %d arguments; it takes %s", self, event[:80], len(args) - 1, answer.arity)
        else:
            self._turns.take(self._run, answer, args[1:], id_)

    def _answer(self, id_: int | None, args: list[Any]) -> None:
        answer = self._calls.pop(id_ or 0, None)
        if answer is not None and not answer.done():
            answer.set_result(args)

    def _part(self, reason: str) -> None:
        """Leave at once; the hooks follow when the handlers in flight are done."""
        self._left = True
        if not self.connected:
            return
        self.connected = False
        self._namespace.dismiss(self)
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(Disconnected(f"{self.id} left before it answered: {reason}"))
        self._turns.take(self._run, Answer(type(self).on_disconnecting, 1, 1), [reason], None)
        self._turns.take(self._run, Answer(type(self).on_disconnect, 1, 1), [reason], None)

    def _run(self, answer: Answer, args: list[Any], id_: int | None) -> Awaitable[None] | None:
        try:
            result = answer.function(self, *args)
            if isawaitable(result):
                return self._finish(answer, result, id_)
            self._acknowledge(id_, result)
        except Exception:
            logger.exception("%s failed for %r", answer.function.__qualname__, self)
        return None

    async def _finish(self, answer: Answer, result: Awaitable[Any], id_: int | None) -> None:
        try:
            self._acknowledge(id_, await result)
        except Exception:
            logger.exception("%s failed for %r", answer.function.__qualname__, self)

    def _acknowledge(self, id_: int | None, result: Any) -> None:
        if id_ is None:
            return
        arguments = [] if result is None else list(result) if isinstance(result, tuple) else [result]
        self._say(Message(Kind.ACK, self._namespace.name, arguments, id_))
