"""The clients of Socket.IO 1 and 2 on one session.

Source: Socket.IO protocol, revision 4. Node's socket.io serves these clients in the same way (`allowEIO3`).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from .connection import Connection
from .errors import Refused
from .namespace import Namespace


class OlderConnection(Connection):
    """The clients of one session of Engine.IO 3."""

    __slots__ = ()

    def begin(self) -> None:
        """Join the default namespace, for which these clients do not ask."""
        if self.session.reason is None:
            self.connect("/", {})

    def connect(self, name: str, auth: dict[str, Any]) -> None:
        """Let a client join once.

        Its auth is the query behind the name.
        """
        path, _, query = name.partition("?")
        if path not in self.clients:
            super().connect(path, dict(parse_qsl(query, keep_blank_values=True)))

    def new_id(self, namespace: Namespace) -> str:
        """Return the client's own id, or another if it is in use."""
        sid = self.session.sid
        id_ = sid if namespace.name == "/" else f"{namespace.name}#{sid}"
        return super().new_id(namespace) if id_ in namespace.known else id_

    def wants_recovery(self, auth: dict[str, Any]) -> bool:
        """Return False, because these clients cannot come back to a session."""
        return False

    def answer_data(self, answer: dict[str, str]) -> dict[str, str] | None:
        """Return no data, because these clients expect none."""
        return None

    def refusal_data(self, refusal: Refused) -> Any:
        """Return what the application sent with its refusal, or else the text."""
        return refusal.payload.get("data", refusal.payload["message"])
