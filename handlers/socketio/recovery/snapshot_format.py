"""The format of snapshots: values, and a reader that checks them.

The file may be damaged or forged, so the reader raises ValueError for anything that a server does not write. A
snapshot is one JSON object:

    format      FORMAT
    taken_at    seconds since 1970
    stamp       offset of the last entry
    said        recoverable events, as [offset, text, attachment in base64, …], by offset
    namespaces  by name {everyone, rooms, clients}:
                everyone, and each of rooms by name: {forgotten, log, retained, kept}, where
                    log has offsets of said, and kept has [event, maximum, [[text, attachment, …], …]]
                clients: [{id, pid, …}], see SavedClient; clients of one connection have the same `connection`

All other times are in seconds.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from ..engineio.codec.packet import Packet, PacketType
from ..engineio.room import Entry

T = TypeVar("T")

FORMAT = "handlers.socketio snapshot 1"
"""Name and version; another form needs another number."""
MAX_STAMP = 1 << 62
MAX_KEPT = 1 << 30

_EVENT = re.compile(r"(?:2|5([1-9][0-9]{0,8})-)(?:(/[^,]*),)?(\[.*\])", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_-]{20}")


class SavedEvent(NamedTuple):
    """The last events of one name, kept for a room's later clients."""

    name: str
    number: int
    """Maximum number kept."""
    said: list[list[Packet]]


class SavedRoom(NamedTuple):
    """A room with its log."""

    forgotten: int
    log: list[Entry]
    retained: bool
    """Whether the log is kept for event streams, too."""
    kept: list[SavedEvent]


class SavedClient(NamedTuple):
    """A client that can recover its session."""

    id: str
    pid: str
    connection: int | None
    """The same number for clients of one connection; None in older snapshots."""
    away: float
    """Seconds that the client had been away."""
    present: bool
    """Whether its absence is not announced yet."""
    reason: str
    """Why it was disconnected."""
    auth: dict[str, Any]
    remote_ip: str
    query: dict[str, str]
    remembered: dict[str, Any]
    forgotten: int
    log: list[Entry]
    """Entries that were sent to this client alone."""
    entered: int
    """Offset at which it entered its own room."""
    entered_everyone: int
    rooms: dict[str, int]
    """Its rooms, each with the offset at which it entered."""
    left: list[Entry]


class SavedNamespace(NamedTuple):
    """A namespace with its rooms and clients."""

    name: str
    everyone: SavedRoom
    rooms: dict[str, SavedRoom]
    clients: list[SavedClient]


class Saved(NamedTuple):
    """The values of one snapshot."""

    taken_at: float
    offset: int
    namespaces: list[SavedNamespace]


def read(data: Any) -> Saved:
    """Return the values of a snapshot; raise ValueError, which names the fault."""
    if _get(data, "format", str) != FORMAT:
        raise ValueError(f"'format' must be {FORMAT!r}")
    reader = _Reader(_stamp(_get(data, "stamp", int), MAX_STAMP))
    reader.read_said(_get(data, "said", list))
    namespaces = [reader.namespace(name, value) for name, value in _get(data, "namespaces", dict).items()]
    return Saved(_seconds(data, "taken_at"), reader.offset, namespaces)


class _Reader:
    """Reads and checks one snapshot."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self._said: dict[int, tuple[str, Entry]] = {}
        self._known: set[str] = set()

    def read_said(self, said: list[Any]) -> None:
        """Read all events, each with its namespace."""
        last = 0
        for item in said:
            if type(item) is not list or not item:
                raise ValueError("'said' must have only events")
            offset, *parts = item
            if _stamp(offset, self.offset) <= last:
                raise ValueError("'said' must be ordered by offset")
            last = offset
            namespace, packets = _event(parts)
            self._said[offset] = (namespace, Entry(offset, packets, replayable=True))

    def namespace(self, name: str, data: Any) -> SavedNamespace:
        """Return a namespace.

        Each of its rooms must have clients or keep events.
        """
        rooms = {room: self._room(name, value) for room, value in _get(data, "rooms", dict).items()}
        clients = [self._client(name, value) for value in _get(data, "clients", list)]
        entered = {room for client in clients for room in client.rooms}
        if not entered <= rooms.keys() <= entered | {room for room, saved in rooms.items() if saved.kept}:
            raise ValueError(f"the rooms of {name!r} must be those of its clients")
        return SavedNamespace(name, self._room(name, _get(data, "everyone", dict)), rooms, clients)

    def _room(self, namespace: str, data: Any) -> SavedRoom:
        kept = [_kept(namespace, value) for value in _get(data, "kept", list)]
        return SavedRoom(*self._log(namespace, data), _get(data, "retained", bool), kept)

    def _log(self, namespace: str, data: Any) -> tuple[int, list[Entry]]:
        return self._get_stamp(data, "forgotten"), self._entries(namespace, _get(data, "log", list))

    def _entries(self, namespace: str, stamps: Iterable[Any]) -> list[Entry]:
        entries: list[Entry] = []
        for offset in stamps:
            where, entry = self._said.get(_stamp(offset, self.offset), ("", None))
            if entry is None or where != namespace or (entries and entries[-1].offset >= offset):
                raise ValueError(f"the offset {offset} is not one of an event of {namespace!r}, or out of order")
            entries.append(entry)
        return entries

    def _client(self, namespace: str, data: Any) -> SavedClient:
        entered = {room: _stamp(offset, self.offset) for room, offset in _get(data, "rooms", dict).items()}
        forgotten, log = self._log(namespace, data)
        return SavedClient(
            id=self._new(_get(data, "id", str)),
            pid=self._new(_get(data, "pid", str)),
            connection=_get(data, "connection", int) if "connection" in data else None,
            away=_seconds(data, "away"),
            present=_get(data, "present", bool),
            reason=_get(data, "reason", str),
            auth=_get(data, "auth", dict),
            remote_ip=_get(data, "remote_ip", str),
            query={name: _text(value) for name, value in _get(data, "query", dict).items()},
            remembered=_get(data, "remembered", dict),
            forgotten=forgotten,
            log=log,
            entered=self._get_stamp(data, "entered"),
            entered_everyone=self._get_stamp(data, "entered_everyone"),
            rooms=entered,
            left=[entry for offset in _get(data, "left", list) for entry in self._entries(namespace, [offset])],
        )

    def _new(self, name: str) -> str:
        """Return an id or a pid.

        Raise ValueError if it is not unique.
        """
        if name in self._known or not _NAME.fullmatch(name):
            raise ValueError(f"{name[:40]!r} must be an id, and unique")
        self._known.add(name)
        return name

    def _get_stamp(self, data: Any, key: str) -> int:
        return _stamp(_get(data, key, int), self.offset)


def _kept(namespace: str, data: Any) -> SavedEvent:
    if type(data) is not list or len(data) != 3 or type(data[1]) is not int or type(data[2]) is not list:
        raise ValueError("'kept' must have only [event, number, list]")
    name, number, said = data
    events = [_event(parts) for parts in said]
    if not 0 < number <= MAX_KEPT or len(events) > number or any(where != namespace for where, _ in events):
        raise ValueError(f"'kept' has an event that {namespace!r} cannot keep")
    return SavedEvent(_text(name), number, [packets for _, packets in events])


def _event(parts: Any) -> tuple[str, list[Packet]]:
    """Return namespace and packets of an event that wants no acknowledgement."""
    if type(parts) is not list or not parts:
        raise ValueError("an event must have a text")
    text, *attachments = [_text(part) for part in parts]
    match = _EVENT.fullmatch(text)
    if match is None or int(match[1] or 0) != len(attachments):
        raise ValueError(f"{text[:40]!r} with {len(attachments)} attachments is not an event")
    try:
        args = json.loads(match[3])
        text.encode()
    except (ValueError, RecursionError):
        raise ValueError(f"{text[:40]!r} must have JSON in it") from None
    if not args or not isinstance(args[0], str):
        raise ValueError(f"the event {text[:40]!r} must have a name")
    binary = [Packet(PacketType.MESSAGE, base64.b64decode(part, validate=True)) for part in attachments]
    return match[2] or "/", [Packet(PacketType.MESSAGE, text), *binary]


def _get(data: Any, key: str, kind: type[T]) -> T:
    """Return a member of an object.

    Raise ValueError if it has another type.
    """
    value = data.get(key) if isinstance(data, dict) else None
    if type(value) is not kind:
        raise ValueError(f"{key!r} must be of type {kind.__name__}, got {type(value).__name__}")
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError(f"a value must be of type str, got {type(value).__name__}")
    return value


def _stamp(value: Any, last: int) -> int:
    if type(value) is not int or not 0 <= value <= last:
        raise ValueError("an offset must be a number up to the last offset")
    return value


def _seconds(data: Any, key: str) -> float:
    value = data.get(key)
    if type(value) not in (int, float) or not 0 <= value < 1e12 or not math.isfinite(value):
        raise ValueError(f"{key!r} must be a number of seconds")
    return float(value)
