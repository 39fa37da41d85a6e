"""Questions to many clients, and to the nodes of a cluster.

A question never fails because somebody does not answer: its result names who is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .actions import Action
from .engineio.codec.packet import Packet
from .json_codec import DEEP
from .message import decode_text, merge_attachments

if TYPE_CHECKING:
    from .client import Client
    from .namespace import Namespace


class Acks(dict[str, Any]):
    """Acknowledgements by client id; `missing` lists clients without one.

    In a cluster `missing` has the names of nodes that did not answer, too. Of `Hub.call_nodes` the keys are names of
    nodes.
    """

    def __init__(self, answers: Mapping[str, Any], missing: Sequence[str]) -> None:
        super().__init__(answers)
        self.missing = list(missing)


class FetchedClient(NamedTuple):
    """What is known of a client of any node.

    `hub.of(namespace).to(client.id)` is the audience to send to it, to move it, and to disconnect it.
    """

    id: str
    rooms: frozenset[str]
    """Names of the rooms it has entered, without its own."""
    shown: Any
    """What it shows; of Node's servers: `socket.data`."""
    auth: dict[str, Any]
    """What it sent with its CONNECT."""
    remote_ip: str
    query: dict[str, str]
    """The last value of each query parameter of its connection."""
    protocol: str
    """`http` or `https`."""
    node: str
    """Name of its node, or id of a server of another kind; "" of a hub that is alone."""


class FetchedClients(list[FetchedClient]):
    """Clients of all nodes; `missing` names nodes that did not answer."""

    def __init__(self, clients: Iterable[FetchedClient], missing: Sequence[str]) -> None:
        super().__init__(clients)
        self.missing = list(missing)


class LocalCall:
    """An event that clients of this node were sent, and the answers."""

    def __init__(self, namespace: Namespace, question: Action, id_: int) -> None:
        clients = online_clients(namespace, question.rooms, question.excepted)
        self.acks = {client: client.create_ack(id_) for client in clients if client.connected}
        self._id = id_
        namespace.hub.delivery.publish([client.room for client in self.acks], question.packets)

    async def wait(self, timeout: float) -> Acks:
        """Return the acknowledgements that come within `timeout` seconds."""
        try:
            if self.acks:
                await asyncio.wait(self.acks.values(), timeout=timeout)
        finally:
            for client in self.acks:
                client.drop_ack(self._id)
        answers = {c.id: answer.result() for c, answer in self.acks.items() if answer.done() and not answer.exception()}
        return Acks(answers, [client.id for client in self.acks if client.id not in answers])


class Questions:
    """The questions of a hub that is alone: its own clients answer."""

    async def call(self, namespace: Namespace, question: Action, id_: int, timeout: float) -> Acks:
        """Send an event, and return the acknowledgements within `timeout` seconds.

        id_: of the acknowledgement, which the packets of the event have.
        """
        return await LocalCall(namespace, question, id_).wait(timeout)

    async def fetch(
        self, namespace: Namespace, rooms: Sequence[str], excepted: Sequence[str], timeout: float
    ) -> FetchedClients:
        """Return the clients online, of the nodes that answer within `timeout` seconds."""
        return FetchedClients([describe(each, "") for each in online_clients(namespace, rooms, excepted)], [])

    def emit_to_nodes(self, namespace: Namespace, args: Sequence[Any]) -> None:
        """Send an event to the other nodes.

        args: its name, and its arguments, as plain JSON values and bytes.
        """

    async def call_nodes(self, namespace: Namespace, args: Sequence[Any], timeout: float) -> Acks:
        """Send the other nodes an event, and return their answers by name."""
        return Acks({}, [])


ALONE = Questions()


def online_clients(namespace: Namespace, rooms: Sequence[str], excepted: Sequence[str]) -> list[Client]:
    """Return the clients of this node that are online.

    Those in their grace time are among them.
    """
    online = namespace.clients
    if not rooms and not excepted:
        return list(online.values())
    return [client for client in namespace.targets(rooms, excepted) if client.id in online]


def describe(client: Client, node: str) -> FetchedClient:
    """Return what other nodes may know of a client."""
    request = client.session.handshake
    return FetchedClient(
        client.id,
        frozenset(client.rooms),
        client.shown,
        client.auth,
        request.remote_ip,
        request.query,
        request.protocol,
        node,
    )


def plain_arguments(encoded: Sequence[Packet]) -> list[Any]:
    """Return name and arguments of an event, as its receivers have them."""
    text, *attachments = (packet.data for packet in encoded)
    assert isinstance(text, str)
    data = decode_text(text, DEEP)[0].data
    plain: list[Any] = merge_attachments(data, [part for part in attachments if isinstance(part, bytes)])
    return plain
