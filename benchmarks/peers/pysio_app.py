"""The board on python-socketio, as its documentation shows.

KIND=tornado PORT=4000 PING_INTERVAL=25000 PING_TIMEOUT=20000 NEWS=1 python pysio_app.py
KIND is tornado or uvicorn.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import socketio

KIND = os.environ.get("KIND", "tornado")
PORT = int(os.environ.get("PORT", "4000"))
NEWS = os.environ.get("NEWS", "1") == "1"
BACKLOG = 4096

sio = socketio.AsyncServer(
    async_mode={"tornado": "tornado", "uvicorn": "asgi"}[KIND],
    ping_interval=int(os.environ.get("PING_INTERVAL", "25000")) / 1000,
    ping_timeout=int(os.environ.get("PING_TIMEOUT", "20000")) / 1000,
)
online: set[str] = set()


async def tell_news(msg: str) -> None:
    """Tell everyone who comes and goes."""
    if NEWS:
        await sio.emit("news", {"msg": msg, "count": len(online)})


@sio.event
async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
    """Tell everyone, then greet the newcomer."""
    online.add(sid)
    number = len(online)
    await tell_news("One more person is online")
    await sio.emit("private", {"msg": f"Welcome you are the {number} person here"}, to=sid)


@sio.event
async def shout(sid: str, data: Any) -> None:
    """Say it to everyone."""
    await sio.emit("shout", data)


@sio.event
async def echo(sid: str, data: Any) -> Any:
    """Return the data unchanged."""
    return data


@sio.event
async def join(sid: str, room: str) -> None:
    """Let the client into a room."""
    await sio.enter_room(sid, room)


@sio.event
async def tell(sid: str, room: str, data: Any) -> None:
    """Say it to a room."""
    await sio.emit("told", data, to=room)


@sio.event
async def disconnect(sid: str, reason: str) -> None:
    """Tell those who are left."""
    online.discard(sid)
    await tell_news("Someone went home")


async def serve_on_tornado() -> None:
    """Serve until the process ends."""
    from tornado.web import Application

    application = Application([(r"/socket.io/", socketio.get_tornado_handler(sio))], log_function=lambda handler: None)
    application.listen(PORT, "127.0.0.1", backlog=BACKLOG)
    await asyncio.Event().wait()


def serve_on_uvicorn() -> None:
    """The same. Engine.IO has its own heartbeat, so uvicorn's is off."""
    import uvicorn

    uvicorn.run(
        socketio.ASGIApp(sio),
        host="127.0.0.1",
        port=PORT,
        loop="uvloop",
        backlog=BACKLOG,
        log_level="error",
        ws_ping_interval=None,
    )


if __name__ == "__main__":
    if KIND == "tornado":
        asyncio.run(serve_on_tornado())
    else:
        serve_on_uvicorn()
