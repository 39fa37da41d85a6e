"""Readers that do not read: their cost, and that others hear everything."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from raw_client import (
    Server,
    WebSocket,
    io_loop,  # noqa: F401 (a fixture)
    join,
)

pytestmark = pytest.mark.gen_test

BROADCASTS = 5000
SPEAKERS = 5  # each within its allowance
BOUND = 8 << 20


@pytest.fixture
def peer_process() -> Iterator[tuple[Server, int]]:
    """The check application in its own process, and its pid.

    Its memory can be read there.
    """
    command = [sys.executable, str(Path(__file__).parents[1] / "support" / "conformance_server.py")]
    with subprocess.Popen(command, env={"PORT": "0"}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Server(int(process.stdout.readline().split()[-1].rstrip("."))), process.pid
        process.kill()


def memory(pid: int) -> int:
    """Bytes that the process has in memory."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


async def stuck_websocket(server: Server) -> Any:
    client = await server.websocket()
    await join(client)
    client._transport.pause_reading()
    return client


async def stuck_poller(server: Server) -> Any:
    client = await server.poll()
    await join(client)
    return client


async def stuck_pinger(server: Server) -> Any:
    client = await stuck_websocket(server)
    for _ in range(1000):
        client.send_frame(0x9, b"x" * 100)
    return client


async def stuck_answer(server: Server) -> Any:
    """A client that polls, and does not read the answer."""
    client = await stuck_poller(server)
    (await client.begin_get())._transport.pause_reading()
    return client


@pytest.mark.parametrize(
    ("number", "stuck"),
    [(1, stuck_websocket), (30, stuck_websocket), (30, stuck_poller), (30, stuck_pinger), (30, stuck_answer)],
)
async def test_readers_that_stopped_cost_little_and_others_miss_nothing(
    peer_process: tuple[Server, int], number: int, stuck: Any
) -> None:
    server, pid = peer_process
    witness = await server.websocket()
    await join(witness)
    speakers = [await server.websocket() for _ in range(SPEAKERS)]
    for speaker in speakers:
        await join(speaker)
    await shout(speakers, witness, 500)  # until the process has the memory that its work takes
    readers = [await stuck(server) for _ in range(number)]
    before = memory(pid)
    await shout(speakers, witness, BROADCASTS)
    assert memory(pid) - before < BOUND
    assert len(readers) == number
    await server.hang_up()


async def shout(speakers: list[WebSocket], witness: WebSocket, number: int) -> None:
    """Broadcast messages of 1 kB; check that the witness hears all."""
    text = "x" * 1000
    for n in range(number):
        await speakers[n % SPEAKERS].send(f'42["shout",[{n},"{text}"]]')
    heard = [await witness.next() for _ in range(number)]
    assert sorted(map(str, heard)) == sorted(f'42["shout",[{n},"{text}"]]' for n in range(number))
