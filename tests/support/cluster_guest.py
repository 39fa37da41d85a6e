"""A raw client that takes part in recovery on all nodes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from conftest import PATIENCE, Server
from tornado.websocket import WebSocketClientConnection, websocket_connect


class Guest:
    """Keeps all events that it receives, in order, over all its connections."""

    def __init__(self) -> None:
        self.auth: dict[str, Any] = {"recovery": True}
        self.id = ""
        self.heard: list[tuple[str, list[Any]]] = []
        """Names of events, with their arguments."""
        self.online = 0
        """How many are online, as `here` of the board says."""
        self.recovered = False
        self._answers = 0
        self._socket: WebSocketClientConnection | None = None

    async def connect(self, server: Server) -> Guest:
        """Connect, and read until the server has answered."""
        await self.drop()
        url = server.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
        self._socket = await websocket_connect(url)
        before, self.id = self.id, ""
        await self._socket.write_message(f"40{json.dumps(self.auth)}")
        await self.until(lambda: self.id)
        self.recovered = before == self.id
        return self

    async def until(self, holds: Callable[[], Any]) -> None:
        """Read until something holds."""
        while not holds():
            try:
                packet = await asyncio.wait_for(self._next(), PATIENCE)
            except asyncio.TimeoutError:
                packet = None
            assert packet is not None, f"nothing more came; heard {self.heard}"
            self._take(packet)

    async def listen(self) -> None:
        """Read until the connection is closed."""
        while (packet := await self._next()) is not None:
            self._take(packet)

    async def emit(self, event: str, *args: Any) -> None:
        assert self._socket is not None
        await self._socket.write_message(f"42{json.dumps([event, *args])}")

    async def post(self, text: str) -> None:
        """Post on the board, and read until this client receives it."""
        await self.emit("post", {"text": text, "key": text})
        await self.until(lambda: text in self.posts)

    async def here(self) -> None:
        """Be present on the board; the answer says who is online."""
        assert self._socket is not None
        answers = self._answers
        await self._socket.write_message('421["here",{}]')
        await self.until(lambda: self._answers > answers)

    async def drop(self) -> None:
        """Close the connection, and wait until it is closed."""
        if self._socket is not None:
            self._socket.close()
            await asyncio.wait_for(self.listen(), PATIENCE)
            self._socket = None

    async def shout(self, text: str) -> None:
        """Tell everybody, and read until this client receives it."""
        await self.emit("shout", text)
        await self.until(lambda: [text] in self.named("said"))

    def named(self, name: str) -> list[list[Any]]:
        """Return the arguments of the events of one name."""
        return [args for event, args in self.heard if event == name]

    @property
    def posts(self) -> list[str]:
        return [data["text"] for (data,) in self.named("post")]

    @property
    def news(self) -> list[tuple[str, int]]:
        return [(data["msg"], data["count"]) for (data,) in self.named("news")]

    async def _next(self) -> str | None:
        assert self._socket is not None
        packet = await self._socket.read_message()
        return packet if packet is None else str(packet)

    def _take(self, packet: str) -> None:
        if packet.startswith("40"):
            answer = json.loads(packet[2:])
            self.id, self.auth["pid"] = answer["sid"], answer["pid"]
        elif packet.startswith("431"):
            self.online = json.loads(packet[3:])[0]["online"]
            self._answers += 1
        elif packet.startswith("42"):
            event, *args, self.auth["offset"] = json.loads(packet[2:])
            self.heard.append((event, args))
            if event == "here":
                self.online = args[0]["online"]
