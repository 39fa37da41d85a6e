"""Who is there, and what is kept for them, found out by looking when somebody asks: it costs nothing until then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from .engineio.counters import TRANSPORTS

if TYPE_CHECKING:
    from .engineio.room import Room
    from .hub import Hub


class Gauges(NamedTuple):
    """What a hub holds at one moment."""

    clients: Counter[str]
    """Connections by the transport that carries them now."""
    behind: int
    """How many of them could not take at once what was said; a poller between two polls is one."""
    backlog: int
    """Bytes that rooms keep for those, and for clients that may come back."""
    away: int
    """Clients that are away, and may come back."""
    rooms: int
    """Rooms that somebody has entered, or in which something is kept."""


def read_gauges(hub: Hub) -> Gauges:
    """Count. Takes about a microsecond a client."""
    clients = Counter(dict.fromkeys(TRANSPORTS, 0))
    behind = 0
    for session in hub.sessions.values():
        clients[session.transport.name] += 1
        behind += session.lagging
    clients["events"] += len(hub.streams)
    backlog = sum(room.size for room in _rooms(hub))
    namespaces = hub.namespaces.values()
    away = sum(not client.connected for namespace in namespaces for client in namespace.known.values())
    return Gauges(clients, behind, backlog, away, sum(len(namespace.rooms) for namespace in namespaces))


def _rooms(hub: Hub) -> Iterator[Room]:
    for session in hub.sessions.values():
        yield session.room
    for namespace in hub.namespaces.values():
        yield namespace.everyone
        yield from namespace.rooms.values()
        for client in namespace.known.values():
            yield client.room
