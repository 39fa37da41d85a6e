"""The application of the features' tests: it obeys events.

It does all that a real client can see of a server.

Namespaces `/stage-<name>` are for one test each, so that "everyone" is whom the test has connected. `/plain` has no
`on_any` and no hooks; in `/clock` a PeriodicCallback ticks. `/outside` speaks from a RequestHandler and from another
thread. Everything is mounted a second time at `/elsewhere/`.

    PORT=3000 python tests/support/feature_server.py
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections import defaultdict
from inspect import isawaitable
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).parents[2]))

from inside import client_of, session_of
from tornado.ioloop import PeriodicCallback
from tornado.web import Application, RequestHandler

from handlers.socketio import CallTimeout, Hub, Refused, SocketIOHandler, event, event_stream, routes
from handlers.socketio.engineio.codec.packet import Packet, PacketType

Steps = list[list[Any]]
"""How to narrow whom one speaks to, step by step: `[["to", "a", "b"], ["others"]]`."""

NAN = {"not a number": {"list": [1, float("nan")]}, "infinite": float("-inf"), "an object": {"deep": [object()]}}


def narrowed(audience: Any, steps: Steps) -> Any:
    """Narrow an audience, or whom a handler speaks to."""
    for name, *rooms in steps:
        narrow = getattr(audience, name)
        audience = narrow(*rooms) if name in ("to", "except_") else narrow
    return audience


class PlainHandler(SocketIOHandler):
    """A handler without hooks."""

    def on_echo(self, *args: Any) -> Any:
        return args

    def on_unknown_events(self) -> int:
        return client_of(self).namespace.hub.counters.unknown_events


class StageHandler(PlainHandler):
    """Does what its events say, and tells everyone who leaves."""

    gates: ClassVar[dict[str, asyncio.Event]] = defaultdict(asyncio.Event)
    """What waits in a namespace waits for its gate."""
    value: Any = None

    @property
    def gate(self) -> asyncio.Event:
        return self.gates[self.namespace]

    # -- hooks

    async def authenticate(self, auth: dict[str, Any]) -> None:
        if auth.get("wait"):
            await self.gate.wait()
        if auth.get("refuse"):
            raise Refused("Not you", {"code": 7, "auth": auth})

    def before_event(self, event: str, args: list[Any]) -> Any:
        if event == "forbidden":
            raise Refused("Not that", {"event": event, "args": args})
        return self._refuse_later(event) if event == "forbidden_later" else None

    async def _refuse_later(self, event: str) -> None:
        await asyncio.sleep(0)
        raise Refused("Not that either", {"event": event})

    def on_any(self, event: str, *args: Any) -> Any:
        return {"any": [event, *args]}

    def on_connect(self) -> Any:
        self.order: list[str] = getattr(self, "order", [])
        self.visits = getattr(self, "visits", 0) + 1
        return self._send_away_later(self.auth["stay"]) if "stay" in self.auth else None

    async def _send_away_later(self, milliseconds: float) -> None:
        await asyncio.sleep(milliseconds / 1000)
        self.emit("goodbye")
        self.disconnect(close=True)

    def on_disconnecting(self, reason: str) -> None:
        self.broadcast("leaving", self.id, reason, sorted(self.rooms))

    def on_disconnect(self, reason: str) -> None:
        self.broadcast("left", self.id, reason, self.online)

    # -- who is there

    def on_whoami(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "namespace": self.namespace,
            "match": list(self.match.groups()) if self.match else None,
            "auth": self.auth,
            "recovered": self.recovered,
            "visits": self.visits,
            "rooms": sorted(self.rooms),
            "query": dict(self.request.query),
            "feature": self.request.headers.get("X-Feature"),
            "transport": session_of(self).transport.name,
        }

    def on_set(self, value: Any) -> None:
        self.value = value

    def on_get(self) -> Any:
        return [self.value]

    # -- rooms and audiences

    def on_enter(self, *rooms: str) -> list[str]:
        for room in rooms:
            self.enter(room)
        return sorted(self.rooms)

    def on_leave(self, *rooms: str) -> list[str]:
        for room in rooms:
            self.leave(room)
        return sorted(self.rooms)

    def on_say(self, steps: Steps, event: str, *args: Any) -> None:
        narrowed(self, steps).emit(event, *args)

    def on_keep(self, number: int, steps: Steps, event: str, *args: Any) -> None:
        audience = narrowed(self, steps)
        (audience.emit if steps else self.broadcast)(event, *args, keep=number)

    def on_cut(self) -> None:
        session_of(self).close("forced close")

    def on_kick(self, steps: Steps, close: bool = False) -> None:
        narrowed(self, steps).disconnect(close)

    def on_say_nan(self, which: str, steps: Steps) -> str:
        try:
            narrowed(self, steps).emit("told", "first", NAN[which])
        except (TypeError, ValueError) as error:
            return str(error)
        raise AssertionError("it was sent")

    def on_poison(self) -> None:
        """Try to send everyone what no JavaScript client can decode.

        The server refuses to encode it.
        """
        namespace = client_of(self).namespace
        text = f'51-{namespace.name},["photo",{{"_placeholder":true,"num":7}}]'
        said = [Packet(PacketType.MESSAGE, text), Packet(PacketType.MESSAGE, b"x")]
        namespace.hub.delivery.publish([namespace.everyone], said, replayable=True)

    # -- acknowledgements

    async def on_ask(self, timeout: float, event: str, *args: Any) -> dict[str, Any]:
        try:
            result = {"answer": await self.call(event, *args, timeout=timeout)}
        except CallTimeout as error:
            result = {"timeout": str(error)}
        return {**result, "pending": len(client_of(self)._acks or ())}

    async def on_ask_many(self, timeout: float, steps: Steps, event: str, *args: Any) -> dict[str, Any]:
        answers = await narrowed(self, steps).call(event, *args, timeout=timeout)
        return {"answers": dict(answers), "missing": sorted(answers.missing)}

    def on_return_nan(self) -> float:
        return float("nan")

    # -- handlers

    def on_forbidden(self, *args: Any) -> None:
        self.value = "forbidden"

    on_forbidden_later = on_forbidden

    def on_fail(self) -> None:
        raise RuntimeError("a bug of the application, on purpose")

    async def on_slow(self, name: str) -> list[str]:
        self.order.append(f"{name} begins")
        await self.gate.wait()
        self.order.append(f"{name} ends")
        return self.order

    @event("quick one")
    def on_quick_one(self, name: str) -> list[str]:
        self.order.append(name)
        return self.order

    def on_open_gate(self) -> None:
        self.gate.set()


class ClockHandler(SocketIOHandler):
    """Hears ticks."""


NAMESPACES: dict[Any, type[SocketIOHandler]] = {
    "/": StageHandler,
    "/plain": PlainHandler,
    "/clock": ClockHandler,
    re.compile(r"/stage-(\w+)"): StageHandler,
}


class OutsideHandler(RequestHandler):
    """Uses an audience from outside its handlers.

    The body: `{"namespace", "steps", "do", "args", "thread"}`.
    """

    async def post(self) -> None:
        hub = self.settings["hub"]
        asked = json.loads(self.request.body)

        def act(hub: Any) -> Any:
            audience = narrowed(hub.of(asked["namespace"]), asked.get("steps", []))
            return getattr(audience, asked["do"])(*asked.get("args", []), **asked.get("options", {}))

        result = await asyncio.to_thread(act, hub.threadsafe) if asked.get("thread") else act(hub)
        if isawaitable(result):
            result = await result
        everyone = hub.of(asked["namespace"])
        self.write(
            {
                "result": result,
                "missing": getattr(result, "missing", None),
                "clients": [client.id for client in everyone.clients],
                "rooms": sorted(everyone.rooms),
            }
        )


def make_app(**options: Any) -> Application:
    """Return the application; `settings["hub"]` is its hub, `settings["clock"]` what makes it tick."""
    hub = Hub(NAMESPACES, **options)
    ticks = iter(range(sys.maxsize))
    clock = PeriodicCallback(lambda: hub.of("/clock").emit("tick", next(ticks)), 20)
    clock.start()
    return Application(
        [
            *routes(hub, origins=["*"]),
            *routes(hub, path="/elsewhere/", origins=["*"]),
            *event_stream(hub, origins=["https://friend.example"]),
            (r"/outside", OutsideHandler),
        ],
        hub=hub,
        clock=clock,
    )


async def main() -> None:
    application = make_app()
    server = application.listen(int(os.environ.get("PORT", 3000)), "127.0.0.1")
    try:
        await asyncio.Event().wait()
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
