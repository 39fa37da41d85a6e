"""What the process takes of the machine, as Linux tells it; elsewhere what can be known."""

from __future__ import annotations

import resource
import time
from pathlib import Path

PROC = Path("/proc/self")


def resident_bytes() -> int | None:
    """Memory that the process occupies; None where the system does not tell."""
    try:
        pages = int((PROC / "statm").read_text().split()[1])
    except OSError:
        return None
    return pages * resource.getpagesize()


def open_descriptors() -> int | None:
    """File descriptors that are open; None where the system does not tell."""
    try:
        # Linux 6.2 and later count them themselves; to list ten thousand would keep the loop waiting.
        return (PROC / "fd").stat().st_size or len(list((PROC / "fd").iterdir()))
    except OSError:
        return None


def max_descriptors() -> float:
    """File descriptors that may be open at once."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return float("inf") if limit == resource.RLIM_INFINITY else limit


def cpu_seconds() -> float:
    """Time that the processor spent for this process."""
    return time.process_time()
