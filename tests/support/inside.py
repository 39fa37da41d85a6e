"""The library's side of a client, for tests that need it.

No application does.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from tornado.web import Application

from handlers.socketio.client import Client
from handlers.socketio.engineio.session import Session
from handlers.socketio.testing import connect as connect_in_test

connect = partial(connect_in_test, raises=False)
"""Connects a client that hears of a mistake what a browser would: what most tests of the library look at."""


def client_of(handler: Any) -> Client:
    """Return the client that a handler has."""
    client: Client = handler._SocketIOHandler__client
    return client


def hub_of(application: Application) -> Any:
    """Return the hub that an application's first routes serve."""
    return application.wildcard_router.rules[0].target_kwargs["access"].engine


def status_of(application: Application) -> Any:
    """Return what the status page of an application shows."""
    return application.settings["hub"].namespace("/status").handler.status


def without_samples(application: Application) -> Application:
    """Have no samples taken but by a test."""
    application.settings["hub"].when_started.clear()
    return application


def session_of(handler: Any) -> Session:
    """Return the session of a client, by its handler."""
    return client_of(handler).session


def cut_all(hub: Any) -> None:
    """End all connections as a network does: the clients come back."""
    for session in list(hub.sessions.values()):
        session.close("transport close")
