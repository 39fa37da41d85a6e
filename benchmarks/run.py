"""The peers side by side: `make bench`, or `python benchmarks/run.py --quick`.

Every workload runs on every server that knows it, each time on a process that was just started; the servers take turns,
round by round. Anything that is not as it should be ends the run with a message.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import peers as peer_table
import report
import workloads as workload_table
from errors import RunError
from measure import Cores, Duration, Result, measure
from peers import Peer
from workloads import Workload

FULL = Duration(seconds=2, warmup=0.5, deadline=240)
SHORT = Duration(seconds=0.3, warmup=0.1, deadline=30)
SPARE_FILES = 500
"""What a process has open besides its clients' sockets, generously."""


class Run:
    """Runs all rounds; a server that fails a storm skips larger ones."""

    def __init__(self, workloads: Sequence[Workload], peers: Sequence[Peer], duration: Duration, cores: Cores) -> None:
        self.results: report.Results = defaultdict(list)
        self._pairs = [(workload, peer) for workload in workloads for peer in peers if peer.takes(workload)]
        self._duration = duration
        self._cores = cores
        self._gave_up: dict[str, int] = {}

    def round(self, which: str) -> None:
        """Measure everything once."""
        for place, (workload, peer) in enumerate(self._pairs, 1):
            self._one(workload, peer, f"{which}, {place} of {len(self._pairs)}")

    def _one(self, workload: Workload, peer: Peer, where: str) -> None:
        if workload.mode == "storm" and workload.clients >= self._gave_up.get(peer.name, sys.maxsize):
            return
        result = measure(peer, workload, self._duration, self._cores)
        self.results[workload.name, peer.name].append(result)
        if not result.done:
            self._gave_up[peer.name] = workload.clients
        _tell(f"{where}: {workload.name}, {peer.name}: {_summary(workload, result)}")


def _summary(workload: Workload, result: Result) -> str:
    if not result.done:
        return f"given up after {result.seconds:.0f} s and {result.delivered:,} deliveries"
    amount = report.amount(report.figure(result, workload))
    return f"{amount} {report.HEADINGS[workload.mode][1]}, load busy {result.busy:.0%}"


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _show(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


# -- what the machine has to have


def two_cores() -> Cores:
    """Return one core for the server and one for the load."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        raise RunError("the server and the load need a core each, and this process may use one only")
    return Cores(server=available[0], load=available[1])


def raise_file_limit(workloads: Sequence[Workload]) -> None:
    """Let children open as many files as the largest workload needs."""
    needed = max(workload.sockets for workload in workloads) + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, max(needed, hard)))
    except (ValueError, OSError):
        raise RunError(f"{needed} open files are needed, and {hard} allowed: raise `ulimit -Hn`") from None


# -- the command


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description="The peers side by side.")
    parser.add_argument("--quick", action="store_true", help="small workloads, one round: under a minute")
    parser.add_argument("--only", default="", metavar="WORKLOADS", help="names, their first words, or patterns")
    parser.add_argument("--peers", default="", help="some of " + ", ".join(peer.name for peer in peer_table.PEERS))
    parser.add_argument("--rounds", type=int, help="how often each is measured (3, with --quick 1)")
    parser.add_argument("--seconds", type=float, help="how long a workload talks (2, with --quick 0.3)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table there as well, after each round")
    parser.add_argument("--list", action="store_true", help="list the workloads")
    return parser.parse_args()


def duration_of(arguments: argparse.Namespace) -> Duration:
    """Return how long things last."""
    base = SHORT if arguments.quick else FULL
    return Duration(arguments.seconds or base.seconds, base.warmup, base.deadline)


def bench(arguments: argparse.Namespace) -> None:
    """Install, measure, print."""
    table = workload_table.QUICK if arguments.quick else workload_table.WORKLOADS
    workloads = workload_table.choose(table, arguments.only)
    if arguments.list:
        _show("\n".join(workload.name for workload in workloads))
        return
    peers = [peer for peer in peer_table.choose(arguments.peers) if any(map(peer.takes, workloads))]
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    cores = two_cores()
    raise_file_limit(workloads)
    peer_table.install(peers)
    machine = report.machine(peers)
    _show(machine)
    run = Run(workloads, peers, duration_of(arguments), cores)
    for number in range(1, rounds + 1):
        run.round(f"round {number} of {rounds}")
        text = f"{report.notes(workloads, number)}\n\n{report.table(workloads, peers, run.results)}"
        # A run that is broken off has shown, and written, what it had measured.
        (_show if number == rounds else _tell)(f"\n{text}")
        if arguments.out:
            arguments.out.write_text(f"{machine}\n\n{text}\n")


def _end(*_: Any) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run; every process that was started is ended before this one is."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        bench(read_arguments())
    except RunError as error:
        sys.exit(f"benchmarks/run.py: {error}")
    except KeyboardInterrupt:
        sys.exit("benchmarks/run.py: interrupted")


if __name__ == "__main__":
    main()
