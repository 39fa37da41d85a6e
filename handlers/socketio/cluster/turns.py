"""The turns of what a handler sends to its own client.

`self.broadcast("news"); self.emit("private")`: the broadcast happens when it is read in the stream, and what is sent to
the client itself follows it. Nobody else waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Turns:
    """What waits for entries of the stream, by client."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[tuple[int, Callable[[], None]]]] = {}
        self._last_written: dict[str, int] = {}

    def written(self, speaker: str, number: int) -> None:
        """Let what this client is sent from now on follow an entry."""
        self._waiting.setdefault(speaker, deque())
        self._last_written[speaker] = number

    def wait(self, speaker: str, send: Callable[[], None]) -> bool:
        """Call `send` in its turn; return False if that is now."""
        if speaker not in self._waiting:
            return False
        self._waiting[speaker].append((self._last_written[speaker], send))
        return True

    def happened(self, speaker: str, number: int) -> None:
        """Send what waited for the entries up to this number."""
        waiting = self._waiting.get(speaker)
        if waiting is None:
            return
        while waiting and waiting[0][0] <= number:
            waiting.popleft()[1]()
        if self._last_written[speaker] <= number:
            del self._waiting[speaker], self._last_written[speaker]
