"""Errors of Engine.IO, and the answers to refused requests.

The layer that catches one of these answers only the client concerned.
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
    """The client violated a protocol.

    Its connection is closed with `parse error`; the message is logged.
    """


class RequestRefused(Exception):
    """An HTTP request that is refused.

    The client gets `status` and the JSON `{"code": code, "message": message}`; `hint` tells the operator what to do.
    """

    status = 400
    code = 3
    message = "Bad request"
    retry_after = 0
    """Seconds for Retry-After; 0: no such header."""

    def __init__(self, hint: str) -> None:
        super().__init__(hint)
        self.hint = hint

    @property
    def payload(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        return {"code": self.code, "message": self.message}

    @property
    def body(self) -> str:
        """The body of the answer; without spaces, because clients' tests compare it."""
        return json.dumps(self.payload, separators=(",", ":"))


class TransportUnknown(RequestRefused):
    """The `transport` parameter is missing or neither `polling` nor `websocket`."""

    code = 0
    message = "Transport unknown"


class SessionUnknown(RequestRefused):
    """There is no open session with this `sid`."""

    code = 1
    message = "Session ID unknown"


class BadHandshakeMethod(RequestRefused):
    """Only GET opens a session."""

    code = 2
    message = "Bad handshake method"


class BadRequest(RequestRefused):
    """The request is malformed, or does not fit its session."""


class Forbidden(RequestRefused):
    """The application refuses this client."""

    status = 403
    code = 4
    message = "Forbidden"


class UnsupportedVersion(RequestRefused):
    """The client speaks another Engine.IO version than 4; `hint` names fitting clients."""

    code = 5
    message = "Unsupported protocol version"

    def __init__(self, version: str) -> None:
        spoken = SPOKEN.get(version, "another version")
        remedy = "; Hub(allow_eio3=True) serves it, too" if version == "3" else ""
        super().__init__(f"the client speaks {spoken}, this server EIO=4{remedy}; clients that fit: {FITTING_CLIENTS}")

    @property
    def payload(self) -> dict[str, Any]:
        """The JSON object of the answer, with the hint."""
        return {**super().payload, "hint": self.hint}


class ServerShuttingDown(RequestRefused):
    """The server shuts down; the next one serves a retry."""

    status = 503
    message = "Server shutting down"
    retry_after = 1


class PayloadTooLarge(RequestRefused):
    """A POST is larger than `maxPayload`."""

    status = 413
    message = "Payload too large"


class TooManyRequests(RequestRefused):
    """The client, or its address, exceeds a rate or limit."""

    status = 429
    message = "Too many requests"
    retry_after = 1

    @property
    def payload(self) -> dict[str, Any]:
        """The JSON object of the answer, with the hint."""
        return {**super().payload, "hint": self.hint}


class ServerFull(RequestRefused):
    """The server has its maximum number of clients."""

    status = 503
    message = "Server full"
    retry_after = 5


def attempt(action: Callable[..., object], *args: Any) -> None:
    """Call an action; log an error, so that the next actions run."""
    try:
        action(*args)
    except Exception:
        logger.exception("%r failed", action)
