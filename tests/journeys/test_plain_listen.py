"""Time limits that hold under `app.listen`, too.

Tornado's own server keeps none of ours.
"""

from __future__ import annotations

import asyncio
from typing import Any

import conformance_server
import pytest
from raw_client import join, serve, witnessed
from tornado.httpserver import HTTPServer

pytestmark = pytest.mark.gen_test


async def test_an_idle_connection_of_a_client_ends(monkeypatch: Any) -> None:
    for module in ("endpoint", "polling.fast_path"):
        monkeypatch.setattr(f"handlers.socketio.engineio.{module}.IDLE", 0.1)
    async with serve(conformance_server.make_app(), kind=HTTPServer) as server:
        line = await server.connect()
        line.write(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await line.answer()).status == 200
        assert await line.rest() == b""


async def test_a_poll_may_be_held_for_longer(monkeypatch: Any) -> None:
    for module in ("endpoint", "polling.fast_path"):
        monkeypatch.setattr(f"handlers.socketio.engineio.{module}.IDLE", 0.1)
    async with serve(conformance_server.make_app(ping_interval=0.5), kind=HTTPServer) as server:
        client = await server.poll()
        await join(client)
        assert await client.get() == ["2"]


async def test_a_POST_that_stops_half_way_ends(monkeypatch: Any) -> None:
    monkeypatch.setattr("handlers.socketio.engineio.polling.fast_path.BODY", 0.1)
    application, reasons = witnessed()
    async with serve(application, kind=HTTPServer) as server:
        client = await server.poll()
        await join(client)
        line = await client.begin_post(b'42["say"', announced=100)
        assert await line.rest() == b""
        assert await reasons.get() == "transport close"


async def test_a_POST_that_goes_on_is_waited_for_part_by_part(monkeypatch: Any) -> None:
    monkeypatch.setattr("handlers.socketio.engineio.polling.fast_path.BODY", 0.3)
    body = b'421["echo","slow"]'
    async with serve(conformance_server.make_app(), kind=HTTPServer) as server:
        client = await server.poll()
        await join(client)
        line = await client.begin_post(body[:2], announced=len(body))
        for at in range(2, len(body), 2):
            await asyncio.sleep(0.05)  # all parts together take longer than one may
            line.write(body[at : at + 2])
        assert (await line.answer()).text == "ok"
        assert await client.next() == '431["slow"]'
