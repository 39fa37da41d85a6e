"""The Python code of the documentation, made to run from this repository.

The blocks of a page run as one module. Before a block that cannot is a line that a reader of the page does not see:

    <!-- not run: the reason -->
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from unittest.mock import patch

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"(?:^<!-- not run: ([^\n]+) -->\n+)?^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of Python code, with the reason not to run it.

    "" if it runs.
    """

    code: str
    reason: str


def pages() -> list[str]:
    """Return all pages of the project, by their path in it."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def blocks(page: str) -> list[Block]:
    """Return the Python code of a page."""
    return [Block(code, reason) for reason, code in _BLOCK.findall((ROOT / page).read_text())]


def run_page(page: str, modules: Mapping[str, ModuleType] = {}) -> ModuleType:
    """Run all blocks of a page as one module, and return it.

    modules: those of the application that the page imports.
    """
    codes = [block.code for block in blocks(page) if not block.reason]
    assert codes, f"{page} has no code"
    module = ModuleType(Path(page).stem)
    code = "from __future__ import annotations\n\n" + "\n\n".join(codes).replace(
        "tornado_socketio", "handlers.socketio"
    )
    with patch.dict(sys.modules, modules):
        exec(compile(code, page, "exec"), vars(module))
    return module
