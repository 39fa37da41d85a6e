"""The Socket.IO side of a session: it reads messages and hands them to the clients that share the connection.

Source: Socket.IO protocol, revision 5. Whatever a client may not send closes its connection: ProtocolError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ProtocolError, Refused
from .message import Decoder, Kind, Message
from .namespace import packets
from .session import Reason, Session

if TYPE_CHECKING:
    from .handler import SocketIOHandler
    from .hub import Hub


class Connection:
    """The clients of one session, one for each namespace it has joined."""

    __slots__ = ("_clients", "_decoder", "_hub", "_parted", "session")

    def __init__(self, hub: Hub, session: Session) -> None:
        self.session = session
        self._hub = hub
        self._decoder = Decoder()
        self._clients: dict[str, SocketIOHandler] = {}
        self._parted: set[str] = set()

    def on_message(self, data: str | bytes) -> None:
        """Take an Engine.IO message."""
        message = self._decoder.add(data)
        if message is None:
            return
        client = self._clients.get(message.namespace)
        if message.kind is Kind.CONNECT:
            self._connect(message)
        elif client is None:
            # What the client sent before it heard that the server had parted with it is no fault of its own.
            if message.namespace not in self._parted:
                raise ProtocolError(f"{message}, but has not joined {message.namespace!r}")
        elif message.kind is Kind.EVENT:
            client._receive(message.data, message.id)
        elif message.kind is Kind.ACK:
            client._answer(message.id, message.data)
        elif message.kind is Kind.DISCONNECT:
            self.part(client, "client namespace disconnect")
        else:
            raise ProtocolError(f"{message}, which only the server sends")

    def on_close(self, reason: Reason) -> None:
        """Part with all clients: their connection is over."""
        self._hub.joining.end(self.session)
        for client in list(self._clients.values()):
            self.part(client, reason)

    def part(self, client: SocketIOHandler, reason: str) -> None:
        """Part with one client."""
        name = client._namespace.name
        if self._clients.pop(name, None) is not None:
            self._parted.add(name)
            client._part(reason)

    def refuse(self, namespace: str, refusal: Refused) -> None:
        """Tell the client that it may not join."""
        self._clients.pop(namespace, None)
        self._parted.add(namespace)
        message = Message(Kind.CONNECT_ERROR, namespace, refusal.payload)
        self._hub.say([self.session.room], packets(message))

    def _connect(self, message: Message) -> None:
        name = message.namespace
        if name in self._clients:
            raise ProtocolError(f"{message}, but has joined already")
        self._hub.joining.end(self.session)
        namespace = self._hub.namespaces.get(name)
        if namespace is None:
            self.refuse(name, Refused("Invalid namespace"))
            return
        self._parted.discard(name)
        client = self._clients[name] = namespace.handler(namespace, self, message.data)
        client._join()
