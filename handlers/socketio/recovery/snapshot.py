"""Snapshots: recoverable sessions as JSON, from one server to the next.

`snapshot` makes one when all sessions are closed, `restore` loads it into a hub that was just started. Neither reads
or writes a file. An event is saved once, even if it was sent to many rooms. Only events that a client may ask for
again are saved, not those that were volatile or wanted an acknowledgement.

In a cluster only the events that rooms keep are saved: a client may have been on another node before it comes back, and
other nodes send events while this one is down, so it recovers its session from the cluster.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..client import Client
from ..connection import Connection
from ..engineio.handshake import Handshake
from ..engineio.reasons import CloseReason
from ..engineio.room import Entry, Room, Slice
from ..engineio.session import Session
from ..errors import Refused
from ..namespace import Namespace
from .snapshot_format import FORMAT, SavedClient, SavedNamespace, SavedRoom, Snapshot, read, read_packets, write_packets

if TYPE_CHECKING:
    from ..hub import Hub

logger = logging.getLogger(__name__)

ENDED: CloseReason = "server shutting down"


def snapshot(hub: Hub, taken_at: float) -> dict[str, Any]:
    """Return the value of `Hub.snapshot`, in the form of `snapshot_format`.

    Clients that are online count as away from now on.
    """
    writer = _Writer(hub)
    namespaces = {namespace.name: writer.namespace(namespace) for namespace in hub.namespaces.values()}
    said = [[offset, *write_packets(entry.packets)] for offset, entry in sorted(writer.said.items())]
    saved: Snapshot = {
        "format": FORMAT,
        "taken_at": taken_at,
        "stamp": hub.delivery.offset,
        "namespaces": namespaces,
        "said": said,
    }
    return dict(saved)


def restore(hub: Hub, data: Any, now: float) -> int:
    """Do the work of `Hub.restore`."""
    saved, entries = read(data)
    age = max(0.0, now - saved["taken_at"])
    found = [] if age > hub.recovery.window else [(_find(hub, *item), item[1]) for item in saved["namespaces"].items()]
    parts = [(namespace, part) for namespace, part in found if namespace is not None]
    absent = _make_absent(hub, parts)
    hub.delivery.skip_offsets_to(saved["stamp"])
    for namespace, part in parts:
        hub.namespaces[namespace.name] = namespace
        _restore_rooms(namespace, part, entries)
    for client, was in sorted(absent, key=lambda pair: -pair[1]["away"]):
        _restore_client(client, was, entries)
        hub.recovery.restore_away(client, hub.now() - age - was["away"], was["present"], hub.now())
    for namespace, part in parts:
        for room, _ in _rooms(namespace, part):
            room.release()
        for name in part["rooms"]:
            namespace.drop_empty(name)  # rooms whose only clients have handlers that could not be made
        hub.prune(namespace)
    return len(absent)


# -- taking


class _Writer:
    """Collects the values of one snapshot."""

    def __init__(self, hub: Hub) -> None:
        self.said: dict[int, Entry] = {}
        """Entries of all logs, by offset."""
        self._hub = hub
        self._recovers = not hub.backplane.keeps_sessions
        self._complaints: set[tuple[type, str]] = set()
        self._groups: dict[int, int] = {}

    def namespace(self, namespace: Namespace) -> SavedNamespace:
        """Return a namespace as JSON values."""
        clients = [client for client in namespace.known.values() if client.trail is not None and self._recovers]
        entered = {name for client in clients for name in client.rooms}
        rooms = {name: room for name, room in namespace.rooms.items() if name in entered or room in namespace.kept}
        return {
            "everyone": self._room(namespace, namespace.everyone),
            "rooms": {name: self._room(namespace, room) for name, room in rooms.items()},
            "clients": [self._client(namespace, client) for client in clients],
        }

    def _room(self, namespace: Namespace, room: Room) -> SavedRoom:
        kept = namespace.kept.get(room, {})
        return {
            "forgotten": room.forgotten,
            "log": self._log(room),
            "retained": self._recovers and self._hub.recovery.retains(room),
            "kept": [[event, said.maxlen, list(map(write_packets, said))] for event, said in kept.items()],
        }

    def _log(self, room: Room) -> list[int]:
        return self._offsets(room.after(0) if room.retain_count and self._recovers else [])

    def _offsets(self, entries: list[Entry]) -> list[int]:
        self.said.update((entry.offset, entry) for entry in entries)
        return [entry.offset for entry in entries]

    def _client(self, namespace: Namespace, client: Client) -> SavedClient:
        trail, handshake = client.trail, client.session.handshake
        assert trail is not None
        return {
            "id": client.id,
            "pid": trail.pid,
            "connection": self._groups.setdefault(id(client.connection.group), len(self._groups)),
            "away": self._hub.recovery.away(client, self._hub.now()),
            "present": client.id in namespace.clients,
            "reason": ENDED if client.connected else client.disconnect_reason,
            "auth": self._json(client, "auth", client.auth).get("auth", {}),
            "remote_ip": handshake.remote_ip,
            "query": handshake.query,
            "remembered": self._attributes(client),
            "forgotten": client.room.forgotten,
            "log": self._log(client.room),
            "entered": trail.entered[client.room],
            "entered_everyone": trail.entered[namespace.everyone],
            "rooms": {name: trail.entered[namespace.rooms[name]] for name in client.rooms},
            "left": self._offsets(trail.left),
        }

    def _attributes(self, client: Client) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for name in client.namespace.handler.remembered:
            if name in vars(client.handler):
                written |= self._json(client, name, vars(client.handler)[name])
        return written

    def _json(self, client: Client, name: str, value: Any) -> dict[str, Any]:
        """Return `{name: value}` as JSON values.

        Log once and return {} without JSON form.
        """
        try:
            return {name: json.loads(json.dumps(value, allow_nan=False))}
        except Exception as error:
            handler = client.namespace.handler
            if (handler, name) not in self._complaints:
                self._complaints.add((handler, name))
                logger.error("%s.%s has no JSON form and is not saved: %s", handler.__name__, name, error)
            return {}


# -- restoring


class NullTransport:
    """The transport of a client that is away: it delivers nothing."""

    name = "nothing"

    ready = False
    burst = 0

    def deliver(self, unread: Slice) -> bool:
        """Return False, because nothing can be sent."""
        return False

    def release(self) -> None:
        """Do nothing, because there is no connection."""

    def end(self, farewell: Slice, reason: CloseReason) -> None:
        """Do nothing, because there is no connection."""


def _find(hub: Hub, name: str, part: SavedNamespace) -> Namespace | None:
    try:
        return hub.namespace(name)
    except Refused:
        logger.warning("%d clients of %.80r are lost: no such namespace is declared", len(part["clients"]), name)
        return None


def _make_absent(hub: Hub, parts: Iterable[tuple[Namespace, SavedNamespace]]) -> list[tuple[Client, SavedClient]]:
    """Make the clients that are away, without adding them to namespaces.

    A client whose handler fails is logged and left out.
    """
    absent = []
    groups: dict[int, dict[Client, None]] = {}
    for namespace, part in parts:
        for was in part["clients"]:
            connection = _closed_connection(hub, was)
            if "connection" in was:
                connection.group = groups.setdefault(was["connection"], connection.group)
            client = _make_absent_client(namespace, connection, was)
            if client is not None:
                absent.append((client, was))
    return absent


def _closed_connection(hub: Hub, was: SavedClient) -> Connection:
    query = {name: [value.encode()] for name, value in was["query"].items()}
    session = Session(hub, "", NullTransport(), Handshake({}, was["remote_ip"], query), hub.now())
    session.reason = ENDED
    return Connection(hub, session)


def _make_absent_client(namespace: Namespace, connection: Connection, was: SavedClient) -> Client | None:
    client = Client(namespace, connection, was["auth"])
    client.make_handler(client.log_settled)
    if client.handler is None:
        return None
    remembered = namespace.handler.remembered
    vars(client.handler).update((name, value) for name, value in was["remembered"].items() if name in remembered)
    client.restore(was["id"], was["reason"])
    connection.add(client)
    return client


def _restore_rooms(namespace: Namespace, part: SavedNamespace, entries: Mapping[int, Entry]) -> None:
    for room, was in _rooms(namespace, part):
        room.retain()
        _restore_log(room, was, entries)
        if was["kept"]:
            namespace.kept[room] = {name: deque(map(read_packets, said), number) for name, number, said in was["kept"]}
        if was["retained"]:
            namespace.hub.recovery.retain(room)


def _rooms(namespace: Namespace, part: SavedNamespace) -> Iterable[tuple[Room, SavedRoom]]:
    yield namespace.everyone, part["everyone"]
    for name, was in part["rooms"].items():
        yield namespace.room(name), was


def _restore_log(room: Room, was: SavedRoom | SavedClient, entries: Mapping[int, Entry]) -> None:
    room.forgotten = was["forgotten"]
    for offset in was["log"]:
        room.append(entries[offset])
    room.offer()


def _restore_client(client: Client, was: SavedClient, entries: Mapping[int, Entry]) -> None:
    """Put a client back into its namespace and rooms."""
    namespace = client.namespace
    _restore_log(client.room, was, entries)
    trail = client.trail = namespace.hub.recovery.begin(client, was["pid"])
    trail.enter(client.room, was["entered"])
    trail.enter(namespace.everyone, was["entered_everyone"])
    for name, offset in was["rooms"].items():
        trail.enter(namespace.add(client, name), offset)
        client.rooms[name] = None
    trail.left = [entries[offset] for offset in was["left"]]
    namespace.known[client.id] = client
    if was["present"]:
        namespace.clients[client.id] = client
