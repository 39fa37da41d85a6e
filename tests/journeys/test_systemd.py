"""What a service manager is told, by the real server.

The socket is real, too. Source: sd_notify(3).
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from conftest import PATIENCE, Server
from raw_client import (
    JOURNEY,
    io_loop,  # noqa: F401 (a fixture)
    join,
)
from raw_client import Server as Clients
from service_helpers import complaint, free_port, running

from handlers.socketio.operations.systemd import SystemdNotifier

COMMAND = (sys.executable, "server.py", "--address=127.0.0.1", "--port={port}")


class Manager:
    """A service manager that hears what it is told."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0"))
        self._socket.setblocking(False)

    async def next(self) -> dict[str, str]:
        """Wait for the next message."""
        data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._socket, 4096), PATIENCE)
        return dict(line.split("=", 1) for line in data.decode().splitlines())

    async def hears(self, name: str) -> str:
        """Wait until something is assigned to this name; return that."""
        while name not in (message := await self.next()):
            pass
        return message[name]

    def heard(self) -> list[bytes]:
        """Return what has come already."""
        messages = []
        try:
            while True:
                messages.append(self._socket.recv(4096))
        except BlockingIOError:
            return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.close()


@pytest.fixture
def notify() -> Iterator[Callable[..., SystemdNotifier]]:
    """Returns a notifier, in the test's own loop and ready."""
    notifiers: list[SystemdNotifier] = []

    def notify(count: Callable[[], int], **environ: str) -> SystemdNotifier:
        notifiers.append(SystemdNotifier(count, environ))
        notifiers[-1].ready()
        return notifiers[-1]

    yield notify
    for notifier in notifiers:
        notifier._socket.close()


@JOURNEY
async def test_the_manager_hears_when_the_server_listens_who_is_there_and_when_it_ends(manager: Manager) -> None:
    server = Server(*COMMAND, NOTIFY_SOCKET=manager.address)
    server.port = free_port()
    starting = asyncio.create_task(asyncio.to_thread(server.start))
    try:
        assert await manager.next() == {"READY": "1", "STATUS": "0 clients"}
        clients = Clients(server.port)
        await join(await clients.websocket())
        assert await manager.next() == {"STATUS": "1 client"}
        await clients.hang_up()
        assert await manager.next() == {"STATUS": "0 clients"}
    finally:
        await starting
        await asyncio.to_thread(server.stop)
    assert await manager.next() == {"STOPPING": "1"}
    assert manager.heard() == []


@JOURNEY
@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
async def test_a_manager_at_an_abstract_name_that_keeps_watch_hears_twice_in_the_time_it_gives() -> None:
    manager = Manager(f"@message-board-{os.getpid()}")
    with running(Server(*COMMAND, NOTIFY_SOCKET=manager.address, WATCHDOG_USEC=400_000)):
        assert await manager.hears("READY") == "1"
        began = time.monotonic()
        for _ in range(3):
            assert await manager.next() == {"WATCHDOG": "1"}
        assert time.monotonic() - began > 0.4
    manager.close()


@JOURNEY
async def test_a_loop_that_does_not_turn_tells_nothing(manager: Manager, notify) -> None:
    notify(lambda: 0, NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="100000")
    assert await manager.hears("WATCHDOG") == "1"
    block(0.5)
    assert manager.heard() == []
    assert await manager.hears("WATCHDOG") == "1"


@JOURNEY
async def test_a_clock_that_is_set_back_does_not_stop_the_watch(manager: Manager, notify, monkeypatch) -> None:
    notify(lambda: 0, NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="100000")
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() - 86_400)
    for _ in range(3):
        assert await manager.hears("WATCHDOG") == "1"


def block(seconds: float) -> None:
    time.sleep(seconds)


@JOURNEY
async def test_a_watch_that_is_another_processs_is_not_answered(manager: Manager, notify) -> None:
    count = iter(range(9))
    other = str(os.getppid())
    notify(lambda: next(count), NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="100000", WATCHDOG_PID=other)
    assert await manager.next() == {"READY": "1", "STATUS": "0 clients"}
    assert await manager.next() == {"STATUS": "1 client"}


@JOURNEY
async def test_what_the_manager_does_not_take_it_is_told_later(tmp_path: Path, notify, caplog) -> None:
    address = str(tmp_path / "notify")
    notifier = notify(lambda: 3, NOTIFY_SOCKET=address, WATCHDOG_USEC="100000")
    notifier.stopping()
    manager = Manager(address)
    assert await manager.next() == {"READY": "1", "STATUS": "3 clients", "STOPPING": "1", "WATCHDOG": "1"}
    assert await manager.next() == {"WATCHDOG": "1"}
    manager.close()
    assert caplog.text.count("systemd accepts no messages") == 1


def test_where_no_manager_asks_nothing_is_told() -> None:
    def count() -> NoReturn:
        pytest.fail("nobody has asked")

    notifier = SystemdNotifier(count, {"WATCHDOG_USEC": "100000"})
    notifier.ready()
    notifier.stopping()


def test_a_variable_that_cannot_be_ends_the_server_with_one_line() -> None:
    assert "'notify'" in complaint(NOTIFY_SOCKET="notify")


@pytest.mark.parametrize("value", ["", "0", "-1", "soon", "1.5"])
def test_a_time_that_cannot_be_is_named(value: str) -> None:
    with pytest.raises(SystemExit, match=rf"^\S+: WATCHDOG_USEC .* got '{value}': "):
        SystemdNotifier(lambda: 0, {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": value})


def test_an_address_of_another_kind_is_named() -> None:
    with pytest.raises(SystemExit, match=r"^\S+: NOTIFY_SOCKET .* got 'vsock:2:1234': "):
        SystemdNotifier(lambda: 0, {"NOTIFY_SOCKET": "vsock:2:1234"})
