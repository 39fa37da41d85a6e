"""The base class of handlers.

One instance is one client in a namespace.

    class BoardHandler(SocketIOHandler):
        def on_connect(self) -> None: ...
        def on_private(self, data) -> None: ...
        def on_disconnect(self, reason: str) -> None: ...

A method `on_<event>` answers an event; `@event("chat message")` marks one for any other name. What it returns
acknowledges the event (a tuple: several arguments), and so does a `Refused` that it raises. Methods may be `async`;
those of one client run one after the other, in the order in which its events came, `on_connect` first and
`on_disconnect` last.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

from .audience import DONE, Audience, Done
from .client import UNKNOWN, Client
from .declarations import check_class, warn_of_lifecycle
from .descriptors import Fixed, Shown
from .engineio.handshake import Handshake
from .errors import CallTimeout, Disconnected
from .events import EventTable, default_hook
from .hints import add_foreign, add_foreign_calls, check_room, check_timeout, note_absence, refuse_keywords
from .identity import Identity
from .namespace import event_message

if TYPE_CHECKING:
    from .hub import Hub

H = TypeVar("H", bound="SocketIOHandler")
T = TypeVar("T")


class SocketIOHandler(Identity):
    """One client; attributes set by the application are its own state."""

    max_rooms: ClassVar[int] = 1000
    """How many rooms one client may be in."""
    max_name: ClassVar[int] = 200
    """How many characters the name of a room may have."""

    remembered: ClassVar[tuple[str, ...]] = ()
    """Names of own attributes, with JSON values, that a client still has after a restart of the server."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_class(cls, SocketIOHandler)
        EventTable(cls)
        warn_of_lifecycle(cls, SocketIOHandler)

    # The name is mangled, so that no attribute of an author's is the same.
    __client: Client

    def __new__(cls: type[H], client: Client | None = None, *_: Any, **__: Any) -> H:
        """Called by the hub for each client; raises TypeError elsewhere."""
        if not isinstance(client, Client):
            raise TypeError(f"{cls.__name__} is no request handler: write Hub({{'/': {cls.__name__}}}) and routes(hub)")
        handler = super().__new__(cls)
        object.__setattr__(handler, "_SocketIOHandler__client", client)  # not by a `__setattr__` of the author's
        return handler

    def __init__(self) -> None:
        """Override to give a client its state; it is not admitted yet."""

    # -- hooks

    @default_hook
    def authenticate(self, auth: dict[str, Any]) -> Awaitable[bool | None] | bool | None:
        """Override to decide whether a client may come in.

        Return None or True to admit it; return False, or raise `Refused(message, data)`, to refuse it. Rooms entered
        and events emitted here take effect when it is admitted. This runs again when a client comes back, with
        `recovered` set: `self.request` is the new one, `self.current_user` is computed again, and `self.auth` is the
        auth that was admitted last, until `auth` is.
        """

    @default_hook
    def on_connect(self) -> Awaitable[None] | None:
        """Override to greet a client that has come in."""

    @default_hook
    def before_event(self, event: str, args: list[Any]) -> Awaitable[bool | None] | bool | None:
        """Override to look at each event before its method is called.

        Return None or True to let it pass; return False, or raise `Refused(message, data)`, to refuse it.
        """

    @default_hook
    def on_any(self, event: str, *args: Any) -> Any:
        """Override to answer events that have no method of their own."""

    @default_hook
    def on_disconnecting(self, reason: str) -> Awaitable[None] | None:
        """Override to act when the client leaves; `rooms` is still set."""

    @default_hook
    def on_disconnect(self, reason: str) -> Awaitable[None] | None:
        """Override to act when the client has left; called once."""

    # -- other nodes of a cluster

    @classmethod
    def clients_lost(cls, hub: Hub, namespace: str, ids: list[str]) -> None:
        """Override to tell that clients have left whose node was killed.

        One node calls it, once; `on_disconnect` of these clients is never called.
        """

    @classmethod
    def others_changed(cls, hub: Hub, namespace: str) -> None:
        """Override to act when clients of other nodes have changed."""

    @classmethod
    def node_event(cls, hub: Hub, namespace: str, event: str, *args: Any) -> Any:
        """Override to answer an event of another node.

        It comes from `Hub.call_nodes`, `Hub.emit_to_nodes`, or `serverSideEmit` of Node's servers.
        What it returns is the answer; it may be `async`. What it raises is logged, and nothing is answered.
        """

    # -- who the client is

    @Fixed
    def id(self) -> str:
        """The client's id, which is also the name of its own room"""
        return self.__client.id

    @Fixed
    def auth(self) -> dict[str, Any]:
        """What the client sent with its CONNECT"""
        return self.__client.auth

    @Fixed
    def connected(self) -> bool:
        """Whether the client is there: from before `on_connect` until before `on_disconnecting`"""
        return self.__client.connected

    @Fixed
    def recovered(self) -> bool:
        """Whether the client has recovered its session"""
        return self.__client.recovered

    @Fixed
    def request(self) -> Handshake:
        """The request that opened the connection: `headers`, `cookies`, `remote_ip`, …"""
        return self.__client.session.handshake

    @Fixed
    def rooms(self) -> frozenset[str]:
        """Names of the rooms this client has entered, without its own"""
        return frozenset(self.__client.rooms)

    @Fixed
    def settings(self) -> dict[str, Any]:
        """The application's settings, which all handlers share"""
        return self.__client.namespace.hub.settings

    @property
    def current_user(self) -> Any:
        """The user: the result of `get_current_user`, or the assigned value."""
        client = self.__client
        if client.user is UNKNOWN:
            client.user = self.get_current_user()
        return client.user

    @current_user.setter
    def current_user(self, user: Any) -> None:
        self.__client.user = user

    @property
    def shown(self) -> Any:
        """What all nodes see of this client.

        JSON of at most 1,000 bytes, or None.
        """
        return self.__client.shown

    @shown.setter
    def shown(self, value: Any) -> None:
        self.__client.show(value)

    @Shown
    def namespace(self) -> str:
        """The name of the namespace."""
        return self.__client.namespace.name

    @Shown
    def match(self) -> re.Match[str] | None:
        """Match of a namespace declared by an expression; None for a name."""
        return self.__client.namespace.match

    @Shown
    def online(self) -> int:
        """How many clients are in the namespace at this moment."""
        namespace = self.__client.namespace
        return namespace.hub.backplane.online(namespace)

    @Shown
    def present(self) -> dict[str, Any]:
        """What the namespace's clients show, by id, on all nodes."""
        namespace = self.__client.namespace
        return dict(namespace.hub.backplane.present(namespace))

    def __repr__(self) -> str:
        return repr(self.__client)

    # -- rooms

    def enter(self, room: str, *more: NoReturn) -> Done:
        """Add this client to a room.

        Raises Refused beyond `max_rooms`, or for a name longer than `max_name`.
        """
        client = self.__here
        if client.left:
            note_absence(client.namespace.hub.notices, type(self), f"enter({room!r:.80}) for", "does nothing")
        client.enter(check_room(room, more))
        return DONE

    def leave(self, room: str, *more: NoReturn) -> Done:
        """Remove this client from a room.

        Events that were sent to the room before still reach it.
        """
        self.__here.leave(check_room(room, more))
        return DONE

    def disconnect(self, close: bool = False) -> Done:
        """Disconnect this client from the namespace; close: from all, with its connection.

        It cannot come back by recovery, only as a newcomer whom `authenticate` admits.
        """
        self.__here.send_away(close)
        return DONE

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine in the background, at most until the client leaves.

        It is cancelled before `on_disconnecting`, and what it raises is logged. Raises Disconnected, and closes the
        coroutine, if the client has left; TypeError for anything else than a coroutine.
        """
        client = self.__client
        return client.namespace.hub.background.spawn(work, client)

    # -- saying

    def emit(self, event: str, *args: Any, **unknown: NoReturn) -> Done:
        """Send this client an event.

        Raises TypeError or ValueError, and sends nothing, if the arguments cannot be encoded.
        """
        if unknown:
            refuse_keywords("self.emit", unknown)
        client = self.__client
        namespace = client.namespace
        namespace.hub.home.check()
        if client.left:
            note_absence(namespace.hub.notices, type(self), f"emit({event!r:.80}) to", "reaches nobody")
        client.send(event_message(namespace.name, event, args))
        return DONE

    async def call(self, event: str, *args: Any, timeout: float = 20) -> Any:
        """Send this client an event and return its acknowledgement (several values: tuple).

        Raises CallTimeout after `timeout` seconds, Disconnected when the client leaves before it answers.
        """
        client = self.__here
        check_timeout(client.namespace.hub.notices, type(self), timeout)
        if not client.connected:
            when = "has left" if client.left or client.trail is not None else "is not admitted yet"
            raise Disconnected(f"{client.id} {when}: nobody can answer {event!r}")
        id_ = client.namespace.next_call()
        message = event_message(client.namespace.name, event, args, id_)
        ack = client.create_ack(id_)
        try:
            client.send(message)
            return await asyncio.wait_for(ack, timeout)
        except asyncio.TimeoutError:
            raise CallTimeout(f"{client.id} did not answer {event!r} within {timeout:g} s") from None
        finally:
            client.drop_ack(id_)

    def broadcast(self, event: str, *args: Any, keep: int = 0, **unknown: NoReturn) -> Done:
        """Send an event to all clients of the namespace, this one included.

        keep: the last `keep` of this event are sent to later clients.
        """
        return self.__everyone.emit(event, *args, keep=keep, **unknown)

    def to(self: H, *rooms: str) -> Audience[H]:
        """The clients in any of these rooms, this one included.

        rooms: names of rooms, or ids of clients; none: nobody.
        """
        return self.__everyone.to(*rooms)

    def except_(self: H, *rooms: str) -> Audience[H]:
        """Everyone but the clients in these rooms (names, or ids of clients)."""
        return self.__everyone.except_(*rooms)

    @property
    def everyone(self: H) -> Audience[H]:
        """All clients of the namespace."""
        return self.__everyone

    @property
    def others(self: H) -> Audience[H]:
        """Everyone but this client."""
        return self.__everyone.others

    @property
    def volatile(self: H) -> Audience[H]:
        """All clients that can receive at once."""
        return self.__everyone.volatile

    @property
    def __here(self) -> Client:
        client = self.__client
        client.namespace.hub.home.check()
        return client

    @property
    def __everyone(self: H) -> Audience[H]:
        client = self.__client
        return Audience(client.namespace, client.id)


add_foreign(SocketIOHandler)
add_foreign(Handshake)
add_foreign_calls(SocketIOHandler.broadcast)
