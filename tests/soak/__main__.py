"""A soak: the real server among clients of all kinds.

They come, go, die and flood for minutes.

    make soak                                                # ten minutes
    make soak ARGS="--seconds=60 --warm-up=20 --seed=7"
    make soak ARGS="--nodes=3"                               # several boards, whose Redis and nodes fail: cluster.py

Some clients stay throughout and note what they hear. When it is over and only they are left, the server has to
be as it was after the warm-up, when clients had come and gone before: its memory, its descriptors, what it keeps in its
tables. Each of those who stayed has to have heard everything, in order, and the count has to be the truth. What was
drawn is drawn again with the same seed. Ends with 1, and in words, where something is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack
from functools import partial
from random import Random

from conftest import Server, board

from . import ledger
from .cluster import soak_cluster
from .ledger import State, Stayer, megabytes
from .look import look
from .residents import Script, residents
from .visits import Rest, Visiting, knock, visit

LIMITS = ("--rate=200", "--max-payload=100000", "--max-backlog=262144", "--ping-interval=1")
TIMES = ("ping-timeout", "connect-timeout", "upgrade-timeout", "recovery")
"""What the server waits for clients with; short, so that much happens."""
SETTLING = 75.0
"""Seconds within which all is to be as it was; idle connections alone are kept for sixty."""
KNOCKING = 10
"""One of so many visitors is no guest, but asks for what is refused."""
PROGRESS = 30.0
"""Seconds from one line about it to the next."""


class Soak:
    """A server, who stays with it, and who comes and goes."""

    def __init__(self, server: Server, script: Script, seed: int, visitors: int, silence: float) -> None:
        self._server, self._script = server, script
        self._visits: Counter[tuple[str, str]] = Counter()
        self._draws = [Random(f"{seed} {number}") for number in range(visitors)]
        self._rest = Rest(silence)
        self._rest.set()
        self._residents = residents(server.port, self._rest)
        self._faults: list[str] = []

    async def move_in(self) -> None:
        """Have those come who stay."""
        for resident in self._residents:
            await resident.move_in()

    async def move_out(self) -> None:
        """Disconnect the residents."""
        for resident in self._residents:
            await resident.move_out()
        await self._script.end()

    async def churn(self, seconds: float) -> None:
        """Have visitors come and go for some time."""
        self._rest.clear()
        await self._script.go()
        coming = [asyncio.create_task(self._come_and_go(number)) for number in range(len(self._draws))]
        watching = asyncio.create_task(self._watch())
        await asyncio.sleep(seconds)
        self._rest.set()
        await asyncio.gather(*coming, self._script.rest())
        watching.cancel()

    async def _come_and_go(self, number: int) -> None:
        while not self._rest.is_set():
            await self._pay(visit if number % KNOCKING else knock, self._draws[number])

    async def _pay(self, pay: Visiting, draw: Random) -> None:
        try:
            self._visits[await pay(self._server.port, draw, self._rest)] += 1
        except Exception as error:
            self._faults.append(f"a visitor: {error!r}")
            await self._rest.pause(1)

    async def _watch(self) -> None:
        begin = time.monotonic()
        while True:
            await asyncio.sleep(PROGRESS)
            state = await look(self._server)
            passed = time.monotonic() - begin
            print(f"{passed:5.0f} s: {megabytes(state.memory)}, {state.descriptors} descriptors", flush=True)

    async def settle(self, stayers: Iterable[Stayer], descriptors: float = float("inf")) -> State:
        """Wait until the server holds only these; return what it holds.

        descriptors: at most so many.
        """
        due = ledger.due_tables(stayers)
        end = time.monotonic() + SETTLING
        while True:
            state = await look(self._server)
            faults = ledger.table_faults(state.tables, due)
            if not (faults or state.descriptors > descriptors):
                break
            if time.monotonic() > end:
                self._faults += faults
                break
            await asyncio.sleep(0.2)
        return state

    @property
    def stayers(self) -> list[Stayer]:
        """Return the stayers' state.

        That of clients in JavaScript is from their last rest.
        """
        return [resident.now for resident in self._residents] + self._script.stayers

    @property
    def visits(self) -> Counter[tuple[str, str]]:
        """How many visits were paid, by kind and end."""
        return self._visits + self._script.visits

    @property
    def faults(self) -> list[str]:
        """What went wrong on the way."""
        return [*self._faults, *self._script.faults, *(f for resident in self._residents for f in resident.faults)]


async def soak(seconds: float, warm_up: float, seed: int, visitors: int, patience: float) -> list[str]:
    """Soak the server; print the findings and return the faults."""
    server, script = board(*LIMITS, *(f"--{name}={patience:g}" for name in TIMES)), Script()
    silence = patience + 3
    async with AsyncExitStack() as at_last:
        await asyncio.to_thread(server.start)
        at_last.push_async_callback(asyncio.to_thread, server.stop)
        at_last.push_async_callback(script.stop)
        await script.start(server.url, seed, visitors // 5, silence)
        party = Soak(server, script, seed, visitors, silence)
        await party.move_in()
        await party.churn(warm_up)
        start = await party.settle(party.stayers)
        await party.churn(seconds)
        end = await party.settle(party.stayers, start.descriptors + ledger.SPARE)
        await script.rest()
        stayers, visits, faults = party.stayers, party.visits, party.faults
        await party.move_out()
        await party.settle([])
    print(
        ledger.table_of_visits(visits), ledger.table_of_stayers(stayers), ledger.table_of_states(start, end), sep="\n\n"
    )
    return [
        *faults,
        *ledger.state_faults(start, end),
        *ledger.hearing_faults(stayers),
        *ledger.count_faults(stayers),
        *ledger.number_faults(server.lines, stayers),
        *ledger.log_faults(server.lines),
    ]


def main() -> None:
    """Soak the server as the command line says."""
    parser = argparse.ArgumentParser(prog="make soak ARGS=…", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=600, help="how long clients come and go (default: 600)")
    parser.add_argument("--warm-up", type=float, default=120, help="for how long they do before it counts (120)")
    parser.add_argument("--visitors", type=int, default=40, help="how many are there at a time (40)")
    parser.add_argument("--patience", type=float, default=10, help="seconds for pings and for coming back (10)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="what was drawn before, again")
    parser.add_argument("--nodes", type=int, default=1, help="how many boards; several have a Redis that fails (1)")
    options = vars(parser.parse_args())
    print(f"seed {options['seed']}", flush=True)
    nodes = options.pop("nodes")
    times = tuple(f"--{name}={options['patience']:g}" for name in TIMES[:-1])
    several = partial(soak_cluster, nodes, options=(*LIMITS, *times))
    faults = asyncio.run((soak if nodes == 1 else several)(**options))
    for fault in faults[:50]:
        print(f"NOT AS IT WAS: {fault}")
    if faults:
        sys.exit(1)
    print("All is as it was; everybody who stayed heard everything.")


if __name__ == "__main__":
    main()
