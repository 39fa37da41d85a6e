"""A node of a cluster: performs what it reads in a stream.

An action happens when it is read in the stream, also on the node that has written it: so all nodes have one order and
one offset for each event. `connection` brings what is read, and takes what is to be written.

While Redis is away, or answers too slowly, what this node sends happens here at once. It stays in the outbox, and
reaches the other nodes in order when Redis is back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..actions import EMIT, Action
from ..backplane import Figure
from ..engineio.offsets import ALONE
from ..entering import Joining
from .errors import MalformedError
from .journal import Journal
from .moving import Moving
from .node import Node
from .outbox import Outbox, Unread
from .presence import EVENT, is_id
from .requests import Requests
from .senders import Senders
from .sessions import Sessions
from .stream_format import ServerEvent, StreamEntry, decode_entry, encode_entry
from .stream_place import Fields, StreamState, offset_of_id
from .turns import Turns

if TYPE_CHECKING:
    from ..client import Client
    from ..engineio.codec.packet import Packet
    from ..hub import Hub
    from ..namespace import Namespace

PATIENCE = 0.8
"""Seconds without reading after which an entry that was written and not read means that Redis hangs."""
OUTBOX = 64 << 20
"""Maximum bytes that wait for Redis."""


class Cluster(Node):
    """The backplane of one node that reads the stream."""

    local_offsets = False

    def __init__(self, hub: Hub, name: str, wake: Callable[[], None]) -> None:
        super().__init__(hub, name, wake)
        self.place = 0
        """Offset of the last entry that was read."""
        self.number = 0
        """Number of the last entry of this node."""
        self.patience = PATIENCE
        self.journal = Journal(hub.recovery.window)
        self.outbox = Outbox(OUTBOX)
        self.sessions = Sessions(hub.recovery.window)
        self.questions = Requests(self, wake)
        self._uid = self.uid.encode()
        self._senders = Senders()
        self._turns = Turns()
        self._read_at = float("-inf")
        hub.delivery.step = 1

    # -- sending

    def send(self, namespace: Namespace, action: Action, speaker: str = "") -> None:
        """Write an action to the stream; it happens when it is read."""
        self.put(action, speaker)

    def send_to(self, client: Client, packets: Sequence[Packet], is_event: bool) -> None:
        """Send a client a message, after what its handlers have sent before."""
        if is_event and client.trail is not None:
            own = Action(EMIT, client.namespace.name, rooms=(client.id,), packets=packets)
            self.put(own, client.id)
            return
        publish = partial(self.hub.delivery.publish, [client.room], packets)
        if not self._turns.wait(client.id, publish):
            publish()

    def put(self, content: Action | ServerEvent, speaker: str = "") -> None:
        """Put an entry into the outbox, after changes of presence."""
        self.roster.put_changes()
        fields = encode_entry(content, self.uid, self.number + 1)
        self.number += 1
        entry = Unread(self.number, content, fields, speaker)
        for dropped in self.outbox.add(entry):
            self.dropped["outbox full"] += 1
            self._perform_alone(dropped)
        if self.away_since is not None:
            self._perform_alone(entry)
            return
        if speaker:
            self._turns.written(speaker, self.number)
        self.wake()

    def suspending(self, client: Client) -> None:
        """Send a client what waits for its turn; save its session."""
        self._turns.happened(client.id, self.number)
        self.moved(client)

    # -- sessions

    @property
    def keeps_sessions(self) -> bool:
        """Whether Redis was ever there, and has the sessions."""
        return self.place > 0

    def joining(self, client: Client, auth: Mapping[str, Any]) -> Joining:
        """Return the request of a client that may come from another node."""
        pid = auth.get("pid")
        if client.recoverable and isinstance(pid, str) and is_id(pid) and self.away_since is None:
            return Moving(client, self, pid, auth.get("offset"))
        return super().joining(client, auth)

    def moved(self, client: Client) -> None:
        """Write a client's rooms to its record."""
        if client.trail is not None:
            self.sessions.save(client)
            self.wake()

    def ended(self, pid: str) -> None:
        """Delete the record of a client that cannot come back."""
        self.sessions.end(pid)
        self.wake()

    def renew_sessions(self, share: float) -> None:
        """Renew the records of a share of all clients."""
        self.sessions.renew(self.hub.recovery.clients, share)

    # -- what the connection brings and takes

    def connected(self, state: StreamState) -> None:
        """Handle that Redis is there, and where its stream begins and ends."""
        if not self.place:
            self._begin(state)
        elif state.last < self.place:
            self._note_gap("the stream ends before what this node has read: Redis has lost data")
            self._senders.excuse()
            self.place = state.last
        elif state.first > self.place:
            self._note_gap("what this node has not read was removed from the stream")
            self._senders.excuse()

    def remember(self, id_: bytes, fields: Fields) -> None:
        """Keep an event from before this node's start."""
        try:
            self.journal.add(offset_of_id(id_), decode_entry(fields, self.hub.max_payload).content)
        except MalformedError as error:
            self.drop(error)

    def receive_all(self, entries: Iterable[tuple[bytes, Fields]]) -> None:
        """Perform entries in the order of the stream."""
        self._read_at = self.hub.now()
        for id_, fields in entries:
            self._receive(offset_of_id(id_), fields or {})
        self.questions.advance()

    def caught_up(self) -> None:
        """Write again what was not in the stream, read to its end."""
        self.outbox.write_again()
        self.reached()

    def take_unwritten(self) -> list[dict[str, str]]:
        """Return the fields of the entries to write."""
        self.roster.put_changes()
        if self.away_since is not None:
            return []
        unwritten = self.outbox.take_unwritten(self.hub.now())
        self.written += len(unwritten)
        return [entry.fields for entry in unwritten]

    def lost(self, why: str) -> None:
        """Handle that Redis is away: perform at once what waits for it."""
        super().lost(why)
        for entry in list(self.outbox):
            self._perform_alone(entry)
        self.questions.lost()

    def has_read(self, number: int) -> bool:
        """Whether all entries of this node up to this number have happened."""
        oldest = next(iter(self.outbox), None)
        return oldest is None or oldest.number > number or self.away_since is not None

    @property
    def is_stalled(self) -> bool:
        """Whether an entry was written long ago, and nothing was read since.

        A node that reads, but is behind because it has much to do, waits for its turn.
        """
        oldest = self.outbox.oldest_written_at
        if oldest is None or self.away_since is not None:
            return False
        return self.hub.now() - max(oldest, self._read_at) > self.patience

    # -- what an operator sees

    def figures(self) -> Iterator[Figure]:
        """Return what `/metrics` shows of the cluster."""
        yield from super().figures()
        yield Figure("outbox_bytes", "gauge", "Bytes that wait for Redis.", self.outbox.size)
        yield Figure("gaps_total", "counter", "Times that entries of other nodes were lost.", self.gaps.number)

    # -- performing

    def _begin(self, state: StreamState) -> None:
        """Take the end of the stream as place, before anything was read."""
        self.place = state.last or 1 << 32
        delivery = self.hub.delivery
        delivery.start(delivery.loop, self.place, self.hub.counters)
        delivery.step = 1

    def _receive(self, offset: int, fields: Fields) -> None:
        """Perform one entry of the stream, unless it is a double."""
        if offset <= self.place:
            return
        self.place = offset
        self.read += 1
        if fields.get(b"uid") == self._uid:
            self._receive_own(fields)
            return
        try:
            self._receive_other(decode_entry(fields, self.hub.max_payload))
        except MalformedError as error:
            self.drop(error)

    def _receive_other(self, entry: StreamEntry) -> None:
        missing = 0 if entry.number is None else self._senders.missing(entry.uid, entry.number)
        if missing is None:
            self.dropped["double"] += 1
            return
        if missing:
            self._note_gap(f"{missing} were removed from the stream before this node could read them")
        if entry.content is not None:
            self._perform(entry.content, entry.uid)

    def _receive_own(self, fields: Fields) -> None:
        number = fields.get(b"n", b"")
        read = self.outbox.read_back(int(number)) if number.isdigit() and len(number) < 18 else []
        if not read:
            self.dropped["double"] += 1
            return
        if read[:-1]:
            self._note_gap("what this node has written was removed before it could be read")
        for lost in read[:-1]:
            self.dropped["trimmed"] += 1
            self._perform_alone(lost)
        entry = read[-1]
        if entry.performed:
            self.journal.add(self.place, entry.content)
        else:
            self._perform(entry.content, self.uid)
        self._turns.happened(entry.speaker, entry.number)

    def _perform(self, content: Action | ServerEvent, uid: str) -> None:
        """Perform what was read at `place`; its event gets that offset."""
        is_event = not isinstance(content, ServerEvent) and content.kind is EMIT
        self.hub.delivery.skip_offsets_to(self.place - 1 if is_event else self.place)
        self.journal.add(self.place, content)
        if isinstance(content, ServerEvent) and content.event == EVENT:
            self.roster.receive(content, uid)
        elif isinstance(content, ServerEvent):
            self.questions.receive_event(content)
        elif not content.elsewhere or uid != self.uid:
            self.act(content)

    def _perform_alone(self, entry: Unread) -> None:
        """Perform on this node only what other nodes do not hear now."""
        if entry.performed:
            return
        entry.performed = True
        if not isinstance(entry.content, ServerEvent) and not entry.content.elsewhere:
            self.hub.delivery.skip_offsets_to(self.place + ALONE)
            self.act(entry.content)
        self._turns.happened(entry.speaker, entry.number)

    def _note_gap(self, why: str) -> None:
        """Let no client recover over entries that this node has not read."""
        self.gaps.note(why)
        self.journal.restart(self.hub.delivery.offset)
        self.roster.ask()
        self.renew_sessions(1)
