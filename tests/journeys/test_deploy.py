"""The units, by systemd's own judgement, and `make install`.

It installs into another root.
"""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import ROOT, Server, find_tool
from raw_client import (
    JOURNEY,
    io_loop,  # noqa: F401 (a fixture)
)
from raw_client import Server as Clients
from redis_server import RedisServer
from service_helpers import running

UNITS = ("message-board.service", "message-board.socket", "message-board@.service", "message-board@.socket",
         "message-board-backup.service", "message-board-backup.timer")  # fmt: skip
LIB = Path("opt/lib/message-board")
SYSTEMD = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def make(target: str, root: Path, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    return run("make", target, f"DESTDIR={root}", "prefix=/opt", f"PYTHON={python}")


def files(root: Path) -> set[str]:
    """The files below a root; a virtual environment counts as one."""
    paths = (path.relative_to(root) for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(Path(*path.parts[: path.parts.index("venv") + 1]) if "venv" in path.parts else path) for path in paths}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root into which the server was installed."""
    root = tmp_path_factory.mktemp("root")
    made = make("install", root)
    assert made.returncode == 0, made.stdout
    return root


@SYSTEMD
@pytest.mark.parametrize("unit", UNITS[::2])
def test_systemd_scores_the_service_as_safe(unit: str) -> None:
    judged = run(find_tool("systemd-analyze"), "security", "--offline=yes", "--threshold=3", f"deploy/{unit}")
    assert judged.returncode == 0, judged.stdout  # an exposure of 0.3 at most, of 10
    assert "Overall exposure level" in judged.stdout


@SYSTEMD
def test_systemd_finds_nothing_wrong_with_the_units(root: Path, tmp_path: Path) -> None:
    for name in UNITS:
        unit = (root / "etc/systemd/system" / name).read_text()
        (tmp_path / name).write_text(unit.replace(f"/{LIB}", f"{root / LIB}"))
    named = [tmp_path / name.replace("@", "@2") for name in UNITS]
    verified = run(find_tool("systemd-analyze"), "verify", *named)
    assert verified.returncode == 0, verified.stdout
    assert "message-board" not in verified.stdout


def test_what_is_installed_is_the_server_with_a_venv_and_units_that_start_it(root: Path) -> None:
    served = {name for name in files(ROOT) if name.split("/")[0] in ("handlers", "static", "templates")}
    expected = {str(LIB / name) for name in {*served, "server.py", "LICENSE", "venv"}}
    assert files(root) == expected | {f"etc/systemd/system/{unit}" for unit in UNITS}
    for unit in UNITS[::2]:
        service = (root / "etc/systemd/system" / unit).read_text()
        start = rf"^ExecStart=(/bin/sh -c 'exec )?/{LIB}/venv/bin/python /{LIB}/server.py "
        assert re.search(start, service, re.MULTILINE)
        assert "/usr/local" not in service


def test_what_is_installed_may_be_read_by_any_user_and_changed_by_its_owner_alone(root: Path) -> None:
    for path in (*(root / LIB).rglob("*"), *(root / "etc/systemd/system").iterdir()):
        if not path.is_symlink():
            assert path.stat().st_mode & 0o055 == (0o055 if path.is_dir() else path.stat().st_mode & 0o011 | 0o044), (
                path
            )


@JOURNEY
async def test_what_is_installed_runs_with_Tornado_alone(root: Path) -> None:
    packages = next((root / LIB / "venv/lib").glob("python*/site-packages"))
    assert {path.name.partition("-")[0] for path in packages.glob("*.dist-info")} == {"tornado"}
    with running(Server(root / LIB / "venv/bin/python", root / LIB / "server.py", "--port={port}")) as server:
        answer = await Clients(server.port).request("GET", "/")
        assert "Message Board" in answer.text


def test_what_a_node_of_a_cluster_needs_is_installed_if_asked_for() -> None:
    for option, expected in (("REDIS=yes", ["msgpack", "redis"]), ("REDIS=", [])):
        said = run("make", "-n", "install", option).stdout
        assert re.findall(r"'(\w+)[^']*'", said[: said.index("uninstall")]) == expected


@JOURNEY
async def test_the_template_starts_a_node_of_its_name(tmp_path: Path) -> None:
    unit = (ROOT / "deploy/message-board@.service").read_text()
    (line,) = re.findall(r"^ExecStart=\S+python \S+/server.py (.*) \$OPTIONS$", unit, re.MULTILINE)
    for specifier, value in {"%i": "2", "%d": tmp_path, "%S/message-board": tmp_path}.items():
        line = line.replace(specifier, str(value))
    redis = RedisServer(tmp_path)
    redis.start()
    (tmp_path / "redis").write_text(f"{redis.url}\n")
    with ExitStack() as stack:
        stack.callback(redis.kill)
        server = stack.enter_context(running(Server(sys.executable, "server.py", "--port={port}", *line.split())))
        clients = Clients(server.port)
        assert str((await clients.websocket()).sid).startswith("2.")
        await clients.hang_up()
    assert (tmp_path / "state-2.json").exists()


def test_an_installation_that_fails_leaves_the_last_one(root: Path) -> None:
    before = files(root)
    assert make("install", root, python="false").returncode > 0
    assert before <= files(root)


def test_what_was_installed_is_uninstalled_and_what_the_server_has_saved_stays(root: Path) -> None:
    saved = root / "var/lib/message-board/state.json"
    saved.parent.mkdir(parents=True)
    saved.write_text("{}")
    assert make("uninstall", root).returncode == 0
    assert files(root) == {"var/lib/message-board/state.json"}
