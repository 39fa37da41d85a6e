"""What no application needs and some tests do: the session that carries a client."""

from __future__ import annotations

from typing import Any

from handlers.socketio.session import Session


def session_of(handler: Any) -> Session:
    """Return the session of a client, by its handler."""
    session: Session = handler._SocketIOHandler__client.session
    return session


def cut_all(hub: Any) -> None:
    """End all connections as a network does: the clients come back."""
    for session in list(hub.sessions.values()):
        session.close("transport close")
