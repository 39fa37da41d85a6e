"""The roster: what nodes tell each other of their clients."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..engineio.errors import attempt
from .errors import MalformedError
from .presence import Changes, OtherNode, Presence, is_id, read_clients, read_ids
from .stream_format import ServerEvent, member

if TYPE_CHECKING:
    from ..client import Client
    from .node import Node

logger = logging.getLogger(__name__)

SILENCE = 3.5
"""Seconds without a heartbeat after which a node counts as hanging."""
MISSED = 2
"""How often in a row a node's private channel has to have no subscriber, for the node to count as killed."""
SETTLING = 3.5
"""Seconds after Redis is back in which no node counts as gone, because all have to connect first."""
MAX_BEAT = 10_000
"""Maximum bytes of a heartbeat."""
MAX_NODES = 1000
"""Maximum number of other nodes."""


class Roster:
    """The clients of all nodes, as this node knows them."""

    def __init__(self, node: Node) -> None:
        self.presence = Presence()
        self._this = node
        self._changes = Changes(node.name)
        self._missed: dict[str, int] = {}
        self._ended: dict[str, float] = {}
        self._connected_at = float("inf")
        self._introduced = False

    # -- this node's clients

    def note(self, client: Client, *, online: bool) -> None:
        """Remember that a client has come, or changed, or left."""
        self.presence.compare(client.namespace, [client.id])
        self._changes.note(client, online=online)

    def put_changes(self) -> None:
        """Put what has changed into the outbox."""
        if self._changes:
            for event in self._changes.take():
                self._this.put(event)

    def ask(self) -> None:
        """Let all nodes say who is there, this one too."""
        self._this.put(self._changes.say(ask=True))
        self._put_all()

    def end(self) -> None:
        """Say that this node ends."""
        self._this.put(self._changes.say(bye=True))

    def connected(self) -> None:
        """Handle that Redis is there: ask, the first time."""
        self._connected_at = self._this.hub.now()
        self._missed = {}
        for node in self.presence.nodes.values():
            node.heard_at = self._connected_at
        if not self._introduced:
            self._introduced = True
            self.ask()

    def _put_all(self) -> None:
        self.put_changes()
        for event in self._changes.whole(self._this.hub.namespaces.values()):
            self._this.put(event)

    # -- other nodes

    def beat(self) -> str:
        """Return a heartbeat of this node."""
        return json.dumps({"uid": self._this.uid, "node": self._this.name})

    def hear(self, data: bytes) -> None:
        """Handle a heartbeat of a node.

        Raises MalformedError for what no node publishes.
        """
        try:
            beat = json.loads(data[:MAX_BEAT])
        except (ValueError, RecursionError) as error:
            raise MalformedError("beat", str(error)) from None
        uid, name = member(beat, "uid", str), member(beat, "node", str)
        if not is_id(uid):
            raise MalformedError("beat", uid)
        if uid != self._this.uid:
            self._node(uid, name)

    def check(self, subscribers: Mapping[str, int]) -> None:
        """Say which nodes are gone: ended, killed, or hanging.

        subscribers: number of subscribers of the private channel of each node.
        """
        now = self._this.hub.now()
        if now - self._connected_at < SETTLING:
            return
        for uid, node in list(self.presence.nodes.items()):
            self._missed[uid] = 0 if subscribers.get(uid, 1) else self._missed.get(uid, 0) + 1
            ended = now - self._ended[uid] > self._grace if uid in self._ended else False
            hanging = now - node.heard_at > SILENCE and uid not in self._ended
            if ended or hanging or (self._missed[uid] >= MISSED and uid not in self._ended):
                self._this.put(self._changes.say(gone=uid))
                node.heard_at, self._missed[uid] = now, 0

    def receive(self, event: ServerEvent, uid: str) -> None:
        """Handle what a node says of its clients.

        Raises MalformedError for what no node writes.
        """
        said = event.args[0] if event.args else None
        if not isinstance(said, dict) or not isinstance(said.get("node"), str):
            raise MalformedError("presence", repr(said))
        if isinstance(said.get("gone"), str):
            self._receive_gone(said["gone"], uid)
        elif uid != self._this.uid:
            self._receive_part(event.namespace, said, uid)

    @property
    def _grace(self) -> float:
        return self._this.hub.presence_grace

    def _node(self, uid: str, name: str) -> OtherNode:
        if len(self.presence.nodes) >= MAX_NODES and uid not in self.presence.nodes:
            raise MalformedError("nodes", f"{uid} is one more than {MAX_NODES}")
        return self.presence.node(uid, name, self._this.hub.now())

    def _receive_part(self, name: str, said: Mapping[str, Any], uid: str) -> None:
        joined, left = read_clients(said), read_ids(said)
        node = self._node(uid, said["node"])
        if said.get("ask") is True:
            self._put_all()
        elif said.get("bye") is True:
            self._receive_bye(node, uid)
        else:
            if said.get("all") is True:
                left = list(node.part.get(name, ()))
            self.presence.leave(node, name, left)
            self.presence.join(node, name, joined)
            self._changed(name, [*left, *(id_ for id_, _ in joined)])

    def _receive_bye(self, node: OtherNode, uid: str) -> None:
        if any(node.part.values()):
            self._ended[uid] = self._this.hub.now()
        else:
            self._forget(uid)

    def _receive_gone(self, uid: str, teller: str) -> None:
        """Forget a node; its first accuser tells of its clients."""
        if uid == self._this.uid:
            logger.warning("the other nodes took this one for gone: its clients are announced again")
            self._put_all()
            return
        for name, ids in self._forget(uid).items():
            namespace = self._this.hub.live(name)
            here = namespace.clients if namespace is not None else {}
            lost = [id_ for id_ in ids if id_ not in here]
            if namespace is not None and lost and teller == self._this.uid:
                attempt(namespace.handler.clients_lost, self._this.hub, name, lost)

    def _forget(self, uid: str) -> dict[str, list[str]]:
        self._missed.pop(uid, None)
        self._ended.pop(uid, None)
        self._this.questions.gone(uid)
        lost = self.presence.forget(uid)
        for name, ids in lost.items():
            self._changed(name, ids)
        return lost

    def _changed(self, name: str, ids: list[str]) -> None:
        namespace = self._this.hub.live(name)
        if namespace is not None and ids:
            self.presence.compare(namespace, ids)
            attempt(namespace.handler.others_changed, self._this.hub, name)
