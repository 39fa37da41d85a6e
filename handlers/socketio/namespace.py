"""A namespace: its clients, its rooms, and the audiences one can speak to in it.

A message to one whole room goes into that room's log. Anything finer is resolved when it is said: the one entry,
encoded once, goes into the room of one of each client who is meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .message import RESERVED_EVENTS, Kind, Message, encode
from .packet import Packet, PacketType
from .room import Room

if TYPE_CHECKING:
    from .engine import Engine
    from .handler import SocketIOHandler
    from .session import Session


def packets(message: Message) -> list[Packet]:
    """Write a Socket.IO message as the Engine.IO packets that carry it."""
    return [Packet(PacketType.MESSAGE, part) for part in encode(message)]


def event_message(namespace: str, event: str, args: Iterable[Any], id_: int | None = None) -> Message:
    """Return the message of an event; raise ValueError for a name that is the protocol's own."""
    if event in RESERVED_EVENTS:
        raise ValueError(f"{event!r} is an event of the protocol's own: choose another name")
    return Message(Kind.EVENT, namespace, [event, *args], id_)


class Namespace:
    """One namespace of one server."""

    def __init__(self, name: str, handler: type[SocketIOHandler], engine: Engine) -> None:
        self.name = name
        self.handler = handler
        self.engine = engine
        self.everyone = Room(name)
        """The room that every client of the namespace is in."""
        self.rooms: dict[str, Room] = {}
        """Rooms by name, as long as somebody is in them."""
        self.clients: dict[str, SocketIOHandler] = {}
        """Clients by id, as long as they are online."""

    def admit(self, client: SocketIOHandler) -> None:
        """Let a client in."""
        self.clients[client.id] = client
        client.session.enter(self.everyone)

    def dismiss(self, client: SocketIOHandler) -> None:
        """Let a client out, and out of all its rooms."""
        del self.clients[client.id]
        client.session.leave(self.everyone)
        for name in client.rooms:
            self.leave(client, name)

    def enter(self, client: SocketIOHandler, name: str) -> None:
        """Let a client into a room, which begins with its first reader."""
        room = self.rooms.get(name)
        if room is None:
            room = self.rooms[name] = Room(name)
        client.session.enter(room)

    def leave(self, client: SocketIOHandler, name: str) -> None:
        """Let a client out of a room, which ends with its last reader."""
        room = self.rooms.get(name)
        if room is not None:
            client.session.leave(room)
            if not room.readers:
                del self.rooms[name]

    def audience(self) -> Audience:
        """Return the audience of everyone."""
        return Audience(self)

    def readers(self, name: str) -> Iterable[Session]:
        """Return the sessions in a room; the id of a client is the name of its room of one."""
        room = self.rooms.get(name)
        if room is not None:
            return room.readers
        client = self.clients.get(name)
        return [] if client is None else [client.session]


class Audience:
    """Who is spoken to: everyone in a namespace until it is narrowed. Narrowing returns a new audience.

    A client that is meant twice hears it once.
    """

    __slots__ = ("_excepted", "_namespace", "_rooms", "_volatile")

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._rooms: tuple[str, ...] = ()
        self._excepted: tuple[str, ...] = ()
        self._volatile = False

    def to(self, *rooms: str) -> Audience:
        """Only clients in one of these rooms (names, or ids of clients), besides those of earlier calls."""
        narrowed = self._copy()
        narrowed._rooms += rooms
        return narrowed

    def except_(self, *rooms: str) -> Audience:
        """Not the clients in these rooms (names, or ids of clients)."""
        narrowed = self._copy()
        narrowed._excepted += rooms
        return narrowed

    @property
    def volatile(self) -> Audience:
        """Only clients that can take it at once: who is slow or between two polls misses it."""
        narrowed = self._copy()
        narrowed._volatile = True
        return narrowed

    def emit(self, event: str, *args: Any) -> None:
        """Send them an event. Raises TypeError or ValueError, and sends nothing, where it cannot be encoded."""
        message = event_message(self._namespace.name, event, args)
        self._namespace.engine.say(self._resolve(), packets(message), self._volatile)

    def _copy(self) -> Audience:
        copy = Audience(self._namespace)
        copy._rooms, copy._excepted, copy._volatile = self._rooms, self._excepted, self._volatile
        return copy

    def _resolve(self) -> list[Room]:
        namespace = self._namespace
        if not self._excepted:
            if not self._rooms:
                return [namespace.everyone]
            if len(self._rooms) == 1 and (room := namespace.rooms.get(self._rooms[0])) is not None:
                return [room]
        meant: dict[Session, None] = {}
        for name in self._rooms:
            meant.update(dict.fromkeys(namespace.readers(name)))
        if not self._rooms:
            meant.update(namespace.everyone.readers)
        for name in self._excepted:
            for session in namespace.readers(name):
                meant.pop(session, None)
        return [session.room for session in meant]
