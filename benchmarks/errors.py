"""The exception that ends a run; its message is shown alone."""

from __future__ import annotations


class RunError(Exception):
    """The run cannot continue and has no result."""
