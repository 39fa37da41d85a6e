"""The Socket.IO side of a session: it reads messages and hands them to the clients that share the connection.

Source: Socket.IO protocol, revision 5. Whatever a client may not send closes its connection: ProtocolError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .client import Client
from .errors import ProtocolError, Refused
from .message import ACK, CONNECT, EVENT, Decoder, Kind, Message
from .namespace import Namespace, packets
from .reader import Reason
from .session import Session

if TYPE_CHECKING:
    from .hub import Hub

MAX_NAMESPACES = 100
"""How many namespaces one connection may join."""
MAX_PARTED = 1000
"""How many namespaces a connection is known to have been refused by, or to have left."""
MAX_NAME = 200
"""How many characters the name of a namespace may have; a longer one is refused, and not remembered."""


class Connection:
    """The clients of one session, one for each namespace it has joined, or asks to join."""

    __slots__ = ("_clients", "_decoder", "_hub", "_parted", "session")

    def __init__(self, hub: Hub, session: Session) -> None:
        self.session = session
        self._hub = hub
        self._decoder = Decoder(hub.max_payload)
        self._clients: dict[str, Client] = {}
        self._parted: frozenset[str] = frozenset()

    @property
    def busy(self) -> bool:
        """Whether a handler of one of its clients has not ended yet."""
        return any(client.busy for client in self._clients.values())

    def on_message(self, data: str | bytes) -> None:
        """Take an Engine.IO message."""
        message = self._decoder.add(data)
        if message is None:
            self._hub.expect_attachments(self.session)
            return
        if isinstance(data, bytes):
            self._hub.assembling.end(self.session)
        client = self._clients.get(message.namespace)
        if message.kind is CONNECT:
            self._connect(message, client)
        elif client is None:
            # What the client sent before it heard that the server had parted with it is no fault of its own.
            if message.namespace not in self._parted:
                raise ProtocolError(f"{message}, but has not joined the namespace")
        elif message.kind is EVENT:
            self._hub.counters.events += 1
            client.receive(message.data, message.id)
        elif message.kind is ACK:
            client.resolve_ack(message.id, message.data)
        elif message.kind is Kind.DISCONNECT:
            self.part(client, "client namespace disconnect")
        else:
            raise ProtocolError(f"{message}, which only the server sends")

    def on_close(self, reason: Reason) -> None:
        """Part with all clients: their connection is over. Those that may come back stay known, to be sent away."""
        self._hub.joining.end(self.session)
        self._hub.assembling.end(self.session)
        for client in list(self._clients.values()):
            client.disconnect(reason, may_return=reason != "parse error")
        self._clients = {name: client for name, client in self._clients.items() if self._has(client)}

    def send_away(self) -> None:
        """Send all clients away, those too that are away and might come back, and close the connection."""
        for client in list(self._clients.values()):
            if self._has(client):
                client.send_away()
        self.session.close("forced close")

    def part(self, client: Client, reason: str) -> None:
        """Part with one client, for good."""
        name = client.namespace.name
        if self._clients.pop(name, None) is not None:
            self._remember_parted(name)
            client.disconnect(reason, may_return=False)

    def refuse(self, client: Client, refusal: Refused) -> None:
        """Tell a client that it may not join. Raises TypeError or ValueError where that cannot be encoded."""
        self._refuse(client.namespace.name, refusal)

    def join(self, namespace: Namespace, auth: dict[str, Any]) -> None:
        """Have a newcomer ask to join."""
        client = self._clients[namespace.name] = Client(namespace, self, auth)
        self._parted -= {namespace.name}
        client.join()

    def add(self, client: Client) -> None:
        """Count a client that an earlier server had among those that may be sent away together."""
        self._clients[client.namespace.name] = client

    def _has(self, client: Client) -> bool:
        """Whether a client neither has left for good nor come back by another connection."""
        return not client.left and client.connection is self

    def _refuse(self, name: str, refusal: Refused) -> None:
        said = packets(Message(Kind.CONNECT_ERROR, name, refusal.payload))
        self._clients.pop(name, None)
        self._remember_parted(name)
        self._hub.say([self.session.room], said)

    def _remember_parted(self, name: str) -> None:
        if len(self._parted) < MAX_PARTED and len(name) <= MAX_NAME:
            self._parted |= {name}

    def _connect(self, message: Message, client: Client | None) -> None:
        name, auth = message.namespace, message.data or {}
        if client is not None:
            if client.answered:
                raise ProtocolError(f"{message}, but has joined already")
            # The official client leaves in silence, and asks anew, before it has heard the answer.
            self._clients.pop(name)
            client.disconnect("client namespace disconnect", may_return=client.returning is not None)
        self._hub.joining.end(self.session)
        if self._recover(name, auth):
            return
        try:
            namespace = self._hub.namespace(self._check_name(name))
        except Refused as refusal:
            self._refuse(name, refusal)
            return
        self.join(namespace, auth)

    def _check_name(self, name: str) -> str:
        if len(name) > MAX_NAME:
            raise Refused(f"The name of a namespace has {MAX_NAME} characters at most")
        if len(self._clients) >= MAX_NAMESPACES:
            raise Refused(f"A connection can join {MAX_NAMESPACES} namespaces at most")
        return name

    def _recover(self, name: str, auth: dict[str, Any]) -> bool:
        """Let a client ask to come back, if this is one; a connection that it still has is closed first."""
        client = self._hub.recovery.find(auth.get("pid"))
        if client is None or client.namespace.name != name:
            return False
        if client.connected or client.returning is not None:
            client.session.close("transport close")
        if not client.may_resume(auth):
            client.expire()
            return False
        self._clients[name] = client
        self._parted -= {name}
        client.come_back(self, auth)
        return True
