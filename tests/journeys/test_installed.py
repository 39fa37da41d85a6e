"""The library installed from its wheel, beside an application's own `handlers`.

On the oldest Python with the oldest Tornado, and on the newest of both that can be had.
"""

from __future__ import annotations

import ast
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from conftest import PATIENCE, ROOT, Server, wait_until
from documented import blocks
from playwright.async_api import Page, expect
from pythons import ends, find, tornado
from service_helpers import free_port, running
from socketio import AsyncSimpleClient

import handlers.socketio
from handlers.socketio import operations, testing

pytestmark = pytest.mark.gen_test
expect.set_options(timeout=1000 * PATIENCE)
LIBRARY = ROOT / "handlers" / "socketio"
DOCUMENTS = ROOT / "examples" / "documents"
PORT = ROOT / "examples" / "port"
Record = Callable[[str, object], None]
Visit = Callable[[str], Awaitable[Page]]

IMPORT_ALL = """
import importlib, pkgutil, sys
import tornado_socketio

for name in ("handlers", "server", "sqlite3"):
    assert name not in sys.modules, name
for module in pkgutil.walk_packages(tornado_socketio.__path__, "tornado_socketio."):
    importlib.import_module(module.name)
assert "handlers" not in sys.modules

import handlers
assert handlers.OWN
from importlib.metadata import version
assert version("tornado-socketio") == tornado_socketio.__version__
print(tornado_socketio.__file__, sys.version.split()[0], version("tornado"))
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command that must succeed, without this checkout's environment."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def block(page: str, language: str) -> str:
    """The first block in a language of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)[0]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make dist` builds: the source, and the wheel from it."""
    into = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", into, ROOT)
    return into


def the_one(dist: Path, pattern: str) -> Path:
    (path,) = dist.glob(pattern)
    return path


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An application with the README's first example.

    It also has the test of docs/testing.md.
    """
    folder = tmp_path_factory.mktemp("application")
    package = folder / "handlers"
    package.mkdir()
    (package / "__init__.py").write_text("OWN = True\n")
    example = block("README.md", "python")
    assert ".listen(3000)" in example
    port = "__import__('sys').argv[1]"
    listening = f".listen({port}); print('Listening on port', {port}, flush=True)"
    (package / "chat.py").write_text(example.replace(".listen(3000)", listening))
    (folder / "pages").mkdir()
    (folder / "pages" / "index.html").write_text(block("README.md", "html"))
    test = block("docs/testing.md", "python")
    (name,) = re.findall(r"^async def (test_\w+)", test, re.MULTILINE)
    (package / "try_it.py").write_text(f"{test}\n\nimport asyncio\nasyncio.run({name}())\n")
    return folder


@pytest.fixture(scope="module", params=ends())
def python(request: pytest.FixtureRequest, dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the wheel, and nothing else of ours."""
    version, which = request.param.split("-")
    found = find(version)
    assert found, f"there is no Python {version}: `make test` gets it"
    home = tmp_path_factory.mktemp(request.param)
    run(found, "-m", "venv", "--without-pip", home)
    pip = [sys.executable, "-m", "pip", "--python", home, "install", "-q", "--no-compile"]
    run(*pip, the_one(dist, "*.whl"), *([tornado("oldest")] if which == "oldest" else []))
    installed = {path.name.partition("-")[0] for path in home.glob("lib/python*/site-packages/*.dist-info")}
    assert installed == {"tornado", "tornado_socketio"}
    return home / "bin" / "python"


@pytest.fixture(scope="module")
def chat(python: Path, application: Path) -> Iterator[Server]:
    """The README's first example, as it runs from there."""
    server = Server(python, "-W", "error", "-m", "handlers.chat", "{port}", cwd=application)
    server.port = free_port()
    with running(server) as process:
        yield process
    assert not re.search(r"Warning|Traceback|ERROR", "\n".join(process.lines)), process.lines


def test_the_distributions_hold_the_library_and_nothing_of_the_board(dist: Path) -> None:
    ours = {str(file.relative_to(LIBRARY)) for file in LIBRARY.rglob("*") if file.is_file() and file.suffix != ".pyc"}
    assert {"py.typed", "browser/socket.io.js", "operations/status/status.html"} <= ours
    with zipfile.ZipFile(the_one(dist, "*-py3-none-any.whl")) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == {f"tornado_socketio/{name}" for name in ours}
    with tarfile.open(the_one(dist, "*.tar.gz")) as source:
        files = {name.partition("/")[2] for name in source.getnames()}
    assert {name.removeprefix("handlers/socketio/") for name in files if name.startswith("handlers/")} == ours
    assert {"README.md", "LICENSE", "pyproject.toml"} <= files


def test_every_module_is_imported_without_the_board(python: Path, application: Path, record_property: Record) -> None:
    file, version, of_tornado = run(python, "-W", "error", "-c", IMPORT_ALL, cwd=application).split()
    assert Path(file).is_relative_to(python.parents[1])
    record_property("run", f"Python {version} with Tornado {of_tornado}: the installed wheel")


def test_the_test_kit_runs_the_example_of_its_page(python: Path, application: Path) -> None:
    assert run(python, "-W", "error", "-m", "handlers.try_it", cwd=application) == ""


async def test_the_example_of_the_readme_is_talked_to(chat: Server) -> None:
    async with AsyncSimpleClient() as ann, AsyncSimpleClient() as bob:
        await ann.connect(chat.url, transports=["polling"])
        await bob.connect(chat.url, transports=["websocket"])
        await bob.emit("say", "hello")
        for client in (ann, bob):
            assert await client.receive(timeout=PATIENCE) == ["said", {"by": bob.sid, "text": "hello"}]


async def test_the_readmes_client_of_another_language_connects(chat: Server) -> None:
    (code,) = [block.code for block in blocks("README.md") if block.reason]
    assert "http://localhost:3000" in code
    said = await asyncio.to_thread(run, sys.executable, "-c", code.replace("http://localhost:3000", chat.url))
    assert re.fullmatch(r"\['said', \{'by': '[\w-]+', 'text': 'hello'\}\]\n", said)


async def test_the_page_of_the_readme_runs_the_browser_client(chat: Server, visit: Visit) -> None:
    page = await visit(chat.url)
    await wait_until(page, "document.body.innerText.includes(': hello')")


@pytest.mark.parametrize("name", ["socket.io.js", "socket.io.esm.js"])
async def test_the_browser_client_is_served(chat: Server, name: str) -> None:
    def fetch() -> bytes:
        with urlopen(f"{chat.url}/socket.io/{name}", timeout=PATIENCE) as answer:
            return bytes(answer.read())

    script = await asyncio.to_thread(fetch)
    assert script.startswith((LIBRARY / "browser" / "socket.io.js").read_bytes())


# -- an application with login, presence and upload: examples/documents


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example application, in a folder that knows nothing of this checkout."""
    return Path(shutil.copytree(DOCUMENTS, tmp_path_factory.mktemp("examples") / "documents"))


@pytest.fixture(scope="module")
def documents_server(python: Path, documents: Path) -> Iterator[Server]:
    server = Server(python, "-W", "error", "app.py", "--port={port}", cwd=documents)
    server.port = free_port()
    with running(server) as process:
        yield process
    assert not re.search(r"Warning|Traceback|ERROR", "\n".join(process.lines)), process.lines


def test_the_example_application_is_short_and_uses_public_names() -> None:
    python = {path: path.read_text() for path in DOCUMENTS.rglob("*.py")}
    modules = {"": handlers.socketio, ".testing": testing, ".operations": operations}
    public = {f"tornado_socketio{name}": module.__all__ for name, module in modules.items()}
    for source in python.values():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("tornado_socketio"):
                assert {alias.name for alias in node.names} <= set(public[str(node.module)])
    written = [text for path, text in python.items() if path.parent.name != "tests"]
    pages = [page.read_text() for page in DOCUMENTS.rglob("*.html")]
    assert len(pages) == 2
    assert sum(len(text.splitlines()) for text in [*written, *pages]) < 200


def test_the_example_application_passes_its_own_tests(python: Path, documents: Path) -> None:
    said = run(python, "-W", "error", "-m", "unittest", "tests.test_documents", cwd=documents)
    assert re.search(r"^Ran \d+ tests in \S+\n\nOK$", said, re.MULTILINE), said


@pytest.mark.parametrize("python", ends()[:1], indirect=True)
def test_the_applications_of_the_examples_pass_mypy_strict(python: Path, documents: Path) -> None:
    checked = ("app.py", "handlers", "tests/test_documents.py", PORT / "after.py")
    run(sys.executable, "-m", "mypy", "--strict", "--python-executable", python, *checked, cwd=documents)


async def test_the_example_application_in_a_browser(documents_server: Server, visit: Visit, tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(200_000))

    async def log_in(name: str) -> Page:
        page = await visit(documents_server.url)
        await page.fill("[name=name]", name)
        await page.click("button")
        return page

    ann, bob = await log_in("Ann"), await log_in("Bob")
    tab = await ann.context.new_page()
    await tab.goto(ann.url)
    for page in (ann, bob, tab):
        await expect(page.locator("#people")).to_have_text("Ann, Bob")
    await ann.set_input_files("#file", large)
    for page in (ann, bob, tab):
        await expect(page.locator("#files a")).to_have_text(["large.bin"])
        await expect(page.locator("#progress")).to_have_attribute("value", "1")
    answer = await bob.request.get(await bob.locator("#files a").evaluate("link => link.href"))
    assert await answer.body() == large.read_bytes()
    await tab.close()
    await bob.close()
    await expect(ann.locator("#people")).to_have_text("Ann")
