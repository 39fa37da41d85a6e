"""The documentation says nothing that the code does not have."""

from __future__ import annotations

import inspect
import re
import subprocess
from pathlib import Path

import pytest

import handlers.socketio as api
from handlers.board import board, handler
from handlers.board.handler import BoardHandler
from handlers.socketio.audience import Audience
from handlers.socketio.engineio.engine import Engine
from handlers.socketio.testing import TestClient

ROOT = Path(__file__).parents[2]
NAMES = {**{name: getattr(api, name) for name in api.__all__}, "Audience": Audience}


def rows(page: str) -> list[tuple[str, str]]:
    lines = (ROOT / "docs" / page).read_text().splitlines()
    cells = [line.strip("|").split(" | ") for line in lines if line.startswith("| ")]
    return [(left.strip(), right.strip()) for left, right in cells[1:]]


@pytest.mark.parametrize(("theirs", "ours"), rows("socket.io-api.md"))
def test_each_row_names_what_is_there(theirs: str, ours: str) -> None:
    named = re.findall(r"`([^`]+)`", ours)
    assert named, f"the row of {theirs} names nothing"
    for name in named:
        first, _, attribute = re.split(r"[(\s]", name)[0].partition(".")
        if first in NAMES and attribute:
            instance = first == "Acks" and attribute == "missing"
            assert instance or hasattr(NAMES[first], attribute), f"{name} is not there"
        elif first == "self" and attribute:
            assert hasattr(api.SocketIOHandler, attribute), f"{name} is not there"


def test_the_options_of_the_hub_are_those_documented() -> None:
    page = (ROOT / "docs" / "socket.io-api.md").read_text()
    parameters = {*inspect.signature(api.Hub.__init__).parameters, *inspect.signature(Engine.__init__).parameters}
    options = ("ping_interval", "ping_timeout", "max_payload", "upgrade_timeout", "connect_timeout", "recovery")
    for option in (*options, "presence_grace"):
        assert option in page
        assert option in parameters


def test_make_lists_every_target() -> None:
    listed = subprocess.run(["make", "-s"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    (targets,) = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert sorted(re.findall(r"^make (\S+) +\w", listed, re.MULTILINE)) == sorted(targets.split())


def test_the_options_of_the_server_are_those_documented() -> None:
    defined = re.findall(r'^define\(\s*"(\w+)"', (ROOT / "handlers/options.py").read_text(), re.MULTILINE)
    assert len(defined) > 10
    page = (ROOT / "docs" / "options.md").read_text()
    documented = {name.replace("-", "_") for name in re.findall(r"^\| `--([\w-]+)` \|", page, re.MULTILINE)}
    assert documented == {*defined, "logging"}


def test_the_events_of_the_board_are_those_documented() -> None:
    page = (ROOT / "docs" / "board.md").read_text()
    sent, heard = page.split("| a client hears")
    answered = {name.removeprefix("on_") for name in vars(BoardHandler) if name.startswith("on_")}
    assert {*re.findall(r"^\| `(\w+)`", sent, re.MULTILINE)} == answered - {"connect", "disconnect"}
    for event in re.findall(r"^\| `(\w+)`", heard, re.MULTILINE):
        assert f'"{event}"' in inspect.getsource(handler) + inspect.getsource(board)


def test_the_words_of_the_test_kit_are_there() -> None:
    for said, _ in rows("testing.md"):
        for name in re.findall(r"client\.(\w+)", said):
            assert hasattr(TestClient, name) or f"self.{name}" in inspect.getsource(TestClient), name


def test_the_map_has_every_module_and_nothing_else() -> None:
    (tree,) = re.findall(r"^## The tree\n.*?^```\n(.*?)^```", (ROOT / "ARCHITECTURE.md").read_text(), re.M | re.S)
    modules = (file for file in (ROOT / "handlers").rglob("*.py") if file.name != "__init__.py")
    assert {*re.findall(r"\b\w+\.py\b", tree)} == {"server.py", *(file.name for file in modules)}
    for folder in re.findall(r"^ *([\w/]+/)", tree, re.MULTILINE):
        assert any(path.is_dir() for path in [ROOT / folder, *(ROOT / "handlers" / "socketio").rglob(folder)]), folder


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), ROOT / "examples/README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
            there = page.parent / target if target else page
            assert target.startswith("http") or there.exists(), f"{page.name}: {target}"
            if anchor and not target.startswith("http"):
                assert anchor in anchors(there), f"{page.name}: {target}#{anchor}"


def test_each_promise_is_held_by_tests_that_are_there() -> None:
    there = {
        name
        for file in (ROOT / "tests").glob("**/*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)\(", file.read_text(), re.MULTILINE)
    }
    lines = (ROOT / "SECURITY.md").read_text().splitlines()
    promises = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")][1:]
    assert len(promises) > 20
    for about, _, tests in promises:
        named = re.findall(r"`(\w+)`", tests)
        assert named, f"nothing holds the promise about {about}"
        assert set(named) <= there, f"{about}: {sorted(set(named) - there)} is no test"
