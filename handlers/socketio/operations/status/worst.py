"""The event methods and hooks that deserve a look."""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

from ... import Hub

MAX_SHOWN = 7
"""With the line of titles, as many as there are reasons beside them: what stands below does not move."""


class Row(NamedTuple):
    """One event of one declared namespace; seconds."""

    namespace: str
    event: str
    calls: int
    errors: int
    mean: float
    within: float | None
    """What 99 of 100 calls did not exceed; None: more than the histogram tells."""


def worst(hub: Hub, hidden: str) -> list[dict[str, Any]]:
    """Return the rows to show: what failed first, then the slowest.

    hidden: a namespace to leave out.
    """
    rows = [
        Row(watch.namespace, event, times.calls, times.errors, times.mean, times.within(0.99))
        for watch in hub.watches
        if watch.namespace != hidden
        for event, times in watch.events.items()
    ]
    rows.sort(key=lambda row: (row.errors > 0, inf if row.within is None else row.within, row.mean), reverse=True)
    return [row._asdict() for row in rows[:MAX_SHOWN]]
