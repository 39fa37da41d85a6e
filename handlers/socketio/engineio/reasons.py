"""Why a session, or a listener to an event stream, ended: a closed list."""

from __future__ import annotations

from typing import Literal

CloseReason = Literal[
    "transport close",
    "transport error",
    "ping timeout",
    "parse error",
    "forced close",
    "slow consumer",
    "rate limited",
    "server shutting down",
]
"""Why a reader is no more."""
