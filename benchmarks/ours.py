"""The board on this server, with the events that the peers have.

PORT=4000 PING_INTERVAL=25000 PING_TIMEOUT=20000 NEWS=1 RECOVERY=120 python ours.py
TLS_CERT and TLS_KEY name files, and then it serves TLS; MAX_BACKLOG and COMPRESS are the hub's `max_backlog` and
`compress`; with ROOMS each client enters so many rooms. With REDIS, a URL, it is a node of a cluster whose format is
ADAPTER.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tornado.web import Application, RequestHandler

from handlers.socketio import Hub, SocketIOHandler, routes
from handlers.socketio.engineio.http_server import Server

ROOMS = int(os.environ.get("ROOMS", "0"))
NEWS = os.environ.get("NEWS", "1") == "1"


class BenchmarkHandler(SocketIOHandler):
    """Everyone hears who comes and goes.

    Besides, there are shouts, echoes and rooms.
    """

    def on_connect(self) -> None:
        """Tell everyone, then greet the newcomer."""
        for number in range(ROOMS):
            self.enter(f"room {number}")
        if NEWS:
            self.broadcast("news", {"msg": "One more person is online", "count": self.online})
        self.emit("private", {"msg": f"Welcome you are the {self.online} person here"})

    def on_disconnect(self, reason: str) -> None:
        """Tell those who are left."""
        if NEWS:
            self.broadcast("news", {"msg": "Someone went home", "count": self.online})

    def on_shout(self, data: Any) -> None:
        """Say it to everyone."""
        self.broadcast("shout", data)

    def on_echo(self, data: Any) -> Any:
        """Return the data unchanged."""
        return data

    def on_join(self, room: str) -> None:
        """Enter a room."""
        self.enter(room)

    def on_tell(self, room: str, data: Any) -> None:
        """Say it to a room."""
        self.to(room).emit("told", data)


def log_nothing(handler: RequestHandler) -> None:
    """Keep no log of requests, as the peers keep none."""


def make_hub() -> Hub:
    """Return the hub, with the server's defaults where the environment says nothing."""
    number = {name: float(os.environ[name]) for name in ("RECOVERY", "MAX_BACKLOG", "COMPRESS") if name in os.environ}
    return Hub(
        {"/": BenchmarkHandler},
        ping_interval=int(os.environ.get("PING_INTERVAL", "25000")) / 1000,
        ping_timeout=int(os.environ.get("PING_TIMEOUT", "20000")) / 1000,
        connect_timeout=600,  # a storm may last
        rate=0,  # how many packets a client can send is what is measured
        recovery=number.get("RECOVERY", 120),
        max_backlog=int(number.get("MAX_BACKLOG", 1 << 20)),
        compress=int(number.get("COMPRESS", 0)),
    )


def tls_context() -> ssl.SSLContext | None:
    """Return what TLS needs; None where it is not asked for."""
    certificate = os.environ.get("TLS_CERT")
    if not certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, os.environ["TLS_KEY"])
    return context


async def main() -> None:
    """Serve until the process ends."""
    hub = make_hub()
    if "REDIS" in os.environ:
        from handlers.socketio.cluster import join_cluster

        await join_cluster(hub, os.environ["REDIS"], adapter=os.environ["ADAPTER"])
    application = Application(routes(hub), log_function=log_nothing)
    server = Server(application, ssl_options=tls_context())
    server.listen(int(os.environ.get("PORT", "4000")), "127.0.0.1", backlog=4096)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
