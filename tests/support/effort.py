"""How much a test draws, says or repeats.

It is more in `make test-thorough` than in `make test`.

Only amounts differ. What a test holds, and how long it waits, is the same in both.
"""

from __future__ import annotations

import os

THOROUGH = "THOROUGH" in os.environ


def amount(usual: int, *, thorough: int) -> int:
    """Return how many examples, events or rounds a test has."""
    return thorough if THOROUGH else usual
