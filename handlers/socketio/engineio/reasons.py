"""The closed list of reasons for which sessions and streams are closed."""

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
"""Why a reader was closed."""
