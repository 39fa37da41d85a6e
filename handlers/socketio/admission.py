"""How many may be in: in all, from one address, and how many of an address may come within a second.

One that is behind a proxy has the proxy's address, unless the server trusts what the proxy forwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address

from .allowance import Allowance
from .errors import ServerFull, TooManyRequests

MANY = 10_000
"""Addresses whose handshakes are counted at once; beyond, whoever is not listened to for now is forgotten."""


class Admission:
    """Who is in, by address. Each limit is a number, 0 for none.

    clients: in all. per_address: of one address. handshakes: of one address, a second.
    """

    def __init__(self, clients: int = 0, per_address: int = 0, handshakes: float = 0) -> None:
        self._clients = clients
        self._per_address = per_address
        self._handshakes = handshakes
        self._number = 0
        self._inside: Counter[str] = Counter()
        self._allowances: dict[str, Allowance] = {}

    def check(self, address: str, clock: Callable[[], float]) -> None:
        """Raise Refusal where one more of this address may not come in."""
        place = network(address)
        if self._clients and self._number >= self._clients:
            raise ServerFull(f"{self._number} clients are in, where --max-clients={self._clients} may be")
        if self._per_address and self._inside[place] >= self._per_address:
            raise TooManyRequests(f"{self._inside[place]} of {place} are in (--max-per-address={self._per_address})")
        if self._handshakes and self._allowance(place, clock).spend(clock):
            raise TooManyRequests(f"more than --handshake-rate={self._handshakes:g} handshakes a second of {place}")

    def enter(self, address: str) -> None:
        """One of this address comes in."""
        self._number += 1
        if self._per_address:
            self._inside[network(address)] += 1

    def leave(self, address: str) -> None:
        """One of this address goes."""
        self._number -= 1
        if self._per_address:
            place = network(address)
            self._inside[place] -= 1
            if not self._inside[place]:
                del self._inside[place]

    def _allowance(self, place: str, clock: Callable[[], float]) -> Allowance:
        if place not in self._allowances:
            if len(self._allowances) >= MANY:
                self._allowances.pop(next(iter(self._allowances)))
            self._allowances[place] = Allowance(self._handshakes, clock())
        return self._allowances[place]


def network(address: str) -> str:
    """Return what counts as one address: of IPv6 the first half, which is what one customer is given."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(parsed) if parsed.version == 4 else f"{parsed.exploded[:19]}::/64"
