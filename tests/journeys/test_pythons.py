"""The server on every promised Python that is available.

With the oldest and the newest Tornado.

`pythons.py` makes the environments; the last lines of the output say which they were, and which Python was not run.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pythons
from conftest import ROOT
from conftest import Server as Process
from pythons import HOME, MISSING, PROMISED, ends, environments, tornado
from raw_client import (
    JOURNEY,
    Client,
    Line,
    Server,
    io_loop,  # noqa: F401 (a fixture)
    join,
)
from service_helpers import running

Record = Callable[[str, object], None]
everywhere = pytest.mark.parametrize("environment", environments())

IMPORT_ALL = """
import importlib, os, pathlib, pkgutil, sys, tornado
import handlers.socketio

for path in pathlib.Path("examples").glob("*.py"):
    if not (child := os.fork()):  # not in this process: each defines options, as the server does
        importlib.import_module(f"examples.{path.stem}")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, path
import server
for module in pkgutil.walk_packages(handlers.__path__, "handlers."):
    importlib.import_module(module.name)
for path in (*pathlib.Path("benchmarks").rglob("*.py"), *pathlib.Path("tests").glob("**/*.py")):
    if "node_modules" not in path.parts:
        compile(path.read_bytes(), path, "exec")
print(sys.version.split()[0], tornado.version)
"""


def python(environment: str) -> str:
    return str(HOME / environment / "bin" / "python")


async def heard(client: Client) -> list[list[object]]:
    """Return the first two events that a client hears."""
    packets: list[str] = []
    while len(packets) < 2:
        packet = str(await client.next())
        packets += [packet] if packet.startswith("42") else []
    return [json.loads(packet[2:])[:2] for packet in packets]


def test_each_promised_Python_is_run_or_cannot_be_had(record_property: Record) -> None:
    assert MISSING.exists(), "the Pythons were not looked for: `make test` does it"
    missing = json.loads(MISSING.read_text())
    for version, reason in missing.items():
        record_property("not run", f"Python {version}: {reason}")
    run = [version for version in PROMISED if f"{version}-newest" in environments()]
    assert sorted([*run, *missing], key=PROMISED.index) == list(PROMISED)
    assert f"{run[0]}-oldest" in environments()


@pytest.mark.parametrize(
    ("here", "in_apt", "run"),
    [
        (["3.11"], [], ["3.11"]),
        (["3.11"], ["3.10", "3.12", "3.13", "3.14"], ["3.10", "3.11", "3.14"]),
        (["3.10", "3.13", "3.15"], ["3.14"], ["3.10", "3.13", "3.15"]),
    ],
)
def test_the_oldest_and_the_newest_that_can_be_had_are_fetched(
    monkeypatch: pytest.MonkeyPatch, here: list[str], in_apt: list[str], run: list[str]
) -> None:
    monkeypatch.setattr(pythons, "find", lambda version: Path(version) if version in here else None)
    monkeypatch.setattr(pythons, "fetch", lambda version: Path(version) if version in in_apt else None)
    assert list(pythons.look_for_all()) == run


def test_a_Python_between_the_oldest_and_the_newest_is_not_looked_for_in_apt() -> None:
    reasons = {version: pythons.why_not(version, newest="3.13") for version in PROMISED if version != "3.13"}
    assert {version for version, reason in reasons.items() if "apt" in reason} == {"3.10", "3.14", "3.15"}


@everywhere
def test_every_module_is_imported_without_a_warning(environment: str, record_property: Record) -> None:
    command = [python(environment), "-W", "error", "-c", IMPORT_ALL]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert said.stderr == ""
    version, of_tornado = said.stdout.split()
    record_property("run", f"Python {version} with Tornado {of_tornado}")
    assert version.startswith(f"{environment.partition('-')[0]}.")
    assert of_tornado == tornado("oldest").partition("==")[2] or not environment.endswith("oldest")


@everywhere
def test_no_environment_has_the_packages_of_a_cluster(environment: str) -> None:
    # So that the tests of this file show that nothing but a cluster needs them.
    code = "import importlib.util as util; print(*map(util.find_spec, ('redis', 'hiredis', 'msgpack')))"
    found = subprocess.run([python(environment), "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "None None None\n"


@pytest.mark.parametrize("environment", ends())
def test_the_unit_tests_pass_on_the_oldest_and_the_newest(environment: str, record_property: Record) -> None:
    # Not what depends on neither Python nor Tornado, or is long: texts, arrows, files, JSON over real sockets.
    others = "docs or words or public_names or mistakes or history or snapshot or json_codec or frames_oracle"
    fast = ("-m", "not slow", "--hypothesis-profile=few", "-k", f"not ({others})")
    command = [python(environment), "-m", "pytest", "tests/unit", "-p", "no:cacheprovider", *fast]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^(\d+) passed", done.stdout, re.MULTILINE)
    assert passed
    record_property("run", f"Python {environment.replace('-', ' with the ')} Tornado: {passed[1]} unit tests")


@pytest.fixture(scope="module", params=environments())
def board(request: pytest.FixtureRequest) -> Iterator[Process]:
    """The board in an environment; any warning in its log fails."""
    options = ("--address=127.0.0.1", "--port={port}", "--database=:memory:")
    with running(Process(python(request.param), "-W", "error", ROOT / "server.py", *options)) as process:
        yield process
    assert not re.search(r"Warning|Traceback|ERROR", "\n".join(process.lines)), process.lines


@JOURNEY
async def test_the_board_says_the_news_and_a_private_word(board: Process) -> None:
    server = Server(board.port)
    for count, transport in enumerate(("polling", "websocket"), start=1):
        client = await server.open(transport)
        await join(client)
        assert await heard(client) == [
            ["news", {"msg": "One more person is online", "count": count}],
            ["private", {"msg": f"Welcome you are the {count} person here"}],
        ]
    await server.hang_up()


@JOURNEY
@pytest.mark.parametrize("fields", ["", "Host: a b\r\n", "Host: a\r\nHost: b\r\n"])
async def test_a_request_for_no_host_in_particular_is_refused(board: Process, fields: str) -> None:
    server = Server(board.port)
    line: Line = await server.connect()
    line.write(f"GET / HTTP/1.1\r\n{fields}\r\n".encode())
    assert (await line.answer()).status == 400
    await server.hang_up()


def test_the_README_and_the_linters_know_the_promise() -> None:
    oldest, newest = PROMISED[0], PROMISED[-1]
    of_tornado = tornado("oldest").partition("==")[2]
    promise = f"Python {oldest} to {newest}, with Tornado {of_tornado} to 6.6"
    assert tornado("newest").endswith(",<6.7")
    assert promise in (ROOT / "README.md").read_text()
    settings = (ROOT / "pyproject.toml").read_text()
    assert f'python_version = "{oldest}"' in settings
    assert f'target-version = "py{oldest.replace(".", "")}"' in settings
    assert f"-t={oldest}-" in (ROOT / "Makefile").read_text()
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in PROMISED
