"""Server-Sent Events: what is broadcast in a namespace, for whoever only listens. `curl -N localhost:3000/events`

One more reader of the same log: `event:` is the event, `data:` its argument as JSON (several: an array), `id:` the
stamp, by which a listener that comes back resumes. Events with attachments, which the format cannot carry, are not
sent.

Source: HTML standard, section 9.2.
"""

from __future__ import annotations

import socket
from asyncio import Future
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPServerRequest

from .engineio.access import Access
from .engineio.endpoint import Endpoint
from .engineio.engine import Engine
from .engineio.origins import Origins, check_bytes
from .engineio.reader import Reader
from .engineio.reasons import CloseReason
from .engineio.room import Entry, Slice
from .json_codec import DEEP, dump
from .message import decode_text

if TYPE_CHECKING:
    from .hub import Hub

HEARTBEAT = ":\n\n"
LONGEST = (1 << 31) - 1
"""Milliseconds that the kernel can wait."""


def write_events(entries: Sequence[Entry]) -> str:
    """Write entries in the format of an event stream."""
    return "".join(_write_event(entry) for entry in entries)


def _write_event(entry: Entry) -> str:
    text = entry.packets[0].data
    assert isinstance(text, str)
    message, attachments = decode_text(text, DEEP)
    if attachments:
        return ""
    event, *args = message.data
    name = " ".join(str(event).splitlines())
    id_ = f"id: {entry.offset}\n" if entry.replayable else ""
    return f"{id_}event: {name}\ndata: {dump(args[0] if len(args) == 1 else args, [])}\n\n"


class EventStream(Reader):
    """One listener."""

    __slots__ = ("_handler", "_hub", "_writing", "transport")

    def __init__(self, hub: Hub, handler: EventStreamHandler) -> None:
        super().__init__(hub.delivery)
        self.transport = self
        self._hub = hub
        self._handler = handler
        self._writing = False

    burst = 0

    @property
    def ready(self) -> bool:
        """Whether the socket has taken what was sent before."""
        return not self._writing

    def deliver(self, unread: Slice) -> bool:
        """Send entries, unless the socket has not taken what was sent before; return whether they were sent."""
        if self._writing:
            return False
        if unread:
            self.send(unread.written(write_events))
        return True

    def beat(self) -> None:
        """Send something, lest a proxy take the connection for dead."""
        if not self._writing:
            self.send(HEARTBEAT)

    def close(self, reason: CloseReason) -> None:
        """End it; the listener's browser comes back by itself."""
        if self.reason is None:
            self.reason = reason
            self._hub.counters.closed[reason] += 1
            self.leave_all()
            self._handler.end()

    def send(self, text: str) -> None:
        """Write to the socket."""
        self._writing = True
        self._handler.send(text).add_done_callback(self._written)

    def _written(self, sent: Future[None]) -> None:
        self._writing = False
        if sent.exception() is not None:
            self.close("transport error")
        elif self.reason is None:
            self.delivery.schedule(self)


class EventStreamAccess(Access):
    """The checks of requests for a stream."""

    def admit(self, request: HTTPServerRequest) -> None:
        """Raise RequestRefused where a page may not listen."""
        check_bytes(request.headers.get("Origin"))
        self.check_origin(request)
        self.check_limits(request)


class EventStreamHandler(Endpoint):
    """A request for a stream."""

    transport_name = "events"
    access_kind = EventStreamAccess
    engine: Hub

    def initialize(self, engine: Engine, origins: Origins, trust_proxy: bool, namespace: str = "/") -> None:
        """Take what `event_stream` passes."""
        super().initialize(engine, origins, trust_proxy)
        self.namespace = namespace

    async def get(self) -> None:
        """Send what is said, until the listener leaves."""
        self._ended: Future[None] = Future()
        self.set_header("Content-Type", "text/event-stream; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")
        hub = self.engine
        room = hub.namespace(self.namespace).everyone
        hub.recovery.retain(room)
        self._stream = EventStream(hub, self)
        self._stream.enter(room)
        hub.counters.opened[self.transport_name] += 1
        hub.streams.begin(self._stream, hub.now())
        hub.admission.enter(self.request.remote_ip or "")
        self._wait_for_receipts()
        offset = self.request.headers.get("Last-Event-ID", "")
        if offset.isdecimal() and room.forgotten <= int(offset[:20]):
            self._stream.requeue(Slice(room.after(int(offset[:20]))))
        self._stream.send(HEARTBEAT)
        await self._ended

    def _wait_for_receipts(self) -> None:
        """Have the kernel end the connection when what was sent is not taken in time: a listener sends no pongs."""
        assert isinstance(self.request.connection, HTTP1Connection)
        stream = self.request.connection.stream
        if hasattr(socket, "TCP_USER_TIMEOUT") and not stream.closed() and stream.socket.family != socket.AF_UNIX:
            milliseconds = round(min(1000 * self.engine.ping_timeout, LONGEST))
            stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    def send(self, text: str) -> Future[None]:
        """Write to the socket; the result comes when it has taken it all."""
        body = text.encode(errors="replace")  # half of a surrogate pair in a name: unlike data it cannot be escaped
        self.engine.counters.traffic[self.transport_name].sent += len(body)
        self.write(body)
        return self.flush()

    def end(self) -> None:
        """Let the request end."""
        self.engine.streams.end(self._stream)
        self.engine.admission.leave(self.request.remote_ip or "")
        if not self._ended.done():
            self._ended.set_result(None)

    def on_connection_close(self) -> None:
        """Part with a listener that is gone."""
        self._stream.close("transport close")
