"""The format of snapshots: each member with its type and check.

`snapshot.py` writes these objects, and `read` checks them: the file may be damaged or forged, so it raises ValueError
for anything that a server does not write. An offset refers to an event of `said`. Times are in seconds.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from typing import Annotated, Any, TypedDict, get_args, get_origin, get_type_hints, is_typeddict

from ..engineio.codec.packet import Packet, PacketType
from ..engineio.offsets import migrate_offset
from ..engineio.room import Entry

FORMAT = "handlers.socketio snapshot 2"
"""Name and version; another form needs another number."""
OLD_FORMAT = "handlers.socketio snapshot 1"
"""Name and version of files that are still read: their offsets are other numbers."""
MAX_STAMP = 1 << 112
MAX_KEPT = 1 << 30

_EVENT = re.compile(r"(?:2|5([1-9][0-9]{0,8})-)(?:(/[^,]*),)?(\[.*\])", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_-]{20}")


class _Reader:
    """Checks one snapshot, in the order of its members."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        """The events by offset."""
        self._namespaces: dict[int, str] = {}
        self._namespace = ""
        self._last = MAX_STAMP
        self._ids: set[str] = set()

    def check(self, kind: Any, value: Any, what: str) -> None:
        """Raise ValueError unless a value is what is declared."""
        kind, *checks = get_args(kind) if get_origin(kind) is Annotated else (kind,)
        members = _members(kind)
        expected = dict if members else get_origin(kind) or kind
        if expected is not Any and type(value) is not expected and (expected, type(value)) != (float, int):
            raise ValueError(f"{what} must be of type {expected.__name__}, got {type(value).__name__}")
        for name, member in members.items():
            if name in value or name in kind.__required_keys__:
                self.check(member, value.get(name), repr(name))
        for item in value.values() if get_origin(kind) is dict else value if get_origin(kind) is list else ():
            self.check(get_args(kind)[-1], item, f"a value of {what}")
        for check in checks:
            check(self, value)

    def format(self, value: str) -> None:
        """Check that this version can read it."""
        if value not in (FORMAT, OLD_FORMAT):
            raise ValueError(f"'format' must be {FORMAT!r}")

    def seconds(self, value: float) -> None:
        """Check a time."""
        if not 0 <= value < 1e12 or not math.isfinite(value):
            raise ValueError(f"{value!r:.80} must be a time, a number of seconds from 0 on")

    def offset(self, value: int) -> None:
        """Check that an offset is not after the last."""
        if not 0 <= value <= self._last:
            raise ValueError(f"{value!r:.80} must be an offset, a number up to the last offset")

    def last_offset(self, value: int) -> None:
        """Check the last offset."""
        self.offset(value)
        self._last = value

    def id(self, value: str) -> None:
        """Check that an id or pid is unique."""
        if value in self._ids or not _NAME.fullmatch(value):
            raise ValueError(f"{value[:40]!r} must be an id, and unique")
        self._ids.add(value)

    def event(self, event: list[Any]) -> None:
        """Read an event, whose offset is above those before."""
        if len(event) < 2 or type(event[0]) is not int or event[0] <= next(reversed(self.entries), 0):
            raise ValueError("'said' must have only events, [offset, text, attachment, …], ordered by offset")
        offset, *parts = event
        self.offset(offset)
        self._namespaces[offset] = _namespace_of(parts)
        self.entries[offset] = Entry(offset, read_packets(parts), replayable=True)

    def offsets(self, log: list[int]) -> None:
        """Check that offsets are those of events of the namespace."""
        for offset in log:
            if self._namespaces.get(offset) != self._namespace:
                raise ValueError(f"the offset {offset} is not one of an event of {self._namespace!r}")

    def log(self, log: list[int]) -> None:
        """Check that offsets are those of events, in order."""
        self.offsets(log)
        if log != sorted(set(log)):
            raise ValueError(f"the offsets of a log of {self._namespace!r} are out of order")

    def kept(self, kept: list[Any]) -> None:
        """Check the number and namespace of events of one name."""
        if len(kept) != 3 or [type(value) for value in kept] != [str, int, list]:
            raise ValueError("'kept' must have only [event, number, list]")
        _, number, events = kept
        if (
            not len(events) <= number <= MAX_KEPT
            or not number
            or {_namespace_of(e) for e in events} - {self._namespace}
        ):
            raise ValueError(f"'kept' has an event that {self._namespace!r} cannot keep")

    def rooms(self, namespace: SavedNamespace) -> None:
        """Check that each room has clients or keeps events."""
        entered = {room for client in namespace["clients"] for room in client["rooms"]}
        keeping = {name for name, room in namespace["rooms"].items() if room["kept"]}
        if not entered <= namespace["rooms"].keys() <= entered | keeping:
            raise ValueError(f"the rooms of {self._namespace!r} must be those of its clients")

    def namespaces(self, namespaces: dict[str, Any]) -> None:
        """Check namespaces by name, after the events that they refer to."""
        for name, namespace in namespaces.items():
            self._namespace = name
            self.check(Annotated[SavedNamespace, _Reader.rooms], namespace, repr(name))


@cache
def _members(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True) if is_typeddict(kind) else {}


Seconds = Annotated[float, _Reader.seconds]
Id = Annotated[str, _Reader.id]
Offset = Annotated[int, _Reader.offset]
Log = Annotated[list[int], _Reader.log]


class SavedRoom(TypedDict):
    """A room with its log."""

    forgotten: Offset
    log: Log
    retained: bool
    """Whether the log is kept for event streams, too."""
    kept: list[Annotated[list[Any], _Reader.kept]]
    """Last events of a name, for later clients: [event, maximum, [[text, attachment in base64, …], …]]."""


class _Client(TypedDict):
    """What each client has."""

    id: Id
    pid: Id
    away: Seconds
    """Seconds that the client had been away."""
    present: bool
    """Whether its absence is not announced yet."""
    reason: str
    """Why it was disconnected."""
    auth: dict[str, Any]
    remote_ip: str
    query: dict[str, str]
    remembered: dict[str, Any]
    forgotten: Offset
    log: Log
    """Entries that were sent to this client alone."""
    entered: Offset
    """Offset at which it entered its own room."""
    entered_everyone: Offset
    rooms: dict[str, Offset]
    """Its rooms, each with the offset at which it entered."""
    left: Annotated[list[int], _Reader.offsets]
    """Entries of rooms that it has left."""


class SavedClient(_Client, total=False):
    """A client that can recover its session."""

    connection: int
    """The same number for clients of one connection; older snapshots have none."""


class SavedNamespace(TypedDict):
    """A namespace with its rooms and clients."""

    everyone: SavedRoom
    rooms: dict[str, SavedRoom]
    clients: list[SavedClient]


class Snapshot(TypedDict):
    """A snapshot."""

    format: Annotated[str, _Reader.format]
    taken_at: Seconds
    """Seconds since 1970."""
    stamp: Annotated[int, _Reader.last_offset]
    """Offset of the last entry."""
    said: list[Annotated[list[Any], _Reader.event]]
    """Recoverable events: [offset, text, attachment in base64, …], ordered by offset."""
    namespaces: Annotated[dict[str, Any], _Reader.namespaces]
    """SavedNamespace, by name."""


def read(data: Any) -> tuple[Snapshot, dict[int, Entry]]:
    """Return a snapshot, and its events by offset.

    Raise ValueError, which names the fault, for what is none.
    """
    reader = _Reader()
    reader.check(Snapshot, data, f"a snapshot in the format {FORMAT!r}")
    return (data, reader.entries) if data["format"] == FORMAT else _migrate(deepcopy(data), reader.entries)


def _migrate(data: Snapshot, entries: dict[int, Entry]) -> tuple[Snapshot, dict[int, Entry]]:
    """Return a snapshot of version 1 with offsets of today."""
    data["stamp"] = migrate_offset(data["stamp"])
    for namespace in data["namespaces"].values():
        for room in (namespace["everyone"], *namespace["rooms"].values()):
            _migrate_members(room, "forgotten", "log")
        for client in namespace["clients"]:
            _migrate_members(client, "forgotten", "log", "entered", "entered_everyone", "left")
            client["rooms"] = {room: migrate_offset(offset) for room, offset in client["rooms"].items()}
    moved = {migrate_offset(offset): entry.packets for offset, entry in entries.items()}
    return data, {offset: Entry(offset, packets, replayable=True) for offset, packets in moved.items()}


def _migrate_members(saved: dict[str, Any], *names: str) -> None:
    for name in names:
        value = saved[name]
        saved[name] = migrate_offset(value) if isinstance(value, int) else list(map(migrate_offset, value))


def _namespace_of(parts: Any) -> str:
    """Return the namespace of an event that wants no acknowledgement."""
    if type(parts) is not list or not parts or any(type(part) is not str for part in parts):
        raise ValueError("an event must have a text, and attachments as texts")
    text, *attachments = parts
    match = _EVENT.fullmatch(text)
    if match is None or int(match[1] or 0) != len(attachments):
        raise ValueError(f"{text[:40]!r} with {len(attachments)} attachments is not an event")
    try:
        args = json.loads(match[3])
        text.encode()
        read_packets(parts)
    except (ValueError, RecursionError):
        raise ValueError(f"{text[:40]!r} must have JSON in it, and attachments in base64") from None
    if not args or not isinstance(args[0], str):
        raise ValueError(f"the event {text[:40]!r} must have a name")
    return match[2] or "/"


def read_packets(parts: Sequence[str]) -> list[Packet]:
    """Return the packets of an event: its text and attachments."""
    text, *attachments = parts
    binary = [Packet(PacketType.MESSAGE, base64.b64decode(part, validate=True)) for part in attachments]
    return [Packet(PacketType.MESSAGE, text), *binary]


def write_packets(packets: Sequence[Packet]) -> list[str]:
    """Return the text and attachments of an event."""
    return [p.data if isinstance(p.data, str) else base64.b64encode(p.data).decode("ascii") for p in packets]
