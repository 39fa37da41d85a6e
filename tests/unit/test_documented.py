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
from tornado.web import create_signed_value

from handlers.socketio import Hub
from handlers.socketio.testing import TestClient, connect

MARKED = {
    "README.md": ["needs the first example's server: tests/journeys/test_installed.py runs it"],
    "docs/scaling.md": ["it needs a Redis"] * 5,
}
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


class Office:
    """The application of docs/your-application.md, without sockets."""

    def __init__(self) -> None:
        self.page = load("docs/your-application.md")
        application = self.page.make_app(cookie_secret="s3cret")
        self.hub: Hub = application.settings["hub"]
        self.hub.settings = application.settings

    async def log_in(self, name: str, namespace: str = "/", **auth: Any) -> TestClient:
        cookie = create_signed_value("s3cret", "user", name).decode()
        return await connect(self.hub, namespace, auth=auth, headers={"Cookie": f"user={cookie}"})


@pytest.mark.gen_test
async def test_a_person_with_two_tabs_is_present_until_both_are_closed() -> None:
    office = Office()
    ann = await office.log_in("Ann", "/documents", document="plan")
    await office.log_in("Cleo", "/documents", document="another")
    tabs = [await office.log_in("Bob", "/documents", document="plan") for _ in range(2)]
    first, second, third = office.hub.of("/documents").to("document:plan").clients
    assert [office.page.is_first_tab(tab) for tab in (first, second, third)] == [True, False, False]
    for tab in tabs:
        tab.drop()
    shown = [await ann.receive("people") for _ in range(5)]
    assert shown == [["Ann"], ["Ann", "Bob"], ["Ann", "Bob"], ["Ann", "Bob"], ["Ann"]]


@pytest.mark.gen_test
async def test_an_upload_in_chunks_is_kept_and_one_that_cannot_be_is_refused() -> None:
    office = Office()
    ann = await office.log_in("Ann", "/uploads")
    for begin in ([7, 5], ["a", 0], ["a", 5_000_001], ["a", "5"]):
        assert "message" in await ann.call("begin", *begin)
    assert "Begin" in (await ann.call("chunk", b"abc"))["message"]
    assert await ann.call("begin", "a", 5) == 0
    assert "bytes" in (await ann.call("chunk", "abc"))["message"]
    assert [await ann.call("chunk", chunk) for chunk in (b"abc", b"def")] == [3, 5]
    assert office.hub.settings["files"] == {"a": b"abcde"}
    assert "Begin" in (await ann.call("chunk", b"f"))["message"]


@pytest.mark.gen_test
async def test_news_come_from_a_timer_and_from_another_thread() -> None:
    office = Office()
    ann, bob = await office.log_in("Ann"), await office.log_in("Bob")
    office.page.tell_time(office.hub)
    assert await bob.receive("time") > 0
    await office.page.work_elsewhere(office.hub)
    assert [await ann.receive("progress") for _ in range(3)] == [0, 50, 100]
    assert [event for event, *_ in bob.received] == []


@pytest.mark.gen_test
async def test_a_letter_reaches_all_tabs_of_both_people_and_no_other() -> None:
    office = Office()
    ann, anns, bob, bobs, cleo = [
        await office.log_in(name, "/letters") for name in ("Ann", "Ann", "Bob", "Bob", "Cleo")
    ]
    letter = await ann.call("write", "Bob", "psst")
    assert letter == {"from": "Ann", "to": "Bob", "text": "psst"}
    for tab in (anns, bob, bobs):
        assert await tab.receive("letter") == letter
    assert (ann.received, cleo.received) == ([], [])
    assert await ann.call("write", "Dora", "psst") == {"message": "Dora is not here"}


@pytest.mark.gen_test
async def test_the_readmes_board_greets() -> None:
    client = await tried("README.md", "BoardHandler")
    assert await client.receive("news") == {"msg": "One more person is online", "count": 1}
    assert await client.receive("private") == {"msg": "Welcome you are the 1 person here"}
