"""An event stream whose socket takes nothing.

The rest is in test_features.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from handlers.socketio import Hub, SocketIOHandler
from handlers.socketio.event_stream import EventStream
from handlers.socketio.testing import connect

pytestmark = pytest.mark.gen_test


class Broken:
    """A request whose connection is closed already."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def send(self, text: str) -> asyncio.Future[None]:
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sent.set_exception(ConnectionResetError())
        return sent

    def end(self) -> None:
        self.ended.set()


async def test_a_listener_that_cannot_be_written_to_leaves_no_reader_behind() -> None:
    hub = Hub({"/": SocketIOHandler})
    await connect(hub)
    room, handler = hub.namespaces["/"].everyone, Broken()
    handler_of_any_kind: Any = handler
    stream = EventStream(hub, handler_of_any_kind)
    stream.enter(room)
    stream.send("hello")
    await asyncio.wait_for(handler.ended.wait(), 5)
    assert stream.reason == "transport error"
    assert stream not in room.readers
