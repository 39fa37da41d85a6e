"""Clients that stay throughout: our guests, and those of `js/soak.mjs`.

Some are cut again and again.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE, Process
from collections import Counter
from contextlib import suppress
from typing import Any

from conftest import JS
from raw_client import Server

from handlers.socketio.engineio.offsets import read_offset

from .guests import (
    ENDS,
    Guest,
    Heard,
    LibraryGuest,
    Listener,
    PollingGuest,
    UpgradingGuest,
    WebSocketGuest,
    cancel,
)
from .ledger import Stayer

PACE = 0.5
"""Seconds from one number that a guest tells to the next."""
POST = 8
"""How many numbers a guest tells in private before it posts one, while all do not rest: it may post five times in ten
seconds, and what is posted is kept for a while."""


class Resident:
    """A guest that stays: it listens, and counts in private."""

    def __init__(self, name: str, guest: Guest, rest: asyncio.Event) -> None:
        self._name, self._guest, self._rest = name, guest, rest
        self._told = self._posted = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def move_in(self) -> None:
        """Come."""
        await self._guest.come()
        self._tasks = [asyncio.create_task(work) for work in (self._guest.stay(), self._talk())]

    async def _talk(self) -> None:
        while self._guest.id:
            await self._guest.emit("private", f"{self._name} {self._told + 1}")
            self._told += 1
            if self._told % POST == 0 and not self._rest.is_set():
                await self._guest.emit("post", {"text": f"{self._name} {self._posted + 1}"})
                self._posted += 1
            await asyncio.sleep(PACE)

    @property
    def now(self) -> Stayer:
        """What it is at this moment."""
        guest = self._guest
        return Stayer(self._name, guest.id, guest.transport, list(guest.heard), self._told, self._posted)

    @property
    def faults(self) -> list[str]:
        """What has ended that was to go on."""
        ended = [task.exception() for task in self._tasks if task.done() and not task.cancelled()]
        return [f"{self._name} was disconnected: {error!r}" for error in ended if error]

    async def move_out(self) -> None:
        """Go."""
        await cancel(*self._tasks)
        with suppress(*ENDS, asyncio.TimeoutError):
            await self._guest.leave()


def residents(port: int, rest: asyncio.Event) -> list[Resident]:
    """Return those of ours that stay, one of each kind and more."""
    server = Server(port)
    guests: dict[str, Guest] = {
        "websocket": WebSocketGuest(server, recovery=True),
        "websocket without recovery": WebSocketGuest(server),
        "polling": PollingGuest(server, recovery=True),
        "polling without recovery": PollingGuest(server),
        "upgrading": UpgradingGuest(server, recovery=True),
        "python-socketio": LibraryGuest(server),
        "python-socketio, polling": LibraryGuest(server, transport="polling"),
        "event stream": Listener(server),
    }
    return [Resident(name, guest, rest) for name, guest in guests.items()]


class Script:
    """The clients in JavaScript: those who stay, and visitors of their own."""

    def __init__(self) -> None:
        self.visits: Counter[tuple[str, str]] = Counter()
        self.stayers: list[Stayer] = []
        self.faults: list[str] = []
        self._process: Process | None = None

    async def start(self, url: str, seed: int, visitors: int, silence: float) -> None:
        """Start it, until those are in who stay."""
        node = shutil.which("node")
        assert node, "Node.js is missing: `make test` installs it"
        # Node's fetch warns of our client's polls, which share a signal, until their memory is collected.
        command = (node, "--disable-warning=MaxListenersExceededWarning", JS / "soak.mjs", url, seed, visitors, silence)
        self._process = await asyncio.create_subprocess_exec(*map(str, command), stdin=PIPE, stdout=PIPE, limit=1 << 30)
        await self._read()

    async def go(self) -> None:
        """Have its visitors come and go."""
        await self._say("go")

    async def rest(self) -> None:
        """Have them end, and see how things are."""
        await self._say("rest")
        await self._read()

    async def end(self) -> None:
        """Have all go."""
        assert self._process
        await self._say("end")
        await self._process.wait()

    async def stop(self) -> None:
        """End the process, if it has not ended."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _say(self, word: str) -> None:
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(f"{word}\n".encode())
        await self._process.stdin.drain()

    async def _read(self) -> None:
        assert self._process
        assert self._process.stdout
        line = await self._process.stdout.readline()
        assert line, "the clients in JavaScript have ended; what they said is above"
        report: dict[str, Any] = json.loads(line)
        self.visits = Counter((whose, ending) for whose, ending in report["visits"])
        self.stayers = [_stayer(**guest) for guest in report["guests"]]
        self.faults = report["complaints"]


def _stayer(heard: list[tuple[str, int | None, str]], **rest: Any) -> Stayer:
    return Stayer(heard=[Heard(said, online, read_offset(stamp)) for said, online, stamp in heard], **rest)
