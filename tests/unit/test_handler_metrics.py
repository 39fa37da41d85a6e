"""Failures and times of handlers, by namespace and event, in `/metrics`."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from inside import connect

from handlers.socketio import Hub, Refused, SocketIOHandler, event
from handlers.socketio.methods import EventMethod
from handlers.socketio.operations.lag import LoopLag
from handlers.socketio.operations.metrics import write_metrics
from handlers.socketio.operations.status.worst import worst


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


@pytest.mark.gen_test
async def test_the_status_page_shows_what_failed_and_then_the_slowest() -> None:
    hub = Hub({"/": Game, "/status": Game})
    client, hidden = [await connect(hub, name) for name in ("/", "/status")]
    for name in ("boom", "late", "late", 'say "hi"'):
        await client.call(name)
        await hidden.call(name)
    rows = worst(hub, hidden="/status")
    assert {row["namespace"] for row in rows} == {"/"}
    assert [(row["event"], row["calls"], row["errors"]) for row in rows[:2]] == [("late", 2, 2), ("boom", 1, 1)]
    assert all(row["errors"] == 0 for row in rows[2:])
    assert rows[0]["mean"] > 0.009
    assert rows[0]["within"] >= 0.01
    json.dumps(rows, allow_nan=False)


def test_of_many_events_the_worst_are_shown() -> None:
    hub = Hub({"/": Game})
    (watch,) = hub.watches
    for number in range(20):
        watch.ran(EventMethod(f"Game.on_{number}", print, event=f"{number}"), number / 100)
    watch.ran(EventMethod("Game.on_eternal", print, event="eternal"), 60.0)
    watch.failed(EventMethod("Game.on_3", print, event="3"))
    rows = worst(hub, hidden="")
    assert [row["event"] for row in rows] == ["3", "eternal", "19", "18", "17", "16", "15"]
    assert [row["within"] for row in rows[:3]] == [0.05, None, 0.25]
