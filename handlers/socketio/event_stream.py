"""Server-Sent Events: broadcasts of a namespace for clients that only listen.

Try `curl -N localhost:3000/events`. A stream is one more reader of the namespace's log: `event:` is the event, `data:`
its argument as JSON (several: an array), `id:` the offset, with which a client that reconnects resumes. Events with
attachments are not sent, because the format cannot carry them.

Source: HTML standard, section 9.2.
"""

from __future__ import annotations

from asyncio import Future

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPServerRequest

from .engineio.access import Access
from .engineio.endpoint import Endpoint
from .engineio.http_server import limit_unread_time
from .engineio.offsets import read_offset, write_offset
from .engineio.origins import check_bytes
from .engineio.reader import Reader
from .engineio.reasons import CloseReason
from .engineio.room import Entry, Slice
from .hub import Hub
from .json_codec import DEEP, dump
from .message import decode_text

HEARTBEAT = ":\n\n"


def write_events(unread: Slice) -> str:
    """Return entries in the format of an event stream."""
    return "".join(_write_event(entry) for entry in unread.entries)


def _write_event(entry: Entry) -> str:
    text = entry.packets[0].data
    assert isinstance(text, str)
    message, attachments = decode_text(text, DEEP)
    if attachments:
        return ""
    event, *args = message.data
    name = " ".join(str(event).splitlines())
    id_ = f"id: {write_offset(entry.offset)}\n" if entry.replayable else ""
    return f"{id_}event: {name}\ndata: {dump(args[0] if len(args) == 1 else args, [])}\n\n"


class EventStream(Reader):
    """Reader of the log and transport of one connection."""

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
        """Whether the last write is complete."""
        return not self._writing

    def deliver(self, unread: Slice) -> bool:
        """Send entries unless the last write is incomplete; return whether sent."""
        if self._writing:
            return False
        if unread:
            self.send(unread.derive(write_events))
        return True

    def beat(self) -> None:
        """Send a comment, so that proxies do not close an idle connection."""
        if not self._writing:
            self.send(HEARTBEAT)

    def close(self, reason: CloseReason) -> None:
        """Close the stream; a browser reconnects by itself."""
        if self.reason is None:
            self.reason = reason
            self._hub.counters.closed[reason] += 1
            self.leave_all()
            self._handler.end()

    def send(self, text: str) -> None:
        """Write text and wait for the socket in the background."""
        self._writing = True
        self._handler.send(text).add_done_callback(self._written)

    def _written(self, sent: Future[None]) -> None:
        self._writing = False
        if sent.exception() is not None:
            self.close("transport error")
        elif self.reason is None:
            self.delivery.schedule(self)


class EventStreamAccess(Access):
    """The checks of requests for an event stream."""

    def admit(self, request: HTTPServerRequest) -> None:
        """Raise RequestRefused for other origins' pages, and beyond the limits."""
        check_bytes(request.headers.get("Origin"))
        self.check_origin(request)
        self.check_limits(request)


class EventStreamHandler(Endpoint):
    """A request for an event stream."""

    transport_name = "events"
    engine: Hub

    def initialize(self, access: Access, namespace: str = "/") -> None:
        """Store the arguments that `event_stream` passes."""
        super().initialize(access)
        self.namespace = namespace

    async def get(self) -> None:
        """Send events until the client disconnects."""
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
        offset = read_offset(self.request.headers.get("Last-Event-ID"))
        if offset and room.forgotten <= offset:
            self._stream.requeue(Slice(room.after(offset)))
        self._stream.send(HEARTBEAT)
        await self._ended

    def _wait_for_receipts(self) -> None:
        """Let the kernel close the connection after `ping_timeout` without TCP acknowledgements.

        A heartbeat is not possible, because these clients send no pongs.
        """
        assert isinstance(self.request.connection, HTTP1Connection)
        stream = self.request.connection.stream
        if not stream.closed():
            limit_unread_time(stream.socket, self.engine.ping_timeout)

    def send(self, text: str) -> Future[None]:
        """Write to the socket; the future is done when all is written."""
        body = text.encode(errors="replace")  # a name, unlike data, cannot escape half of a surrogate pair
        self.engine.counters.traffic[self.transport_name].sent += len(body)
        self.write(body)
        return self.flush()

    def end(self) -> None:
        """Finish the request."""
        self.engine.streams.end(self._stream)
        self.engine.admission.leave(self.request.remote_ip or "")
        if not self._ended.done():
            self._ended.set_result(None)

    def on_connection_close(self) -> None:
        """Close the stream of a client that has disconnected."""
        self._stream.close("transport close")
