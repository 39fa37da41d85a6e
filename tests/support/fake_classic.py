"""Channels without Redis, and nodes with the classic adapter on them."""

from __future__ import annotations

from typing import Any

from fake_stream import FakeNode, Talker
from fakes import FakeLoop, started

from handlers.socketio import Hub, SocketIOHandler
from handlers.socketio.cluster.channels import ClassicChannels
from handlers.socketio.cluster.classic import ClassicNode

CHANNELS = ClassicChannels("socket.io")


class FakeChannels:
    """Delivers what is published to all nodes, the sender too."""

    def __init__(self) -> None:
        self.nodes: list[FakeClassicNode] = []
        self.strangers = 0
        """Number of Node's servers, which hear requests."""
        self.published: list[tuple[str, bytes]] = []

    def publish(self, channel: str, payload: bytes) -> None:
        self.published.append((channel, payload))
        for node in self.nodes:
            answers_another = "-response#" in channel and channel.endswith("#/#") is False
            if node.is_connected and not node.hangs and (not answers_another or channel == node.own_channel):
                node.unheard.append((channel.encode(), payload))


class FakeClassicNode(FakeNode):
    """A hub with a connection to channels, and a clock."""

    cluster: ClassicNode  # type: ignore[assignment]

    def __init__(
        self, channels: FakeChannels, name: str = "a", handler: type[SocketIOHandler] = Talker, **options: Any
    ) -> None:
        self.channels = channels
        self.hub = Hub({"/": handler}, **options)
        self.loop: FakeLoop = started(self.hub)
        self.cluster = ClassicNode(self.hub, name, "socket.io", lambda: None)
        self.hub.backplane = self.cluster
        self.own_channel = CHANNELS.of_server(self.cluster.uid)
        self.unheard: list[tuple[bytes, bytes]] = []
        self.is_connected = self.hangs = False
        channels.nodes.append(self)
        self.connect()

    def connect(self) -> None:
        """Connect, and go on."""
        self.is_connected = True
        self.cluster.reached()
        self.loop.turn()

    def read(self, number: int = 10**9) -> None:
        """Hear what was published."""
        heard, self.unheard = self.unheard[:number], self.unheard[number:]
        for channel, payload in heard:
            self.cluster.hear(channel, payload)
        self.loop.turn()

    def write(self) -> None:
        for message in self.cluster.take_unpublished():
            self.channels.publish(*message)
        for question in self.cluster.questions.take_unpublished():
            if question.request is not None:
                others = {node.cluster.uid for node in self.channels.nodes if node is not self and node.is_connected}
                question.request.published(others, self.channels.strangers)
            self.channels.publish(CHANNELS.of_server(question.uid, question.namespace), question.payload)

    def lose(self) -> None:
        self.unheard = []
        super().lose()
