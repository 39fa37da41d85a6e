"""A node of a cluster of the classic adapter, without a log.

An action happens here at once, and is published; what others publish happens when it is heard. So each node has its
own order, what is published while a node is away from Redis never reaches it, and a client recovers its session on its
own node only.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..actions import Action
from ..engineio.offsets import SEQUENCE
from .classic_format import ClassicMessage, ToPublish, decode_message, encode_message
from .classic_requests import RoomsQuestion, encode_request, encode_rooms
from .errors import MalformedError
from .node import Node
from .presence import EVENT
from .request_format import Published
from .requests import Requests, Unpublished
from .roster import SILENCE, Roster
from .stream_format import ServerEvent

if TYPE_CHECKING:
    from ..hub import Hub
    from ..namespace import Namespace

MAX_UNPUBLISHED = 64 << 20
"""Maximum bytes that wait for Redis."""


class ClassicRoster(Roster):
    """A roster without a common order: one node tells of others."""

    def check(self, subscribers: Mapping[str, int]) -> None:
        """Say which nodes are gone, if this has the lowest uid."""
        now = self._this.hub.now()
        living = [
            uid for uid, node in self.presence.nodes.items() if subscribers.get(uid) and now - node.heard_at <= SILENCE
        ]
        if all(self._this.uid < uid for uid in living):
            super().check(subscribers)


class ClassicNode(Node):
    """The backplane of one node that performs what it hears."""

    def __init__(self, hub: Hub, name: str, prefix: str, wake: Callable[[], None]) -> None:
        super().__init__(hub, name, wake)
        self.uid = secrets.token_hex(3)
        self.roster = ClassicRoster(self)
        self.questions = Requests(self, wake, encode_request)
        hub.delivery.step = SEQUENCE
        self._prefix = prefix
        self._own = b"\x93\xa6" + self.uid.encode()
        """How an event of this node begins."""
        self._responses = f"{prefix}-response#".encode()
        self._unpublished: list[ToPublish] = []
        self._size = 0
        self._was_there = False

    # -- sending

    def send(self, namespace: Namespace, action: Action, speaker: str = "") -> None:
        """Perform an action here, and publish it."""
        self._publish(action)
        super().send(namespace, action, speaker)

    def put(self, content: Action | ServerEvent, speaker: str = "") -> None:
        """Publish what the roster says, and hear it."""
        self._publish(content)
        if isinstance(content, ServerEvent):
            self.roster.receive(content, self.uid)

    def _publish(self, content: Action | ServerEvent) -> None:
        message = encode_message(content, self.uid, self._prefix)
        if self.away_since is not None or self._size > MAX_UNPUBLISHED:
            self.dropped["away"] += 1
            return
        self._unpublished.append(message)
        self._size += len(message.payload)
        self.wake()

    def take_unpublished(self) -> list[ToPublish]:
        """Return the messages to publish, with changes of presence."""
        self.roster.put_changes()
        unpublished, self._unpublished, self._size = self._unpublished, [], 0
        self.written += len(unpublished)
        return unpublished

    # -- what the connection brings

    def reached(self) -> None:
        """Handle that Redis is there: nobody knows what was missed."""
        again, self._was_there = self._was_there, True
        super().reached()
        if again:
            self.gaps.note("what was published while Redis was away is in no log")
            self.roster.ask()

    def lost(self, why: str) -> None:
        """Handle that Redis is away: forget what is not published."""
        super().lost(why)
        self.dropped["away"] += len(self._unpublished)
        self._unpublished, self._size = [], 0
        self.questions.lost()

    def hear(self, channel: bytes, payload: bytes) -> None:
        """Perform or answer a message of another server, or of an emitter."""
        self.read += 1
        if payload.startswith(self._own) or (channel.startswith(self._responses) and not self.questions.waits):
            return
        try:
            self._receive(decode_message(channel, payload, self._prefix, self.hub.max_payload))
        except MalformedError as error:
            self.drop(error)

    def _receive(self, message: ClassicMessage) -> None:
        uid, content = message
        if uid == self.uid:
            return
        if isinstance(content, Action):
            self.act(content)
        elif isinstance(content, Published):
            self.questions.receive(content)
        elif isinstance(content, RoomsQuestion):
            self._answer_rooms(content)
        elif content is not None and content.event != EVENT:
            self.questions.receive_event(content)
        elif content is not None and uid:
            self.roster.receive(content, uid)

    def _answer_rooms(self, question: RoomsQuestion) -> None:
        namespace = self.hub.live(question.namespace)
        rooms = [] if namespace is None else [*namespace.rooms, *namespace.clients]
        self.questions.publish(Unpublished(question.namespace, question.uid, encode_rooms(question, rooms, self.uid)))
