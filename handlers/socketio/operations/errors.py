"""The exit of a process that cannot start."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn


def exit_with(message: str) -> NoReturn:
    """End the process with status 1 and one line on stderr."""
    sys.exit(f"{Path(sys.argv[0]).name}: {message}")
