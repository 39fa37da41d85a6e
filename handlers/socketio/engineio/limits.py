"""Limits of rates, and of the number of clients.

A client behind a proxy has the proxy's address, unless the server trusts what the proxy forwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from math import ceil

from .declared import check_number, check_seconds
from .errors import ServerFull, TooManyRequests

BURST = 2
"""Seconds' worth of packets or handshakes that may come at once."""
MIN_PAUSE = 0.05
"""Minimum seconds of a pause in reading, because each pause costs time, too."""
RECOVERY = 1.0
"""Seconds without a pause after which a client counts as within its rate again."""
GRACE = 10.0
"""Seconds for which a client may exceed its rate."""
ROUNDING = 1e-6
"""Seconds to wait that are none, because sums of fractions are not exact."""


def burst_of(rate: float) -> tuple[int, float]:
    """Return times and seconds of a bucket that refills at a rate."""
    times = ceil(BURST * rate)
    return times, times / rate


class TokenBucket:
    """Allows a burst of uses, then a steady rate.

    times: how many at once. seconds: in which as many may follow, one by one.
    """

    __slots__ = ("_allowed_at", "seconds", "times")

    def __init__(self, times: int, seconds: float) -> None:
        self.times = times
        self.seconds = seconds
        self._allowed_at = float("-inf")

    def wait(self, now: float) -> float:
        """Return the seconds until the next use is allowed; 0: now.

        now: seconds on a monotonic clock.
        """
        wait = self._allowed_at - now
        return wait if wait > ROUNDING else 0.0

    def take(self, now: float) -> float:
        """Count one use and return 0, or return the seconds to wait."""
        wait = self._allowed_at - now
        if wait > ROUNDING:
            return wait
        interval = self.seconds / self.times
        self._allowed_at = max(self._allowed_at, now + interval - self.seconds) + interval
        return 0.0


class RateLimit(TokenBucket):
    """Allows a burst of uses, then a steady rate: a token bucket.

    times: how many at once. seconds: in which as many may follow, one by one.
    """

    __slots__ = ()

    def __init__(self, times: int, seconds: float) -> None:
        check_number("times", times, "uses", zero=False, whole=True)
        check_seconds("seconds", seconds)
        super().__init__(times, seconds)


class Throttle(TokenBucket):
    """Slows one client down to a rate; `rate`: packets a second."""

    __slots__ = ("_paused_until", "_since")

    def __init__(self, rate: float, now: float) -> None:
        super().__init__(*burst_of(rate))
        self._since = now
        self._paused_until = now - RECOVERY

    def pause(self, now: float, wait: float) -> float:
        """Return the seconds to pause after a packet beyond the rate.

        wait: what `take` returned.
        """
        interval = self.seconds / self.times
        wait = min(wait, interval)  # packets that arrive during a pause do not lengthen it
        self._allowed_at = now + wait + interval
        if now - self._paused_until >= RECOVERY:
            self._since = now
        pause = max(MIN_PAUSE, wait)
        self._paused_until = now + pause
        return pause

    @property
    def exhausted(self) -> bool:
        """Whether the client has exceeded its rate for longer than GRACE."""
        return self._paused_until - self._since > GRACE


MAX_TRACKED = 10_000
"""Maximum number of addresses whose handshakes are counted; beyond it the oldest is forgotten."""


class Admission:
    """Counts clients by address, and enforces limits; 0: no limit.

    clients: in total. per_address: from one address. handshakes: a second, from one address.
    """

    def __init__(self, clients: int = 0, per_address: int = 0, handshakes: float = 0) -> None:
        self._clients = clients
        self._per_address = per_address
        self._handshakes = handshakes
        self._number = 0
        self._inside: Counter[str] = Counter()
        self._limits: dict[str, TokenBucket] = {}

    def check(self, address: str, clock: Callable[[], float]) -> None:
        """Raise RequestRefused if one more client of this address exceeds a limit."""
        place = address_key(address)
        if self._clients and self._number >= self._clients:
            raise ServerFull(f"max_clients={self._clients} reached")
        if self._per_address and self._inside[place] >= self._per_address:
            raise TooManyRequests(f"max_per_address={self._per_address} reached by {place}")
        if self._handshakes and self._limit_of(place).take(clock()):
            raise TooManyRequests(f"handshake_rate={self._handshakes:g} a second exceeded by {place}")

    def enter(self, address: str) -> None:
        """Count a new client of this address."""
        self._number += 1
        if self._per_address:
            self._inside[address_key(address)] += 1

    def leave(self, address: str) -> None:
        """Count out a client of this address."""
        self._number -= 1
        if self._per_address:
            place = address_key(address)
            self._inside[place] -= 1
            if not self._inside[place]:
                del self._inside[place]

    def _limit_of(self, place: str) -> TokenBucket:
        if place not in self._limits:
            if len(self._limits) >= MAX_TRACKED:
                self._limits.pop(next(iter(self._limits)))
            self._limits[place] = TokenBucket(*burst_of(self._handshakes))
        return self._limits[place]


def address_key(address: str) -> str:
    """Return an IPv4 address, or the /64 network of an IPv6 address.

    An IPv6 customer usually has a whole /64.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(parsed) if parsed.version == 4 else f"{parsed.exploded[:19]}::/64"
