"""The Socket.IO side of a session: passes messages to its clients.

Source: Socket.IO protocol, revision 5. Whatever a client may not send closes its connection: ProtocolError.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .client import Client
from .declarations import MAX_NAME
from .engineio.errors import ProtocolError, attempt
from .engineio.reasons import CloseReason
from .engineio.session import Session
from .errors import Refused
from .inbox import Event
from .message import ACK, CONNECT, EVENT, Decoder, InvalidAuth, Kind, Message
from .namespace import Namespace, packets

if TYPE_CHECKING:
    from .hub import Hub

LEFT = "client namespace disconnect"
"""Why a client has left that said so."""
MAX_NAMESPACES = 100
"""How many namespaces one connection may join."""
MAX_LEFT = 1000
"""How many namespaces a connection is known to have been refused by, or to have left."""


class Connection:
    """The clients of one session, one for each namespace."""

    __slots__ = ("_decoder", "_hub", "_left_namespaces", "clients", "group", "session")

    def __init__(self, hub: Hub, session: Session) -> None:
        self.session = session
        self._hub = hub
        self._decoder = Decoder(hub.max_payload)
        self.clients: dict[str, Client] = {}
        """By namespace."""
        self._left_namespaces: frozenset[str] = frozenset()
        self.group: dict[Client, None] = {}
        """The clients that are sent away together: those of this connection, and those that are away and were on one
        connection with them. All connections of the group share it."""

    @property
    def busy(self) -> bool:
        """Whether a handler of one of its clients has not ended yet."""
        return any(client.inbox.busy for client in self.clients.values())

    def on_message(self, data: str | bytes) -> None:
        """Take an Engine.IO message."""
        try:
            message = self._decoder.add(data)
        except InvalidAuth as error:
            hint = f"a client cannot connect: {error}"
            self._hub.notices.warn_of_client(InvalidAuth, lambda: hint)
            raise
        if message is None:
            self._hub.expect_attachments(self.session)
            return
        if isinstance(data, bytes):
            self._hub.assembling.end(self.session)
        kind, name, content, id_ = message
        client = self.clients.get(name)
        if kind is EVENT and client is not None:
            self._hub.counters.events += 1
            client.events += 1
            client.inbox.receive(content, id_)
        elif kind is CONNECT:
            self.connect(name, content or {})
        elif client is None:
            # The client may not have received our DISCONNECT yet: ignore.
            if name not in self._left_namespaces:
                raise ProtocolError(f"{message}, but has not joined the namespace")
        elif kind is ACK:
            client.resolve_ack(id_, content)
        elif kind is Kind.DISCONNECT:
            client.disconnect(LEFT, may_return=False)
        else:
            raise ProtocolError(f"{message}, which only the server sends")

    def on_close(self, reason: CloseReason) -> None:
        """End all clients of the closed connection.

        Recoverable ones stay in the group.
        """
        self._hub.joining.end(self.session)
        self._hub.assembling.end(self.session)
        for client in list(self.clients.values()):
            attempt(client.disconnect, reason, reason != "parse error")

    def send_away(self) -> None:
        """Send all clients of the group away, and close their connections."""
        sessions = {self.session, *(client.session for client in self.group)}
        for client in list(self.group):
            attempt(client.send_away)
        for session in sessions:
            session.close("forced close")

    def refuse(self, client: Client, refusal: Refused) -> None:
        """Send CONNECT_ERROR to a client.

        Raises TypeError or ValueError if the data cannot be encoded.
        """
        self._refuse(client.namespace.name, refusal)

    def new_id(self, namespace: Namespace) -> str:
        """Return an id for a new client: unguessable, 20 characters."""
        return secrets.token_urlsafe(15)

    def wants_recovery(self, auth: dict[str, Any]) -> bool:
        """Return whether a client with this auth can come back."""
        return self._hub.recovery.wants(auth, self.session.handshake.query)

    def answer_data(self, answer: dict[str, str]) -> dict[str, str] | None:
        """Return the data of the CONNECT that admits a client."""
        return answer

    def refusal_data(self, refusal: Refused) -> Any:
        """Return the data of the CONNECT_ERROR that refuses a client."""
        return refusal.payload

    def join(self, namespace: Namespace, auth: dict[str, Any], events: Iterable[Event] = ()) -> None:
        """Let a new client ask to join, then handle its waiting events."""
        if self.session.reason is not None:  # the hooks of who has left may have closed it
            return
        client = self.clients[namespace.name] = Client(namespace, self, auth)
        self._left_namespaces -= {namespace.name}
        self.add(client)
        self._hub.backplane.joining(client, auth).start()
        client.inbox.receive_all(events)

    def add(self, client: Client) -> None:
        """Add a client to the group."""
        self.group[client] = None

    def release(self, client: Client) -> None:
        """Forget a client that has left for good, or was refused."""
        self.group.pop(client, None)
        name = client.namespace.name
        if self.clients.get(name) is client:
            del self.clients[name]
            self._remember_left(name)

    def _refuse(self, name: str, refusal: Refused) -> None:
        encoded = packets(Message(Kind.CONNECT_ERROR, name, self.refusal_data(refusal)), self._hub.json_default)
        self._remember_left(name)
        self._hub.delivery.publish([self.session.room], encoded)

    def _remember_left(self, name: str) -> None:
        if len(self._left_namespaces) < MAX_LEFT and len(name) <= MAX_NAME:
            self._left_namespaces |= {name}

    def connect(self, name: str, auth: dict[str, Any]) -> None:
        """Let a client join a namespace, or come back.

        Raises ProtocolError if it has joined already.
        """
        client = self.clients.get(name)
        if client is not None:
            if client.answered and self._is_alone(client):
                raise ProtocolError(f"CONNECT {name[:80]!r}, but has joined already")
            client.disconnect(LEFT, may_return=client.returning is not None)
            self.clients.pop(name, None)
        self._hub.joining.end(self.session)
        if self._recover(name, auth):
            return
        try:
            namespace = self._hub.join(self._check_name(name))
        except Refused as refusal:
            self._refuse(name, refusal)
            return
        self.join(namespace, auth)

    def _is_alone(self, client: Client) -> bool:
        """Whether the connection has had no other client than this.

        The official client leaves in silence, and may connect again, before it has heard the answer to its CONNECT. It
        does so over the same connection only where that carries another namespace; it closes the connection otherwise.
        """
        return not (self.clients.keys() | self._left_namespaces) - {client.namespace.name}

    def _check_name(self, name: str) -> str:
        if len(name) > MAX_NAME:
            raise Refused(f"The name of a namespace has {MAX_NAME} characters at most")
        if len(self.clients) >= MAX_NAMESPACES:
            raise Refused(f"A connection can join {MAX_NAMESPACES} namespaces at most")
        return name

    def _recover(self, name: str, auth: dict[str, Any]) -> bool:
        """Let a client ask to recover; close its old connection first."""
        client = self._hub.recovery.find(auth.get("pid"))
        if client is None or client.namespace.name != name:
            return False
        if client.connected or client.returning is not None:
            client.session.close("transport close")
        if client.left or self.session.reason is not None:  # its hooks may have sent it away, or close this connection
            return False
        if not client.may_resume(auth):
            client.expire()
            return False
        self.clients[name] = client
        self._left_namespaces -= {name}
        self._merge(client.connection)
        client.come_back(self, auth)
        return True

    def _merge(self, other: Connection) -> None:
        """Have one group with the connection that a client comes back from."""
        self.group.update(other.group)
        for member in self.group:
            member.connection.group = self.group
