"""Checks of declared values; errors say what to write instead."""

from __future__ import annotations

import logging
from math import isfinite
from typing import Any

logger = logging.getLogger(__name__)

MILLISECONDS = 1000.0
"""Seconds of a timeout from which on milliseconds are probably meant, as in Node."""


def check_number(name: str, value: Any, unit: str, *, zero: bool, whole: bool = False) -> None:
    """Raise TypeError or ValueError unless an option is a number in range.

    zero: whether it may be 0. whole: whether it must be an int.
    """
    least = "0 or more" if zero else "more than 0"
    kind = "a whole number" if whole else "a number"
    expected = f"{name} must be {kind} of {unit}, {least}, got {value!r:.80}"
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise TypeError(f"{expected}{_suggest(name, value, whole)}")
    if not isfinite(value) or value < 0 or (value == 0 and not zero):
        raise ValueError(expected)


def check_seconds(name: str, value: Any, *, zero: bool = False) -> None:
    """Raise TypeError or ValueError for what can be no number of seconds."""
    check_number(name, value, "seconds", zero=zero)


def check_heartbeat(name: str, value: Any, *, zero: bool = False, plausible: float = MILLISECONDS) -> None:
    """Check seconds; warn if they look like milliseconds, as in Node.

    plausible: the seconds from which on they do.
    """
    check_seconds(name, value, zero=zero)
    if value >= plausible:
        logger.warning("%s=%g means seconds: write %s=%g if milliseconds were meant", name, value, name, value / 1000)


def check_flag(name: str, value: Any) -> None:
    """Raise TypeError for what is neither True nor False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r:.80}")


def _suggest(name: str, value: Any, whole: bool) -> str:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return ""
    if not isfinite(number) or isinstance(value, bool):
        return ""
    return f": write {name}={int(number) if whole or number.is_integer() else number}"
