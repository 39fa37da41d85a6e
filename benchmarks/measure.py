"""One measurement: a server on one core, the load on another."""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from errors import RunError
from peers import TARGET, Peer, find_redis, load_binary
from workloads import Workload

PATIENCE = 30.0
"""Seconds that a server has to start, and the load to end when it should have."""
LAST_LINES = 15
PORTS = range(20000, 30000)
"""Below those that the kernel gives to clients."""
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Cores:
    """Which core is whose."""

    server: int
    load: int


@dataclass(frozen=True)
class Duration:
    """Duration of a workload, and timeout of a measurement, in seconds."""

    seconds: float
    warmup: float
    deadline: float


@dataclass(frozen=True)
class Result:
    """What `load/` says at the end."""

    done: bool
    said: int
    delivered: int
    seconds: float
    cpu: float
    own_cpu: float
    redis_cpu: float
    all_cpu: float
    rss: int
    p50_ms: float
    p99_ms: float
    worst_ms: float

    @property
    def busy(self) -> float:
        """The share of time that load and Redis kept their core busy."""
        return (self.own_cpu + self.redis_cpu) / self.seconds

    @property
    def others(self) -> float:
        """Share of one core used by neither server nor load."""
        return max(0.0, self.all_cpu - self.cpu - self.own_cpu - self.redis_cpu) / self.seconds


def measure(peer: Peer, workload: Workload, duration: Duration, cores: Cores) -> Result:
    """Run one workload on one fresh server; raise RunError on failure."""
    _log(peer).unlink(missing_ok=True)
    with _serving_all(peer, workload, cores) as (servers, options):
        command = load_command(peer, workload, duration, options)
        text = _run_load(command, duration.deadline + PATIENCE, cores.load, lambda why: _failure(peer, workload, why))
        for server in servers:
            if server.poll() is not None:
                raise _failure(peer, workload, f"the server ended with {server.returncode}")
    result = Result(**json.loads(text))
    _check(result, workload, lambda why: _failure(peer, workload, why))
    return result


def load_command(peer: Peer, workload: Workload, duration: Duration, servers: Mapping[str, int]) -> list[str]:
    """Return the command of `load/`.

    servers: its options that say where the servers are.
    """
    options: dict[str, Any] = {**workload.arguments, **vars(duration), **peer.options, **servers}
    return [str(load_binary(peer.options)), *(word for name in options for word in (f"--{name}", str(options[name])))]


def _run_load(command: list[str], timeout: float, core: int, failure: Callable[[str], RunError]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, preexec_fn=settle_on(core))
    except subprocess.TimeoutExpired:
        raise failure(f"the load did not end within {timeout:.0f} s") from None
    if done.returncode:
        raise failure(done.stderr.strip() or f"the load ended with {done.returncode}")
    return done.stdout


def _check(result: Result, workload: Workload, failure: Callable[[str], RunError]) -> None:
    if not result.done and workload.mode != "storm":
        raise failure("not done")
    if not result.delivered:
        raise failure("nothing was delivered")
    if workload.mode == "hold" and result.delivered < workload.clients:
        raise failure(f"{result.delivered} pings came to {workload.clients} clients")


# -- processes


Process = subprocess.Popen[bytes]


@contextmanager
def _serving_all(peer: Peer, workload: Workload, cores: Cores) -> Iterator[tuple[list[Process], dict[str, int]]]:
    """Start what a workload needs; yield servers, and where `load/` finds them.

    The two nodes of a cluster share the servers' core; their Redis has that of the load.
    """
    if workload.needs != "redis":
        with serving(peer, workload, cores.server) as (server, port):
            yield [server], {"port": port, "pid": server.pid}
        return
    with (
        _redis(cores.load) as (redis, redis_port),
        serving(peer, workload, cores.server, redis_port) as (one, port),
        serving(peer, workload, cores.server, redis_port) as (other, other_port),
    ):
        options = {"port": port, "pid": one.pid, "other_pid": other.pid, "redis_pid": redis.pid}
        yield [one, other], options if workload.nodes == 1 else {**options, "other_port": other_port}


@contextmanager
def serving(peer: Peer, workload: Workload, core: int, redis_port: int = 0) -> Iterator[tuple[Process, int]]:
    """Start a server, wait until it listens, and stop it afterwards."""
    port = _free_port()
    cluster = {"REDIS": f"redis://127.0.0.1:{redis_port}"} if redis_port else {}
    environment = {**os.environ, **workload.environment, **peer.environment, **cluster, "PORT": str(port)}
    log = _log(peer)
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as output, _running(peer.command, core, output, environment) as server:
        if not _listens(server, port):
            raise _failure(peer, workload, "the server did not start")
        yield server, port


@contextmanager
def _redis(core: int) -> Iterator[tuple[Process, int]]:
    """Start a Redis that keeps nothing on disk."""
    port = _free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with _running([find_redis(), *options], core, subprocess.DEVNULL, None) as server:
        if not _listens(server, port):
            raise RunError("redis-server did not start")
        yield server, port


@contextmanager
def _running(
    command: Sequence[str], core: int, output: IO[bytes] | int, environment: Mapping[str, str] | None
) -> Iterator[Process]:
    """Run a command on one core, and kill it afterwards."""
    process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, preexec_fn=settle_on(core))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def settle_on(core: int) -> Callable[[], None]:
    """Return a function that prepares a child.

    One core, ends with this process.
    """
    prctl = ctypes.CDLL(None).prctl

    def settle() -> None:
        os.sched_setaffinity(0, {core})
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return settle


def _free_port() -> int:
    return next(port for port in random.sample(PORTS, len(PORTS)) if not _accepts(port))


def _listens(server: Process, port: int) -> bool:
    until = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < until:
        if _accepts(port):
            return True
        time.sleep(0.02)
    return False


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


# -- what went wrong


def _log(peer: Peer) -> Path:
    return TARGET / "logs" / f"{peer.name}.log"


def _failure(peer: Peer, workload: Workload, why: str) -> RunError:
    lines = _log(peer).read_text(errors="replace").splitlines()[-LAST_LINES:]
    said = "\n".join(f"    {line}" for line in lines) or "    (nothing)"
    return RunError(f"{peer.title}, {workload.title} ({workload.name}): {why}\n  the server's last words:\n{said}")
