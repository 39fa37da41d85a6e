"""Writes reference.md from the docstrings of the public names: `python docs/reference.py`.

It reads the sources and imports nothing, so the text is the same under every Python.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LIBRARY = Path(__file__).parents[1] / "handlers" / "socketio"
PAGE = Path(__file__).with_name("reference.md")
HEAD = """# Public names

These are all names that a release promises to keep; anything else in the library may change. The library is installed
as `tornado_socketio`, and this repository's own board imports the same source as `handlers.socketio`: use one of the
two in a process, never both. Tables by task are on other pages: [Socket.IO's API](socket.io-api.md) row by row,
[options](options.md), [testing](testing.md).

`python docs/reference.py` writes this page from the docstrings.
"""
MODULES = {
    "tornado_socketio": LIBRARY / "__init__.py",
    "tornado_socketio.testing": LIBRARY / "testing" / "__init__.py",
    "tornado_socketio.operations": LIBRARY / "operations" / "__init__.py",
    "tornado_socketio.cluster": LIBRARY / "cluster" / "__init__.py",
}
INTERNAL = {
    "Engine": "adopt_settings beat call_soon_threadsafe counters find forget is_overdue is_routed linger lingering "
    "loop note_refusal now open open_packet path period pong sid_prefix start told",
    "ClusterNode": "cluster",
    "Hub": "background backplane beat close_idle expect_attachments home is_routed join live namespace "
    "note_refusal path presence_grace prune running served start",
    "Server": "close_all_connections handle_stream reclaim start_request",
    "Rules": "name",
    "StaticHandler": "get set_headers validate_absolute_path",
    "GuardedHandler": "set_default_headers",
    "TestClient": "deliver end fail release",
}
"""Members, by class, that other modules of the library use, and an application does not."""

Function = (ast.FunctionDef, ast.AsyncFunctionDef)


class Found(NamedTuple):
    """A statement that defines a name, where it stands, and its documentation."""

    path: Path
    node: ast.stmt
    doc: str


def names_of(node: ast.stmt) -> list[str]:
    """Return the names that a statement defines, attributes of `self` included."""
    if isinstance(node, (*Function, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    names = [getattr(target, "id", None) or getattr(target, "attr", None) for target in targets]
    return [name for name in names if name]


def define(path: Path, body: list[ast.stmt]) -> dict[str, Found]:
    """Return what is defined; of two definitions the documented one."""
    found: dict[str, Found] = {}
    for name, definition in statements(path, body):
        if definition.doc or name not in found:
            found[name] = definition
    return found


def statements(path: Path, body: list[ast.stmt]) -> Iterator[tuple[str, Found]]:
    """Yield definitions; a text after an assignment is its documentation."""
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        doc = ast.get_docstring(node) if isinstance(node, (*Function, ast.ClassDef)) else None
        if doc is None and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            doc = inspect.cleandoc(str(after.value.value))
        for name in names_of(node):
            yield name, Found(path, node, doc or "")


def locate(path: Path, name: str) -> Found | None:
    """Return the definition of a name that a module has or imports."""
    body = ast.parse(path.read_text()).body
    found = define(path, body).get(name)
    imports = (node for node in body if isinstance(node, ast.ImportFrom) and node.level)
    for node in imports if found is None else ():
        if name in [alias.name for alias in node.names]:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            return locate(base / "__init__.py" if base.is_dir() else base.with_suffix(".py"), name)
    return found


def is_attribute(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function is read as an attribute."""
    return any(getattr(mark, "id", "") in ("property", "Fixed", "Shown") for mark in function.decorator_list)


def signature(function: ast.stmt, name: str) -> str:
    """Return how a function is called, without `self`."""
    assert isinstance(function, Function)
    returns = ast.unparse(function.returns) if function.returns else "None"
    me = function.args.args[0].annotation if function.args.args else None
    if me and ast.unparse(me) == returns:
        returns = "Self"
    if is_attribute(function):
        return f"{name}: {returns}"
    arguments = ast.unparse(function.args).replace("=_NO_DEFAULT", " = …").replace("=", " = ").replace("  =  ", " = ")
    arguments = re.sub(r"^(self|cls)(: \w+)?(, )?|(, )?\*(\*unknown|more): NoReturn", "", arguments)
    waits = "await " if isinstance(function, ast.AsyncFunctionDef) else ""
    return f"{waits}{name}({arguments})" + (f" -> {returns}" if returns != "None" else "")


def members(found: Found) -> dict[str, Found]:
    """Return the documented public members of a class, with its `__init__`."""
    node = found.node
    assert isinstance(node, ast.ClassDef)
    own = define(found.path, node.body)
    for made in ("__init__", "initialize"):  # the latter is that of Tornado's servers
        function = own.pop(made, None)
        if function is not None and isinstance(function.node, Function):
            own = {**define(found.path, function.node.body), **own, "__init__": function}
    bases = [locate(found.path, base.id) for base in node.bases if isinstance(base, ast.Name)]
    inherited = {name: member for base in bases if base for name, member in members(base).items()}
    hidden = INTERNAL.get(node.name, "").split()
    return {
        name: member
        for name, member in {**inherited, **own}.items()
        if name == "__init__" or (member.doc and not name.startswith("_") and name not in hidden)
    }


def describe(name: str, member: Found) -> str:
    """Return the line of a member."""
    node = member.node
    declared = f"{name}: {ast.unparse(node.annotation)}" if isinstance(node, ast.AnnAssign) else name
    return f"- `{signature(node, name) if isinstance(node, Function) else declared}`: {' '.join(member.doc.split())}"


def detail(name: str, found: Found) -> str:
    """Return the section of a class or a function."""
    made, listed = found, dict[str, Found]()
    if isinstance(found.node, ast.ClassDef):
        listed = members(found)
        made = listed.pop("__init__", found)
    call = signature(made.node, name) if isinstance(made.node, Function) else f"{name}()"
    glued = re.sub(r"(?<!,) ", "\0", call)
    code = textwrap.fill(glued, 116, initial_indent="    ", subsequent_indent="        ").replace("\0", " ")
    lines = "\n".join(describe(*member) for member in listed.items())
    return "\n\n".join(filter(None, [f"### {name}", code, paragraphs(found.doc), lines]))


def paragraphs(doc: str) -> str:
    """Return a docstring as Markdown: its parameters become a list."""
    parameter = r"\n+([a-z_]+(?:, [a-z_]+)*): "
    doc = re.sub(parameter, r"\n\n- `\1`: ", doc.replace("<", r"\<"), count=1)
    return re.sub(parameter, r"\n- `\1`: ", doc)


def section(module: str, path: Path) -> str:
    """Return a module's section: a table of its names, then details."""
    listed = define(path, ast.parse(path.read_text()).body)["__all__"].node
    assert isinstance(listed, ast.Assign)
    found = {name: locate(path, name) for name in ast.literal_eval(listed.value)}
    documented = {name: place for name, place in found.items() if place and place.doc}
    if documented.keys() != found.keys():
        raise SystemExit(f"{module}: write a docstring for {', '.join(found.keys() - documented.keys())}")
    firsts = {name: place.doc.partition("\n\n")[0].replace("\n", " ") for name, place in documented.items()}
    rows = [f"| `{name}` | {first} |" for name, first in firsts.items()]
    callables = {n: place for n, place in documented.items() if isinstance(place.node, (*Function, ast.ClassDef))}
    details = [detail(*callable_) for callable_ in callables.items()]
    return "\n\n".join([f"## {module}", "\n".join(["| name | what it is |", "|---|---|", *rows]), *details])


def write() -> str:
    """Return the page."""
    return "\n\n".join([HEAD.rstrip(), *(section(*module) for module in MODULES.items())]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(write())
