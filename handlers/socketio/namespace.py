"""A namespace with its clients and rooms."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .engineio.codec.packet import MESSAGE, Packet, make
from .engineio.room import Room
from .events import EventTable
from .json_codec import Default
from .message import EVENT, RESERVED_EVENTS, Message, encode
from .watch import MethodWatch

if TYPE_CHECKING:
    from .actions import Action
    from .client import Client
    from .engineio.session import Session
    from .hub import Hub


def packets(message: Message, default: Default | None = None) -> list[Packet]:
    """Return the Engine.IO packets of a Socket.IO message."""
    parts = encode(message, default)
    if len(parts) == 1:  # as nearly always
        return [make(Packet, (MESSAGE, parts[0]))]
    return [make(Packet, (MESSAGE, part)) for part in parts]


def event_message(namespace: str, event: str, args: Iterable[Any], id_: int | None = None) -> Message:
    """Return the message of an event.

    Raises TypeError for a name that is no text, ValueError for one that the protocol reserves.
    """
    if not isinstance(event, str):
        raise TypeError(f"the name of an event must be a text, got {event!r:.80}")
    if event in RESERVED_EVENTS:
        raise ValueError(f"{event!r} is reserved by the protocol: choose another name")
    return Message(EVENT, namespace, [event, *args], id_)


class Namespace:
    """One namespace of one server."""

    def __init__(
        self,
        name: str,
        handler: type[Any],
        events: EventTable,
        match: re.Match[str] | None,
        hub: Hub,
        watch: MethodWatch,
    ) -> None:
        self.name = name
        self.handler = handler
        self.events = events
        """The events that the handler class has methods for."""
        self.match = match
        """The match of a name that was declared by an expression; None for an exact name."""
        self.hub = hub
        self.watch = watch
        """Measures the methods of the handlers."""
        self.everyone = Room(name)
        """The room of all clients of the namespace."""
        self.rooms: dict[str, Room] = {}
        """Rooms by name that have clients or keep events."""
        self.clients: dict[str, Client] = {}
        """Clients by id that are online, or away in their grace time."""
        self.known: dict[str, Client] = {}
        """All clients by id: online, or away and recoverable."""
        self._members: dict[str, dict[Client, None]] = {}
        self.kept: dict[Room, dict[str, deque[Sequence[Packet]]]] = {}
        """Events that rooms keep for later clients, by name."""
        self._last_call = 0

    @property
    def logs(self) -> Iterator[Room]:
        """All rooms of the namespace, those of its clients included."""
        yield self.everyone
        yield from self.rooms.values()
        yield from (client.room for client in self.known.values())

    def room_sizes(self) -> Iterator[tuple[str, int]]:
        """Yield each room that has clients, with their number."""
        for name, members in self._members.items():
            yield name, len(members)

    # -- coming and going

    def admit(self, client: Client) -> None:
        """Add a new client."""
        self.hub.namespaces[self.name] = self
        self.known[client.id] = client
        self._appear(client)
        for room in (client.room, self.everyone):
            client.subscribe(room)

    def readmit(self, client: Client) -> None:
        """Subscribe a client again that was away."""
        self._appear(client)
        for room in (client.room, self.everyone, *(self.rooms[name] for name in client.rooms)):
            client.subscribe(room)

    def _appear(self, client: Client) -> None:
        self.clients[client.id] = client
        self.hub.backplane.joined(client)

    def disappear(self, client: Client) -> None:
        """Count a client as not online any more."""
        del self.clients[client.id]
        self.hub.backplane.left(client)

    def suspend(self, client: Client) -> None:
        """Unsubscribe a client that is away and may reconnect."""
        self.hub.backplane.suspending(client)
        for room in (client.room, self.everyone, *(self.rooms[name] for name in client.rooms)):
            client.session.leave(room)

    def dismiss(self, client: Client) -> None:
        """Remove a client from the namespace and all its rooms."""
        self.suspend(client)
        for name in client.rooms:
            self.leave(client, name)
        del self.known[client.id]

    def enter(self, client: Client, name: str) -> None:
        """Add a client to a room, and send the room's kept events."""
        room = self.add(client, name)
        client.subscribe(room)
        self.send_kept(client, room)

    def add(self, client: Client, name: str) -> Room:
        """Add a client to a room's members, and return the room."""
        self._members.setdefault(name, {})[client] = None
        return self.room(name)

    def room(self, name: str) -> Room:
        """Return the room of this name, created if new."""
        if name not in self.rooms:
            self.rooms[name] = Room(name)
        return self.rooms[name]

    def leave(self, client: Client, name: str) -> None:
        """Remove a client from a room; drop the room if empty."""
        client.unsubscribe(self.rooms[name])
        members = self._members[name]
        del members[client]
        if not members:
            del self._members[name]
            self.drop_empty(name)

    def drop_empty(self, name: str) -> None:
        """Drop a room if it has no members and keeps no events."""
        if name not in self._members and self.rooms[name] not in self.kept:
            del self.rooms[name]

    def members(self, name: str) -> Iterable[Client]:
        """Return the members of a room, also those away.

        name: of a room, or the id of a client, which is the name of its own room.
        """
        members = self._members.get(name, {})
        return {self.known[name]: None, **members} if name in self.known else members

    # -- keeping

    def keep(self, room: Room, event: str, said: Sequence[Packet], number: int) -> None:
        """Keep the last `number` of an event for a room's later clients."""
        self.hub.namespaces[self.name] = self
        events = self.kept.setdefault(room, {})
        events[event] = deque([*events.get(event, ()), said], maxlen=number)

    def send_kept(self, client: Client, room: Room) -> None:
        """Send a client the events that a room keeps."""
        for events in self.kept.get(room, {}).values():
            for said in events:
                self.hub.delivery.publish([client.room], said, replayable=self.hub.backplane.local_offsets)

    @property
    def idle(self) -> bool:
        """Whether the namespace has no clients and keeps no events."""
        return not self.known and not self.kept

    # -- sending

    def publish(self, action: Action, sender: Session | None) -> None:
        """Publish an event to an action's clients; serve its sender last."""
        rooms = self._resolve(action.rooms, action.excepted)
        if action.keep and not action.excepted and len(action.rooms) < 2:
            room = self.room(action.rooms[0]) if action.rooms else self.everyone
            self.keep(room, action.event, action.packets, action.keep)
        self.hub.delivery.publish(
            rooms, action.packets, volatile=action.volatile, replayable=not action.volatile, sender=sender
        )

    def targets(self, rooms: Sequence[str], excepted: Sequence[str]) -> Iterable[Client]:
        """Return the clients of rooms, also those away.

        rooms: none: all clients. excepted: rooms whose clients are left out.
        """
        if not rooms:
            targets = dict.fromkeys(self.known.values())
        else:
            targets = {client: None for name in rooms for client in self.members(name)}
        for name in excepted:
            for client in self.members(name):
                targets.pop(client, None)
        return targets

    def _resolve(self, rooms: Sequence[str], excepted: Sequence[str]) -> list[Room]:
        if excepted or len(rooms) > 1 or not self.known.keys().isdisjoint(rooms):
            return [client.room for client in self.targets(rooms, excepted)]
        room = self.rooms.get(rooms[0]) if rooms else self.everyone
        return [] if room is None else [room]

    def next_call(self) -> int:
        """Return the id of the next event that wants an acknowledgement."""
        self._last_call += 1
        return self._last_call
