"""The table in Markdown: medians, ratios, and the machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from measure import Result
from peers import MODULES, PYTHON, Peer, find_redis
from workloads import DEFAULT_PING_INTERVAL, STORM_LIMIT, Workload

LOAD_BOUND = 0.9
"""Busier than this, the load generator may be what limits a row."""
DISTURBED = 0.1
"""How much of one core other processes may take before a row is marked."""

Results = defaultdict[tuple[str, str], list[Result]]
"""By the names of the workload and of the peer, one a round."""

HEADINGS = {
    "fanout": ("Fan-out", "deliveries/s"),
    "stalled": ("Fan-out to those who read, beside others who do not", "deliveries/s"),
    "echo": ("Echo with acknowledgement", "echoes/s"),
    "rooms": ("Rooms", "deliveries/s"),
    "storm": ("Storm", "seconds"),
    "churn": ("Churn", "visits/s"),
    "hold": ("Idle", "kB a client"),
    "fairness": ("Fairness: the echo of one client while broadcasts go to all", "ms at worst"),
    "flood": ("Fairness: the echoes of others while one client floods the server", "ms at worst"),
    "relay": ("Through Redis, from one node to another", "deliveries/s"),
    "pace": ("Through Redis: latency", "ms, p50"),
    "calm": ("Through Redis: idle", "% of a core a node"),
}
MEANWHILE = {"fairness": "broadcasts/s", "flood": "events/s of the flood"}
LESS_IS_BETTER = {"storm", "hold", "pace", "calm", *MEANWHILE}
THROUGH_REDIS = ("relay", "pace", "calm")


def figure(result: Result, workload: Workload) -> float:
    """What counts in a workload, in the unit of its heading."""
    if workload.mode == "storm":
        return result.seconds if result.done else float("inf")
    if workload.mode == "hold":
        return result.rss / workload.clients / 1024
    if workload.mode in MEANWHILE:
        return result.worst_ms
    if workload.mode == "pace":
        return result.p50_ms
    if workload.mode == "calm":
        return 100 * result.cpu / result.seconds / workload.nodes
    if workload.mode == "churn":
        return result.said / result.seconds
    return result.delivered / result.seconds


def heartbeat_share(result: Result, workload: Workload) -> float:
    """The share of a core that heartbeats take at the default interval."""
    return result.cpu / result.delivered * workload.clients / DEFAULT_PING_INTERVAL


# -- the parts of the table


def table(workloads: Sequence[Workload], peers: Sequence[Peer], results: Results) -> str:
    """Return all sections that have something in them."""
    sections = []
    for mode in HEADINGS:
        for polling in (False, True):
            chosen = [w for w in workloads if w.mode == mode and (w.needs == "polling") is polling]
            if chosen:
                sections.append(_section(mode, polling, chosen, peers, results))
    return "\n\n".join(sections)


def _section(mode: str, polling: bool, workloads: Iterable[Workload], peers: Sequence[Peer], results: Results) -> str:
    heading, unit = HEADINGS[mode]
    names = ["workload", "server", unit, "ours is better by", *_cost_names(mode), "load busy"]
    rule = ["---", "---", *["--:"] * (len(names) - 2)]
    lines = [f"### {heading}{' by long-polling' if polling else ''}", "", _line(names), _line(rule)]
    lines += [
        _line(_row(workload, peer, peers, results)) for workload in workloads for peer in peers if peer.takes(workload)
    ]
    return "\n".join(lines)


def _cost_names(mode: str) -> list[str]:
    if mode == "hold":
        return ["CPU of heartbeats"]
    if mode == "calm":
        return ["Redis' CPU"]
    redis = ["Redis' CPU"] if mode in THROUGH_REDIS else []
    return [MEANWHILE.get(mode, "CPU µs a delivery"), "p50 ms", "p99 ms", *redis]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row(workload: Workload, peer: Peer, peers: Sequence[Peer], results: Results) -> list[str]:
    measured = results[workload.name, peer.name]
    base = next(each.name for each in peers if each.takes(workload))
    cells = [workload.title if peer.name == base else "", peer.title]
    if not measured:
        return [*cells, "not run: a smaller storm was not done"]
    theirs = median(figure(result, workload) for result in measured)
    ours = median(figure(result, workload) for result in results[workload.name, base])
    cells += [amount(theirs), "" if peer.name == base else _ratio(ours, theirs, workload)]
    return [*cells, *_costs(workload, measured), _busy(measured)]


def amount(value: float) -> str:
    """Write a figure as exactly as it deserves."""
    if value == float("inf"):
        return f"> {STORM_LIMIT:.0f}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(ours: float, theirs: float, workload: Workload) -> str:
    if theirs == float("inf"):
        return f"> {STORM_LIMIT / ours:.3g} ×"
    better = theirs / ours if workload.mode in LESS_IS_BETTER else ours / theirs
    return f"{better:.3g} ×"


def _costs(workload: Workload, measured: Sequence[Result]) -> list[str]:
    if workload.mode == "hold":
        return [f"{median(heartbeat_share(result, workload) for result in measured):.2%}"]
    redis = [f"{median(result.redis_cpu / result.seconds for result in measured):.1%}"]
    if workload.mode == "calm":
        return redis
    p50, p99 = median(result.p50_ms for result in measured), median(result.p99_ms for result in measured)
    if workload.mode in MEANWHILE:
        return [amount(median(result.said / result.seconds for result in measured)), f"{p50:.2f}", f"{p99:.2f}"]
    cpu = median(1e6 * result.cpu / result.delivered for result in measured)
    return [f"{cpu:.2f}", f"{p50:.2f}", f"{p99:.2f}", *(redis if workload.mode in THROUGH_REDIS else [])]


def _busy(measured: Sequence[Result]) -> str:
    share = median(result.busy for result in measured)
    load_bound = " **load-bound**" if share > LOAD_BOUND else ""
    disturbed = " **disturbed**" if median(result.others for result in measured) > DISTURBED else ""
    return f"{share:.0%}{load_bound}{disturbed}"


# -- where and how


def machine(peers: Sequence[Peer]) -> str:
    """Return what it is measured on, as a list."""
    versions = [f"Python {platform.python_version()}", *_python_versions(), *_node_versions(peers)]
    lines = [
        f"{_cpu()}, {os.cpu_count()} cores, Linux {platform.release()}; the server on one core, the load on another",
        ", ".join(versions),
        f"load average when it began: {os.getloadavg()[0]:.2f}",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _cpu() -> str:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return models[0].partition(":")[2].strip() if models else platform.machine()


def _python_versions() -> list[str]:
    listed = _output(str(PYTHON), "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check")
    shown = ("tornado", "python-socketio", "uvicorn", "uvloop", "redis", "hiredis", "msgpack")
    return [line.replace("==", " ") for line in listed.splitlines() if line.partition("==")[0] in shown]


def _node_versions(peers: Sequence[Peer]) -> list[str]:
    names = {peer.name for peer in peers}
    packages = {
        "node": ["socket.io"],
        "bun": ["bun", "@socket.io/bun-engine", "socket.io"],
        "node-streams": ["socket.io", "@socket.io/redis-streams-adapter", "redis"],
        "node-classic": ["socket.io", "@socket.io/redis-adapter", "redis"],
    }
    uses_node = any(peer.command[0] == "node" for peer in peers)
    runtime = [f"Node {_output('node', '--version').strip()}"] if uses_node else []
    wanted = dict.fromkeys(package for name, those in packages.items() if name in names for package in those)
    if any(peer.cluster for peer in peers):
        runtime.append(f"Redis {_output(find_redis(), '--version').split('v=')[1].split()[0]}")
    return runtime + [f"{package} {_version(package)}" for package in wanted]


def _version(package: str) -> str:
    description: dict[str, str] = json.loads((MODULES / package / "package.json").read_text())
    return description["version"]


def _output(*command: str, **environment: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}).stdout


NOTES = """\
Medians of {rounds}, in which the servers took turns. CPU is the server's, user and system, or that of both nodes.
Latencies are what the load generator saw: from when a client says something to when one hears it; in storm and churn,
from when a client dials to its welcome. "Load busy" is the share of the time for which the load generator was at work,
with the Redis on the same core: above {load_bound:.0%} a row is marked load-bound, for the server might have done more.
A row is marked disturbed where other processes took more than {disturbed:.0%} of a core."""


def notes(workloads: Sequence[Workload], rounds: int) -> str:
    """Return what has to be known to read the table."""
    text = NOTES.format(
        rounds="1 round" if rounds == 1 else f"{rounds} rounds", load_bound=LOAD_BOUND, disturbed=DISTURBED
    )
    intervals = {int(w.environment["PING_INTERVAL"]) / 1000 for w in workloads if w.mode == "hold"}
    scaled = [
        f"Heartbeats were measured at an interval of {interval:g} s; the figure is what one costs, times all clients, "
        f"in the default interval of {DEFAULT_PING_INTERVAL:g} s."
        for interval in sorted(intervals)
    ]
    return "\n".join([text, *scaled])
