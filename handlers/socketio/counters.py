"""Counters of a hub's namespaces, in addition to those of its engine."""

from __future__ import annotations

from .engineio import counters

TRANSPORTS = (*counters.TRANSPORTS, "events")
"""What carries clients, and listeners to an event stream."""


class HubCounters(counters.Counters):
    """The counters of one hub."""

    transports = TRANSPORTS

    def __init__(self) -> None:
        super().__init__()
        self.events = 0
        """Events that clients sent."""
        self.unknown_events = 0
        """Events that no method answers."""
        self.recovered = 0
        """Clients that came back and were sent what they had missed."""
