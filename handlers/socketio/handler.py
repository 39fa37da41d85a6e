"""The base class of an application's events: one instance is one client in one namespace.

    class BoardHandler(SocketIOHandler):
        def on_connect(self) -> None: ...
        def on_private(self, data) -> None: ...
        def on_disconnect(self, reason: str) -> None: ...

A method `on_<event>` answers an event; `@event("chat message")` marks one for any other name. What it returns
acknowledges the event (a tuple: several arguments), and so does a `Refused` that it raises. Methods may be `async`;
those of one client run one after the other, in the order in which its events came, `on_connect` first and
`on_disconnect` last.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from .audience import Audience
from .client import Client
from .errors import CallTimeout, Disconnected
from .namespace import event_message
from .session import Handshake


class SocketIOHandler(Client):
    """A client. Attributes that the application sets on it are the client's own state.

    Its hooks are those of `Client` and `Dispatch`: `authenticate`, `on_connect`, `before_event`, `on_any`,
    `on_disconnecting`, `on_disconnect`.
    """

    @property
    def settings(self) -> dict[str, Any]:
        """What the handlers of one server share."""
        return self._namespace.hub.settings

    # -- who is there

    @property
    def request(self) -> Handshake:
        """The request that opened the connection: `headers`, `remote_ip`, `query`."""
        return self.session.handshake

    @property
    def match(self) -> re.Match[str] | None:
        """How the namespace fits the regular expression it was declared by; None for one declared by its name."""
        return self._namespace.match

    @property
    def online(self) -> int:
        """How many clients are in the namespace at this moment."""
        return len(self._namespace.clients)

    # -- saying

    def emit(self, event: str, *args: Any) -> None:
        """Send this client an event. Raises TypeError or ValueError, and sends nothing, where it cannot be encoded."""
        self._say(event_message(self._namespace.name, event, args))

    async def call(self, event: str, *args: Any, timeout: float = 20) -> Any:
        """Send this client an event and return its acknowledgement (several arguments: a tuple).

        Raises CallTimeout after `timeout` seconds, Disconnected when the client leaves before it answers.
        """
        if not self.connected:
            raise Disconnected(f"{self.id} has left: nobody can answer {event!r}")
        id_ = self._namespace.next_call()
        message = event_message(self._namespace.name, event, args, id_)
        answer = self._expect(id_)
        try:
            self._say(message)
            return await asyncio.wait_for(answer, timeout)
        except asyncio.TimeoutError:
            raise CallTimeout(f"{self.id} did not answer {event!r} within {timeout:g} s") from None
        finally:
            self._expect_no_more(id_)

    def broadcast(self, event: str, *args: Any, keep: int = 0) -> None:
        """Send everyone in the namespace an event, this client too; newcomers are sent the last `keep` of it."""
        self._everyone.emit(event, *args, keep=keep)

    def to(self, *rooms: str) -> Audience:
        """The clients in any of these rooms (names, or ids of clients), this one too if it is in one."""
        return self._everyone.to(*rooms)

    def except_(self, *rooms: str) -> Audience:
        """Everyone but the clients in these rooms (names, or ids of clients)."""
        return self._everyone.except_(*rooms)

    @property
    def others(self) -> Audience:
        """Everyone but this client."""
        return self._everyone.others

    @property
    def volatile(self) -> Audience:
        """Everyone who can take it at once."""
        return self._everyone.volatile

    @property
    def _everyone(self) -> Audience:
        return Audience(self._namespace, self.id)
