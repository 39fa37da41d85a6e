"""Gaps: entries of the stream that a node could not read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..hub import Hub

logger = logging.getLogger(__name__)

SHOWN = 600.0
"""Seconds for which a gap is reported as trouble."""


class Gaps:
    """The gaps of one node; no client recovers its session over one."""

    def __init__(self, hub: Hub) -> None:
        self.number = 0
        self._hub = hub
        self._noted_at = float("-inf")

    def note(self, why: str) -> None:
        """Let all rooms forget what they have, because more is missing."""
        self.number += 1
        self._noted_at = self._hub.now()
        logger.error("events of other nodes are lost: %s", why)
        delivery = self._hub.delivery
        delivery.skip_offsets_to(delivery.offset + 1)
        for namespace in self._hub.namespaces.values():
            for room in namespace.logs:
                room.forgotten = delivery.offset

    @property
    def trouble(self) -> str | None:
        """A recent gap as a line for `/healthz`, or None."""
        ago = self._hub.now() - self._noted_at
        text = f"events of other nodes were lost {ago:.0f} s ago: clients come back as new ones"
        return text if ago < SHOWN else None
