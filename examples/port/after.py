"""The help desk of before.py on this library: `python after.py 3006`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any

from tornado.web import Application
from tornado_socketio import CallTimeout, Hub, Refused, SocketIOHandler, event, routes

TOKENS = {"s3cret-ann": "Ann", "s3cret-bob": "Bob"}


class Desk(SocketIOHandler):
    def authenticate(self, auth: dict[str, Any]) -> None:
        name = TOKENS.get(auth.get("token", ""))
        if name is None:
            raise Refused("unknown token", {"ask": "the help desk"})
        self.name, self.origin = name, self.get_query_argument("from", "")

    def on_connect(self) -> None:
        self.enter(f"user:{self.name}")
        self.emit("welcome", {"name": self.name})

    def on_disconnect(self, reason: str) -> None:
        self.others.emit("left", {"name": self.name, "reason": reason})

    def on_join(self, room: str) -> list[str]:
        self.enter(room)
        self.others.to(room).emit("joined", {"name": self.name, "room": room})
        return sorted(self.rooms)

    def on_leave(self, room: str) -> list[str]:
        self.leave(room)
        return sorted(self.rooms)

    def on_say(self, room: str, text: str) -> tuple[str, int]:
        self.to(room).emit("said", {"by": self.name, "text": text})
        return "sent", len(text)

    @event("private message")
    def private_message(self, name: str, text: str) -> None:
        self.to(f"user:{name}").emit("private message", {"by": self.name, "text": text})

    def on_rename(self, name: str) -> dict[str, str]:
        self.name = name
        return {"name": self.name, "from": self.origin}

    async def on_ask(self, question: str, seconds: float) -> dict[str, Any]:
        try:
            return {"answer": await self.call("question", question, timeout=seconds)}
        except CallTimeout:
            return {"error": "no answer"}

    def on_upload(self, data: bytes) -> int:
        self.emit("uploaded", len(data), data[::-1])
        return len(data)

    async def on_wait(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    def on_fail(self) -> None:
        raise ValueError("this is logged")

    def on_close_room(self, room: str) -> None:
        self.to(room).leave(room)

    def on_quit(self) -> None:
        self.disconnect()


class Admin(SocketIOHandler):
    def authenticate(self, auth: dict[str, Any]) -> bool:
        return auth.get("token") == "s3cret-ann"

    def on_count(self) -> int:
        return len(self.settings["hub"].of("/").clients)


async def tick(hub: Hub) -> None:
    for number in range(sys.maxsize):
        hub.of("/").to("clock").emit("tick", number)
        await asyncio.sleep(0.02)


async def main(port: int) -> None:
    hub = Hub({"/": Desk, "/admin": Admin})
    Application([*routes(hub)], hub=hub).listen(port)
    hub.spawn(tick(hub))
    print(f"Listening on port {port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1])))
