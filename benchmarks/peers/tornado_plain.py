"""The plain reading of the job on Tornado alone.

A class-level set, one `write_message` a client, just enough Socket.IO
to talk. Its heartbeat is Tornado's own, WebSocket pings.

PORT=4000 PING_INTERVAL=25000 PING_TIMEOUT=20000 NEWS=1 python tornado_plain.py
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar

from tornado.web import Application
from tornado.websocket import WebSocketClosedError, WebSocketHandler

NEWS = os.environ.get("NEWS", "1") == "1"
OPENING = '0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'


def event(name: str, data: Any) -> str:
    """Write an event as a packet."""
    return "42" + json.dumps([name, data], separators=(",", ":"))


class BoardSocket(WebSocketHandler):
    """One WebSocket of the plain server."""

    live: ClassVar[set[BoardSocket]] = set()
    rooms: ClassVar[defaultdict[str, set[BoardSocket]]] = defaultdict(set)

    def open(self, *args: str, **kwargs: str) -> None:
        """Open the Engine.IO session."""
        self.set_nodelay(True)
        self.write_message(OPENING)

    def on_message(self, message: str | bytes) -> None:
        """Take a packet."""
        assert isinstance(message, str)
        if message == "40":
            self.come()
        elif message.startswith("42"):
            at = message.index("[")
            self.take(message[2:at], *json.loads(message[at:]))

    def take(self, id_: str, name: str, *args: Any) -> None:
        """Take an event."""
        if name == "shout":
            self.say(self.live, event("shout", args[0]))
        elif name == "tell":
            self.say(self.rooms[args[0]], event("told", args[1]))
        elif name == "join":
            self.rooms[args[0]].add(self)
            self.write_message(f"43{id_}[]")
        elif name == "echo":
            self.write_message(f"43{id_}" + json.dumps(args, separators=(",", ":")))

    def come(self) -> None:
        """Tell everyone, then greet the newcomer."""
        self.write_message('40{"sid":"y"}')
        self.live.add(self)
        self.tell_news("One more person is online")
        self.write_message(event("private", {"msg": f"Welcome you are the {len(self.live)} person here"}))

    def on_close(self) -> None:
        """Tell those who are left."""
        self.live.discard(self)
        self.tell_news("Someone went home")

    def tell_news(self, msg: str) -> None:
        """Tell everyone who comes and goes."""
        if NEWS:
            self.say(self.live, event("news", {"msg": msg, "count": len(self.live)}))

    @staticmethod
    def say(clients: Iterable[BoardSocket], packet: str) -> None:
        """Write one packet to each; who is about to leave needs none."""
        for client in clients:
            with suppress(WebSocketClosedError):
                client.write_message(packet)


async def main() -> None:
    """Serve until the process ends."""
    application = Application(
        [(r"/socket.io/", BoardSocket)],
        websocket_ping_interval=int(os.environ.get("PING_INTERVAL", "25000")) / 1000,
        websocket_ping_timeout=int(os.environ.get("PING_TIMEOUT", "20000")) / 1000,
        log_function=lambda handler: None,
    )
    application.listen(int(os.environ.get("PORT", "4000")), "127.0.0.1", backlog=4096)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
