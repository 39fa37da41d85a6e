"""A help desk on python-socketio; after.py is its port: `python before.py 3006`."""

import asyncio
import contextlib
import sys
from urllib.parse import parse_qs

import socketio
from tornado.web import Application

TOKENS = {"s3cret-ann": "Ann", "s3cret-bob": "Bob"}

sio = socketio.AsyncServer(async_mode="tornado")


@sio.event
async def connect(sid, environ, auth):
    name = TOKENS.get((auth or {}).get("token"))
    if name is None:
        raise socketio.exceptions.ConnectionRefusedError("unknown token", {"ask": "the help desk"})
    origin = parse_qs(environ["QUERY_STRING"]).get("from", [""])[0]
    await sio.save_session(sid, {"name": name, "from": origin})
    await sio.enter_room(sid, f"user:{name}")
    await sio.emit("welcome", {"name": name}, to=sid)


@sio.event
async def disconnect(sid, reason):
    session = await sio.get_session(sid)
    await sio.emit("left", {"name": session["name"], "reason": reason}, skip_sid=sid)


@sio.event
async def join(sid, room):
    session = await sio.get_session(sid)
    await sio.enter_room(sid, room)
    await sio.emit("joined", {"name": session["name"], "room": room}, room=room, skip_sid=sid)
    return sorted(name for name in sio.rooms(sid) if name != sid)


@sio.event
async def leave(sid, room):
    await sio.leave_room(sid, room)
    return sorted(name for name in sio.rooms(sid) if name != sid)


@sio.event
async def say(sid, room, text):
    session = await sio.get_session(sid)
    await sio.emit("said", {"by": session["name"], "text": text}, room=room)
    return "sent", len(text)


@sio.on("private message")
async def private_message(sid, name, text):
    session = await sio.get_session(sid)
    await sio.emit("private message", {"by": session["name"], "text": text}, to=f"user:{name}")


@sio.event
async def rename(sid, name):
    async with sio.session(sid) as session:
        session["name"] = name
    return await sio.get_session(sid)


@sio.event
async def ask(sid, question, seconds):
    try:
        return {"answer": await sio.call("question", question, to=sid, timeout=seconds)}
    except socketio.exceptions.TimeoutError:
        return {"error": "no answer"}


@sio.event
async def upload(sid, data):
    await sio.emit("uploaded", (len(data), data[::-1]), to=sid)
    return len(data)


@sio.event
async def wait(sid, seconds):
    await sio.sleep(seconds)
    return seconds


@sio.event
async def fail(sid):
    raise ValueError("this is logged")


@sio.event
async def close_room(sid, room):
    await sio.close_room(room)


@sio.event
async def quit(sid):
    await sio.disconnect(sid)


class Admin(socketio.AsyncNamespace):
    async def on_connect(self, sid, environ, auth):
        return (auth or {}).get("token") == "s3cret-ann"

    async def on_count(self, sid):
        return sum(1 for _ in sio.manager.get_participants("/", None))


async def tick():
    for number in range(sys.maxsize):
        await sio.emit("tick", number, room="clock")
        await sio.sleep(0.02)


async def main(port):
    sio.register_namespace(Admin("/admin"))
    Application([("/socket.io/", socketio.get_tornado_handler(sio))]).listen(port)
    sio.start_background_task(tick)
    print(f"Listening on port {port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1])))
