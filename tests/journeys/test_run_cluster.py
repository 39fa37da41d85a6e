"""`make run-cluster`: one address, three nodes, and nothing left after Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import PATIENCE, ROOT
from service_helpers import free_port
from socketio import AsyncClient
from tornado.httpclient import AsyncHTTPClient

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="`make test` has nginx for Linux only"),
    pytest.mark.gen_test,
]


def free_ports(number: int) -> int:
    """Return the first of some free ports in a row."""
    while True:
        first = free_port()
        try:
            with ExitStack() as stack:
                for port in range(first, first + number):
                    stack.enter_context(socket.create_server(("127.0.0.1", port)))
                return first
        except (OSError, OverflowError):
            continue


def run(port: int, folder: Path) -> subprocess.Popen[str]:
    """Start it as `make` does, in a process group of its own."""
    env = {**os.environ, "PORT": str(port), "VENV": sys.prefix, "TMPDIR": str(folder)}
    return subprocess.Popen(
        [ROOT / "deploy" / "run-cluster"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = run(free_ports(4), tmp_path)
    yield process
    process.terminate()
    process.wait(PATIENCE)
    process.stdout.close()


def running_in(folder: Path) -> list[str]:
    """Return the programs whose command or directory names this folder."""
    listed = subprocess.check_output(["ps", "-ww", "-eo", "args="], text=True)
    return [line for line in listed.splitlines() if str(folder) in line]


def files_in(folder: Path) -> list[str]:
    return [str(path) for path in folder.iterdir()]


async def test_one_address_serves_three_nodes_until_ctrl_c(cluster: subprocess.Popen[str], tmp_path: Path) -> None:
    line = next(line for line in cluster.stdout if "Ctrl-C" in line)
    url, *pids = re.findall(r"http://localhost:\d+|\b\d+(?=[ )])", line)
    assert len(pids) == 3
    assert len(running_in(tmp_path)) >= 5
    assert "Message Board" in (await AsyncHTTPClient().fetch(url)).body.decode()
    clients = [AsyncClient(reconnection=False) for _ in range(3)]
    for client in clients:
        await client.connect(url, transports=["websocket"])
        assert "posts" in await client.call("history", {}, timeout=20)
    assert {str(client.eio.sid)[:2] for client in clients} == {"1.", "2.", "3."}
    os.kill(int(pids[0]), signal.SIGSTOP)
    os.killpg(cluster.pid, signal.SIGINT)
    assert cluster.wait(PATIENCE) == 0
    assert running_in(tmp_path) + files_in(tmp_path) == []
    for client in clients:
        await client.disconnect()


def test_a_port_in_use_is_told_before_anything_starts(tmp_path: Path) -> None:
    first = free_ports(4)
    with socket.create_server(("127.0.0.1", first + 2)):
        process = run(first, tmp_path)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert (
        said
        == f"run-cluster: port {first + 2} is in use: make run-cluster PORT=… takes that port and the three after it\n"
    )
    assert files_in(tmp_path) == []


def test_make_installs_what_it_needs_and_runs_it() -> None:
    said = subprocess.check_output(["make", "-n", "-B", "run-cluster", "PORT=4000"], cwd=ROOT, text=True)
    assert "install-tools cluster" in said
    assert "PORT=4000" in said
    assert "deploy/run-cluster" in said
