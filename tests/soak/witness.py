"""A client that posts, and comes back to a node that lives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

from cluster_guest import Guest
from conftest import PATIENCE, Server
from tornado.httpclient import HTTPError
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError

from .visits import Rest

PACE = 3.0
"""Seconds from one post to the next: a person may post five times in ten seconds."""
ENDS = (OSError, StreamClosedError, WebSocketClosedError, HTTPError, AssertionError)


class Witness(Guest):
    """Posts numbers, keeps what it hears, and recovers at another node.

    seat: the number of the node to begin with.
    """

    def __init__(self, name: str, nodes: list[Server], seat: int) -> None:
        super().__init__()
        self.name, self._nodes, self._seat = name, nodes, seat
        self.returns = self.new_sessions = 0
        self.acknowledged: list[str] = []
        """Posts that a node has confirmed, of those that were sent once."""
        self._number = count(1)
        self._answered = asyncio.Event()
        self._there = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._pongs: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await self.connect(self._nodes[self._seat % len(self._nodes)])
        self._there.set()
        self._task = asyncio.create_task(self._stay())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.drop()

    async def _stay(self) -> None:
        while True:
            with suppress(*ENDS):
                await self.listen()
            self._there.clear()
            self.returns += 1
            await self._come_back()
            self._there.set()

    async def _come_back(self) -> None:
        while True:
            self._seat += 1
            self._socket = None
            try:
                await asyncio.wait_for(self.connect(self._nodes[self._seat % len(self._nodes)]), PATIENCE)
                break
            except (*ENDS, asyncio.TimeoutError):
                await asyncio.sleep(0.2)
        self.new_sessions += not self.recovered

    # -- posts

    async def post_on(self, rest: Rest) -> None:
        """Post until all rest."""
        while not rest.is_set():
            await self.post_next()
            await rest.pause(PACE)

    async def post_next(self) -> None:
        """Post the next number, until a node has confirmed it."""
        text = f"{self.name} {next(self._number)}"
        for attempt in count():
            await self._there.wait()
            self._answered.clear()
            try:
                await self._send(f"422{json.dumps(['post', {'text': text, 'key': text}])}")
                await asyncio.wait_for(self._answered.wait(), 15)
            except (*ENDS, asyncio.TimeoutError):
                await asyncio.sleep(PACE)
                continue
            if attempt == 0:
                self.acknowledged.append(text)
            return

    async def counts(self, number: int) -> bool:
        """Whether the node says that so many are online, soon."""
        for _ in range(2 * PATIENCE):
            await self._there.wait()
            with suppress(*ENDS):
                await self._send('421["here",{}]')
            await asyncio.sleep(0.5)
            if self.online == number:
                return True
        return False

    async def _send(self, packet: str) -> None:
        assert self._socket is not None
        await self._socket.write_message(packet)

    def _take(self, packet: str) -> None:
        if packet == "2":
            pong = asyncio.create_task(self._pong())
            self._pongs.add(pong)
            pong.add_done_callback(self._pongs.discard)
        elif packet.startswith("432"):
            self._answered.set()
        else:
            super()._take(packet)

    async def _pong(self) -> None:
        with suppress(*ENDS):
            await self._send("3")

    # -- what it has heard

    def faults(self, speakers: list[Any]) -> Iterator[str]:
        """Say what it heard twice, or in the wrong order."""
        posts = self.posts
        if len(set(posts)) < len(posts):
            yield f"{self.name} heard twice: {sorted(text for text in set(posts) if posts.count(text) > 1)[:5]}"
        for speaker in speakers:
            numbers = [int(text.rpartition(" ")[2]) for text in posts if text.rpartition(" ")[0] == speaker.name]
            if numbers != sorted(numbers):
                yield f"{self.name} heard {speaker.name} in the order {numbers}"

    @property
    def line(self) -> str:
        """What it has done, in words."""
        came = f"came back {self.returns} times, {self.new_sessions} of them to a new session"
        return f"{self.name}: heard {len(self.posts)} posts, posted {len(self.acknowledged)}, {came}"
