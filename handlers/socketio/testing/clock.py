"""The time of a hub in a test."""

from __future__ import annotations

import asyncio

from ..hub import Hub


class Clock:
    """The running loop, with a time that stands still until `advance`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._now = 0.0
        self.call_soon = self._loop.call_soon
        self.call_soon_threadsafe = self._loop.call_soon_threadsafe

    def time(self) -> float:
        """Seconds since the hub was started."""
        return self._now

    async def advance(self, seconds: float) -> None:
        """Move time forward: pings are sent and answered, deadlines expire."""
        end = self._now + seconds
        while self._now < end:
            self._now = min(end, self._now + self._hub.period)
            self._hub.beat()
            await asyncio.sleep(0)
