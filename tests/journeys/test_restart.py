"""A server ends and another begins, each in its own process.

No connection is refused, and no message is lost or sent twice.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import raw_client
import socketio
from conftest import JS, PATIENCE, ROOT, find_tool
from raw_client import (
    Closed,
    Line,
    Server,
    WebSocket,
    address,
    io_loop,  # noqa: F401 (a fixture)
)

pytestmark = pytest.mark.gen_test

PYTHON = sys.executable
COUNTING = [PYTHON, "tests/support/counting_server.py", "--address=127.0.0.1", "--ping-interval=20"]
ENDED = "server shutting down"
LISTENERS, POLLERS, ENOUGH = 440, 60, 10


class Counting:
    """The server of counting_server.py in a process; `log` has its output."""

    def __init__(self, process: Process, port: int = 0) -> None:
        self.process = process
        self.clients = Server(port)
        self.log = ""

    async def said(self, words: str) -> None:
        """Wait for words in the log."""
        assert self.process.stdout is not None
        while words not in self.log:
            line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
            assert line, f"it did not say {words!r}:\n{self.log}"
            self.log += line.decode()

    async def ended(self) -> int:
        """Wait for its end; return its exit status."""
        assert self.process.stdout is not None
        self.log += (await asyncio.wait_for(self.process.stdout.read(), PATIENCE)).decode()
        assert "Traceback" not in self.log, self.log
        return await self.process.wait()

    @property
    def last(self) -> int:
        """The last number it has said."""
        return int(self.log.rpartition("counted to ")[2])


@asynccontextmanager
async def started(*arguments: str | Path, port: int = 0, by: tuple[str, ...] = ()) -> AsyncIterator[Counting]:
    """Start the server; `by` stands before its command."""
    command = [*by, *COUNTING, f"--port={port}", *map(str, arguments)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=asyncio.subprocess.STDOUT)
    counting = Counting(process)
    try:
        await counting.said("Listening on port ")
        counting.clients.port = int(counting.log.rpartition("port ")[2].rstrip(".\n"))
        yield counting
    finally:
        await counting.clients.hang_up()
        if process.returncode is None:
            process.kill()
            await process.wait()


def lives(numbers: list[tuple[int, int]]) -> dict[int, list[int]]:
    """Group what was heard by server; check that they do not overlap."""
    heard: dict[int, list[int]] = {}
    for server, number in numbers:
        assert server not in heard or server == list(heard)[-1], "the first server after the second"
        heard.setdefault(server, []).append(number)
    return heard


class Listener:
    """A raw client that recovers its session and keeps what it hears."""

    def __init__(self, port: int) -> None:
        self.server = Server(port)
        self.place: dict[str, str] = {}
        self.ids: list[str] = []
        self.numbers: list[tuple[int, int]] = []
        self.codes: list[int | None] = []
        self.refused = 0
        self.failure: Exception | None = None
        self.answers: list[Any] = []
        self.changed = asyncio.Event()

    async def run(self) -> None:
        """Come, and come back; errors are raised to the waiting test."""
        try:
            while True:
                await self.try_to_visit()
                self.changed.set()
        except Exception as error:
            self.failure = error
        finally:
            self.changed.set()

    async def try_to_visit(self) -> None:
        """Listen, if the server accepts it."""
        try:
            await self.visit()
        except Closed as closed:
            self.codes.append(closed.code)
        except ConnectionRefusedError:
            self.refused += 1
            await asyncio.sleep(0.05)

    async def visit(self) -> None:
        """Listen until the server closes the connection."""
        self.socket: WebSocket = await self.server.websocket()
        await self.socket.send(self.connect)
        while True:
            packet = await self.socket.next()
            if packet == "2":
                await self.socket.send("3")
            self.take(str(packet))

    @property
    def connect(self) -> str:
        """The CONNECT with which it comes, or comes back."""
        return "40" + json.dumps({"recovery": True, **self.place})

    def take(self, packet: str) -> None:
        """Take a packet."""
        if packet.startswith("40"):
            greeting = json.loads(packet[2:])
            assert self.place.setdefault("pid", greeting["pid"]) == greeting["pid"], "it is a newcomer"
            self.ids.append(greeting["sid"])
        elif packet.startswith("42"):
            event, *args, self.place["offset"] = json.loads(packet[2:])
            if event == "number":
                self.numbers.append(tuple(args))
        elif packet.startswith("43"):
            self.answers.append((json.loads(packet.removeprefix("431")) or [None])[0])
        self.changed.set()

    async def ask(self, *event: Any) -> Any:
        """Send an event and return its acknowledgement."""
        await self.socket.send("421" + json.dumps(event))
        await self.until(lambda: self.answers)
        return self.answers.pop()

    async def until(self, come: Any) -> None:
        """Wait for something."""
        while not come():
            if self.failure is not None:
                raise self.failure
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), PATIENCE)

    async def hears(self, servers: int, number: int) -> None:
        """Wait for this many numbers from the last of these servers."""
        await self.until(lambda: len(self.lives) == servers and len(list(self.lives.values())[-1]) >= number)

    @property
    def lives(self) -> dict[int, list[int]]:
        """What it has heard from each server, in order."""
        return lives(self.numbers)


class Poller(Listener):
    """A Listener by long-polling.

    It keeps its connection as long as the server does.
    """

    line: Line | None = None

    async def visit(self) -> None:
        opening = await self.request("GET", address())
        assert opening.status == 200, opening
        path = address(sid=json.loads(opening.text[1:])["sid"])
        answer = await self.request("POST", path, self.connect.encode())
        while answer.status == 200:
            answer = await self.request("GET", path)
            for packet in answer.packets if answer.status == 200 else ():
                self.take(packet)
        assert (answer.status, answer.json["code"]) == (400, 1), answer

    async def request(self, method: str, path: str, body: bytes = b"") -> raw_client.Answer:
        """Send a request, on a new connection if the last has closed."""
        for _ in range(2):
            line = self.line = self.line or await self.server.connect()
            line.write(self.server.head(method, path, body=body) + body)
            try:
                answer = await line.answer()
            except EOFError:
                self.line = None
                continue
            if answer.headers.get("Connection") == "close":
                line.close()
                self.line = None
            return answer
        raise AssertionError(f"{method} {path}: nobody answers")


@asynccontextmanager
async def listening(*listeners: Listener) -> AsyncIterator[None]:
    """Let clients listen."""
    tasks = [asyncio.ensure_future(listener.run()) for listener in listeners]
    try:
        yield
    finally:
        running = set(tasks)
        while running:  # Python 3.11's wait_for may swallow a cancellation
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=1)
        for listener in listeners:
            await listener.server.hang_up()


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def check_complete(last: int, *heard: dict[int, list[int]]) -> None:
    """Check that all have heard both servers without a gap.

    The first server to its last number, the second from its first.
    """
    for first, second in (list(lives.values()) for lives in heard):
        assert (first[-1], second[0]) == (last, 1)
        for numbers in (first, second):
            assert all(after == before + 1 for before, after in pairwise(numbers)), numbers


# -- one client


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kind", [Listener, Poller])
async def test_a_client_goes_on_with_the_next_server_where_it_was(
    by: signal.Signals, kind: type[Listener], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    async with started(f"--state={state}") as first:
        client, other = kind(first.clients.port), Listener(first.clients.port)
        async with listening(client, other):
            await client.hears(1, ENOUGH)
            await other.hears(1, 1)
            await other.ask("name", "Ann")
            await other.ask("join", "lobby")
            first.process.send_signal(by)
            assert await first.ended() == 0
            assert state.stat().st_mode & 0o777 == 0o600
            async with started(f"--state={state}", port=first.clients.port):
                await client.hears(2, ENOUGH)
                await other.hears(2, ENOUGH)
                assert await other.ask("whoami") == [other.ids[0], "Ann", True, ["lobby"], 2]
                assert other.codes == [1001]
    assert not state.exists()
    assert len(set(client.ids)) == 1
    check_complete(first.last, client.lives, other.lives)


async def test_who_has_a_handler_in_flight_gets_its_answer(tmp_path: Path) -> None:
    async with started("--drain=20") as counting:
        client = Listener(counting.clients.port)
        async with listening(client):
            await client.hears(1, 1)
            working = asyncio.ensure_future(client.ask("work", 0.5))
            await counting.said("works")
            counting.process.terminate()
            assert await working == "done"
            assert await counting.ended() == 0
            assert client.codes == [1001]


async def test_a_handler_that_takes_too_long_is_not_waited_for() -> None:
    async with started("--drain=0.5") as counting:
        client = Listener(counting.clients.port)
        async with listening(client):
            await client.hears(1, 1)
            await client.ask("name", "Ann")
            await client.socket.send('42["work",3600]')
            await counting.said("works")
            counting.process.terminate()
            assert await counting.ended() == 0
    assert "1 handlers did not finish in time, cancelled" in counting.log


async def test_hooks_that_take_their_time_are_waited_for() -> None:
    async with started("--presence-grace=60") as counting:
        client = Listener(counting.clients.port)
        async with listening(client):
            await client.hears(1, 1)
            await client.ask("name", "Ann")
            counting.process.terminate()
            assert await counting.ended() == 0
    assert f"Ann has left: {ENDED}" in counting.log


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
async def test_the_second_signal_ends_it_at_once(by: signal.Signals, tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with started("--drain=3600", f"--state={state}") as counting:
        busy, idle = Listener(counting.clients.port), Listener(counting.clients.port)
        async with listening(busy, idle):
            await busy.hears(1, 1)
            await idle.hears(1, 1)
            line = await counting.clients.connect()
            await busy.socket.send('42["work",3600]')
            await counting.said("works")
            counting.process.send_signal(signal.SIGTERM)
            await idle.until(lambda: idle.codes == [1001])
            line.write(counting.clients.head("GET", address()))
            answer = await line.answer()
            assert (answer.status, answer.headers["Connection"]) == (503, "close")
            with pytest.raises(ConnectionRefusedError):
                await counting.clients.connect()
            counting.process.send_signal(by)
            assert await counting.ended() == -by
    assert files(tmp_path) == []


# -- the file


async def test_on_a_full_disk_it_says_so_and_ends_well(tmp_path: Path) -> None:
    limited = ("sh", "-c", 'ulimit -f 1; exec "$@"', "sh")  # a file of half a kilobyte is the largest
    async with started(f"--state={tmp_path / 'state'}", by=limited) as counting:
        client = Listener(counting.clients.port)
        async with listening(client):
            await client.hears(1, ENOUGH)
            counting.process.terminate()
            assert await counting.ended() == 0
    assert f"snapshot {tmp_path / 'state'} not saved: File too large" in counting.log
    assert files(tmp_path) == []


async def test_a_damaged_file_is_set_aside_and_the_server_starts(tmp_path: Path) -> None:
    (tmp_path / "state").write_text('{"format": "another"}')
    async with started(f"--state={tmp_path / 'state'}") as counting:
        client = Listener(counting.clients.port)
        async with listening(client):
            await client.hears(1, 1)
    assert "is not a valid snapshot ('format' must be" in counting.log
    assert (tmp_path / "state.damaged").read_text() == '{"format": "another"}'


# -- clients that nobody here wrote, and many


async def test_clients_of_all_kinds_live_through_a_restart(node: str, tmp_path: Path) -> None:
    state = f"--state={tmp_path / 'state'}"
    async with started(state, "--presence-grace=30") as first:
        url = f"http://127.0.0.1:{first.clients.port}"
        clients = await asyncio.create_subprocess_exec(node, JS / "restart.mjs", url, cwd=JS, stdout=PIPE)
        assert clients.stdout is not None
        assert await asyncio.wait_for(clients.stdout.readline(), PATIENCE) == b"ready\n"
        first.process.terminate()
        assert await first.ended() == 0
        async with started(state, "--presence-grace=30", port=first.clients.port):
            report, _ = await asyncio.wait_for(clients.communicate(), PATIENCE)
    heard = json.loads(report)
    assert len(heard) == 6
    for client in heard:
        assert client["recovered"] == [False, True], client["name"]
        assert client["names"] == [client["name"]] * 2
        assert len(set(client["ids"])) == 1
    check_complete(first.last, *(lives(client["numbers"]) for client in heard))


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], None])
async def test_a_client_that_knows_nothing_of_recovery_comes_back(transports: list[str] | None) -> None:
    servers: asyncio.Queue[int] = asyncio.Queue()
    client = socketio.AsyncClient(reconnection_delay=0.05, randomization_factor=0, handle_sigint=False)

    @client.on("number")
    def hear(server: int, _: int) -> None:
        servers.put_nowait(server)

    async with started() as first:
        await client.connect(f"http://127.0.0.1:{first.clients.port}", transports=transports)
        before = await asyncio.wait_for(servers.get(), PATIENCE)
        first.process.terminate()
        assert await first.ended() == 0
        async with started(port=first.clients.port):
            while await asyncio.wait_for(servers.get(), PATIENCE) == before:
                pass
            await client.shutdown()


@asynccontextmanager
async def activated(*arguments: str) -> AsyncIterator[tuple[int, asyncio.StreamReader]]:
    """Start the server by systemd-socket-activate and a shell.

    The shell starts it again as often as it ends with status 0.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serve = 'LISTEN_PID=$$ exec "$@"'
    again = f"while sh -c '{serve}' sh \"$@\"; do :; done"
    process = await asyncio.create_subprocess_exec(
        find_tool("systemd-socket-activate"), f"--listen=127.0.0.1:{port}", find_tool("sh"), "-c", again, "sh",
        *COUNTING, *arguments,
        cwd=ROOT, stdout=PIPE, stderr=PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert b"Listening" in await process.stderr.readline()
        yield port, process.stdout
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
async def test_five_hundred_clients_are_neither_refused_nor_miss_anything(tmp_path: Path) -> None:
    state = f"--state={tmp_path / 'state'}"
    async with activated("--period=200", "--drain=2", state, "--logging=error") as (port, said):
        clients = [*(Listener(port) for _ in range(LISTENERS)), *(Poller(port) for _ in range(POLLERS))]
        async with listening(*clients):
            for client in clients:
                await client.hears(1, ENOUGH)
            os.kill(clients[0].numbers[0][0], signal.SIGTERM)
            for client in clients:
                await client.hears(2, ENOUGH)
        assert b"Listening" in await said.readline()
        counted = (await said.readline()).removeprefix(b"counted to ")
    assert {client.refused for client in clients} == {0}
    assert {code for client in clients for code in client.codes} == {1001}
    assert len({tuple(client.ids) for client in clients}) == len(clients)
    assert {len(set(client.ids)) for client in clients} == {1}
    check_complete(int(counted), *(client.lives for client in clients))
