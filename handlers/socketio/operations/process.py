"""Resources that the process uses, from Linux's /proc where there is one."""

from __future__ import annotations

import resource
import time
from pathlib import Path

PROC = Path("/proc/self")


def resident_bytes() -> int | None:
    """Return the resident memory of the process; None without /proc."""
    try:
        pages = int((PROC / "statm").read_text().split()[1])
    except OSError:
        return None
    return pages * resource.getpagesize()


def open_descriptors() -> int | None:
    """Return the number of open file descriptors; None without /proc."""
    try:
        # Since Linux 6.2 the size is their number; listing ten thousand would block the loop.
        return (PROC / "fd").stat().st_size or len(list((PROC / "fd").iterdir()))
    except OSError:
        return None


def max_descriptors() -> float:
    """Return the maximum number of open file descriptors; may be infinite."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return float("inf") if limit == resource.RLIM_INFINITY else limit


def cpu_seconds() -> float:
    """Return the CPU time that the process used, in seconds."""
    return time.process_time()
