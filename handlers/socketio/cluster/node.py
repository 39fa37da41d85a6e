"""What every node of a cluster knows, whatever carries its actions.

`cluster` has the node that reads a stream. Nothing here knows Redis, sockets or tasks.
"""

from __future__ import annotations

import logging
import secrets
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..actions import Action, ActionKind, perform
from ..backplane import Backplane, Figure, NodeState
from ..engineio.errors import attempt
from ..errors import Refused
from .errors import MalformedError
from .gaps import Gaps
from .roster import Roster
from .stream_format import ServerEvent

if TYPE_CHECKING:
    from ..client import Client
    from ..hub import Hub
    from ..namespace import Namespace
    from .requests import Requests

logger = logging.getLogger(__name__)


class Node(Backplane, ABC):
    """One node: who is online, and what an operator sees.

    wake: called when there is something to write.
    """

    questions: Requests
    place = 0
    """Offset of the last entry of the stream that was read; 0 without a stream."""
    number = 0
    """Number of the last entry of this node in the stream."""

    def __init__(self, hub: Hub, name: str, wake: Callable[[], None]) -> None:
        self.hub = hub
        self.uid = secrets.token_hex(8)
        """Names the node to others; new with each start."""
        self.name = name
        self.away_since: float | None = hub.now()
        """When Redis went away, by the loop's clock; None while it is there."""
        self.why_away = ""
        """Why it went away; "" before it was there."""
        self.read = self.written = 0
        """Number of messages of the cluster that were read, and written."""
        self.dropped: Counter[str] = Counter()
        """Those that were not performed, by reason."""
        self.gaps = Gaps(hub)
        self.roster = Roster(self)
        self.wake = wake

    @abstractmethod
    def put(self, content: Action | ServerEvent, speaker: str = "") -> None:
        """Send something to all nodes, this one too.

        speaker: id of the client whose handler acts, or "".
        """

    # -- who is online

    def joined(self, client: Client) -> None:
        """Tell the other nodes of a client."""
        self.roster.note(client, online=True)
        self.moved(client)
        self.wake()

    def left(self, client: Client) -> None:
        """Tell the other nodes that a client has left."""
        self.roster.note(client, online=False)
        self.wake()

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

    # -- Redis

    def reached(self) -> None:
        """Handle that Redis is there, and all that was missed was read."""
        if self.away_since is not None and self.why_away:
            logger.warning(
                "Redis is there after %.1f s: the other nodes hear this one", self.hub.now() - self.away_since
            )
        self.away_since = None
        self.roster.connected()
        self.wake()

    def lost(self, why: str) -> None:
        """Handle that Redis is away."""
        if self.away_since is None or not self.why_away:
            self.away_since = self.hub.now()
            logger.warning("Redis is away, the other nodes do not hear this one: %s", why)
        self.why_away = why

    def has_read(self, number: int) -> bool:
        """Whether all entries of this node up to this number have happened."""
        return True

    # -- what other nodes send

    def act(self, action: Action) -> None:
        """Perform an action on this node's clients; log what fails."""
        namespace = self.hub.live(action.namespace)
        if namespace is None:
            return
        try:
            if action.elsewhere:
                self._move_away(namespace, action)
            else:
                perform(namespace, action)
        except Refused as refusal:
            logger.debug("%s: %s", action.kind.name, refusal)
        except Exception:
            self.dropped["failed"] += 1
            logger.exception("%s for %s failed", action.kind.name, action.namespace)

    def _move_away(self, namespace: Namespace, action: Action) -> None:
        """Give up clients that have come back to another node."""
        if action.kind is ActionKind.DISCONNECT:
            for client in filter(None, map(namespace.known.get, action.rooms)):
                attempt(client.move_away)

    def drop(self, error: MalformedError) -> None:
        """Count something malformed; log the first of its kind."""
        self.dropped[error.kind] += 1
        if self.dropped[error.kind] == 1:
            logger.warning("ignored something malformed in Redis, and will all such: %s", error)

    # -- what an operator sees

    @property
    def trouble(self) -> str | None:
        """What is wrong, as a line for `/healthz`; None if nothing is."""
        if self.away_since is None:
            return self.gaps.trouble
        away = f"Redis is away since {self.hub.now() - self.away_since:.0f} s ({self.why_away})"
        return f"{away}: other nodes do not hear this one: see --redis"

    def figures(self) -> Iterator[Figure]:
        """Return what `/metrics` shows of the cluster."""
        yield Figure("nodes", "gauge", "Nodes of the cluster, this one included.", len(self.roster.presence.nodes) + 1)
        yield Figure("entries_read_total", "counter", "Entries read from the stream in Redis.", self.read)
        yield Figure("entries_written_total", "counter", "Entries written to the stream in Redis.", self.written)
        ignored = "Entries ignored: doubles, malformed ones, and those that the outbox had no room for."
        yield Figure("entries_dropped_total", "counter", ignored, self.dropped.total())

    def nodes(self) -> Iterator[NodeState]:
        """Return the nodes of the cluster, this one first."""
        namespace = self.hub.live("/")
        yield NodeState(self.name, len(namespace.clients) if namespace else 0, None)
        now = self.hub.now()
        for node in sorted(self.roster.presence.nodes.values(), key=lambda node: node.name):
            yield NodeState(node.name, len(node.part.get("/", ())), now - node.heard_at)
