"""The table of workloads, with the options of `load/`.

Those that talk do so for a time, not for a count, so that a slow server is given fewer messages and never another
workload. Each exists once; the quick ones are smaller, and their names say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from itertools import product

from errors import RunError

DEFAULT_PING_INTERVAL = 25.0
"""Seconds, in all servers."""
LONG_TIMEOUT = 600.0
"""Seconds that a client has to answer a ping: a server that is jammed keeps its clients."""
FLOOD_INTERVAL, FLOOD_TIMEOUT = 0.5, 1.0
"""Seconds: beside a flood, a client that is not answered closes its connection."""
STORM_LIMIT = 60.0
"""Seconds after which a storm is given up."""
LISTEN_QUEUE = 4000
"""Handshakes at once that the queue of a listening socket still holds."""
MIN_BACKLOG = 1 << 20
"""Bytes: the server's default of `max_backlog`."""


@dataclass(frozen=True)
class Workload:
    """One workload of the table.

    name: what `--only` takes. title: what the table says.
    mode: what `load/` does. needs: what a server has to know for it, besides fan-out and echo.
    options: those of `load/`. environment: that of the server.
    variants: whether our server runs it with recovery, with TLS and with compression as well.
    nodes: of a cluster: on how many of its two nodes the clients are.
    """

    name: str
    title: str
    mode: str
    clients: int
    needs: str = ""
    options: Mapping[str, str | float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    variants: bool = False
    nodes: int = 1

    @property
    def arguments(self) -> dict[str, str | float]:
        """The options of `load/`, all of them but those of time."""
        return {"mode": self.mode, "clients": self.clients, **self.options}

    @property
    def sockets(self) -> int:
        """Maximum open descriptors of load and server."""
        extra = int(self.options.get("window", 0)) + int(self.options.get("stalled", 0))
        return self.clients * (2 if self.needs == "polling" else 1) + extra


def _environment(
    news: bool = False, interval: float = DEFAULT_PING_INTERVAL, timeout: float = LONG_TIMEOUT
) -> dict[str, str]:
    milliseconds = {"PING_INTERVAL": interval, "PING_TIMEOUT": timeout}
    return {"NEWS": "1" if news else "0"} | {name: str(round(1000 * value)) for name, value in milliseconds.items()}


def _size(size: int) -> str:
    return f"{size // 1024} kB" if size >= 1024 else f"{size} B"


def _fanout(clients: int, window: int, size: int) -> Workload:
    """One client shouts, all hear it."""
    # Our server closes readers that are further behind than this; the others keep whatever is unread.
    backlog = {"MAX_BACKLOG": str(max(MIN_BACKLOG, 4 * window * size))}
    return Workload(
        f"fanout-{clients}-{window}-{size}",
        f"fan-out to {clients:,}, {window} in flight, {_size(size)}",
        "fanout",
        clients,
        options={"window": window, "size": size},
        environment=_environment() | backlog,
        variants=clients == 1000,
    )


def _stalled(clients: int, stalled: int) -> Workload:
    """One client broadcasts, while the first clients have stopped reading."""
    return Workload(
        f"stalled-{clients}-{stalled}",
        f"fan-out to {clients:,}, 1 in flight, 1 kB, beside {stalled} who do not read",
        "stalled",
        clients,
        needs="backlog" if stalled else "",
        options={"window": 1, "size": 1024, "stalled": stalled},
        environment=_environment(),
    )


def _echo(clients: int, window: int) -> Workload:
    """Each client asks and is answered by an acknowledgement."""
    return Workload(
        f"echo-{clients}-{window}",
        f"echo, {clients} client{'s' if clients > 1 else ''}, {window} outstanding each",
        "echo",
        clients,
        options={"window": window},
        environment=_environment(),
        variants=True,
    )


def _rooms(rooms: int, members: int = 10) -> Workload:
    """What is told in a room reaches its members."""
    return Workload(
        f"rooms-{rooms}",
        f"{rooms:,} rooms of {members}, 64 told at once",
        "rooms",
        rooms * members,
        needs="rooms",
        options={"window": 64, "group": members},
        environment=_environment(),
        variants=True,
    )


def _storm(clients: int) -> Workload:
    """All join at once, and each join is told to all."""
    return Workload(
        f"storm-{clients}",
        f"storm of {clients:,}",
        "storm",
        clients,
        options={"dialing": LISTEN_QUEUE, "limit": STORM_LIMIT},
        environment=_environment(news=True),
        variants=clients <= 2000,
    )


def _churn(residents: int, visitors: int = 16) -> Workload:
    """Visitors come and go, each coming and going is told to all."""
    return Workload(
        f"churn-{residents}",
        f"churn, {visitors} visitors at once, told to {residents}",
        "churn",
        residents,
        options={"window": visitors},
        environment=_environment(news=True),
        variants=True,
    )


def _idle(clients: int, interval: float = 5, hold: float = 15) -> Workload:
    """Clients that answer pings, and nothing else."""
    return Workload(
        f"idle-{clients}",
        f"{clients:,} idle",
        "hold",
        clients,
        needs="heartbeat",
        options={"hold": hold},
        environment=_environment(interval=interval),
        variants=clients <= 5000,
    )


def _fairness(clients: int) -> Workload:
    """All clients get broadcasts; one more client is answered meanwhile."""
    return Workload(
        f"fairness-{clients}",
        f"an echo beside broadcasts to {clients:,}, one at a time",
        "fairness",
        clients,
        options={"window": 1},
        environment=_environment(),
    )


def _flood(clients: int) -> Workload:
    """Clients are answered while another asks as fast as it can."""
    return Workload(
        f"flood-{clients}",
        f"echoes of {clients}, one at a time, beside a flood from another",
        "flood",
        clients,
        needs="heartbeat",
        options={"window": 1},
        environment=_environment(interval=FLOOD_INTERVAL, timeout=FLOOD_TIMEOUT),
    )


def _redis(name: str, title: str, mode: str, clients: int, nodes: int = 2, **options: float) -> Workload:
    """What happens on two nodes of a cluster."""
    return Workload(f"redis-{name}", title, mode, clients, "redis", options, _environment(), nodes=nodes)


def _relay(listeners: int, window: int) -> Workload:
    """One client broadcasts on one node, others hear it on another."""
    title = f"broadcasts on one node to {listeners} clients on another, {window} in flight"
    return _redis(f"fanout-{listeners}-{window}", title, "relay", listeners, window=window)


def _pace(where: str, nodes: int) -> Workload:
    """One client hears another, one event at a time."""
    title = f"a broadcast to a client on {where} node, one at a time"
    return _redis(f"latency-{where.split()[-1]}", title, "pace", 1, nodes, window=1)


def _polling(workload: Workload) -> Workload:
    """The same by long-polling."""
    return Workload(
        f"polling-{workload.name}",
        f"polling: {workload.title}",
        workload.mode,
        workload.clients,
        needs="polling",
        options={**workload.options, "transport": "polling"},
        environment=workload.environment,
        variants=True,
    )


def _alone(workload: Workload) -> Workload:
    """The same without the variants of our server."""
    return replace(workload, variants=False)


WORKLOADS = [
    *(_fanout(*cell) for cell in product((100, 1000, 5000), (1, 8, 64), (16, 1024, 32 * 1024))),
    *(_echo(*cell) for cell in product((1, 20), (1, 4))),
    *(_storm(clients) for clients in (500, 2000, 5000)),
    _churn(200),
    *(_idle(clients) for clients in (5000, 15000)),
    _polling(_fanout(200, 8, 16)),
    _polling(_echo(200, 1)),
    _rooms(1000),
    _fairness(10_000),
    _flood(100),
    *(_stalled(*cell) for cell in product((100, 1000), (0, 1, 30))),
    *(_relay(500, window) for window in (1, 64)),
    _pace("the same", 1),
    _pace("the other", 2),
    _redis("idle", "two nodes with one silent client each", "calm", 2, hold=20),
]

QUICK = [
    _alone(_fanout(1000, 1, 16)),
    _fanout(1000, 8, 16),
    _alone(_echo(1, 1)),
    _echo(20, 4),
    _alone(_storm(100)),
    _alone(_idle(500, interval=0.5, hold=1.5)),
    _alone(_polling(_fanout(200, 8, 16))),
    _alone(_rooms(100)),
    _relay(500, 64),
    _pace("the other", 2),
]


def choose(table: list[Workload], patterns: str) -> list[Workload]:
    """Return the workloads that match a pattern; all without patterns."""
    wanted = [pattern for pattern in patterns.split(",") if pattern]
    for pattern in wanted:
        if not any(_matches(workload, pattern) for workload in table):
            raise RunError(f"no workload {pattern!r}: there are {', '.join(_names(table))}")
    return [work for work in table if not wanted or any(_matches(work, pattern) for pattern in wanted)]


def _matches(workload: Workload, pattern: str) -> bool:
    """Return whether a pattern is the name, its start, or a glob."""
    return f"{workload.name}-".startswith(f"{pattern}-") or fnmatch(workload.name, pattern)


def _names(table: list[Workload]) -> Iterator[str]:
    return (workload.name for workload in table)
