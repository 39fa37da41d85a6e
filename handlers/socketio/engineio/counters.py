"""Counters of one server since its start.

Most are counted at rare events: a client connects, disconnects, is refused or upgrades. A message costs only three
additions: one for each room that it is published in, with any number of readers, one for each write and one for each
read. Published entries need no counter, because their offsets are consecutive.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple, get_args

from .errors import RequestRefused
from .reasons import CloseReason

TRANSPORTS = ("polling", "websocket")
REMEMBERED = 20
"""Number of refusals kept."""
LONG = 300
"""Maximum characters kept of a hint."""


class Traffic:
    """Bytes of one transport, without HTTP headers and TLS.

    They are frames, bodies of polls and POSTs, and event streams.
    """

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0


class LoggedRefusal(NamedTuple):
    """A refused request; the hint may quote data of the client."""

    at: float
    """Seconds since 1970."""
    address: str
    message: str
    hint: str


class Counters:
    """The counters of one engine."""

    transports: ClassVar[Sequence[str]] = TRANSPORTS

    def __init__(self) -> None:
        self.opened: Counter[str] = Counter(dict.fromkeys(self.transports, 0))
        """Connections opened, by their first transport."""
        self.closed: Counter[str] = Counter(dict.fromkeys(get_args(CloseReason), 0))
        """Connections closed, by reason."""
        self.refused: Counter[tuple[int, str]] = Counter(
            {(kind.code, kind.message): 0 for kind in _kinds(RequestRefused)}
        )
        """HTTP requests refused, by code and message of the answer."""
        self.refusals: deque[LoggedRefusal] = deque(maxlen=REMEMBERED)
        """The last refused requests."""
        self.upgraded = 0
        """Upgrades to WebSocket that were completed."""
        self.not_upgraded = 0
        """Upgrades that were started and abandoned."""
        self.rate_limited = 0
        """Times that reading from a client was paused because it exceeded the packet rate."""
        self.deliveries = 0
        """Entries delivered, counted once per reader."""
        self.traffic = {name: Traffic() for name in self.transports}

    def refuse(self, address: str, refusal: RequestRefused, at: float) -> None:
        """Count a refused request and keep it; `at`: seconds since 1970."""
        self.refused[refusal.code, refusal.message] += 1
        self.refusals.append(LoggedRefusal(at, address, refusal.message, refusal.hint[:LONG]))


def _kinds(refusal: type[RequestRefused]) -> Iterator[type[RequestRefused]]:
    for kind in refusal.__subclasses__():
        yield kind
        yield from _kinds(kind)
