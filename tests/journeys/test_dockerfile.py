"""The Dockerfile, its steps done by hand, and the compose file."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PATIENCE, ROOT
from service_helpers import free_port

LINES = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "deploy" / "compose.yaml").read_text()


def words(instruction: str) -> list[list[str]]:
    """Return the words of each such line."""
    return [line.split() for line in re.findall(rf"^{instruction} (.*)$", LINES, re.MULTILINE)]


def command(instruction: str) -> str:
    """Return the shell command of CMD or HEALTHCHECK."""
    (found,) = re.findall(rf"^{instruction}\b.*?(\[.*\])$", LINES, re.MULTILINE)
    shell, option, line = json.loads(found)
    assert (shell, option) == ("sh", "-c")
    return str(line)


class Container:
    """What the Dockerfile makes, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.app, self.data = folder / "app", folder / "data"
        self.app.mkdir()
        self.data.mkdir(mode=0o700)
        for *sources, target in words("COPY"):
            for source in sources:
                path = ROOT / source
                into = self.app / target / ("" if path.is_dir() else path.name)
                (shutil.copytree if path.is_dir() else shutil.copy)(path, into)
        named = (pair.split("=", 1) for line in words("ENV") for pair in line)
        self.env = {name: value.strip('"').replace("/data", str(self.data)) for name, value in named}
        self.env["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def start(self, instruction: str, options: str) -> subprocess.Popen[str]:
        line = command(instruction).replace("/data", str(self.data))
        env = {**self.env, "OPTIONS": options}
        return subprocess.Popen(["sh", "-c", line], cwd=self.app, env=env, stdout=subprocess.PIPE, text=True)

    def check(self, options: str) -> int:
        with self.start("HEALTHCHECK", options) as checking:
            return checking.wait(PATIENCE)


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


def test_its_server_is_healthy_until_it_is_told_to_end_and_keeps_its_data(container: Container) -> None:
    options = f"--port={free_port()} --address=127.0.0.1"
    with container.start("CMD", options) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("Listening on port")
        assert container.check(options) == 0
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == 0
    assert container.check(options) == 1
    assert {path.name for path in container.data.iterdir()} >= {"board.sqlite3"}
    assert not list(container.app.rglob("*.sqlite3*"))


def test_it_runs_as_nobody_in_particular_and_its_data_is_a_volume() -> None:
    assert words("USER") == [["10001:10001"]]
    assert words("VOLUME") == [["/data"]]
    assert "install -d -o 10001 -g 10001 -m 700 /data" in LINES
    assert words("FROM") == [["python:3.13-slim"]]


def test_its_packages_are_those_of_the_server_and_of_a_node() -> None:
    extra = re.search(r"^redis = \[(.*?)\]  ", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert extra
    assert re.findall(r"'(\S+)'", re.findall(r"pip install.*", LINES)[0]) == json.loads(f"[{extra[1]}]")


def test_what_it_copies_is_not_ignored_and_all_else_is() -> None:
    copied = [source for *sources, _ in words("COPY") for source in sources]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert sorted(line[1:] for line in ignored if line.startswith("!")) == sorted(copied)
    assert "*" in ignored


def test_the_compose_file_trusts_a_proxy_that_alone_can_reach_the_server() -> None:
    board = COMPOSE[COMPOSE.index("  board:") : COMPOSE.index("\nvolumes:")]
    assert "OPTIONS: --address=127.0.0.1 --trust-proxy" in board
    assert "network_mode: service:caddy" in board
    assert "ports:" not in board
    assert "./Caddyfile:/etc/caddy/Caddyfile" in COMPOSE
    assert "reverse_proxy 127.0.0.1:3000" in (ROOT / "deploy" / "Caddyfile").read_text()
