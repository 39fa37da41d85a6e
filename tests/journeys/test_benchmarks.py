"""The load of `make bench` tells stalled readers from badly served ones."""

from __future__ import annotations

import asyncio
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import conformance_server
import pytest
from conftest import ROOT
from inside import session_of
from raw_client import (
    JOURNEY,
    Server,
    io_loop,  # noqa: F401 (a fixture)
    serve,
)
from tornado.web import Application

from handlers.socketio import Hub, routes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="epoll is Linux's")

BENCHMARKS = ROOT / "benchmarks"
CLIENTS, STALLED = 4, 3
MESSAGE, BACKLOG = 16 << 10, 64 << 10
"""Bytes of a message, and how many our server keeps for one who does not read."""
ENOUGH = 30
"""So many messages are more than that, and than the kernel holds for a client behind an Ethernet."""


class Run(NamedTuple):
    """How a run of the load generator ended, and what it printed."""

    code: int | None
    said: str
    complained: str


Load = Callable[..., Awaitable[Run]]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Run the load generator for a second, in one of its modes."""
    binary = tmp_path_factory.mktemp("load") / "load"
    sources = sorted((BENCHMARKS / "load").glob("*.c"))
    subprocess.run(["gcc", "-o", binary, *sources], check=True)

    async def run(server: Server, mode: str = "stalled", **changed: int) -> Run:
        options = {"port": server.port, "pid": os.getpid(), "clients": CLIENTS, "stalled": STALLED, "size": MESSAGE}
        words = [word for name, value in {**options, **changed}.items() for word in (f"--{name}", str(value))]
        command = [str(binary), "--mode", mode, "--window", "1", "--seconds", "1", *words]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        said, complained = await process.communicate()
        return Run(process.returncode, said.decode(), complained.decode())

    return run


@JOURNEY
async def test_the_server_may_disconnect_readers_who_stall(load: Load) -> None:
    shouts = 0
    parted: list[int] = []

    class Watching(conformance_server.MainHandler):
        def on_shout(self, data: Any) -> None:
            nonlocal shouts
            shouts += 1
            super().on_shout(data)

        def on_disconnect(self, reason: str) -> None:
            if reason == "slow consumer":
                parted.append(shouts)

    async with serve(Application(routes(Hub({"/": Watching}, rate=0, max_backlog=BACKLOG)))) as server:
        run = await load(server)
    assert (run.code, run.complained) == (0, "")
    assert len(parted) == STALLED
    assert max(parted) < ENOUGH
    result = json.loads(run.said)
    assert result["done"]
    assert result["delivered"] == result["said"] * CLIENTS > 0
    assert 0 < result["p50_ms"] <= result["p99_ms"] <= result["worst_ms"]


@JOURNEY
async def test_the_server_may_disconnect_none_of_those_who_read(load: Load) -> None:
    class Unfair(conformance_server.MainHandler):
        def on_shout(self, data: Any) -> None:
            session_of(self).close("forced close")

    async with serve(Application(routes(Hub({"/": Unfair}, rate=0)))) as server:
        run = await load(server)
    assert run == (1, "", "the server closed a client with 1000\n")


@JOURNEY
async def test_through_redis_one_client_speaks_on_one_server_and_all_others_listen_on_the_other(load: Load) -> None:
    joined: dict[str, int] = {"one": 0, "other": 0}

    def hub_of(name: str) -> Hub:
        class Relaying(conformance_server.MainHandler):
            def on_connect(self) -> None:
                joined[name] += 1

            def on_shout(self, data: Any) -> None:
                for hub in hubs:  # as Redis does
                    hub.of("/").emit("shout", data)

        return Hub({"/": Relaying}, rate=0)

    hubs = [hub_of("one"), hub_of("other")]
    async with serve(Application(routes(hubs[0]))) as one, serve(Application(routes(hubs[1]))) as other:
        run = await load(one, "relay", other_port=other.port, other_pid=os.getpid(), redis_pid=os.getpid(), stalled=0)
        idle = await load(one, "calm", other_port=other.port, hold=1)
    assert (run.code, run.complained, idle.code, idle.complained) == (0, "", 0, "")
    assert joined == {"one": 2, "other": CLIENTS + 1}
    result = json.loads(run.said)
    assert result["delivered"] == result["said"] * CLIENTS > 0
    assert result["cpu"] == pytest.approx(2 * result["redis_cpu"], abs=0.05)


def test_workloads_through_redis_are_those_of_clusters_alone() -> None:
    command = [sys.executable, BENCHMARKS / "run.py", "--list", "--only", "redis"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert listed == [
        "redis-fanout-500-1", "redis-fanout-500-64", "redis-latency-same", "redis-latency-other", "redis-idle",
    ]  # fmt: skip


def test_each_load_beside_readers_who_stall_has_one_without_them() -> None:
    command = [sys.executable, BENCHMARKS / "run.py", "--list", "--only", "stalled"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert listed == [f"stalled-{clients}-{stalled}" for clients in (100, 1000) for stalled in (0, 1, 30)]


def test_the_profile_knows_where_the_library_calls_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    profile = runpy.run_path(str(BENCHMARKS / "profile.py"))
    library = ROOT / "handlers" / "socketio"
    for path in library.rglob("*.py"):
        assert profile["part_of"](f"function ({path.relative_to(ROOT)}:1)") != "other"
    code = "\n".join(path.read_text() for path in library.rglob("*.py"))
    for function in profile["SOCKET"]:
        assert profile["part_of"](f"{function} (x.py:1)").startswith("socket")
        class_name, method = function.split(".")
        bodies = re.findall(rf"^class {class_name}[(:].*?(?=^\S|\Z)", code, re.MULTILINE | re.DOTALL)
        assert any(f" def {method}(" in body for body in bodies), function
