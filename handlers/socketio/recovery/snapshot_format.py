"""What a snapshot says, as values. Anybody may have had the file in hand: it is what a server wrote, or ValueError.

A snapshot is one JSON object:

    format      FORMAT
    taken_at    seconds since the epoch
    stamp       of what was said last
    said        events that may be asked for again, as [stamp, text, attachment in base64, …], by stamp
    namespaces  by name {everyone, rooms, clients}:
                everyone, and each of rooms by name: {forgotten, log, retained, kept}, where
                    log has stamps of said, and kept has [event, how many, [[text, attachment, …], …]]
                clients: [{id, pid, …}], see SavedClient; those that shared a connection have the same `connection`

Times besides are seconds.
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
"""Another number belongs to another form."""
MAX_STAMP = 1 << 62
MAX_KEPT = 1 << 30

_EVENT = re.compile(r"(?:2|5([1-9][0-9]{0,8})-)(?:(/[^,]*),)?(\[.*\])", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_-]{20}")


class SavedEvent(NamedTuple):
    """The last of one event that are kept in a room."""

    name: str
    number: int
    """How many are kept."""
    said: list[list[Packet]]


class SavedRoom(NamedTuple):
    """A room, and what was said in it."""

    forgotten: int
    log: list[Entry]
    retained: bool
    """Whether its log is kept for others than clients."""
    kept: list[SavedEvent]


class SavedClient(NamedTuple):
    """A client that may come back."""

    id: str
    pid: str
    connection: int | None
    """A number that clients have in common that are sent away together; None in a snapshot that does not tell."""
    away: float
    """For how many seconds it had been away."""
    present: bool
    """Whether others have not been told that it is away."""
    reason: str
    """Why it is away."""
    auth: dict[str, Any]
    remote_ip: str
    query: dict[str, str]
    remembered: dict[str, Any]
    forgotten: int
    log: list[Entry]
    """What was said to it alone."""
    entered: int
    """The stamp from which on it has been in the room of its own."""
    entered_everyone: int
    rooms: dict[str, int]
    """The rooms it is in, and from which stamp on."""
    left: list[Entry]


class SavedNamespace(NamedTuple):
    """A namespace."""

    name: str
    everyone: SavedRoom
    rooms: dict[str, SavedRoom]
    clients: list[SavedClient]


class Saved(NamedTuple):
    """A snapshot."""

    taken_at: float
    offset: int
    namespaces: list[SavedNamespace]


def read(data: Any) -> Saved:
    """Read a snapshot; raise ValueError, which says what is wrong, for anything that is none."""
    if _get(data, "format", str) != FORMAT:
        raise ValueError(f"'format' is not {FORMAT!r}")
    reader = _Reader(_stamp(_get(data, "stamp", int), MAX_STAMP))
    reader.read_said(_get(data, "said", list))
    namespaces = [reader.namespace(name, value) for name, value in _get(data, "namespaces", dict).items()]
    return Saved(_seconds(data, "taken_at"), reader.offset, namespaces)


class _Reader:
    """Reads one snapshot."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self._said: dict[int, tuple[str, Entry]] = {}
        self._known: set[str] = set()

    def read_said(self, said: list[Any]) -> None:
        """Read all events, and the namespace that each is of."""
        last = 0
        for item in said:
            if type(item) is not list or not item:
                raise ValueError("'said' has something that is no event")
            offset, *parts = item
            if _stamp(offset, self.offset) <= last:
                raise ValueError("'said' is out of order")
            last = offset
            namespace, packets = _event(parts)
            self._said[offset] = (namespace, Entry(offset, packets, replayable=True))

    def namespace(self, name: str, data: Any) -> SavedNamespace:
        """Read a namespace; each of its rooms has a reason to be there."""
        rooms = {room: self._room(name, value) for room, value in _get(data, "rooms", dict).items()}
        clients = [self._client(name, value) for value in _get(data, "clients", list)]
        entered = {room for client in clients for room in client.rooms}
        if not entered <= rooms.keys() <= entered | {room for room, saved in rooms.items() if saved.kept}:
            raise ValueError(f"the rooms of {name!r} are not those that its clients are in")
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
                raise ValueError(f"the stamp {offset} is not that of something said in {namespace!r}, or out of order")
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
        """Return an id or a pid; raise ValueError for one that has been there already."""
        if name in self._known or not _NAME.fullmatch(name):
            raise ValueError(f"{name[:40]!r} is no id, or the id of two")
        self._known.add(name)
        return name

    def _get_stamp(self, data: Any, key: str) -> int:
        return _stamp(_get(data, key, int), self.offset)


def _kept(namespace: str, data: Any) -> SavedEvent:
    if type(data) is not list or len(data) != 3 or type(data[1]) is not int or type(data[2]) is not list:
        raise ValueError("'kept' has something that is no event, number and list")
    name, number, said = data
    events = [_event(parts) for parts in said]
    if not 0 < number <= MAX_KEPT or len(events) > number or any(where != namespace for where, _ in events):
        raise ValueError(f"'kept' has what cannot be kept in {namespace!r}")
    return SavedEvent(_text(name), number, [packets for _, packets in events])


def _event(parts: Any) -> tuple[str, list[Packet]]:
    """Read an event that asks for no answer; return its namespace and its packets."""
    if type(parts) is not list or not parts:
        raise ValueError("an event without a text")
    text, *attachments = [_text(part) for part in parts]
    match = _EVENT.fullmatch(text)
    if match is None or int(match[1] or 0) != len(attachments):
        raise ValueError(f"{text[:40]!r} and {len(attachments)} attachments are no event")
    try:
        args = json.loads(match[3])
        text.encode()
    except (ValueError, RecursionError):
        raise ValueError(f"{text[:40]!r} has no JSON in it") from None
    if not args or not isinstance(args[0], str):
        raise ValueError(f"{text[:40]!r} is an event without a name")
    binary = [Packet(PacketType.MESSAGE, base64.b64decode(part, validate=True)) for part in attachments]
    return match[2] or "/", [Packet(PacketType.MESSAGE, text), *binary]


def _get(data: Any, key: str, kind: type[T]) -> T:
    """Return a member of an object; raise ValueError where it is of another type."""
    value = data.get(key) if isinstance(data, dict) else None
    if type(value) is not kind:
        raise ValueError(f"{key!r} is of type {type(value).__name__}, where {kind.__name__} is due")
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError(f"a value is of type {type(value).__name__}, where str is due")
    return value


def _stamp(value: Any, last: int) -> int:
    if type(value) is not int or not 0 <= value <= last:
        raise ValueError("a stamp is none, or of something that was said later than the last")
    return value


def _seconds(data: Any, key: str) -> float:
    value = data.get(key)
    if type(value) not in (int, float) or not 0 <= value < 1e12 or not math.isfinite(value):
        raise ValueError(f"{key!r} is no number of seconds")
    return float(value)
