"""A soak of boards as one cluster, whose Redis and nodes fail.

Witnesses stay, post, and come back when their node dies. One fault at a time is drawn. In the end each has heard each
post once and each speaker in order, all agree on who is there, and what they post in peace has one order. While
Redis is away the order of different speakers may differ from node to node: docs/scaling.md promises no more.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from random import Random

from conftest import PATIENCE, Server
from redis_server import RedisServer
from tornado.httpclient import AsyncHTTPClient

from . import ledger
from .ledger import State
from .look import look
from .visits import Rest, knock, visit
from .witness import Witness

SAVED = ("--appendonly", "yes", "--appendfsync", "always")
KNOCKING = 10
"""One of so many visitors is no guest, but asks for what is refused."""


class Cluster:
    """Boards that share a Redis and a file of posts."""

    def __init__(self, folder: Path, count: int, options: tuple[str, ...]) -> None:
        self.redis = RedisServer(folder)
        self.nodes = [self._node(folder, f"n{number}", options) for number in range(count)]
        self.faults = 0
        """How many faults have begun or ended."""

    def _node(self, folder: Path, name: str, options: tuple[str, ...]) -> Server:
        command = (sys.executable, "server.py", "--address=127.0.0.1", "--port={port}", f"--node={name}")
        return Server(*command, f"--database={folder / 'board.sqlite3'}", f"--redis={self.redis.url}", *options)

    def start(self) -> None:
        self.redis.start(*SAVED)
        for node in self.nodes:
            node.start()

    def stop(self) -> None:
        for node in self.nodes:
            with suppress(AttributeError):
                node.send_signal(signal.SIGCONT)
            node.stop(kill=True)
        self.redis.kill()

    @property
    def times_alone(self) -> int:
        """How often a node has said that Redis is away."""
        return sum("Redis is away" in line for node in self.nodes for line in node.lines)

    async def settle(self) -> None:
        """Wait until all nodes say that Redis is there."""
        for node in self.nodes:
            while "is away" in await _health(node):
                await asyncio.sleep(0.05)

    # -- faults

    async def fail(self, draw: Random) -> str:
        """Let one thing fail, until it works again; return what."""
        kinds = [self._kill_redis, self._kill_clients, self._pause_clients, self._kill_node, self._hang_node]
        fault = draw.choice(kinds)
        self.faults += 1
        await fault(draw)
        await self.settle()
        self.faults += 1
        return fault.__name__.strip("_").replace("_", " ")

    async def _kill_redis(self, draw: Random) -> None:
        self.redis.kill()
        await asyncio.sleep(draw.uniform(0, 3))
        await asyncio.to_thread(self.redis.start, *SAVED)

    async def _kill_clients(self, draw: Random) -> None:
        self._tell_redis("CLIENT", "KILL", "TYPE", draw.choice(["normal", "pubsub"]))

    async def _pause_clients(self, draw: Random) -> None:
        milliseconds = draw.randrange(200, 4000)
        self._tell_redis("CLIENT", "PAUSE", str(milliseconds), "ALL")
        await asyncio.sleep(milliseconds / 1000)

    def _tell_redis(self, *command: str) -> None:
        with self.redis.client() as operator:
            operator.execute_command(*command)

    async def _kill_node(self, draw: Random) -> None:
        node = draw.choice(self.nodes[1:])  # the memory of the first one is compared in the end
        await asyncio.to_thread(node.stop, kill=True)
        await asyncio.sleep(draw.uniform(0, 4))
        await asyncio.to_thread(node.start)

    async def _hang_node(self, draw: Random) -> None:
        node = draw.choice(self.nodes)
        node.send_signal(signal.SIGSTOP)
        await asyncio.sleep(draw.uniform(0.5, 7))
        node.send_signal(signal.SIGCONT)


async def _health(node: Server) -> str:
    with suppress(OSError):
        return (await AsyncHTTPClient().fetch(f"{node.url}/healthz", request_timeout=PATIENCE)).body.decode()
    return "is away"


class ClusterSoak:
    """A cluster, its witnesses, its visitors and its faults."""

    def __init__(self, cluster: Cluster, seed: int, visitors: int, silence: float) -> None:
        self._cluster, self._seed, self._visitors = cluster, seed, visitors
        self._rest = Rest(silence)
        count = 2 * len(cluster.nodes)
        self.witnesses = [Witness(f"witness {number}", cluster.nodes, number) for number in range(count)]
        self.done: Counter[str] = Counter()
        """Faults and visits, by kind."""
        self.faults: list[str] = []

    async def churn(self, seconds: float) -> None:
        """Let visitors come and go, witnesses post, and things fail."""
        self._rest.clear()
        visits = [self._come_and_go(Random(f"{self._seed} {number}"), number) for number in range(self._visitors)]
        tasks = [asyncio.create_task(work) for work in (*visits, *(w.post_on(self._rest) for w in self.witnesses))]
        failing = asyncio.create_task(self._fail(Random(f"{self._seed} faults")))
        await asyncio.sleep(seconds)
        self._rest.set()
        await asyncio.gather(failing, *tasks)
        await self._cluster.settle()
        await self.agree()
        await self._post_in_peace()

    async def _post_in_peace(self) -> None:
        """Let all witnesses post while nothing fails, and compare the orders."""
        alone = -1
        while alone < (alone := self._cluster.times_alone):  # a busy machine makes Redis slow: that was no peace
            await asyncio.gather(*(witness.post_next() for witness in self.witnesses))
            await self.agree()
        orders = {tuple(witness.posts[-len(self.witnesses) :]) for witness in self.witnesses}
        if len(orders) > 1:
            self.faults.append(f"while nothing failed, the witnesses heard {len(orders)} orders: {orders}")

    async def _fail(self, draw: Random) -> None:
        while not self._rest.is_set():
            self.done[await self._cluster.fail(draw)] += 1
            await self._rest.pause(draw.uniform(1, 4))

    async def _come_and_go(self, draw: Random, number: int) -> None:
        while not self._rest.is_set():
            before = self._cluster.faults
            node = draw.choice(self._cluster.nodes)
            try:
                await (visit if number % KNOCKING else knock)(node.port, draw, self._rest)
                self.done["visits"] += 1
            except (AssertionError, OSError, EOFError) as error:
                if before % 2 == 0 and before == self._cluster.faults:
                    self.faults.append(f"a visitor: {error!r}")
                self.done["visits that a fault ended"] += 1
                await self._rest.pause(1)

    async def agree(self) -> None:
        """Wait until all witnesses have heard what was posted."""

        def missing() -> list[str]:
            return [fault for witness in self.witnesses for fault in _missing(witness, self.witnesses)]

        if not await _within(PATIENCE, lambda: not missing()):
            self.faults += missing()
        for witness in self.witnesses:
            if not await witness.counts(len(self.witnesses)):
                self.faults.append(f"{witness.name} is told that {witness.online} are online of {len(self.witnesses)}")

    def found(self) -> Iterator[str]:
        """Say what was wrong."""
        yield from self.faults
        for witness in self.witnesses:
            yield from witness.faults(self.witnesses)
        for node in self._cluster.nodes:
            yield from (f"a node said: {line}" for line in node.lines if line.startswith(("[E ", "Traceback")))


def _missing(witness: Witness, all_: list[Witness]) -> Iterator[str]:
    heard = set(witness.posts)
    for speaker in all_:
        if lost := [text for text in speaker.acknowledged if text not in heard]:
            yield f"{witness.name} has not heard {lost[:5]}"


async def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    end = asyncio.get_running_loop().time() + seconds
    while not holds():
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.1)
    return True


async def soak_cluster(
    nodes: int, seconds: float, warm_up: float, seed: int, visitors: int, patience: float, options: tuple[str, ...]
) -> list[str]:
    """Soak a cluster; print the findings and return the faults."""
    async with AsyncExitStack() as at_last:
        folder = at_last.enter_context(tempfile.TemporaryDirectory())
        cluster = Cluster(Path(folder), nodes, options)
        at_last.push_async_callback(asyncio.to_thread, cluster.stop)
        await asyncio.to_thread(cluster.start)
        party = ClusterSoak(cluster, seed, visitors, patience + 3)
        for witness in party.witnesses:
            at_last.push_async_callback(witness.stop)
            await witness.start()
        if warm_up:
            await party.churn(warm_up)
        start = await _look_at_all(cluster, patience)
        await party.churn(seconds)
        end = await _look_at_all(cluster, patience)
        faults = list(party.found())
    print(
        f"faults: {cluster.faults // 2}",
        json.dumps(party.done, indent=1),
        *(witness.line for witness in party.witnesses),
        sep="\n",
    )
    for pid, state in end.items():
        if pid in start:
            print(ledger.table_of_states(start[pid], state))
            faults += ledger.state_faults(start[pid], state)
    return faults


async def _look_at_all(cluster: Cluster, patience: float) -> dict[int, State]:
    """Return what each node holds, by its process id."""
    await asyncio.sleep(patience)
    return {node.pid: _without_clients(await look(node)) for node in cluster.nodes}


def _without_clients(state: State) -> State:
    """Count no descriptors of witnesses, which move between the nodes."""
    clients = sum(number for name, number in state.tables.items() if name.startswith("socketio_clients{"))
    return state._replace(descriptors=state.descriptors - int(clients))
