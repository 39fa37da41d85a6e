"""The direction of imports, and the public names.

What may know what, and what the library promises to keep.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import handlers.socketio as library
from docs import reference

ROOT = Path(__file__).parents[2]
LIBRARY = "handlers.socketio"
ENGINE_IO = f"{LIBRARY}.engineio"
OPERATIONS = f"{LIBRARY}.operations"
CLUSTER = f"{LIBRARY}.cluster"
PUBLIC = (LIBRARY, f"{LIBRARY}.testing", OPERATIONS, CLUSTER)
"""The public modules."""


class Import(NamedTuple):
    """`from module import name`; name is "" for `import module`."""

    file: str
    module: str
    name: str


def sources(*places: str) -> list[Path]:
    return sorted(file for place in places for file in (ROOT / place).rglob("*.py"))


def module_of(file: Path) -> str:
    """The name of a file's module; of a package, with `.__init__`."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def imports(file: Path, text: str | None = None) -> Iterator[Import]:
    """All imports of a file, with absolute names.

    Also those in functions and for type checkers.
    """
    here = module_of(file)
    for node in ast.walk(ast.parse(file.read_text() if text is None else text)):
        if isinstance(node, ast.Import):
            yield from (Import(here, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = here.split(".")[: -node.level] if node.level else []
            module = ".".join(filter(None, [*package, node.module]))
            yield from (Import(here, module, alias.name) for alias in node.names)


def within(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def leads_to(imported: Import, package: str) -> bool:
    """Whether this imports from a package, or a package itself."""
    return within(imported.module, package) or within(f"{imported.module}.{imported.name}", package)


def is_public(imported: Import) -> bool:
    """Whether an import names a public module, or its public name."""
    if imported.name == "" or f"{imported.module}.{imported.name}" in PUBLIC:
        return imported.module in PUBLIC
    return imported.module in PUBLIC and imported.name in importlib.import_module(imported.module).__all__


def wrong_arrows(file: Path, text: str | None = None) -> list[Import]:
    """Imports that point the wrong way."""
    here = module_of(file)
    wrong = []
    for imported in imports(file, text):
        ours = leads_to(imported, LIBRARY)
        if within(here, ENGINE_IO):
            right = within(imported.module, ENGINE_IO) if ours else not within(imported.module, "handlers")
        elif within(here, OPERATIONS):
            right = not ours or within(imported.module, OPERATIONS) or is_public(imported)
        elif within(here, LIBRARY):
            right = not leads_to(imported, OPERATIONS)
        else:
            right = not ours or is_public(imported)
        if not right:
            wrong.append(imported)
    return wrong


@pytest.mark.parametrize("file", [*sources("handlers", "examples"), ROOT / "server.py"], ids=module_of)
def test_imports_point_down_or_at_public_names(file: Path) -> None:
    assert wrong_arrows(file) == []


@pytest.mark.parametrize("file", sources("handlers/socketio"), ids=module_of)
def test_the_library_imports_only_Tornado_and_the_standard_library(file: Path) -> None:
    tops = {imported.module.partition(".")[0] for imported in imports(file) if not leads_to(imported, LIBRARY)}
    optional = {"redis", "msgpack"} if within(module_of(file), CLUSTER) else set()
    assert tops - {"tornado"} - optional <= sys.stdlib_module_names
    absolute = [node.module for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in absolute if name and within(name, "handlers")], "the library has two names: use a dot"


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("handlers/socketio/engineio/room.py", "from ..hub import Hub"),
        ("handlers/socketio/engineio/room.py", "from .. import Hub"),
        ("handlers/socketio/engineio/room.py", "from .. import hub"),
        ("handlers/socketio/engineio/room.py", "if TYPE_CHECKING:\n    from ..message import Message"),
        ("handlers/socketio/engineio/room.py", "def late():\n    from handlers.socketio.errors import Refused"),
        ("handlers/socketio/engineio/codec/packet.py", "from ...errors import Refused"),
        ("handlers/socketio/engineio/__init__.py", "from ..hub import Hub"),
        ("handlers/socketio/engineio/room.py", "import handlers.board.handler"),
        ("handlers/socketio/hub.py", "from .operations.lag import LoopLag"),
        ("handlers/socketio/hub.py", "from . import operations"),
        ("handlers/socketio/__init__.py", "from .operations import drain"),
        ("handlers/socketio/operations/admin.py", "from ..hub import Hub"),
        ("handlers/socketio/operations/admin.py", "from .. import hub"),
        ("handlers/socketio/operations/admin.py", "from ..engineio.limits import Throttle"),
        ("handlers/board/handler.py", "from ..socketio.client import Client"),
        ("handlers/board/handler.py", "from ..socketio.operations.lag import LoopLag"),
        ("handlers/options.py", "from .socketio import client"),
        ("server.py", "from handlers.socketio.operations.lag import LoopLag"),
        ("server.py", "import handlers.socketio.hub"),
    ],
)
def test_an_arrow_that_points_the_wrong_way_is_found(file: str, line: str) -> None:
    assert len(wrong_arrows(ROOT / file, line)) == 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("handlers/socketio/engineio/polling/handler.py", "from ..codec.packet import Packet"),
        ("handlers/socketio/hub.py", "from .engineio.engine import Engine"),
        ("handlers/socketio/operations/status/page.py", "from ... import Hub, Refused"),
        ("handlers/board/handler.py", "from ..socketio import SocketIOHandler"),
        ("server.py", "from handlers.socketio import operations"),
    ],
)
def test_an_arrow_that_points_the_right_way_is_none_of_those(file: str, line: str) -> None:
    assert wrong_arrows(ROOT / file, line) == []


def test_every_public_name_is_there_and_in_the_reference() -> None:
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", reference.write(), re.MULTILINE | re.DOTALL))
    assert [name.replace("tornado_socketio", LIBRARY) for name in sections] == list(PUBLIC)
    for module, text in zip(map(importlib.import_module, PUBLIC), sections.values(), strict=True):
        documented = re.findall(r"^\| `(\w+)` \| \S", text, re.MULTILINE)
        assert documented == module.__all__, module.__name__
        assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_the_reference_is_what_the_docstrings_say() -> None:
    assert reference.PAGE.read_text() == reference.write(), "run `python docs/reference.py`"


def test_the_reference_leaves_out_only_what_is_there() -> None:
    for name, hidden in reference.INTERNAL.items():
        kind = next(getattr(module, name) for module in map(importlib.import_module, PUBLIC) if hasattr(module, name))
        source = "".join(inspect.getsource(each) for each in kind.__mro__ if each.__module__.startswith(LIBRARY))
        for member in hidden.split():
            assert re.search(rf"\b{member}\b", source), f"{name}.{member}: take it out of INTERNAL"


def test_the_version_is_in_one_place() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", library.__version__)
    assert f"\n## {library.__version__}\n" in (ROOT / "CHANGELOG.md").read_text()
    assert '\nversion = "' not in (ROOT / "pyproject.toml").read_text()


def test_the_board_and_the_library_require_the_same_Tornado() -> None:
    (required,) = re.findall(r"^(tornado\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert f'dependencies = ["{required}"]' in (ROOT / "pyproject.toml").read_text()


def test_no_text_of_the_library_names_the_package_that_the_board_has_it_by() -> None:
    known = {"snapshot_format.py"}  # the mark of saved files, which both names read
    texts = [file for file in (ROOT / "handlers" / "socketio").rglob("*") if file.suffix in {".py", ".js", ".html"}]
    assert len(texts) > 50
    assert {file.name for file in texts if re.search(r"handlers[./]socketio", file.read_text())} == known
