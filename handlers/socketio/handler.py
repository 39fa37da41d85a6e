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
import inspect
import re
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, ClassVar, NoReturn, TypeVar

from .audience import DONE, Audience, Done, check_room, refuse_keywords, warn_of_milliseconds
from .client import UNKNOWN, Client
from .descriptors import Fixed, Shown
from .engineio.declared import check_number
from .engineio.handshake import Handshake
from .errors import CallTimeout, Disconnected
from .events import EventTable, default_hook
from .identity import Identity
from .namespace import event_message

H = TypeVar("H", bound="SocketIOHandler")


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
        _check_attributes(cls)
        EventTable(cls)

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

        Return None or True to admit it; return False, or raise `Refused(message, data)`, to refuse it. What it enters
        and what is emitted to it here takes effect when it is admitted. A client that comes back is asked again, with
        `recovered` set; `self.auth` is then what was admitted last, until `auth` is. `self.request` is the new one,
        and `self.current_user` is found out again.
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
        return len(self.__client.namespace.clients)

    def __repr__(self) -> str:
        return repr(self.__client)

    # -- rooms

    def enter(self, room: str) -> None:
        """Add this client to a room.

        Raises Refused beyond `max_rooms`, or for a name longer than `max_name`.
        """
        self.__here.enter(check_room(room))

    def leave(self, room: str) -> None:
        """Remove this client from a room.

        Events that were sent to the room before still reach it.
        """
        self.__here.leave(check_room(room))

    def disconnect(self, close: bool = False) -> None:
        """Disconnect this client from the namespace; close: from all, with its connection.

        It cannot come back by recovery, only as a newcomer whom `authenticate` admits.
        """
        self.__here.send_away(close)

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
        client.send(event_message(namespace.name, event, args))
        return DONE

    async def call(self, event: str, *args: Any, timeout: float = 20) -> Any:
        """Send this client an event and return its acknowledgement (several values: tuple).

        Raises CallTimeout after `timeout` seconds, Disconnected when the client leaves before it answers.
        """
        client = self.__here
        warn_of_milliseconds(client.namespace, timeout)
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

    def to(self, *rooms: str) -> Audience:
        """The clients in any of these rooms, this one included.

        rooms: names of rooms, or ids of clients.
        """
        return self.__everyone.to(*rooms)

    def except_(self, *rooms: str) -> Audience:
        """Everyone but the clients in these rooms (names, or ids of clients)."""
        return self.__everyone.except_(*rooms)

    @property
    def others(self) -> Audience:
        """Everyone but this client."""
        return self.__everyone.others

    @property
    def volatile(self) -> Audience:
        """Everyone who can take it at once."""
        return self.__everyone.volatile

    @property
    def __here(self) -> Client:
        client = self.__client
        client.namespace.hub.home.check()
        return client

    @property
    def __everyone(self) -> Audience:
        client = self.__client
        return Audience(client.namespace, client.id)


def _check_init(handler: type[SocketIOHandler]) -> None:
    """Raise TypeError where a handler cannot be made without arguments."""
    init: Any = handler.__init__
    name = f"{handler.__name__}.__init__"
    if inspect.iscoroutinefunction(init):
        raise TypeError(f"{name} is async: write `def __init__(self)`, and wait in authenticate or on_connect")
    with suppress(ValueError):  # what has no signature, of a C type
        try:
            inspect.signature(init).bind(object())
        except TypeError as error:
            raise TypeError(
                f"{name} is called without arguments, and needs some ({error}): write `def __init__(self)`; "
                "what it works with is in self.settings, which are the application's"
            ) from None


def _check_attributes(handler: type[SocketIOHandler]) -> None:
    """Raise TypeError for declarations that would not work as they read."""
    for name, fixed in vars(SocketIOHandler).items():
        if isinstance(fixed, Fixed) and getattr(handler, name) is not fixed:
            hidden = f"{handler.__name__}.{name} hides the library's ({fixed.__doc__})"
            raise TypeError(f"{hidden}: choose another name, such as my_{name}")
    if inspect.iscoroutinefunction(handler.get_current_user):
        described = f"{handler.__name__}.get_current_user is async, and self.current_user cannot wait for it"
        raise TypeError(f"{described}: set self.current_user in authenticate instead")
    _check_init(handler)
    for limit in ("max_rooms", "max_name"):
        check_number(f"{handler.__name__}.{limit}", getattr(handler, limit), limit[4:], zero=True, whole=True)
    names: Any = handler.remembered
    if not isinstance(names, (tuple, list, set, frozenset)) or not all(isinstance(name, str) for name in names):
        described = f"{handler.__name__}.remembered must be the names of attributes, got {names!r:.80}"
        raise TypeError(f'{described}: write remembered = ("name", "color")')
