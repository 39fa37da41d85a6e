"""Limits of rates, and of the number of clients.

A TokenBucket slows a client down to a rate, in constant memory. A RateLimit refuses what would exceed a number in any
span of time; it remembers each use. A client behind a proxy has the proxy's address, unless the server trusts what the
proxy forwards.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from ipaddress import ip_address

from .declared import check_number, check_seconds
from .errors import ServerFull, TooManyRequests

BURST = 2
"""Seconds' worth of packets that a bucket holds."""
MIN_PAUSE = 0.05
"""Minimum seconds of a pause in reading, because each pause costs time, too."""
RECOVERY = 1.0
"""Seconds without a pause after which a client counts as within its rate again."""
GRACE = 10.0
"""Seconds for which a client may exceed its rate."""


class TokenBucket:
    """Token bucket of one client; `rate`: packets a second."""

    __slots__ = ("_at", "_paused_until", "_rate", "_since", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = BURST * rate
        self._at = self._since = now
        self._paused_until = now - RECOVERY

    def spend(self, clock: Callable[[], float]) -> float:
        """Count one packet; return the seconds to pause before the next.

        The clock is read only when the bucket is empty.
        """
        self._tokens -= 1
        if self._tokens >= 0:
            return 0.0
        now = clock()
        # Packets that arrive during a pause do not lengthen it.
        self._tokens = max(-1.0, min(BURST * self._rate, self._tokens + (now - self._at) * self._rate))
        self._at = now
        if self._tokens >= 0:
            return 0.0
        if now - self._paused_until >= RECOVERY:
            self._since = now
        pause = max(MIN_PAUSE, -self._tokens / self._rate)
        self._paused_until = now + pause
        return pause

    @property
    def exhausted(self) -> bool:
        """Whether the client has exceeded its rate for longer than GRACE."""
        return self._paused_until - self._since > GRACE


class RateLimit:
    """Allows so many times within any span of so many seconds."""

    def __init__(self, times: int, seconds: float) -> None:
        check_number("times", times, "uses", zero=False, whole=True)
        check_seconds("seconds", seconds)
        self.times = times
        self.seconds = seconds
        self._taken: deque[float] = deque(maxlen=times)

    def wait(self, now: float) -> float:
        """Return the seconds until the next use is allowed; 0: now.

        now: seconds on a monotonic clock.
        """
        return max(0.0, self._taken[0] + self.seconds - now) if len(self._taken) == self.times else 0.0

    def take(self, now: float) -> float:
        """Count one use and return 0, or return the seconds to wait."""
        wait = self.wait(now)
        if not wait:
            self._taken.append(now)
        return wait


MAX_TRACKED = 10_000
"""Maximum number of addresses with a handshake bucket; beyond it the oldest is forgotten."""


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
        self._allowances: dict[str, TokenBucket] = {}

    def check(self, address: str, clock: Callable[[], float]) -> None:
        """Raise RequestRefused if one more client of this address exceeds a limit."""
        place = address_key(address)
        if self._clients and self._number >= self._clients:
            raise ServerFull(f"max_clients={self._clients} reached")
        if self._per_address and self._inside[place] >= self._per_address:
            raise TooManyRequests(f"max_per_address={self._per_address} reached by {place}")
        if self._handshakes and self._allowance(place, clock).spend(clock):
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

    def _allowance(self, place: str, clock: Callable[[], float]) -> TokenBucket:
        if place not in self._allowances:
            if len(self._allowances) >= MAX_TRACKED:
                self._allowances.pop(next(iter(self._allowances)))
            self._allowances[place] = TokenBucket(self._handshakes, clock())
        return self._allowances[place]


def address_key(address: str) -> str:
    """Return an IPv4 address, or the /64 network of an IPv6 address.

    An IPv6 customer usually has a whole /64.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(parsed) if parsed.version == 4 else f"{parsed.exploded[:19]}::/64"
