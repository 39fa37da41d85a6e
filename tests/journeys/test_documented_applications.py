"""Applications and JavaScript of the documentation, run as they stand."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from conftest import JS, PATIENCE, ROOT, Server
from documented import blocks, pages
from service_helpers import free_port, running
from tornado.web import create_signed_value

pytestmark = pytest.mark.gen_test
PORT = ROOT / "examples" / "port"
UPLOAD = """
import { io as connect } from "socket.io-client";

const [url, Cookie] = process.argv.slice(1);
const io = (namespace) => connect(url + namespace, { extraHeaders: { Cookie } });
%s
const seen = [];
await upload(new File([new Uint8Array(150_000)], "zeros.bin"), (share) => seen.push(share));
const refused = await upload(new File([], "empty.bin"), () => {}).catch((error) => error.message);
console.log(JSON.stringify([seen, refused]));
process.exit();
"""


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


# -- the application of docs/your-application.md


@pytest.fixture(scope="module")
def office(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The application, run by its own `main()`."""
    codes = sorted((block.code for block in blocks("docs/your-application.md")), key=lambda code: "__main__" in code)
    port = free_port()
    file = tmp_path_factory.mktemp("office") / "app.py"
    file.write_text("\n\n".join(codes).replace("port=3000", f"port={port}"))
    server = Server(sys.executable, "-W", "error", file, PYTHONPATH=library)
    with running(server) as process:
        assert process.port == port
        yield process
    assert not re.search(r"Warning|Traceback|ERROR", "\n".join(process.lines)), process.lines


async def test_its_page_asks_for_a_login(office: Server) -> None:
    def fetch() -> str:
        with urlopen(office.url, timeout=PATIENCE) as answer:
            return str(answer.url) + answer.read().decode()

    assert re.search(r"/login\?next=.*<button>Log in", await asyncio.to_thread(fetch), re.DOTALL)


async def test_its_script_uploads_a_file(office: Server, node: str) -> None:
    (script,) = [code for code in javascript("docs/your-application.md") if "upload" in code]
    cookie = f"user={create_signed_value('…', 'user', 'Ann').decode()}"
    said = await run_in_node(node, "--input-type=module", "-e", UPLOAD % script, office.url, cookie)
    assert json.loads(said) == [[65_536 / 150_000, 131_072 / 150_000, 1], "A file has a name, and 1 to 5000000 bytes"]


def javascript(page: str) -> list[str]:
    """The blocks of JavaScript in a page."""
    return re.findall(r"^```js\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [page for page in pages() if javascript(page)])
def test_the_javascript_of_a_page_can_be_parsed(page: str, node: str, tmp_path: Path) -> None:
    for number, code in enumerate(javascript(page)):
        script = tmp_path / f"{number}.mjs"
        script.write_text(code)
        subprocess.run([node, "--check", script], check=True)
