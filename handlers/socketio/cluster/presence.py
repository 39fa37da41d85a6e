"""Who is online on the other nodes.

Each node writes its own part, as an event for servers in the stream, so that every node knows at each place of the
stream who was there. The event is `presence` with one object; `node` is the name of the node, and:

    join    [[id, what it shows], …]: clients that have come
    leave   [id, …]: clients that have left
    all     true: forget the part of this node first
    ask     true: every node is to write its whole part
    gone    uid of a node that was killed, or hangs: its part is forgotten
    bye     true: the node has ended
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .errors import MalformedError
from .stream_format import ServerEvent

if TYPE_CHECKING:
    from ..client import Client
    from ..namespace import Namespace

EVENT = "presence"
CHUNK = 500
"""Number of clients in one entry."""
MAX_SHOWN = 1000
"""Maximum bytes, as JSON, of what one client shows."""

Part = dict[str, dict[str, Any]]
"""By namespace, ids of clients with what they show."""


class OtherNode:
    """What is known of another node."""

    def __init__(self, name: str, now: float) -> None:
        self.name = name
        self.heard_at = now
        """Time of its last sign of life, by the loop's clock."""
        self.part: Part = {}


class Presence:
    """The clients of other nodes, by namespace and id."""

    def __init__(self) -> None:
        self.nodes: dict[str, OtherNode] = {}
        """Other nodes by uid."""
        self._others: dict[str, dict[str, int]] = {}
        self._both: dict[str, set[str]] = {}

    def online(self, namespace: Namespace) -> int:
        """Return how many clients are online, each counted once."""
        name = namespace.name
        return len(namespace.clients) + len(self._others.get(name, ())) - len(self._both.get(name, ()))

    def others(self, namespace: str) -> Iterator[tuple[str, Any]]:
        """Return ids of clients of other nodes, and what they show."""
        for node in self.nodes.values():
            yield from node.part.get(namespace, {}).items()

    def has(self, namespace: str, id_: str) -> bool:
        """Whether another node has this client."""
        return id_ in self._others.get(namespace, ())

    def node(self, uid: str, name: str, now: float) -> OtherNode:
        """Return another node after a sign of life."""
        node = self.nodes.get(uid)
        if node is None:
            node = self.nodes[uid] = OtherNode(name, now)
        node.name, node.heard_at = name, now
        return node

    def join(self, node: OtherNode, namespace: str, clients: Iterable[tuple[str, Any]]) -> None:
        """Add clients to the part of a node."""
        part, others = node.part.setdefault(namespace, {}), self._others.setdefault(namespace, {})
        for id_, shown in clients:
            if id_ not in part:
                others[id_] = others.get(id_, 0) + 1
            part[id_] = shown

    def leave(self, node: OtherNode, namespace: str, ids: Iterable[str]) -> list[str]:
        """Remove clients from a node's part; return those on no node."""
        part, others = node.part.get(namespace, {}), self._others.get(namespace, {})
        gone = []
        for id_ in ids:
            if id_ in part:
                del part[id_]
                others[id_] -= 1
                if not others[id_]:
                    del others[id_]
                    gone.append(id_)
        if not others:
            self._others.pop(namespace, None)
        return gone

    def forget(self, uid: str) -> dict[str, list[str]]:
        """Forget a node; return its clients on no other, by namespace."""
        node = self.nodes.pop(uid, None)
        if node is None:
            return {}
        return {name: self.leave(node, name, list(clients)) for name, clients in node.part.items()}

    def compare(self, namespace: Namespace, ids: Iterable[str]) -> None:
        """Find out which of these ids are here and elsewhere."""
        name = namespace.name
        both = self._both.setdefault(name, set())
        for id_ in ids:
            if id_ in namespace.clients and self.has(name, id_):
                both.add(id_)
            else:
                both.discard(id_)
        if not both:
            del self._both[name]


class Changes:
    """Changes of this node's part that are not written yet."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._changes: dict[str, dict[str, Client | None]] = {}

    def __bool__(self) -> bool:
        return bool(self._changes)

    def note(self, client: Client, *, online: bool) -> None:
        """Remember that a client has come, or changed, or left."""
        self._changes.setdefault(client.namespace.name, {})[client.id] = client if online else None

    def take(self) -> Iterator[ServerEvent]:
        """Return the events that say all changes."""
        changes, self._changes = self._changes, {}
        for namespace, clients in changes.items():
            join = [[id_, client.shown] for id_, client in clients.items() if client is not None]
            leave = [id_ for id_, client in clients.items() if client is None]
            yield ServerEvent(namespace, EVENT, [{"node": self._node, "join": join, "leave": leave}])

    def whole(self, namespaces: Iterable[Namespace]) -> Iterator[ServerEvent]:
        """Return the events that say the whole part."""
        for namespace in namespaces:
            clients = [[client.id, client.shown] for client in namespace.clients.values()]
            for start in range(0, max(1, len(clients)), CHUNK):
                said = {"node": self._node, "join": clients[start : start + CHUNK], "all": start == 0}
                yield ServerEvent(namespace.name, EVENT, [said])

    def say(self, **what: Any) -> ServerEvent:
        """Return an event about a node."""
        return ServerEvent("/", EVENT, [{"node": self._node, **what}])


def read_clients(said: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return `join` of an event; raise MalformedError for what no node writes."""
    joined = said.get("join", [])
    if not isinstance(joined, list):
        raise MalformedError("presence", repr(joined))
    for one in joined:
        if not isinstance(one, list) or len(one) != 2 or not is_id(one[0]) or len(json.dumps(one[1])) > 2 * MAX_SHOWN:
            raise MalformedError("presence", repr(one))
    return [(id_, shown) for id_, shown in joined]


def read_ids(said: Mapping[str, Any]) -> list[str]:
    """Return `leave` of an event; raise MalformedError for what no node writes."""
    left = said.get("leave", [])
    if not isinstance(left, list) or not all(map(is_id, left)):
        raise MalformedError("presence", repr(left))
    return left


def is_id(value: Any) -> bool:
    """Whether this may be the id of a client."""
    return isinstance(value, str) and 0 < len(value) <= 64
