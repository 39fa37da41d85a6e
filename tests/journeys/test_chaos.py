"""Recovery while connections die at any moment and numbered events are sent.

Twenty official clients and twenty of ours, each with a network of its own (see `js/chaos.mjs`), are cut again and
again, by the network or by the server: while they poll, while they upgrade, over WebSocket, before they are in. What is
said is paced by their coming back, not by a clock. In the end each client has heard each number once, in order.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import shutil
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE
from effort import amount
from inside import session_of
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application

from handlers.socketio import Hub, SocketIOHandler, routes
from handlers.socketio.engineio.http_server import Server

JS = Path(__file__).parents[1] / "js"
CLIENTS, CUTS, NUMBERS = 20, amount(25, thorough=100), amount(500, thorough=1000)
ROOMS = ["a", "b", "c", "d"]

pytestmark = pytest.mark.gen_test


class Crowd:
    """What is said to whom, and what each client was to hear."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.draw = random.Random(4)
        self.hub: Hub
        self.url = ""
        self.members: dict[str, CrowdHandler] = {}
        self.rooms: dict[str, list[str]] = {}
        self.due: dict[str, list[int]] = {}
        self.done: set[str] = set()
        self.said = 0
        self.returns = 0
        self.cuts: Counter[str] = Counter()
        """Cuts by the server, by what carried the session."""

    def welcome(self, member: CrowdHandler) -> None:
        """Welcome a member that is new, or says so."""
        name = member.auth["name"]
        self.members[name] = member
        if name not in self.rooms:
            self.rooms[name] = self.draw.sample(ROOMS, 2)
            self.due[name] = []
        for room in self.rooms[name]:
            member.enter(room)

    def go_on(self) -> None:
        """Send events for this many returns.

        The last is sent about when the last cut is over.
        """
        self.returns += 1
        if len(self.due) == self.size:
            while self.said < NUMBERS * self.returns / (self.size * CUTS * 0.7) and self.said < NUMBERS:
                self.say()

    def finish(self, member: CrowdHandler) -> None:
        """Count a client that was cut often enough; end with the last."""
        self.done.add(member.auth["name"])
        if len(self.done) == self.size:
            while self.said < NUMBERS:
                self.say()
            self.hub.of("/").emit("end")

    def say(self) -> None:
        """Say the next number to some."""
        self.said += 1
        everyone = self.hub.of("/")
        rooms = self.draw.sample(ROOMS, 2)
        one, other = self.draw.sample(sorted(self.members), 2)
        audience, names = self.draw.choice(
            [
                (everyone, set(self.due)),
                (everyone.to(rooms[0]), self._in(rooms[0])),
                (everyone.to(*rooms), self._in(*rooms)),
                (everyone.to(rooms[0]).except_(rooms[1]), self._in(rooms[0]) - self._in(rooms[1])),
                (everyone.to(self.members[one].id), {one}),
                (everyone.except_(self.members[one].id), set(self.due) - {one}),
                (everyone.to(rooms[0], self.members[one].id).except_(self.members[other].id),
                 (self._in(rooms[0]) | {one}) - {other}),
            ]
        )  # fmt: skip
        if names == {one} and self.draw.random() < 0.5 and self.members[one].connected:
            self.members[one].emit("number", self.said)
        else:
            audience.emit("number", self.said)
        for name in names:
            self.due[name].append(self.said)

    def _in(self, *rooms: str) -> set[str]:
        return {name for name, entered in self.rooms.items() if not set(rooms).isdisjoint(entered)}


class CrowdHandler(SocketIOHandler):
    crowd: Crowd

    def on_connect(self) -> None:
        if not self.recovered:
            self.crowd.welcome(self)
        self.crowd.go_on()

    def on_ready(self) -> None:
        """Answer."""

    def on_talk(self) -> None:
        """Answer."""

    def on_cut(self) -> None:
        upgrading = " upgrading" if session_of(self) in self.crowd.hub.upgrading else ""
        self.crowd.cuts[session_of(self).transport.name + upgrading] += 1
        session_of(self).close("transport error")

    def on_done(self) -> None:
        self.crowd.finish(self)


@pytest.fixture
def crowd(io_loop: IOLoop) -> Iterator[Crowd]:
    """A crowd's server, in the test's own loop, at `crowd.url`."""
    crowd = Crowd(2 * CLIENTS)
    hub = crowd.hub = Hub({"/": type("ThisCrowdHandler", (CrowdHandler,), {"crowd": crowd})})
    (socket,) = bind_sockets(0, "127.0.0.1")
    server = Server(Application(routes(hub), log_function=lambda handler: None))
    server.add_socket(socket)
    crowd.url = f"http://127.0.0.1:{socket.getsockname()[1]}"
    yield crowd
    server.stop()
    hub.close()
    io_loop.run_sync(server.close_all_connections)


async def start_clients(url: str, whose: str, seed: int) -> Process:
    """Start this many clients, official or ours, in one process."""
    node = shutil.which("node")
    assert node, "Node.js is missing: `make test` installs it"
    arguments = [JS / "chaos.mjs", url, whose, CLIENTS, CUTS, seed]
    return await asyncio.create_subprocess_exec(node, *map(str, arguments), stdout=PIPE, stderr=PIPE)


async def reports(processes: list[Process]) -> list[dict[str, Any]]:
    """Return what the clients report.

    If they report nothing, show the output of their process.
    """
    outputs = await asyncio.wait_for(asyncio.gather(*(each.communicate() for each in processes)), 4 * PATIENCE)
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors.decode()
    return [report for output, _ in outputs for report in json.loads(output)]


async def test_a_client_that_is_cut_again_and_again_hears_every_number_once_and_in_order(
    crowd: Crowd, caplog: pytest.LogCaptureFixture
) -> None:
    processes = [await start_clients(crowd.url, whose, seed) for seed, whose in enumerate(("official", "ours"))]
    try:
        clients = await reports(processes)
    except asyncio.TimeoutError:
        undone = sorted(set(crowd.due) - crowd.done)
        pytest.fail(f"after {crowd.returns} returns and {crowd.said} numbers these did not end: {undone}")
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()

    assert len(clients) == 2 * CLIENTS
    assert {client["name"] for client in clients if client["cuts"] != CUTS} == set()
    assert {client["name"]: client["fresh"] for client in clients if client["fresh"] != 1} == {}
    wrong = {c["name"]: faults(c["numbers"], crowd.due[c["name"]]) for c in clients}
    assert {name: fault for name, fault in wrong.items() if fault} == {}

    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []

    recoveries = Counter[str]()
    for client in clients:
        recoveries[client["kind"]] += client["recoveries"]
    summary = f"{recoveries=}, cuts by the server {crowd.cuts}, {sum(c['missed'] for c in clients)} numbers missed"
    assert crowd.said == NUMBERS
    assert min(client["recoveries"] for client in clients) >= CUTS / 2, summary
    assert min(recoveries.values()) >= CLIENTS / 3 * CUTS, summary
    assert sum(client["missed"] for client in clients) >= NUMBERS, summary
    assert set(crowd.cuts) == {"polling", "websocket", "polling upgrading"}, summary
    print(summary)  # noqa: T201 - pytest -s


def faults(heard: list[int], due: list[int]) -> dict[str, list[int]]:
    """What is wrong with what was heard."""
    if heard == due:
        return {}
    count = Counter(heard)
    return {
        "lost": [number for number in due if number not in count],
        "repeated": [number for number in count if count[number] > 1],
        "not meant": sorted(set(heard) - set(due)),
        "out of order": [b for a, b in pairwise(heard) if b <= a],
    }
