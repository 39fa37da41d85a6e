"""A live monitor of this machine: `python examples/monitor.py --port=3003`.

The server alone speaks, once a second, and keeps the last minute for newcomers. The same goes out as Server-Sent
Events, for programs without a client: `curl -N localhost:3003/events`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tornado.options import define, options, parse_command_line
from tornado.web import Application, StaticFileHandler

sys.path.insert(0, str(Path(__file__).parents[1]))  # where handlers/ is, wherever this is started

from handlers.socketio import Hub, SocketIOHandler, event_stream, routes

define("port", default=3003, type=int, help="TCP port to listen on")


class ListenerHandler(SocketIOHandler):
    """Someone who looks on."""

    def on_any(self, event: str, *args: Any) -> dict[str, str]:
        """Answer whatever a client may send."""
        return {"error": "The monitor only speaks: it takes no events"}


def read(name: str) -> list[list[str]]:
    """Return the words of each line of a file of proc(5)."""
    return [line.split() for line in (Path("/proc") / name).read_text().splitlines()]


class Machine:
    """This machine, as it has been since it was last asked."""

    def __init__(self) -> None:
        self.ticks, self.idle = 0, 0
        self.received: dict[str, int] = {}
        self.sample()

    def sample(self) -> dict[str, float]:
        """Return CPU and memory in percent, load, and received kilobytes."""
        times = [int(ticks) for ticks in read("stat")[0][1:9]]
        memory = {name: int(size) for name, size, *_ in read("meminfo")}
        before, idle_before, received_before = self.ticks, self.idle, self.received
        self.ticks, self.idle = sum(times), times[3] + times[4]  # idle, and waiting for a disk
        self.received = {words[0]: int(words[1]) for words in read("net/dev")[2:] if words[0] != "lo:"}
        return {
            "at": time.time(),
            "processor": 100 - 100 * (self.idle - idle_before) / max(1, self.ticks - before),
            "memory": 100 - 100 * memory["MemAvailable:"] / memory["MemTotal:"],
            "load": float(read("loadavg")[0][0]),
            "network": sum(n - received_before.get(name, n) for name, n in self.received.items()) / 1000,
        }


async def main() -> None:
    """Serve the page, and tell once a second how the machine is."""
    hub, machine = Hub({"/": ListenerHandler}), Machine()
    page = {"path": Path(__file__).parent, "default_filename": "monitor.html"}
    rules = [(r"/(|style\.css)", StaticFileHandler, page), *routes(hub), *event_stream(hub)]
    Application(rules).listen(options.port)
    print(f"Listening on port {options.port}", flush=True)
    while True:
        await asyncio.sleep(1)
        hub.of("/").emit("sample", machine.sample(), keep=60)


if __name__ == "__main__":
    parse_command_line()
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
