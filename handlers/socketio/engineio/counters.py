"""What has happened on one server since it began: numbers that only grow, for whoever watches it.

They are counted where things are rare: when a client comes or goes, is refused or upgrades. The way of a message has
three additions: one for each room that something is said in, however many hear it, one for each write and one for each
read. How many things were said is no count of its own, because it is what the stamps say.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple, get_args

from .errors import RequestRefused
from .reasons import CloseReason

TRANSPORTS = ("polling", "websocket", "events")
REMEMBERED = 20
"""How many refusals are remembered."""
LONG = 300
"""Characters of a hint that are."""


class Traffic:
    """Bytes of one transport: frames, bodies of polls and POSTs, event streams; without the heads of HTTP, and TLS."""

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0


class LoggedRefusal(NamedTuple):
    """A request that was not served; the hint may quote what the client sent."""

    at: float
    """Seconds since 1970."""
    address: str
    message: str
    hint: str


class Counters:
    """The counters of one engine."""

    def __init__(self) -> None:
        self.opened: Counter[str] = Counter(dict.fromkeys(TRANSPORTS, 0))
        """Connections by the transport that they began with."""
        self.closed: Counter[str] = Counter(dict.fromkeys(get_args(CloseReason), 0))
        """The same, by the reason for which they ended."""
        self.refused: Counter[tuple[int, str]] = Counter(
            {(kind.code, kind.message): 0 for kind in _kinds(RequestRefused)}
        )
        """HTTP requests that were not served, by the code and the message of the answer."""
        self.refusals: deque[LoggedRefusal] = deque(maxlen=REMEMBERED)
        """The last of those."""
        self.upgraded = 0
        """Clients that went on over WebSocket."""
        self.not_upgraded = 0
        """Upgrades that were begun and came to nothing."""
        self.recovered = 0
        """Clients that came back and were sent what they had missed."""
        self.rate_limited = 0
        """How often a client was slowed down for what it sent."""
        self.deliveries = 0
        """What was said, once for each client that was there to hear it."""
        self.events = 0
        """Events that clients sent."""
        self.traffic = {name: Traffic() for name in TRANSPORTS}

    def refuse(self, address: str, refusal: RequestRefused, at: float) -> None:
        """Count a request that is not served, and remember it; `at`: seconds since 1970."""
        self.refused[refusal.code, refusal.message] += 1
        self.refusals.append(LoggedRefusal(at, address, refusal.message, refusal.hint[:LONG]))


def _kinds(refusal: type[RequestRefused]) -> Iterator[type[RequestRefused]]:
    for kind in refusal.__subclasses__():
        yield kind
        yield from _kinds(kind)
