"""A stream, and nodes whose lines to it a test breaks."""

from __future__ import annotations

import json
from typing import Any

from fakes import FakeLoop, FakeTransport, connect, started

from handlers.socketio import Hub, SocketIOHandler
from handlers.socketio.cluster.binary_values import unpack
from handlers.socketio.cluster.cluster import Cluster
from handlers.socketio.cluster.requests import Unpublished
from handlers.socketio.cluster.sessions import PREFIX
from handlers.socketio.cluster.stream_place import Fields, StreamState, offset_of_id


class FakeStream:
    """Entries with rising ids; the oldest may be trimmed."""

    def __init__(self) -> None:
        self.entries: list[tuple[bytes, Fields]] = []
        self.last = 1_000_000
        self.sessions: dict[str, bytes] = {}
        """Records by their key."""
        self.nodes: list[FakeNode] = []
        self.strangers: list[str] = []
        """Ids of servers of another kind, which hear what is published."""
        self.published: list[tuple[str, dict[str, Any]]] = []
        """Each message, and the id of the server that it is for; "": all."""

    def add(self, fields: dict[str, str], ms: int = 1) -> None:
        self.last += ms
        raw = {name.encode(): value.encode() for name, value in fields.items()}
        self.entries.append((f"{self.last}-0".encode(), raw))

    def after(self, place: int) -> list[tuple[bytes, Fields]]:
        return [entry for entry in self.entries if offset_of_id(entry[0]) > place]

    def trim(self, kept: int) -> None:
        self.entries = self.entries[len(self.entries) - kept :] if kept else []

    def publish(self, sender: FakeNode, message: Unpublished) -> None:
        self.published.append((message.uid, unpack(message.payload)))
        hearing = [node for node in self.nodes if node.is_connected]
        if message.request is not None:
            message.request.published({node.cluster.uid for node in hearing if node is not sender}, len(self.strangers))
        for node in hearing:
            if message.uid in ("", node.cluster.uid) and not node.hangs:
                node.cluster.questions.hear(message.payload)

    @property
    def state(self) -> StreamState:
        last = self.last << 64
        return StreamState(offset_of_id(self.entries[0][0]) if self.entries else last, last)


class Talker(SocketIOHandler):
    """Says what it is told to say."""

    remembered = ("color",)
    lost: list[str]

    def on_say(self, *said: Any) -> str:
        self.broadcast("said", *said)
        self.emit("private", *said)
        return "said it"

    @classmethod
    def clients_lost(cls, hub: Hub, namespace: str, ids: list[str]) -> None:
        hub.settings.setdefault("lost", []).extend(ids)


class FakeNode:
    """A hub with a line to the stream, and a clock."""

    def __init__(
        self,
        stream: FakeStream,
        name: str = "a",
        handler: type[SocketIOHandler] = Talker,
        is_connected: bool = True,
        **options: Any,
    ) -> None:
        self.stream = stream
        self.hub = Hub({"/": handler}, **options)
        self.loop: FakeLoop = started(self.hub)
        self.cluster = Cluster(self.hub, name, lambda: None)
        self.hub.backplane = self.cluster
        self.cluster.sessions.fetch = self.fetch_session
        self.limbo: list[dict[str, str]] = []
        """What a Redis that hangs will still write."""
        self.is_connected = False
        self.hangs = False
        """Whether it is subscribed, and does nothing."""
        stream.nodes.append(self)
        if is_connected:
            self.connect()

    def connect(self) -> None:
        """Connect, read to the end, and go on."""
        self.cluster.connected(self.stream.state)
        self.read()
        self.cluster.caught_up()
        self.is_connected = True
        self.loop.turn()

    def read(self, number: int = 10**9) -> None:
        self.cluster.receive_all(self.stream.after(self.cluster.place)[:number])
        self.loop.turn()

    async def fetch_session(self, pid: str) -> bytes | None:
        return self.stream.sessions.pop(PREFIX + pid, None)

    def write(self) -> None:
        if self.is_connected:
            for key, value, _ in self.cluster.sessions.take():
                self.stream.sessions[key] = (value or "").encode()
                if value is None:
                    del self.stream.sessions[key]
        for fields in self.cluster.take_unwritten():
            self.stream.add(fields)
        for message in self.cluster.questions.take_unpublished():
            self.stream.publish(self, message)

    def fail(self, written: int = 0, late: bool = False) -> None:
        """Break the line while it writes.

        written: entries that are in the stream. late: whether the others come later.
        """
        unwritten = self.cluster.take_unwritten()
        for fields in unwritten[:written]:
            self.stream.add(fields)
        if late:
            self.limbo += unwritten[written:]
        self.lose()

    def lose(self) -> None:
        self.is_connected = False
        self.cluster.lost("the test says so")
        self.loop.turn()

    def thaw(self) -> None:
        """Let Redis do what it was sent before it hung."""
        for fields in self.limbo:
            self.stream.add(fields)
        self.limbo = []

    def client(self, auth: dict[str, Any] | None = None) -> FakeTransport:
        """Connect a client."""
        transport = connect(self.hub, "websocket")
        transport.brings(f"0{json.dumps(auth or {})}")
        self.loop.turn()
        return transport


def settle(*nodes: FakeNode) -> None:
    """Let all nodes write and read until there is nothing left."""
    for _ in range(5):
        for node in nodes:
            if not node.is_connected:
                node.connect()
            node.write()
        for node in nodes:
            node.read()


def heard(client: FakeTransport, event: str = "said") -> list[Any]:
    """The arguments of a client's events of one name."""
    texts = [text for text in client.received if isinstance(text, str) and text.startswith(f'2["{event}"')]
    return [json.loads(text[1:])[1:] for text in texts]
