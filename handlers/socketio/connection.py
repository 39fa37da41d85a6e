"""The Socket.IO side of a session: it reads messages and hands them to the clients that share the connection.

Source: Socket.IO protocol, revision 5. Whatever a client may not send closes its connection: ProtocolError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import ProtocolError, Refused
from .message import ACK, CONNECT, EVENT, Decoder, Kind, Message
from .namespace import packets
from .reader import Reason
from .session import Session

if TYPE_CHECKING:
    from .client import Client
    from .hub import Hub

MAX_NAMESPACES = 100
"""How many namespaces one connection may join."""
MAX_PARTED = 1000
"""How many namespaces a connection is known to have been refused by, or to have left."""
MAX_NAME = 200
"""How many characters the name of a namespace may have; a longer one is refused, and not remembered."""


class Connection:
    """The clients of one session, one for each namespace it has joined."""

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
            self._connect(message)
        elif client is None:
            # What the client sent before it heard that the server had parted with it is no fault of its own.
            if message.namespace not in self._parted:
                raise ProtocolError(f"{message}, but has not joined the namespace")
        elif message.kind is EVENT:
            self._hub.counters.events += 1
            client._receive(message.data, message.id)
        elif message.kind is ACK:
            client._answer(message.id, message.data)
        elif message.kind is Kind.DISCONNECT:
            self.part(client, "client namespace disconnect")
        else:
            raise ProtocolError(f"{message}, which only the server sends")

    def on_close(self, reason: Reason) -> None:
        """Part with all clients: their connection is over."""
        self._hub.joining.end(self.session)
        self._hub.assembling.end(self.session)
        clients, self._clients = self._clients, {}
        for client in clients.values():
            client._part(reason, may_return=reason != "parse error")

    def part(self, client: Client, reason: str) -> None:
        """Part with one client, for good."""
        name = client.namespace
        if self._clients.pop(name, None) is not None:
            self._remember_parted(name)
            client._part(reason, may_return=False)

    def refuse(self, namespace: str, refusal: Refused) -> None:
        """Tell the client that it may not join."""
        self._clients.pop(namespace, None)
        self._remember_parted(namespace)
        message = Message(Kind.CONNECT_ERROR, namespace, refusal.payload)
        self._hub.say([self.session.room], packets(message))

    def _remember_parted(self, name: str) -> None:
        if len(self._parted) < MAX_PARTED and len(name) <= MAX_NAME:
            self._parted |= {name}

    def _connect(self, message: Message) -> None:
        name, auth = message.namespace, message.data or {}
        if name in self._clients:
            raise ProtocolError(f"{message}, but has joined already")
        self._hub.joining.end(self.session)
        if self._recover(name, auth):
            return
        try:
            namespace = self._hub.namespace(self._check_name(name))
        except Refused as refusal:
            self.refuse(name, refusal)
            return
        self._parted -= {name}
        client = self._clients[name] = namespace.handler(namespace, self, auth)
        client._join()

    def _check_name(self, name: str) -> str:
        if len(name) > MAX_NAME:
            raise Refused(f"The name of a namespace has {MAX_NAME} characters at most")
        if len(self._clients) >= MAX_NAMESPACES:
            raise Refused(f"A connection can join {MAX_NAMESPACES} namespaces at most")
        return name

    def _recover(self, name: str, auth: dict[str, Any]) -> bool:
        """Let a client come back, if this is one; a connection that it still has is closed first."""
        client = self._hub.recovery.find(auth.get("pid"))
        if client is None or client.namespace != name:
            return False
        if client.connected:
            client.session.close("transport close")
        missed = client._missed(_stamp(auth.get("offset")))
        if missed is None:
            client._expire()
            return False
        self._clients[name] = client
        self._parted -= {name}
        client._come_back(self, auth, missed)
        return True


def _stamp(offset: Any) -> int:
    """Read an offset; whoever has none has heard nothing yet."""
    return int(offset) if isinstance(offset, str) and offset.isdecimal() and len(offset) < 20 else 0
