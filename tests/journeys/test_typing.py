"""mypy --strict finds the mistakes of an application, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import ROOT
from mypy import api

GOOD = """
from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from handlers.socketio import Audience, Hub, SocketIOHandler, event


class Lobby(SocketIOHandler):
    name: str

    def on_connect(self) -> None:
        self.name = self.get_query_argument("name")
        self.ticker: asyncio.Task[int] = self.spawn(self.count())

    async def count(self) -> int:
        await asyncio.sleep(1)
        return 1

    def on_who(self) -> list[str]:
        return [one.name for one in self.others.clients]

    def on_room(self, room: str) -> list[str]:
        return sorted(one.name for one in self.to(room).except_(self.id).volatile.clients)

    def on_greet(self, id_: str) -> str:
        other = self.others.get(id_)
        return f"{self.name} greets {other.name if other else 'nobody'}"


class Heir(Lobby):
    level = 1

    @event("level of all")
    def levels(self) -> list[int]:
        return [one.level for one in self.others.clients]


class Own(SocketIOHandler):
    sid = "a name of another library is an author's own"


hub = Hub({"/": Lobby, "/heir": Heir})
lobby: Audience[Lobby] = hub.of("/")
names: list[str] = [one.name for one in lobby.clients]
names += [one.name for one in hub.of("/").to("room").clients]
hub.threadsafe.of("/").emit("news", 1)
text: str = Own.sid
"""

BAD = """
from handlers.socketio import Hub, SocketIOHandler


class Lobby(SocketIOHandler):
    name: str

    def on_who(self) -> None:
        [one.nmae for one in self.others.clients]  # error
        self.others.get("id").name  # error
        self.sid  # error
        self.enter_room("a")  # error
        self.spawn(self.on_who)  # error
        self.emit("x", callback=print)  # error
        self.enter(7)  # error


Hub({"/": Lobby}, ping_intervall=5)  # error
Hub({"/": Lobby}).spawn(7)  # error
"""


@pytest.mark.slow
def test_mypy_finds_the_mistakes_of_user_code_and_no_others(tmp_path: Path) -> None:
    lines = []
    for name, code in (("good", GOOD), ("bad", BAD)):
        file = tmp_path / f"{name}.py"
        file.write_text(code)
        lines += [(name, number) for number, line in enumerate(code.splitlines(), 1) if line.endswith("# error")]
    options = ["--strict", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
    output, trouble, _ = api.run([*options, *map(str, sorted(tmp_path.glob("*.py")))])
    found = re.findall(r"(good|bad)\.py:(\d+): error", output)
    assert sorted({(name, int(number)) for name, number in found}) == sorted(lines), output + trouble
