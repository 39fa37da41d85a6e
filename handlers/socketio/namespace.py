"""A namespace: its clients, and its rooms."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .engineio.codec.packet import MESSAGE, Packet, make
from .engineio.room import Room
from .message import EVENT, RESERVED_EVENTS, Message, encode

if TYPE_CHECKING:
    from .client import Client
    from .events import EventTable
    from .hub import Hub
    from .watch import MethodWatch


def packets(message: Message) -> list[Packet]:
    """Write a Socket.IO message as the Engine.IO packets that carry it."""
    text, *attachments = encode(message)
    packet = make(Packet, (MESSAGE, text))
    return [packet, *(make(Packet, (MESSAGE, part)) for part in attachments)] if attachments else [packet]


def event_message(namespace: str, event: str, args: Iterable[Any], id_: int | None = None) -> Message:
    """Return the message of an event; raise ValueError for a name that is the protocol's own, TypeError for no text."""
    if not isinstance(event, str):
        raise TypeError(f"the name of an event is a text, which {event!r:.80} is not")
    if event in RESERVED_EVENTS:
        raise ValueError(f"{event!r} is an event of the protocol's own: choose another name")
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
        """What the handler class answers."""
        self.match = match
        """How the name fits the expression it was declared by; None for one declared by its exact name."""
        self.hub = hub
        self.watch = watch
        """What measures the methods of its handlers."""
        self.everyone = Room(name)
        """The room that every client of the namespace is in."""
        self.rooms: dict[str, Room] = {}
        """Rooms by name, as long as somebody is in them or something is kept in them."""
        self.clients: dict[str, Client] = {}
        """Clients by id, as long as they are online."""
        self.known: dict[str, Client] = {}
        """Clients by id: those online, and those away who may come back."""
        self._members: dict[str, dict[Client, None]] = {}
        self.kept: dict[Room, dict[str, deque[Sequence[Packet]]]] = {}
        """What is kept in rooms for those who enter later, by event."""
        self._last_call = 0

    # -- coming and going

    def admit(self, client: Client) -> None:
        """Let a newcomer in."""
        self.hub.namespaces[self.name] = self
        self.clients[client.id] = self.known[client.id] = client
        for room in (client.room, self.everyone):
            client.subscribe(room)

    def readmit(self, client: Client) -> None:
        """Let a client read again that was away."""
        self.clients[client.id] = client
        for room in (client.room, self.everyone, *(self.rooms[name] for name in client.rooms)):
            client.subscribe(room)

    def suspend(self, client: Client) -> None:
        """Let a client read no more that may come back."""
        for room in (client.room, self.everyone, *(self.rooms[name] for name in client.rooms)):
            client.session.leave(room)

    def dismiss(self, client: Client) -> None:
        """Let a client out for good, and out of all its rooms."""
        self.suspend(client)
        for name in client.rooms:
            self.leave(client, name)
        del self.known[client.id]

    def enter(self, client: Client, name: str) -> None:
        """Let a client into a room, which begins with its first client; what is kept there is sent to it."""
        room = self.add(client, name)
        client.subscribe(room)
        self.send_kept(client, room)

    def add(self, client: Client, name: str) -> Room:
        """Count a client among those in a room, and return the room."""
        self._members.setdefault(name, {})[client] = None
        return self.room(name)

    def room(self, name: str) -> Room:
        """Return the room of this name, a new one if there is none."""
        if name not in self.rooms:
            self.rooms[name] = Room(name)
        return self.rooms[name]

    def leave(self, client: Client, name: str) -> None:
        """Let a client out of a room, which ends with its last client unless something is kept there."""
        client.unsubscribe(self.rooms[name])
        members = self._members[name]
        del members[client]
        if not members:
            del self._members[name]
            self.drop_empty(name)

    def drop_empty(self, name: str) -> None:
        """Drop a room that has nobody and keeps nothing."""
        if name not in self._members and self.rooms[name] not in self.kept:
            del self.rooms[name]

    def members(self, name: str) -> Iterable[Client]:
        """Return who is in a room, also those away; the id of a client is the name of its room of one."""
        members = self._members.get(name, {})
        return {self.known[name]: None, **members} if name in self.known else members

    # -- keeping

    def keep(self, room: Room, event: str, said: Sequence[Packet], number: int) -> None:
        """Keep the last `number` of an event in a room, for those who enter later."""
        self.hub.namespaces[self.name] = self
        events = self.kept.setdefault(room, {})
        events[event] = deque([*events.get(event, ()), said], maxlen=number)

    def send_kept(self, client: Client, room: Room) -> None:
        """Send a client what is kept in a room it has entered."""
        for events in self.kept.get(room, {}).values():
            for said in events:
                self.hub.delivery.publish([client.room], said, replayable=True)

    @property
    def idle(self) -> bool:
        """Whether it has nobody and keeps nothing."""
        return not self.known and not self.kept

    def next_call(self) -> int:
        """Return the id of the next event that asks for an answer."""
        self._last_call += 1
        return self._last_call
