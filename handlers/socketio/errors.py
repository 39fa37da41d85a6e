"""What can go wrong between a client and the server, and what the client is told.

Whoever raises one of these decides nothing more: the floor that catches it answers the one peer concerned and nobody
else.
"""

from __future__ import annotations

from typing import Any


class Disconnected(Exception):
    """The client left before it answered."""


class CallTimeout(Exception):
    """The client did not answer within the seconds it was given."""


class Refused(Exception):
    """A client may not enter a namespace. It gets CONNECT_ERROR `{"message": …, "data": …}` (Socket.IO v5)."""

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data

    @property
    def payload(self) -> dict[str, Any]:
        """The object the client is sent."""
        return {"message": self.message} if self.data is None else {"message": self.message, "data": self.data}
