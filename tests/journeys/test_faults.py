"""Faults around a server: resets, floods, cut networks, jumping clocks, stalls.

After each the count is right, and no client that stayed has missed a number.
"""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import Any

import pytest
from conftest import JS, PATIENCE, ROOT
from conftest import Server as ServerProcess
from listeners import Bystander
from network import Network, apart
from raw_client import (
    Line,
    Server,
    io_loop,  # noqa: F401 (a fixture)
    join,
)
from service_helpers import running

pytestmark = pytest.mark.gen_test

INTERVAL, TIMEOUT = 0.5, 3.0
"""Seconds, of the heartbeat."""


class Stage:
    """The server, those who stay, and what they are to hear."""

    def __init__(self, process: ServerProcess) -> None:
        self.process = process
        self.server = Server(process.port)
        self.guests: list[Bystander] = []
        self.said = 0

    async def enter(self, *transports: str) -> None:
        """Let some in who stay."""
        for transport in transports:
            self.guests.append(Bystander(await self.enter_for_now(transport), self.said))

    async def enter_for_now(self, transport: str) -> Any:
        """Let one in that will not stay."""
        client = await self.server.open(transport)
        await join(client)
        return client

    async def listen(self) -> Line:
        """Listen to the stream of events."""
        line: Line = await self.server.connect()
        line.write(b"GET /events HTTP/1.0\r\nHost: x\r\n\r\n")
        await line.take_until(b"\r\n\r\n")
        return line

    async def begin_to_say(self, times: int) -> None:
        """Have numbers said; nobody is waited for."""
        await self.guests[0].client.send(*(f'42["say",{self.said + n}]' for n in range(1, times + 1)))
        self.said += times

    async def say(self, times: int = 1) -> None:
        """Say numbers, one after the other; those who stay hear them."""
        for _ in range(times):
            await self.begin_to_say(1)
            for guest in self.guests:
                await guest.hears(self.said)

    async def until(self, **census: int) -> dict[str, int]:
        """Wait until the server counts this many; return all counts."""
        (counted,) = await self.guests[0].call("until", census)
        return dict(counted)

    async def check(self) -> None:
        """Check the count, and that the stayers heard every number in order."""
        await self.until(online=len(self.guests), sessions=len(self.guests), streams=0)
        await self.say()
        for guest in self.guests:
            assert guest.numbers == list(range(guest.since + 1, self.said + 1))

    async def end(self) -> None:
        """Send everyone home."""
        for guest in self.guests:
            await guest.leave()
        await self.server.hang_up()


@asynccontextmanager
async def staged(interval: float = INTERVAL, timeout: float = TIMEOUT) -> AsyncIterator[Stage]:
    """Start the server; check the end.

    All clients but those that stayed are gone, and nothing was logged.
    """
    command = (sys.executable, ROOT / "tests" / "support" / "fault_server.py")
    with running(ServerProcess(*command, PING_INTERVAL=interval, PING_TIMEOUT=timeout)) as process:
        stage = Stage(process)
        try:
            await stage.enter("websocket", "polling")
            yield stage
            await stage.check()
        finally:
            await stage.end()
    assert [line for line in process.lines if not line.startswith("Listening on port")] == []


class Guests:
    """Official clients of each kind and a listener to `/events`.

    They run in one process.
    """

    CLIENTS = 3

    def __init__(self, process: Process) -> None:
        self.process = process

    async def report(self, number: int) -> list[dict[str, Any]]:
        """Wait until all have heard this number; return their reports."""
        self.process.stdin.write(f"{number}\n".encode())
        report: list[dict[str, Any]] = json.loads(await asyncio.wait_for(self.process.stdout.readline(), PATIENCE))
        return report


@asynccontextmanager
async def guests(
    node: str, stage: Stage, network: Network | None = None, silence: float = TIMEOUT
) -> AsyncIterator[Guests]:
    """Start the guests, in another network if there is one.

    silence: seconds after which the listener takes its connection for dead.
    """
    url = f"http://{network.here if network else '127.0.0.1'}:{stage.process.port}"
    command = (*(network.inside if network else ()), node, str(JS / "guests.mjs"), url, str(silence))
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        yield Guests(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_crowd_whose_connections_break_off_in_the_middle_of_what_is_said() -> None:
    async with staged() as stage:
        crowd = [await stage.enter_for_now(transport) for transport in ("websocket", "polling") * 40]
        listeners = [await stage.listen() for _ in range(40)]
        await stage.until(online=82, streams=40)
        polls = [await client.begin_get() for client in crowd[1::2]]
        await stage.begin_to_say(100)
        for number, line in enumerate((*crowd[::2], *polls, *listeners)):
            if number % 2:
                line.reset()
            else:
                line.close()


async def test_a_process_of_clients_that_is_stopped_and_goes_on(node: str) -> None:
    async with staged() as stage, guests(node, stage) as stopped:
        await stage.until(online=2 + Guests.CLIENTS, streams=1)
        await stage.say(10)
        stopped.process.send_signal(signal.SIGSTOP)
        await stage.until(online=2, sessions=2)
        await stage.say(10)
        stopped.process.send_signal(signal.SIGCONT)
        await stage.until(online=2 + Guests.CLIENTS, sessions=2 + Guests.CLIENTS)
        await stage.say(10)
        for guest in await stopped.report(stage.said):
            assert guest["numbers"] == list(range(1, stage.said + 1))
            assert guest["recoveries"] == guest["connects"] - 1
        stopped.process.kill()


async def test_a_server_that_stood_still_disconnects_nobody() -> None:
    async with staged() as stage:
        crowd = [await stage.enter_for_now(transport) for transport in ("websocket", "polling") * 20]
        for client in crowd:
            assert await client.next() == "2"
        stage.process.send_signal(signal.SIGSTOP)
        pongs = [await client.begin_post(b"3", 1) for client in crowd[1::2]]
        for client in crowd[::2]:
            await client.send("3")
        await asyncio.sleep(TIMEOUT + 0.5)  # longer than any of them has
        stage.process.send_signal(signal.SIGCONT)
        for pong in pongs:
            assert (await pong.answer()).text == "ok"
        stage.guests += map(Bystander, crowd)
        await stage.say(10)
        for guest in stage.guests:
            await guest.pinged(1)


async def test_a_clock_that_jumps() -> None:
    async with staged() as stage:
        listener = await stage.listen()
        for seconds in (86_400, -2 * 86_400, 1e9):
            await stage.guests[0].call("jump", seconds)
            await stage.say(10)
            for guest, pings in [(guest, guest.pings) for guest in stage.guests]:
                await guest.pinged(pings + 2)
            await stage.enter("websocket", "polling")
        await stage.until(online=8, sessions=8, streams=1)
        listener.close()


@pytest.fixture
def many_files() -> Iterator[None]:
    """Lets this process have as many descriptors as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_two_thousand_that_reconnect_at_once_after_a_restart(many_files: None) -> None:
    async with staged(interval=120) as stage:  # they answer no pings

        async def come() -> Any:
            return await asyncio.gather(*(stage.enter_for_now("websocket") for _ in range(2000)))

        crowd = await come()
        await stage.until(online=2002, sessions=2002)
        stage.process.stop(kill=True)
        for client in crowd:
            await client.gone.wait()
        await asyncio.to_thread(stage.process.start)
        stage.guests.clear()
        await stage.enter("websocket", "polling")
        coming = asyncio.ensure_future(come())
        while not coming.done():
            await stage.say()
            await asyncio.wait([coming], timeout=0.1)
        await stage.until(online=2002, sessions=2002)
        await stage.say()
        for client in await coming:
            guest = Bystander(client)
            await guest.hears(stage.said)
            assert guest.numbers == list(range(guest.numbers[0], stage.said + 1))
            client.reset()


@pytest.fixture
def networks() -> Iterator[list[Network]]:
    """Three other networks, and one of the test's own."""
    networks = [Network(number) for number in range(3)]
    with apart(), ExitStack() as stack:
        for network in networks:
            network.open()
            stack.callback(network.close)
        yield networks


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")


@LINUX
async def test_a_network_that_is_cut_for_longer_than_the_heartbeat(node: str, networks: list[Network]) -> None:
    """Three networks are cut: both ways, towards the clients, towards the server."""
    async with staged() as stage, AsyncExitStack() as stack:
        census = await stage.until(online=2, sessions=2, streams=0)
        far = [await stack.enter_async_context(guests(node, stage, network)) for network in networks]
        everyone = {"online": 2 + 3 * Guests.CLIENTS, "sessions": 2 + 3 * Guests.CLIENTS, "streams": 3}
        await stage.until(**everyone)
        await stage.say(10)
        for network, way in zip(networks, ("both", "there", "here"), strict=True):
            network.lose(way)
        await stage.say(10)
        await stage.until(**census)
        await stage.say(10)
        for network in networks:
            network.heal()
        await stage.until(**everyone)
        await stage.say(10)
        for each in far:
            for guest in await each.report(stage.said):
                assert guest["numbers"] == list(range(1, stage.said + 1))
                assert guest["recoveries"] == guest["connects"] - 1 > 0
            each.process.kill()


@LINUX
async def test_a_network_that_is_cut_for_less_than_the_heartbeat(node: str, networks: list[Network]) -> None:
    network = networks[0]
    long = PATIENCE / 3  # much longer than the cut; who leaves unnoticed is still gone before patience ends
    async with staged(timeout=long) as stage, guests(node, stage, network, silence=long) as far:
        await stage.until(online=2 + Guests.CLIENTS, streams=1)
        await stage.say(10)
        await far.report(stage.said)
        network.lose("both")
        await stage.say(10)
        for guest in await far.report(10):
            assert guest["numbers"] == list(range(1, 11))
        network.heal()
        for guest in await far.report(stage.said):
            assert (guest["connects"], guest["recoveries"]) == (1, 0)
            assert guest["numbers"] == list(range(1, stage.said + 1))
        far.process.kill()
