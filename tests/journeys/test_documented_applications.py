"""Applications and JavaScript of the documentation, run as they stand."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import JS, PATIENCE, ROOT, Server
from documented import pages
from service_helpers import free_port, running

pytestmark = pytest.mark.gen_test(timeout=2 * PATIENCE)
PORT = ROOT / "examples" / "port"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this checkout's library as `tornado_socketio`."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "tornado_socketio").symlink_to(ROOT / "handlers" / "socketio")
    return folder


async def run_in_node(node: str, *arguments: str | Path) -> str:
    """Run a script that must succeed; return what it prints."""
    process = await asyncio.create_subprocess_exec(node, *arguments, cwd=JS, stdout=subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


# -- an application on python-socketio, and its port: examples/port


async def hear(node: str, application: Path, library: Path) -> dict[str, object]:
    """What the official client hears of an application."""
    server = Server(sys.executable, "-W", "error", application, "{port}", PYTHONPATH=library)
    server.port = free_port()
    with running(server):
        return dict(json.loads(await run_in_node(node, JS / "port.mjs", server.url)))


def meant_differences() -> dict[str, list[object]]:
    """The rows of docs/migrating.md: what was tried, and both answers."""
    page = (ROOT / "docs" / "migrating.md").read_text().partition("### What a client notices")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| `([^|]+)` \| `([^|]+)` \|$", page, re.MULTILINE)
    ways = ("websocket", "polling")
    named = [(what if what.endswith(")") else f"{what} ({way})", answers) for what, *answers in rows for way in ways]
    return {what: [json.loads(answer) for answer in answers] for what, answers in named}


async def test_a_client_of_the_port_hears_what_the_page_on_migrating_says(node: str, library: Path) -> None:
    before = await hear(node, PORT / "before.py", library)
    after = await hear(node, PORT / "after.py", library)
    assert before.keys() == after.keys()
    assert len(before) > 60
    differences = {what: [before[what], after[what]] for what in before if before[what] != after[what]}
    assert differences == meant_differences()


# -- JavaScript


def javascript(page: str) -> list[str]:
    """The blocks of JavaScript in a page."""
    return re.findall(r"^```js\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [page for page in pages() if javascript(page)])
def test_the_javascript_of_a_page_can_be_parsed(page: str, node: str, tmp_path: Path) -> None:
    for number, code in enumerate(javascript(page)):
        script = tmp_path / f"{number}.mjs"
        script.write_text(code)
        subprocess.run([node, "--check", script], check=True)
