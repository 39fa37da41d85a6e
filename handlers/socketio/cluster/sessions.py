"""Sessions in Redis, with which a client comes back to any node.

A record has the form of Node's servers, `{sid, pid, rooms, data}`, where `data` is what the handler remembers, and with
it, for nodes of this server: `nsp`, `at` and `entered` (offsets: where the client has joined, and by room where it has
entered), and `shown`. It is there from the moment a client joins, so that a killed node loses no session.

Source: @socket.io/redis-streams-adapter, `lib/adapter.ts`: `persistSession`, `restoreSession`.
"""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from ..engineio.offsets import place_in_stream, read_offset, write_offset
from .binary_values import pack, unpack
from .errors import MalformedError
from .stream_format import member, texts

if TYPE_CHECKING:
    from ..client import Client

PREFIX = "sio:session:"
LONGER = 2.5
"""Factor by which a record outlives the window while its client is online, until it is renewed."""
MAX_RECORD = 100_000
"""Maximum bytes of a record."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Record(NamedTuple):
    """What is known of a client on another node."""

    id: str
    pid: str
    namespace: str
    """"" in records of Node's servers."""
    at: int
    """Offset at which the client joined; 0 in records of Node's servers."""
    rooms: dict[str, int]
    """Names of its rooms, each with the offset at which it entered."""
    remembered: dict[str, Any]
    shown: Any


class Written(NamedTuple):
    """What has to be written to Redis."""

    key: str
    value: str | None
    """None: the record is deleted."""
    milliseconds: int


async def _fetch_nothing(_: str) -> bytes | None:
    return None


class Sessions:
    """The records of one node's clients.

    window: seconds that a client may be away.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._changed: dict[Client, None] = {}
        self._ended: list[str] = []
        self._to_renew: deque[Client] = deque()
        self._kept: list[Written] = []
        self.fetch: Callable[[str], Awaitable[bytes | None]] = _fetch_nothing
        """Takes a record out of Redis, so that no other node has it."""
        self._entered: WeakKeyDictionary[Client, dict[str, int]] = WeakKeyDictionary()

    def put_back(self, pid: str, raw: bytes) -> None:
        """Write a record again whose client did not come in."""
        self._kept.append(Written(PREFIX + pid, raw.decode(), int(self._window * 1000)))

    def adopt(self, client: Client, record: Record) -> None:
        """Remember since when a client from another node is in rooms."""
        self._entered[client] = record.rooms

    def save(self, client: Client) -> None:
        """Write a client's record soon."""
        self._changed[client] = None

    def end(self, pid: str) -> None:
        """Delete a record soon: its client cannot come back."""
        self._ended.append(pid)

    def renew(self, clients: list[Client], share: float) -> None:
        """Renew the records of a share of all clients."""
        if not self._to_renew:
            self._to_renew.extend(clients)
        for _ in range(min(len(self._to_renew), int(len(clients) * share) + 1)):
            client = self._to_renew.popleft()
            if client.connected:
                self.save(client)

    def take(self) -> list[Written]:
        """Return what has to be written."""
        changed, self._changed = self._changed, {}
        ended, self._ended = self._ended, []
        kept, self._kept = self._kept, []
        written = [*kept, *(Written(PREFIX + pid, None, 0) for pid in ended)]
        for client in changed:
            if client.trail is not None:
                value = base64.b64encode(pack(self._record(client))).decode("ascii")
                seconds = self._window * (LONGER if client.connected else 1)
                written.append(Written(PREFIX + client.trail.pid, value, int(seconds * 1000)))
        return written

    def _record(self, client: Client) -> dict[str, Any]:
        trail, namespace = client.trail, client.namespace
        assert trail is not None
        rooms = {name: trail.entered[namespace.rooms[name]] for name in client.rooms}
        before = self._entered.get(client, {})
        entered = {name: write_offset(before.get(name, offset)) for name, offset in rooms.items()}
        return {
            "sid": client.id,
            "pid": trail.pid,
            "rooms": [client.id, *rooms],
            "data": _remembered(client),
            "nsp": namespace.name,
            "at": write_offset(trail.entered.get(namespace.everyone, 0)),
            "entered": entered,
            "shown": client.shown,
        }


def _remembered(client: Client) -> dict[str, Any]:
    values = vars(client.handler)
    return {name: values[name] for name in client.namespace.handler.remembered if _has_json(values.get(name))}


def _has_json(value: Any) -> bool:
    """Whether a value has a JSON form and is not None."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return value is not None


def read_record(raw: bytes) -> Record:
    """Return what a record says.

    Raises MalformedError for one that no server writes.
    """
    if len(raw) > MAX_RECORD:
        raise MalformedError("session", f"{len(raw)} bytes")
    try:
        data = unpack(base64.b64decode(raw, validate=True))
    except ValueError as error:
        raise MalformedError("session", str(error)) from None
    id_, pid = member(data, "sid", str), member(data, "pid", str)
    if not _ID.fullmatch(id_) or not _ID.fullmatch(pid):
        raise MalformedError("session", repr(data))
    entered = data.get("entered", {})
    if not isinstance(entered, dict):
        raise MalformedError("session", repr(entered))
    names = [name for name in texts(member(data, "rooms", list)) if name != id_]
    return Record(
        id=id_,
        pid=pid,
        namespace=str(data.get("nsp", "")),
        at=read_offset(data.get("at")),
        rooms={name: read_offset(entered.get(name)) for name in names},
        remembered=data["data"] if isinstance(data.get("data"), dict) else {},
        shown=data.get("shown"),
    )


def since(record: Record, offset: object) -> int | None:
    """Return the offset after which a client missed events, if known.

    offset: the last one that the client has, as it says.
    """
    if offset is None:
        return record.at & ~0xFFFFFFFF or None
    return place_in_stream(read_offset(offset)) or None
