"""A node of a cluster: performs what it reads in a stream.

An action happens when it is read in the stream, also on the node that has written it: so all nodes have one order and
one offset for each event. Nothing here knows Redis, sockets or tasks: `connection` brings what is read, and takes what
is to be written.

While Redis is away, or answers too slowly, what this node sends happens here at once. It stays in the outbox, and
reaches the other nodes in order when Redis is back.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..actions import EMIT, Action, ActionKind, perform
from ..backplane import Backplane, Figure, NodeState
from ..engineio.errors import attempt
from ..engineio.offsets import ALONE
from ..entering import Joining
from ..errors import Refused
from .errors import MalformedError
from .journal import Journal
from .moving import Moving
from .outbox import Outbox, Unread
from .presence import EVENT, is_id
from .requests import Requests
from .roster import Roster
from .sessions import Sessions
from .stream_format import ServerEvent, StreamEntry, decode_entry, encode_entry

if TYPE_CHECKING:
    from ..client import Client
    from ..engineio.codec.packet import Packet
    from ..hub import Hub
    from ..namespace import Namespace

logger = logging.getLogger(__name__)

PATIENCE = 0.8
"""Seconds without reading after which an entry that was written and not read means that Redis hangs."""
MAX_SENDERS = 1000
"""Maximum number of nodes whose last number is remembered."""
GAP_SHOWN = 600.0
"""Seconds for which a gap is reported as trouble."""
OUTBOX = 64 << 20
"""Maximum bytes that wait for Redis."""
_ID = re.compile(rb"([0-9]{1,16})-([0-9]{1,9})")

Fields = Mapping[bytes, bytes]


class StreamState(NamedTuple):
    """Offsets of the first and last entry of the stream.

    0 and 0: it is empty.
    """

    first: int
    last: int


def offset_of_id(id_: bytes) -> int:
    """Return the offset of an entry's id; else 0."""
    match = _ID.fullmatch(id_)
    return int(match[1]) << 64 | int(match[2]) << 32 if match else 0


async def _fetch_nothing(_: str) -> bytes | None:
    return None


class Cluster(Backplane):
    """The backplane of one node.

    wake: called when there is something to write.
    """

    local_offsets = False
    questions: Requests

    def __init__(self, hub: Hub, name: str, wake: Callable[[], None]) -> None:
        self.hub = hub
        self.uid = secrets.token_hex(8)
        """Names the node to others; new with each start."""
        self.name = name
        self.place = 0
        """Offset of the last entry that was read."""
        self.away_since: float | None = hub.now()
        """When Redis went away, by the loop's clock; None while it is there."""
        self.why_away = ""
        """Why it went away; "" before it was there."""
        self.patience = PATIENCE
        self.read = self.written = self.gaps = 0
        """Number of entries read and written, and of gaps."""
        self.dropped: Counter[str] = Counter()
        """Entries that were not performed, by reason."""
        self.journal = Journal(hub.recovery.window)
        self.outbox = Outbox(OUTBOX)
        self.sessions = Sessions(hub.recovery.window)
        self.fetch_session: Callable[[str], Awaitable[bytes | None]] = _fetch_nothing
        """Takes a record out of Redis, so that no other node has it."""
        self.roster = Roster(self)
        self.questions = Requests(self, wake)
        self._wake = wake
        self.number = 0
        """Number of the last entry of this node."""
        self._uid = self.uid.encode()
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._held: dict[str, deque[tuple[int, Callable[[], None]]]] = {}
        self._last_sent: dict[str, int] = {}
        self._gap_at = self._read_at = float("-inf")
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
        elif client.id in self._held:
            publish = partial(self.hub.delivery.publish, [client.room], packets)
            self._held[client.id].append((self._last_sent[client.id], publish))
        else:
            self.hub.delivery.publish([client.room], packets)

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
            self._held.setdefault(speaker, deque())
            self._last_sent[speaker] = self.number
        self._wake()

    def suspending(self, client: Client) -> None:
        """Send a client what waits for its turn; save its session."""
        self._release(client.id, self.number)
        self.moved(client)

    def _release(self, speaker: str, number: int) -> None:
        """Send what waited for entries up to this number."""
        held = self._held.get(speaker)
        if held is None:
            return
        while held and held[0][0] <= number:
            held.popleft()[1]()
        if self._last_sent[speaker] <= number:
            del self._held[speaker], self._last_sent[speaker]

    # -- sessions

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
            self._wake()

    def ended(self, pid: str) -> None:
        """Delete the record of a client that cannot come back."""
        self.sessions.end(pid)
        self._wake()

    def renew_sessions(self, share: float) -> None:
        """Renew the records of a share of all clients."""
        self.sessions.renew(self.hub.recovery.clients, share)

    # -- who is online

    def joined(self, client: Client) -> None:
        """Tell the other nodes of a client."""
        self.roster.note(client, online=True)
        self.moved(client)
        self._wake()

    def left(self, client: Client) -> None:
        """Tell the other nodes that a client has left."""
        self.roster.note(client, online=False)
        self._wake()

    changed = joined

    def online(self, namespace: Namespace) -> int:
        """Return how many clients are online in a namespace, on all nodes."""
        return self.roster.presence.online(namespace)

    def present(self, namespace: Namespace) -> Iterator[tuple[str, Any]]:
        """Return the id of each client online, and what it shows."""
        yield from super().present(namespace)
        for id_, shown in self.roster.presence.others(namespace.name):
            if id_ not in namespace.clients:
                yield id_, shown

    # -- what the connection brings and takes

    def connected(self, state: StreamState) -> None:
        """Handle that Redis is there, and where its stream begins and ends."""
        if not self.place:
            self._begin(state)
        elif state.last < self.place:
            self._note_gap("its stream ends before what this node has read: Redis has lost data")
            self.place = state.last
        elif state.first > self.place:
            self._note_gap("what this node has not read was removed from the stream")

    def receive(self, id_: bytes, fields: Fields) -> None:
        """Perform one entry of the stream, unless it is a double."""
        offset = offset_of_id(id_)
        if offset <= self.place:
            return
        self.place = offset
        self.read += 1
        if fields.get(b"uid") == self._uid:
            self._receive_own(fields)
            return
        try:
            entry = decode_entry(fields, self.hub.max_payload)
            if self._is_double(entry):
                self.dropped["double"] += 1
            elif entry.content is not None:
                self._perform(entry.content, entry.uid)
        except MalformedError as error:
            self.drop(error)

    def caught_up(self) -> None:
        """Handle that the stream was read to its end.

        What was not in it is written again.
        """
        self.outbox.write_again()
        if self.away_since is not None and self.why_away:
            logger.warning(
                "Redis is there after %.1f s: the other nodes hear this one", self.hub.now() - self.away_since
            )
        self.away_since = None
        self.roster.connected()
        self._wake()

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
        if self.away_since is None or not self.why_away:
            self.away_since = self.hub.now()
            logger.warning("Redis is away, the other nodes do not hear this one: %s", why)
        self.why_away = why
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
        waiting = self.away_since is None and oldest is not None
        return waiting and self.hub.now() - max(oldest or 0, self._read_at) > self.patience

    # -- the journal, at the start

    def begin_journal(self, offset: int) -> None:
        """Remember the events after this offset from now on."""
        self.journal.complete_after = offset

    def remember(self, id_: bytes, fields: Fields) -> None:
        """Keep an event from before this node's start."""
        try:
            content = decode_entry(fields, self.hub.max_payload).content
        except MalformedError as error:
            self.drop(error)
            return
        if isinstance(content, Action) and content.kind is EMIT and not content.volatile:
            self.journal.add(offset_of_id(id_), content)

    # -- what an operator sees

    @property
    def trouble(self) -> str | None:
        """What is wrong, as a line for `/healthz`; None if nothing is."""
        now = self.hub.now()
        if self.away_since is not None:
            away = f"Redis is away since {now - self.away_since:.0f} s ({self.why_away})"
            return f"{away}: other nodes do not hear this one: see --redis"
        if now - self._gap_at < GAP_SHOWN:
            return f"events of other nodes were lost {now - self._gap_at:.0f} s ago: clients come back as new ones"
        return None

    def figures(self) -> Iterator[Figure]:
        """Return what `/metrics` shows of the cluster."""
        yield Figure("nodes", "gauge", "Nodes of the cluster, this one included.", len(self.roster.presence.nodes) + 1)
        yield Figure("outbox_bytes", "gauge", "Bytes that wait for Redis.", self.outbox.size)
        yield Figure("entries_read_total", "counter", "Entries read from the stream in Redis.", self.read)
        yield Figure("entries_written_total", "counter", "Entries written to the stream in Redis.", self.written)
        yield Figure("gaps_total", "counter", "Times that entries of other nodes were lost.", self.gaps)
        ignored = "Entries ignored: doubles, malformed ones, and those that the outbox had no room for."
        yield Figure("entries_dropped_total", "counter", ignored, self.dropped.total())

    def nodes(self) -> Iterator[NodeState]:
        """Return the nodes of the cluster, this one first."""
        namespace = self.hub.live("/")
        yield NodeState(self.name, len(namespace.clients) if namespace else 0, None)
        now = self.hub.now()
        for node in sorted(self.roster.presence.nodes.values(), key=lambda node: node.name):
            yield NodeState(node.name, len(node.part.get("/", ())), now - node.heard_at)

    # -- performing

    def _begin(self, state: StreamState) -> None:
        """Take the end of the stream as place, before anything was read."""
        self.place = state.last or 1 << 32
        delivery = self.hub.delivery
        delivery.start(delivery.loop, self.place, self.hub.counters)
        delivery.step = 1

    def _receive_own(self, fields: Fields) -> None:
        number = fields.get(b"n", b"")
        read = self.outbox.read_back(int(number)) if number.isdigit() and len(number) < 18 else []
        if not read:
            self.dropped["double"] += 1
            return
        for lost in read[:-1]:
            # It was removed from the stream before it could be read.
            self.dropped["trimmed"] += 1
            self._perform_alone(lost)
        entry = read[-1]
        if entry.performed:
            self._record(entry.content)
        else:
            self._perform(entry.content, self.uid)
        self._release(entry.speaker, entry.number)

    def _is_double(self, entry: StreamEntry) -> bool:
        if entry.number is None:
            return False
        if entry.number <= self._numbers.get(entry.uid, -1):
            return True
        self._numbers[entry.uid] = entry.number
        self._numbers.move_to_end(entry.uid)
        if len(self._numbers) > MAX_SENDERS:
            self._numbers.popitem(last=False)
        return False

    def _perform(self, content: Action | ServerEvent, uid: str) -> None:
        """Perform what was read at `place`; its event gets that offset."""
        is_event = not isinstance(content, ServerEvent) and content.kind is EMIT
        self.hub.delivery.skip_offsets_to(self.place - 1 if is_event else self.place)
        self._record(content)
        if isinstance(content, ServerEvent) and content.event == EVENT:
            self.roster.receive(content, uid)
        elif isinstance(content, ServerEvent):
            self.questions.receive_event(content)
        elif not content.elsewhere:
            self.act(content)
        elif uid != self.uid:
            self._move_away(content)

    def _perform_alone(self, entry: Unread) -> None:
        """Perform on this node only what other nodes do not hear now."""
        if entry.performed:
            return
        entry.performed = True
        if not isinstance(entry.content, ServerEvent) and not entry.content.elsewhere:
            self.hub.delivery.skip_offsets_to(self.place + ALONE)
            self.act(entry.content)
        self._release(entry.speaker, entry.number)

    def _record(self, content: Action | ServerEvent) -> None:
        if isinstance(content, Action) and content.kind is EMIT and not content.volatile:
            self.journal.add(self.place, content)

    def act(self, action: Action) -> None:
        """Perform an action on this node's clients; log what fails."""
        namespace = self.hub.live(action.namespace)
        if namespace is None:
            return
        try:
            perform(namespace, action)
        except Refused as refusal:
            logger.debug("%s: %s", action.kind.name, refusal)
        except Exception:
            self.dropped["failed"] += 1
            logger.exception("%s for %s failed", action.kind.name, action.namespace)

    def _move_away(self, action: Action) -> None:
        """Give up clients that have come back to another node."""
        namespace = self.hub.live(action.namespace)
        for id_ in action.rooms if namespace and action.kind is ActionKind.DISCONNECT else ():
            client = namespace.known.get(id_) if namespace else None
            if client is not None:
                attempt(client.move_away)

    def drop(self, error: MalformedError) -> None:
        """Count something malformed; log the first of its kind."""
        self.dropped[error.kind] += 1
        if self.dropped[error.kind] == 1:
            logger.warning("ignored something malformed in Redis, and will all such: %s", error)

    def _note_gap(self, why: str) -> None:
        """Let no client recover over entries that this node has not read."""
        self.gaps += 1
        self._gap_at = self.hub.now()
        logger.error("events of other nodes are lost: %s", why)
        self.hub.delivery.skip_offsets_to(self.hub.delivery.offset + 1)
        for namespace in self.hub.namespaces.values():
            for room in namespace.logs:
                room.forgotten = self.hub.delivery.offset
        self.journal.restart(self.hub.delivery.offset)
        self.roster.ask()

    def receive_all(self, entries: Iterable[tuple[bytes, Fields]]) -> None:
        """Perform entries in the order of the stream."""
        self._read_at = self.hub.now()
        for id_, fields in entries:
            self.receive(id_, fields or {})
        self.questions.advance()
