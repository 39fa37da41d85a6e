"""The request of a client that comes back from another node."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from ..actions import Action, ActionKind
from ..engineio.room import Entry, Room, Slice
from ..entering import Joining
from ..recovery.recovery import RecoveryTrail, with_offsets
from .errors import MalformedError
from .sessions import Record, read_record, since

if TYPE_CHECKING:
    from ..client import Client
    from .cluster import Cluster

logger = logging.getLogger(__name__)


class Moving(Joining):
    """A client with a pid that this node does not know.

    It is the client of the record in Redis, if there is one and nothing it missed is forgotten; else a new one.
    """

    __slots__ = ("_cluster", "_offset", "_pid", "_raw", "_record", "_since")

    def __init__(self, client: Client, cluster: Cluster, pid: str, offset: object) -> None:
        super().__init__(client)
        self._cluster = cluster
        self._pid = pid
        self._offset = offset
        self._raw: bytes | None = None
        self._record: Record | None = None
        self._since = 0

    def start(self) -> None:
        """Look for the record before the application is asked."""
        client = self._client
        client.joining = self
        client.make_handler(self._settle_init)
        if not client.left:
            client.inbox.run(self._look_up)
            client.inbox.run(self._ask)

    def cancel(self) -> None:
        """Forget the client; its record stays for its next try."""
        if self._raw is not None:
            self._cluster.sessions.put_back(self._pid, self._raw)
        super().cancel()

    def _give_up(self) -> None:
        self._raw = None
        super()._give_up()

    async def _look_up(self) -> None:
        raw = await self._cluster.sessions.fetch(self._pid)
        if raw is not None and self._client.left:
            self._cluster.sessions.put_back(self._pid, raw)
        elif raw is not None:
            self._read(raw)

    def _read(self, raw: bytes) -> None:
        try:
            record = read_record(raw)
        except MalformedError as error:
            self._cluster.drop(error)
            return
        if self._fits(record):
            self._raw = raw
            self._become(record)

    def _ask(self) -> Awaitable[None] | None:
        return self._authenticate(self._client.auth)

    def _fits(self, record: Record) -> bool:
        client, namespace = self._client, self._client.namespace
        offset = since(record, self._offset)
        if offset is None or record.namespace not in ("", namespace.name) or record.pid != self._pid:
            return False
        self._since = offset
        known = record.id in namespace.known or len(record.rooms) > namespace.handler.max_rooms
        return not known and not client.left and self._missed(record) is not None

    def _missed(self, record: Record) -> list[tuple[int, Action]] | None:
        return self._cluster.journal.missed(self._client.namespace.name, record.id, record.rooms, self._since)

    def _become(self, record: Record) -> None:
        client = self._client
        self._record = record
        self._cluster.sessions.adopt(client, record)
        client.id, client.room, client.recovered = record.id, Room(record.id), True
        client.rooms, client.shown = dict.fromkeys(record.rooms), record.shown
        remembered = client.namespace.handler.remembered
        vars(client.handler).update((name, value) for name, value in record.remembered.items() if name in remembered)

    def _admit(self) -> Awaitable[None] | None:
        record, client = self._record, self._client
        if record is None:
            return super()._admit()
        missed = self._missed(record)
        if missed is None or record.id in client.namespace.known:
            # Events were forgotten, or the client has come in twice, while the application was asked.
            client.connection.session.close("transport close")
            return None
        return self._return(record, [Entry(at, event.packets, replayable=True) for at, event in missed])

    def _return(self, record: Record, missed: list[Entry]) -> Awaitable[None] | None:
        client, namespace = self._client, self._client.namespace
        hub = namespace.hub
        hub.namespaces[namespace.name] = namespace
        had_left = not self._cluster.roster.presence.has(namespace.name, client.id)
        self._take_over(client)
        trail: RecoveryTrail = hub.recovery.begin(client, record.pid)
        client.trail, client.connected, client.joining = trail, True, None
        trail.left = list(missed)
        for name in client.rooms:
            namespace.add(client, name)
        namespace.known[client.id] = client
        namespace.readmit(client)
        client.session.requeue(with_offsets(Slice(missed)))
        hub.counters.recovered += 1
        hub.counters.deliveries += len(missed)
        self._answer_connect({"sid": client.id, "pid": trail.pid})
        for send in self.deferred:
            send()
        return self._run_on_connect() if had_left else None

    def _take_over(self, client: Client) -> None:
        """Let the other nodes give the client up."""
        action: dict[str, Any] = {"rooms": (client.id,), "elsewhere": True}
        self._cluster.put(Action(ActionKind.DISCONNECT, client.namespace.name, **action))
