"""The check application of `js/checks.mjs`, on this server.

`js/peer.mjs` is the same on Node's. `mute` is the event that is never answered; `cut` ends the connection so that the
client comes back.

    PORT=0 PING_INTERVAL=300 PING_TIMEOUT=200 python tests/support/conformance_server.py
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from inside import session_of
from tornado.netutil import bind_sockets
from tornado.web import Application

from handlers.socketio import Hub, Refused, SocketIOHandler, event, routes
from handlers.socketio.engineio.http_server import Server


class CheckHandler(SocketIOHandler):
    def on_echo(self, *args: Any) -> Any:
        return args

    def on_whoami(self) -> Any:
        return {"id": self.id, "auth": self.auth}


class MainHandler(CheckHandler):
    def on_say(self, *args: Any) -> None:
        self.emit("said", *args)

    async def on_ask(self, *args: Any) -> None:
        answers = await self.call("question", *args)
        self.emit("answer", *(answers if isinstance(answers, tuple) else (answers,)))

    def on_shout(self, data: Any) -> None:
        self.broadcast("shout", data)

    def on_join(self, room: str) -> None:
        self.enter(room)

    @event("leave")
    def on_exit(self, room: str) -> None:
        self.leave(room)

    def on_tell(self, room: str, data: Any) -> None:
        self.to(room).emit("told", data)

    def on_burst(self, n: int) -> None:
        for i in range(n):
            self.emit("burst", i)

    def on_kick(self) -> None:
        self.disconnect()

    def on_cut(self) -> None:
        session_of(self).close("forced close")

    def on_banish(self) -> None:
        self.disconnect(close=True)

    async def on_mute(self) -> None:
        await asyncio.Event().wait()


class RefusingHandler(CheckHandler):
    def authenticate(self, auth: dict[str, Any]) -> None:
        if auth.get("token") != "secret":
            raise Refused("Not allowed", {"code": 7})


NAMESPACES = {"/": MainHandler, "/custom": CheckHandler, "/refuse": RefusingHandler}


def make_app(**options: Any) -> Application:
    return Application(routes(Hub(NAMESPACES, **options), origins=["*"]))


async def main() -> None:
    defaults = {"PING_INTERVAL": 25_000, "PING_TIMEOUT": 20_000, "CONNECT_TIMEOUT": 45_000}
    options = {name.lower(): int(os.environ.get(name, ms)) / 1000 for name, ms in defaults.items()}
    sockets = bind_sockets(int(os.environ.get("PORT", 0)), "127.0.0.1")
    server = Server(make_app(**options))
    server.add_sockets(sockets)
    print(f"Listening on port {sockets[0].getsockname()[1]}...", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
