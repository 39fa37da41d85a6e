"""What ends a run: one exception, whose words are all that its user is shown."""

from __future__ import annotations


class RunError(Exception):
    """The run cannot go on, and what it has measured so far is no result."""
