"""Failures and times of handlers, by namespace and event, in `/metrics`."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from handlers.socketio import Hub, Refused, SocketIOHandler, event
from handlers.socketio.operations.lag import LoopLag
from handlers.socketio.operations.metrics import write_metrics
from handlers.socketio.testing import connect


class Game(SocketIOHandler):
    """Fails when it is asked to."""

    def on_boom(self) -> None:
        raise KeyError("boom")

    async def on_late(self) -> None:
        await asyncio.sleep(0.01)
        raise KeyError("late")

    @event('say "hi"')
    def say(self) -> None: ...

    def on_authenticate(self) -> None:
        raise Refused("an event of the name of a hook")

    def on_any(self, event: str, *args: Any) -> None:
        raise KeyError(event)


@pytest.mark.gen_test
async def test_handlers_are_counted_by_what_is_declared() -> None:
    hub = Hub({"/": Game, re.compile(r"/game-\d+"): Game})
    main, one, two = [await connect(hub, name) for name in ("/", "/game-1", "/game-2")]
    for client in (main, main, one, two):
        for name in ("boom", "late", 'say "hi"', "authenticate", "whatever", f"a client's {client.id}"):
            await client.call(name)
    lines = write_metrics(hub, LoopLag()).splitlines()
    errors = [line for line in lines if line.startswith("socketio_handler_errors_total{")]
    for namespace in ("/", r"/game-\\d+"):
        for name, number in (("boom", 2), ("late", 2), (r"say \"hi\"", 0), ("authenticate", 0), ("on_any", 4)):
            labels = f'namespace="{namespace}",event="{name}"'
            assert f"socketio_handler_errors_total{{{labels}}} {number}" in errors
        assert f'socketio_handler_seconds_count{{namespace="{namespace}",event="boom"}} 2' in lines
        assert f'socketio_handler_seconds_bucket{{namespace="{namespace}",event="late",le="0.005"}} 0' in lines
        assert f'socketio_handler_seconds_bucket{{namespace="{namespace}",event="late",le="+Inf"}} 2' in lines
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series))
    assert not any("a client's" in line for line in lines)
