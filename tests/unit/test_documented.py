"""All Python code of the documentation runs.

Code that cannot run is counted, with its reason.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import textwrap
import unittest
from types import ModuleType
from typing import Any

import pytest
from documented import ROOT, blocks, pages, run_page

from handlers.socketio import Hub
from handlers.socketio.testing import connect

MARKED = {"README.md": ["needs the first example's server: tests/journeys/test_installed.py runs it"]}
"""The blocks that do not run, and why."""
WITH_CODE = [page for page in pages() if any(not block.reason for block in blocks(page))]


def load(page: str) -> ModuleType:
    """Run a page."""
    return run_page(page, {"handlers.chat": run_page("README.md")} if page == "docs/testing.md" else {})


@pytest.mark.parametrize("page", WITH_CODE)
def test_the_code_of_a_page_runs_and_its_own_tests_pass(page: str) -> None:
    module = load(page)
    for name, value in vars(module).items():
        if name.startswith("test_"):
            asyncio.run(value())
        elif inspect.isclass(value) and issubclass(value, unittest.TestCase) and value.__module__ == module.__name__:
            result = unittest.TestResult()
            unittest.defaultTestLoader.loadTestsFromTestCase(value).run(result)
            assert result.testsRun > 0
            assert result.failures + result.errors == []


def test_what_does_not_run_is_known() -> None:
    assert {page: reasons for page in pages() if (reasons := [b.reason for b in blocks(page) if b.reason])} == MARKED


def other_code(page: str) -> list[str]:
    """Return the blocks not marked as Python: indented and fenced."""
    text = re.sub(r"^```python\n.*?^```", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    fenced = re.findall(r"^ *```(?!js|html)[^\n]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(
        r"(?:^(?: {4}|\t)[^\n]*\n|^\n)+", re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S), re.M
    )
    return [*fenced, *indented]


def is_python(code: str) -> bool:
    """Return whether code can be nothing but Python."""
    try:
        tree = ast.parse(textwrap.dedent(code))
    except SyntaxError:
        return False
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Await)
    return any(isinstance(node, kinds) for node in ast.walk(tree))


@pytest.mark.parametrize("code", ["import asyncio", "    async def f():\n        pass\n", "@event('x')\ndef f(): ..."])
def test_python_is_recognized(code: str) -> None:
    assert is_python(code)


def test_no_python_hides_in_a_block_of_another_kind() -> None:
    assert len(pages()) > 20
    assert [f"{page}: {code}" for page in pages() for code in other_code(page) if is_python(code)] == []


# -- what the code of the pages does


async def tried(page: str, handler: str, **given: Any) -> Any:
    """Connect a client to a handler of a page.

    given: further names of the page's module.
    """
    module = load(page)
    vars(module).update(given)
    return await connect(Hub({"/": getattr(module, handler)}))


class Database:
    """Answers late."""

    def __init__(self) -> None:
        self.saved: dict[str, str] = {}

    async def save(self, id_: str, text: str) -> None:
        await asyncio.sleep(0)
        self.saved[id_] = text

    async def load(self, id_: str) -> str:
        return self.saved[id_]


@pytest.mark.gen_test
async def test_the_page_on_order_loads_what_was_saved_before() -> None:
    client = await tried("docs/order.md", "Notes", database=Database())
    client.emit("save", "hello")
    assert await client.call("load") == "hello"


@pytest.mark.gen_test
async def test_the_readmes_board_greets() -> None:
    client = await tried("README.md", "BoardHandler")
    assert await client.receive("news") == {"msg": "One more person is online", "count": 1}
    assert await client.receive("private") == {"msg": "Welcome you are the 1 person here"}
