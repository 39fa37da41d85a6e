"""Clients that stay while others fail; each must hear every number.

They hear numbered events, in order.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from conftest import PATIENCE
from raw_client import Line

from handlers.socketio.engineio.counters import LoggedRefusal
from handlers.socketio.engineio.room import Slice
from handlers.socketio.watch import MethodTimes


class Bystander:
    """A listener that keeps the numbers it hears.

    `client.next()` waits for the next packet or event.

    since: the last number that was said before.
    """

    def __init__(self, client: Any, since: int = 0) -> None:
        self.client = client
        self.since = since
        self.numbers: list[int] = []
        self.pings = 0
        self._calls = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._news = asyncio.Event()
        self.listening = asyncio.ensure_future(self._listen())
        self.listening.add_done_callback(self._end)

    def _end(self, listening: asyncio.Task[None]) -> None:
        self.fault = None if listening.cancelled() else listening.exception()
        self._news.set()

    async def _listen(self) -> None:
        while True:
            packet = await self.client.next()
            if packet == "2":
                self.pings += 1
                await self.client.send("3")
            elif isinstance(packet, str) and packet.startswith('42["number",'):
                self.numbers += json.loads(packet[2:])[1:]
            elif isinstance(packet, str) and packet.startswith("43"):
                id_, _, arguments = packet[2:].partition("[")
                self._answers.pop(int(id_)).set_result(json.loads("[" + arguments))
            self._news.set()

    async def hears(self, number: int) -> None:
        """Wait until it has heard this number."""
        await self._until(lambda: self.numbers[-1:] == [number])

    async def pinged(self, times: int) -> None:
        """Wait until it was pinged so often."""
        await self._until(lambda: self.pings >= times)

    async def call(self, event: str, *args: Any) -> Any:
        """Send an event, wait for its acknowledgement, and return its arguments."""
        id_ = self._calls = self._calls + 1
        answer = self._answers[id_] = asyncio.get_running_loop().create_future()
        await self.client.send(f"42{id_}{json.dumps([event, *args])}")
        await self._until(answer.done)
        return answer.result()

    async def leave(self) -> None:
        """Hear no more."""
        while not self.listening.done():
            self.listening.cancel()  # more than once: before Python 3.12, a wait that ends at this moment swallows it
            await asyncio.wait([self.listening], timeout=0.1)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not condition():
                assert not self.listening.done(), self.fault
                self._news.clear()
                await self._news.wait()

        await asyncio.wait_for(wait(), PATIENCE)


class Listener(Line):
    """Somebody who listens to the stream of events."""

    async def next(self) -> str:
        """Wait for the next event; return it in a packet's form."""
        event = (await self.take_until(b"\n\n")).decode()
        fields = dict(line.partition(": ")[::2] for line in event.splitlines())
        return f'42["{fields.get("event", "")}",{fields.get("data", "")}]'


class Watch(logging.Handler):
    """Reads all lines of the log, and keeps the forbidden ones."""

    def __init__(self) -> None:
        super().__init__()
        self.complaints: list[str] = []

    def __enter__(self) -> None:
        self._ours = logging.getLogger("handlers")
        self._ours.setLevel(logging.DEBUG)
        self._ours.propagate = False  # pytest would keep every line
        for logger in (self._ours, logging.getLogger()):
            logger.addHandler(self)

    def __exit__(self, *_: object) -> None:
        for logger in (self._ours, logging.getLogger()):
            logger.removeHandler(self)
        self._ours.setLevel(logging.NOTSET)
        self._ours.propagate = True

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if record.exc_info or record.levelno >= logging.ERROR or len(line) > 1000 or not line.isprintable():
            self.complaints.append(self.format(record))


async def until(condition: Callable[[], bool]) -> None:
    """Wait until this holds, as long as there is hope."""
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        await asyncio.sleep(0.01)


def alive() -> Counter[str]:
    """Count the objects of the server and of Tornado, and the tasks.

    A room may keep the last slice that it was asked for, or not; the last refusals are remembered; and from the first
    call of each method of the application on, its times.
    """
    gc.collect()
    ours: Counter[str] = Counter()
    for kind, count in Counter(map(type, gc.get_objects())).items():
        if kind.__module__.startswith(("handlers.", "tornado.")) and kind not in (Slice, LoggedRefusal, MethodTimes):
            ours[f"{kind.__module__}.{kind.__qualname__}"] += count
    return ours + Counter(tasks=len(asyncio.all_tasks()))
