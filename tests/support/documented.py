"""The Python code of a page of the documentation, made to run from this repository."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).parents[2] / "docs"


def run_page(name: str) -> ModuleType:
    """Run all Python blocks of a page as one module, and return it."""
    page = (DOCS / name).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert blocks, f"{name} has no code"
    module = ModuleType(Path(name).stem)
    code = "from __future__ import annotations\n\n" + "\n\n".join(blocks).replace(
        "tornado_socketio", "handlers.socketio"
    )
    exec(compile(code, name, "exec"), vars(module))
    return module
