"""What emitters of the classic adapter publish, performed on this node.

Each node hears it for itself, when it is published: it is in no stream, so it has no place in the common order, and
what is published while a node is away from Redis does not reach its clients.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..actions import Action
from .classic_format import EMITTER, decode_message
from .errors import MalformedError

if TYPE_CHECKING:
    from .node import Node

_REQUEST = b"\x84"
"""How a request of a streams cluster begins: a map of four; what an emitter sends to these channels is an array."""


def patterns(prefix: str) -> tuple[str, str]:
    """Return the patterns of all channels of events and of requests."""
    escaped = re.sub(r"([][*?\\])", r"\\\1", prefix)
    return f"{escaped}#*", f"{escaped}-request#*"


class Emitted:
    """Hears the emitters of a prefix."""

    def __init__(self, node: Node, prefix: str) -> None:
        self._node = node
        self._prefix = prefix
        self.patterns = patterns(prefix)
        """Patterns of the channels to subscribe to."""

    def hear(self, channel: bytes, payload: bytes) -> None:
        """Perform a message, if an emitter has sent it."""
        if payload[:1] == _REQUEST and channel.startswith(f"{self._prefix}#".encode()):
            return
        try:
            uid, content = decode_message(channel, payload, self._prefix, self._node.hub.max_payload)
        except MalformedError as error:
            self._node.drop(error)
            return
        if isinstance(content, Action) and uid in (EMITTER, ""):  # a request of an emitter has no uid
            self._node.act(content)
