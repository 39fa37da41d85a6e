"""Socket activation, by real processes.

Source: sd_listen_fds(3).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from conftest import PATIENCE, ROOT, Server, find_tool
from raw_client import (
    JOURNEY,
    io_loop,  # noqa: F401 (a fixture)
    join,
)
from raw_client import Server as Clients
from service_helpers import complaint, free_port, running

from handlers.socketio.operations.sockets import inherited

COMMAND = (sys.executable, "server.py", "--port=0")


def started_with(*sockets: int) -> list[str]:
    """Return the command of a server that inherits descriptors from 3 on."""
    renumber = "".join(f" {at}<&{number}" for at, number in enumerate(sockets, 3))
    variables = f"LISTEN_FDS={len(sockets)} LISTEN_FDNAMES=unknown LISTEN_PID=$$"
    return ["bash", "-c", f'exec{renumber}; exec env {variables} "$0" "$@"', *COMMAND]


def handed(*sockets: socket.socket) -> Server:
    """A server that is handed these sockets."""
    numbers = [each.fileno() for each in sockets]
    server = Server(*started_with(*numbers))
    server.handed = numbers
    return server


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@JOURNEY
async def test_it_serves_on_the_socket_it_is_handed_instead_of_one_of_its_own(listening: socket.socket) -> None:
    with running(handed(listening)) as server:
        assert server.port == listening.getsockname()[1]
        clients = Clients(server.port)
        for transport in ("polling", "websocket"):
            await join(await clients.open(transport))
        await clients.hang_up()


@JOURNEY
async def test_it_serves_on_all_the_sockets_it_is_handed(listening: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as second, running(handed(listening, second)):
        for each in (listening, second):
            assert (await Clients(each.getsockname()[1]).request("GET", "/")).status == 200


@JOURNEY
async def test_who_connects_while_it_is_restarted_waits_for_the_next(listening: socket.socket) -> None:
    clients = Clients(listening.getsockname()[1])
    with running(handed(listening)):
        assert (await clients.request("GET", "/")).status == 200
    waiting = await clients.send("GET", "/")
    with running(handed(listening)):
        assert (await waiting.answer()).status == 200
    await clients.hang_up()


@contextmanager
def activated(port: int) -> Iterator[subprocess.Popen[str]]:
    """Have systemd listen, and start the server when somebody connects."""
    command = [find_tool("systemd-socket-activate"), f"--listen=127.0.0.1:{port}", *COMMAND]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert "as 3" in process.stderr.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


@JOURNEY
@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
async def test_systemd_itself_starts_it_for_the_first_who_connects() -> None:
    port = free_port()
    with activated(port) as process:
        clients = Clients(port)
        await join(await clients.websocket())
        await clients.hang_up()
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_sockets_of_another_process_are_left_alone() -> None:
    environ = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getppid()), "PATH": "/bin"}
    assert inherited(environ) == []
    assert environ == {"PATH": "/bin"}


def unlistening(_: Path) -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def datagrams(_: Path) -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def accepted(_: Path) -> socket.socket:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        return server.accept()[0]


def local(directory: Path) -> socket.socket:
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    local.bind(str(directory / "socket"))
    local.listen()
    return local


@pytest.mark.parametrize("make", [unlistening, datagrams, accepted, local])
def test_it_says_in_one_line_that_it_cannot_serve_on(make: Callable[[Path], socket.socket], tmp_path: Path) -> None:
    with closing(make(tmp_path)) as given:
        line = complaint(*started_with(given.fileno()), handed=[given.fileno()])
    assert "file descriptor 3" in line
    assert "must be a listening TCP socket" in line
    assert "ListenStream=" in line


def test_it_says_in_one_line_that_a_file_is_no_socket() -> None:
    with Path(__file__).open() as file:
        line = complaint(*started_with(file.fileno()), handed=[file.fileno()])
    assert "file descriptor 3" in line
    assert "must be a socket" in line


def test_it_says_in_one_line_that_there_are_fewer_than_announced() -> None:
    command = ["bash", "-c", 'exec 3<&-; exec env LISTEN_FDS=1 LISTEN_PID=$$ "$0" "$@"', *COMMAND]
    assert "file descriptor 3" in complaint(*command)


def test_a_number_of_sockets_that_is_none_is_named() -> None:
    with pytest.raises(SystemExit, match=r"^\S+: LISTEN_FDS .* got 'some': "):
        inherited({"LISTEN_FDS": "some", "LISTEN_PID": str(os.getpid())})
