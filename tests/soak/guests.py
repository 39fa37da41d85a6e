"""Clients of the board that come, stay and go in all ways.

A guest answers pings and notes what it hears. The raw ones speak through `wire.py`, so that they can end as no
library would: without a word, without reading, in the middle of a request.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from functools import partial
from typing import Any, NamedTuple

import socketio
from conftest import PATIENCE
from engineio.payload import Payload
from raw_client import CLOSE, SEPARATOR, Answer, Closed, Line, Server, address

from handlers.socketio.engineio.offsets import read_offset

ENDS = (Closed, EOFError, ConnectionError)
"""What a guest hears of its connection's end."""
Payload.max_decode_packets = 100_000
"""Of 16, python-socketio's client leaves when a poll brings more."""


class Heard(NamedTuple):
    """A piece of news, or a post.

    online: how many the news says are there. stamp: its place among all that was said, where the guest is told.
    """

    said: str
    online: int | None
    stamp: int | None = None


async def cancel(*tasks: asyncio.Task[None]) -> None:
    """End tasks. Before Python 3.12, `asyncio.wait_for` now and then swallows that."""
    while going := [task for task in tasks if not task.done()]:
        for task in going:
            task.cancel()
        await asyncio.wait(going, timeout=0.1)
    await asyncio.gather(*tasks, return_exceptions=True)


class Guest(ABC):
    """A client of the board."""

    kind = ""
    transport = ""
    """What carries it, once it is in."""

    def __init__(self, server: Server, recovery: bool = False) -> None:
        self.server = server
        self.recovery = recovery
        self.id = ""
        """Who it is to the board, once it is in."""
        self.heard: list[Heard] = []

    @abstractmethod
    async def come(self, join: bool = True) -> None:
        """Connect and, unless told not to, join."""

    @abstractmethod
    async def stay(self) -> None:
        """Listen until the connection ends; the end is one of ENDS."""

    @abstractmethod
    async def leave(self) -> None:
        """Go politely."""

    async def emit(self, event: str, data: Any) -> None:
        """Send an event."""

    async def reset(self) -> None:
        """Die, as a process that is killed."""
        for line in self.server.lines:
            line.reset()

    def hear(self, event: str, *args: Any) -> None:
        """Record an event."""
        stamp = read_offset(args[1]) if len(args) > 1 else None
        if event == "news":
            self.heard.append(Heard(args[0]["msg"], args[0]["count"], stamp))
        elif event == "post":
            self.heard.append(Heard(args[0]["text"], None, stamp))


class RawGuest(Guest):
    """One that speaks packets."""

    @abstractmethod
    async def say(self, *packets: str | bytes) -> None:
        """Send packets."""

    async def emit(self, event: str, data: Any) -> None:
        """Send an event."""
        await self.say("42" + json.dumps([event, data]))

    async def take(self, packet: str) -> None:
        """Do what a packet asks for."""
        if packet == "2":
            await self.say("3")
        elif packet.startswith("42"):
            self.hear(*json.loads(packet[2:]))
        elif packet.startswith("40{"):
            self.id = json.loads(packet[2:])["sid"]
        elif packet == "1":
            raise Closed(None)

    async def join(self) -> None:
        """Join the board."""
        await self.say("40" + ('{"recovery":true}' if self.recovery else ""))
        while not self.id:
            await self.listen()

    @abstractmethod
    async def listen(self) -> None:
        """Take what comes next."""

    async def stay(self) -> None:
        while True:
            await self.listen()

    def stop_reading(self) -> None:
        """Read nothing any more."""
        for line in self.server.lines:
            line.stop_reading()

    @property
    @abstractmethod
    def gone(self) -> bool:
        """Whether the server has ended the connection."""


class WebSocketGuest(RawGuest):
    """One over WebSocket alone."""

    kind = transport = "websocket"

    async def come(self, join: bool = True) -> None:
        self.socket = await self.server.websocket()
        if join:
            await self.join()

    async def say(self, *packets: str | bytes) -> None:
        await self.socket.send(*packets)

    async def listen(self) -> None:
        await self.take(str(await self.socket.next()))

    async def leave(self) -> None:
        await self.say("41")
        self.socket.send_frame(CLOSE, (1000).to_bytes(2, "big"))
        await asyncio.wait_for(self.socket.gone.wait(), PATIENCE)

    @property
    def gone(self) -> bool:
        return self.socket.gone.is_set()


class PollingGuest(RawGuest):
    """One over long-polling alone, on two connections that it keeps."""

    kind = transport = "polling"
    gone = False

    async def come(self, join: bool = True) -> None:
        self._getting: Line = await self.server.connect()
        self._posting: Line = await self.server.connect()
        self._speaking = asyncio.Lock()
        (opening,) = await self._get(address())
        self.sid = json.loads(opening[1:])["sid"]
        if join:
            await self.join()

    async def say(self, *packets: str | bytes) -> None:
        await self.post(SEPARATOR.join(map(str, packets)).encode())

    async def post(self, body: bytes) -> None:
        """Send a payload."""
        async with self._speaking:
            self._posting.write(self.server.head("POST", address(sid=self.sid), {}, body) + body)
            self._check(await self._posting.answer())

    async def listen(self) -> None:
        for packet in await self._get(address(sid=self.sid)):
            await self.take(packet)

    async def leave(self) -> None:
        await self.say("41", "1")

    def stop_reading(self) -> None:
        """Do not read the answer to the last poll."""
        self._getting.stop_reading()

    def hang_up(self) -> None:
        """Close both connections, which nobody needs any more."""
        self._getting.close()
        self._posting.close()

    async def _get(self, path: str) -> list[str]:
        self._getting.write(self.server.head("GET", path))
        return self._check(await self._getting.answer()).packets

    def _check(self, answer: Answer) -> Answer:
        if answer.status != 200:
            self.gone = True
            raise Closed(answer.status)
        return answer


class UpgradingGuest(WebSocketGuest):
    """One that begins with long-polling and goes on over WebSocket."""

    kind = "upgrading"

    async def come(self, join: bool = True) -> None:
        first = PollingGuest(self.server, self.recovery)
        await first.come(join)
        self.id, self.heard = first.id, first.heard
        self.socket = await self.server.websocket(first.sid)
        await self.say("2probe")
        assert await self.socket.next() == "3probe"
        await self.say("5")
        first.hang_up()


class LibraryGuest(Guest):
    """One of python-socketio's clients."""

    kind = "python-socketio"

    def __init__(self, server: Server, recovery: bool = False, transport: str = "websocket") -> None:
        super().__init__(server, recovery)
        self.transport = transport
        self._client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        for event in ("news", "post"):
            self._client.on(event, partial(self._hear, event))
        self._client.on("disconnect", self._hear_end)
        self._end = asyncio.Event()

    async def _hear(self, event: str, *args: Any) -> None:
        self.hear(event, *args)

    async def _hear_end(self, reason: str) -> None:
        self._end.set()

    async def come(self, join: bool = True) -> None:
        await self._client.connect(
            f"http://127.0.0.1:{self.server.port}",
            transports=["polling"] if self.transport == "polling" else None,
            auth={"recovery": True} if self.recovery else None,
            wait_timeout=PATIENCE,
        )
        self.id = self._client.get_sid()

    async def stay(self) -> None:
        await self._end.wait()
        raise Closed(None)

    async def leave(self) -> None:
        await self._client.disconnect()

    async def reset(self) -> None:
        """Close the connections abruptly, as far as the library allows."""
        await self._client.eio.http.close()

    async def emit(self, event: str, data: Any) -> None:
        await self._client.emit(event, data)


class Listener(Guest):
    """Somebody who has `/events` sent."""

    kind = transport = "events"

    async def come(self, join: bool = True) -> None:
        self._line = await self.server.send("GET", "/events")
        head = await self._line.take_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        self._text = ""

    async def stay(self) -> None:
        while size := int(await self._line.take_until(b"\r\n"), 16):
            self._text += (await self._line.take(size + 2))[:-2].decode()
            *events, self._text = self._text.split("\n\n")
            for event in events:
                fields = dict(line.split(": ", 1) for line in event.splitlines() if not line.startswith(":"))
                if fields:
                    self.hear(fields["event"], json.loads(fields["data"]), fields["id"])
        raise Closed(None)

    async def leave(self) -> None:
        self._line.close()

    def stop_reading(self) -> None:
        """Read nothing any more."""
        self._line.stop_reading()
