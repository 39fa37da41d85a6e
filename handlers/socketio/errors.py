"""Errors between a client and the server.

The code that raises one decides nothing else: the layer that catches it answers only the client concerned.
"""

from __future__ import annotations

from typing import Any


class Disconnected(Exception):
    """The client disconnected before it answered."""


class CallTimeout(Exception):
    """The client did not answer within the timeout."""


class Refused(Exception):
    """Raise it to refuse a client, or an event.

    The client is sent `{"message": …, "data": …}`, as CONNECT_ERROR (Socket.IO v5) or as the event's acknowledgement.
    """

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data

    @property
    def payload(self) -> dict[str, Any]:
        """The data of CONNECT_ERROR."""
        return {"message": self.message} if self.data is None else {"message": self.message, "data": self.data}
