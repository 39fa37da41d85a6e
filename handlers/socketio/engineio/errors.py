"""What Engine.IO refuses, and what the client is told.

The layer that catches one of these answers the one peer concerned and nobody else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)


SPOKEN = {
    "": "no protocol that it names (EIO is missing)",
    "2": "EIO=2 (Socket.IO 1)",
    "3": "EIO=3 (Socket.IO 1 or 2)",
}


FITTING_CLIENTS = (
    "socket.io-client 3 or 4 (JavaScript), python-socketio 5, socket.io-client-java 2, socket.io-client-swift 16, "
    "socket_io_client 1 or later (Dart)"
)


class ProtocolError(Exception):
    """The peer sent what the protocols do not allow. Its connection closes as `parse error`; the text is logged."""


class RequestRefused(Exception):
    """An HTTP request that Engine.IO does not serve.

    The client gets `status` and the JSON `{"code": code, "message": message}`; `hint` tells the operator what to do.
    """

    status = 400
    code = 3
    message = "Bad request"
    retry_after = 0
    """Seconds after which it is worth another try, where it is."""

    def __init__(self, hint: str) -> None:
        super().__init__(hint)
        self.hint = hint

    @property
    def payload(self) -> dict[str, Any]:
        """What the client is told."""
        return {"code": self.code, "message": self.message}

    @property
    def body(self) -> str:
        """The body of the answer, without blanks: clients' tests compare the text."""
        return json.dumps(self.payload, separators=(",", ":"))


class TransportUnknown(RequestRefused):
    """The `transport` parameter is missing or neither `polling` nor `websocket`."""

    code = 0
    message = "Transport unknown"


class SessionUnknown(RequestRefused):
    """There is no session of this `sid`, or there is none any more."""

    code = 1
    message = "Session ID unknown"


class BadHandshakeMethod(RequestRefused):
    """Only GET opens a session."""

    code = 2
    message = "Bad handshake method"


class BadRequest(RequestRefused):
    """The request does not fit the session it names, or no session could."""


class Forbidden(RequestRefused):
    """The application does not let this client in."""

    status = 403
    code = 4
    message = "Forbidden"


class UnsupportedVersion(RequestRefused):
    """The client speaks another version of Engine.IO than 4. Its body tells what would fit."""

    code = 5
    message = "Unsupported protocol version"

    def __init__(self, version: str) -> None:
        spoken = SPOKEN.get(version, "another version")
        super().__init__(f"the client speaks {spoken}, this server EIO=4; clients that fit: {FITTING_CLIENTS}")

    @property
    def payload(self) -> dict[str, Any]:
        """The body of the answer."""
        return {**super().payload, "hint": self.hint}


class ServerShuttingDown(RequestRefused):
    """The server is about to end; the client finds the next one if it tries again."""

    status = 503
    message = "Server shutting down"
    retry_after = 1


class PayloadTooLarge(RequestRefused):
    """A POST is larger than `maxPayload`."""

    status = 413
    message = "Payload too large"


class TooManyRequests(RequestRefused):
    """The client, or its address, asks too much."""

    status = 429
    message = "Too many requests"
    retry_after = 1

    @property
    def payload(self) -> dict[str, Any]:
        """The body of the answer."""
        return {**super().payload, "hint": self.hint}


class ServerFull(RequestRefused):
    """As many are in as may be."""

    status = 503
    message = "Server full"
    retry_after = 5


def attempt(action: Callable[..., object], *args: Any) -> None:
    """Do one of several things; log its failure, so that the others have their turn."""
    try:
        action(*args)
    except Exception:
        logger.exception("%r failed", action)
