"""The backplane: what stands between an action and the clients.

A hub alone performs an action at once. In a cluster (`cluster/`) each node performs it when it reads it in the common
log, so that all nodes have one order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .actions import Action, perform
from .entering import Joining
from .questions import ALONE, Questions

if TYPE_CHECKING:
    from .client import Client
    from .engineio.codec.packet import Packet
    from .namespace import Namespace


class Figure(NamedTuple):
    """One number of `/metrics`."""

    name: str
    kind: str
    """`counter` or `gauge`."""
    help: str
    value: float


class NodeState(NamedTuple):
    """One node of a cluster, as another one knows it."""

    name: str
    online: int
    """Clients in the default namespace."""
    silent: float | None
    """Seconds since its last sign of life; None: this node."""


class Backplane:
    """The backplane of a hub that is alone."""

    local_offsets = True
    """Whether what only this node publishes has an offset that a client can come back with."""

    questions: Questions = ALONE
    """What asks clients and nodes, and returns their answers."""

    @property
    def keeps_sessions(self) -> bool:
        """Whether a client of this node can come back to another one."""
        return False

    @property
    def trouble(self) -> str | None:
        """What is wrong, as a line for `/healthz`; None if nothing is."""
        return None

    def figures(self) -> Iterable[Figure]:
        """Return what `/metrics` shows of a cluster."""
        return ()

    def nodes(self) -> Iterable[NodeState]:
        """Return the nodes of the cluster, this one first."""
        return ()

    def send(self, namespace: Namespace, action: Action, speaker: str = "") -> None:
        """Let an action happen, now or when it is its turn.

        speaker: id of the client whose handler acts; what is sent to it later follows. Raises what `perform` raises,
        where the action happens now.
        """
        perform(namespace, action, namespace.known.get(speaker))

    def send_to(self, client: Client, packets: Sequence[Packet], is_event: bool) -> None:
        """Send a client a message.

        is_event: whether the client recovers it if it misses it.
        """
        client.namespace.hub.delivery.publish([client.room], packets, replayable=is_event)

    def joining(self, client: Client, auth: Mapping[str, Any]) -> Joining:
        """Return the request of a client that this hub does not know."""
        return Joining(client)

    def moved(self, client: Client) -> None:
        """Handle that a client has entered or left a room."""

    def ended(self, pid: str) -> None:
        """Handle that a client cannot recover its session any more."""

    def suspending(self, client: Client) -> None:
        """Handle that a client is about to leave its rooms."""

    def joined(self, client: Client) -> None:
        """Handle that a client is online: new, or back."""

    def left(self, client: Client) -> None:
        """Handle that a client is not online any more."""

    def changed(self, client: Client) -> None:
        """Handle that a client's rooms, or what it shows, have changed."""

    def online(self, namespace: Namespace) -> int:
        """Return how many clients are online in a namespace, on all nodes."""
        return len(namespace.clients)

    def present(self, namespace: Namespace) -> Iterator[tuple[str, Any]]:
        """Return the id of each client online, and what it shows."""
        return ((client.id, client.shown) for client in namespace.clients.values())
