"""A client that leaves the board has left once.

The others are told at once, however it leaves, and the count is right.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from conftest import PATIENCE
from raw_client import (
    CLOSE,
    JOURNEY,
    Polling,
    Server,
    WebSocket,
    io_loop,  # noqa: F401 (a fixture)
    join,
    serve,
)
from tornado.web import Application

import server as board
from handlers.socketio import Hub
from server import NAMESPACES

pytestmark = JOURNEY

BRISK = {"ping_interval": 0.3, "ping_timeout": 0.5}
TIMES: dict[str, dict[str, Any]] = {"25 s and 20 s": {}, "0.3 s and 0.5 s": BRISK}
at_any_pace = pytest.mark.parametrize("pace", TIMES)
both = pytest.mark.parametrize("transport", ["polling", "websocket"])


def board_app(**options: Any) -> Application:
    return board.make_app(Hub(NAMESPACES, **options))


def came(count: int) -> list[Any]:
    return ["news", {"msg": "One more person is online", "count": count}]


def went(count: int) -> list[Any]:
    return ["news", {"msg": "Someone went home", "count": count}]


def welcome(count: int) -> list[Any]:
    return ["private", {"msg": f"Welcome you are the {count} person here"}]


class Witness:
    """A client that stays, answers pings and keeps what it hears."""

    def __init__(self, client: Polling | WebSocket) -> None:
        self.client = client
        self._heard: asyncio.Queue[list[Any]] = asyncio.Queue()
        self._listening = asyncio.ensure_future(self._listen())

    async def _listen(self) -> None:
        while True:
            packet = await self.client.next()
            if packet == "2":
                await self.client.send("3")
            elif packet.startswith("42"):
                self._heard.put_nowait(json.loads(packet[2:]))

    async def hears(self, *events: list[Any]) -> None:
        """Assert that these events come next."""
        for event in events:
            assert await asyncio.wait_for(self._heard.get(), PATIENCE) == event

    async def leave(self) -> None:
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)


async def enter(server: Server, transport: str) -> Any:
    """Enter the board; return the client, which has heard nothing yet."""
    client = await server.open(transport)
    await join(client)
    return client


class Board:
    """A board with two viewers, one on each transport.

    The next client is the third.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.witnesses: list[Witness] = []

    async def hear(self, *events: list[Any]) -> None:
        for witness in self.witnesses:
            await witness.hears(*events)

    async def visitor(self, transport: str) -> Any:
        """A third person comes."""
        client = await enter(self.server, transport)
        await self.hear(came(3))
        return client

    async def hear_once_that_the_visitor_left(self) -> None:
        """Check that each hears of the leaving once.

        Next, each hears that another client came, and the count is right.
        """
        await self.hear(went(2))
        await self.visitor("websocket")


@asynccontextmanager
async def watched(**options: Any) -> AsyncIterator[Board]:
    """Serve a board that two look at."""
    async with serve(board_app(**options)) as server:
        those_who_stay = Board(server)
        for count, transport in enumerate(("websocket", "polling"), 1):
            witness = Witness(await enter(server, transport))
            those_who_stay.witnesses.append(witness)
            await witness.hears(came(count), welcome(count))
        await those_who_stay.witnesses[0].hears(came(2))
        try:
            yield those_who_stay
        finally:
            for witness in those_who_stay.witnesses:
                await witness.leave()


# -- ways to leave


async def close_frame(client: WebSocket) -> None:
    client.send_frame(CLOSE, struct.pack("!H", 1001))


async def close_line(client: WebSocket) -> None:
    client.close()


async def reset_line(client: WebSocket) -> None:
    client.reset()


async def malformed_frame(client: WebSocket) -> None:
    client.send_frame(CLOSE + 3, b"?")


async def disconnect(client: Any) -> None:
    await client.send("41")


async def disconnect_twice(client: Any) -> None:
    await client.send("41", "41", "41")


async def disconnect_and_close(client: WebSocket) -> None:
    await client.send("41")
    client.close()


async def event_named_disconnect(client: Any) -> None:
    await client.send('42["disconnect"]')


async def events_named_disconnect_and_41(client: Any) -> None:
    await client.send('42["disconnect","transport close"]', "41", '42["disconnecting"]')


async def parse_error(client: Any) -> None:
    await client.send("abc")


async def engine_close(client: Polling) -> None:
    assert (await client.post("1")).text == "ok"


async def engine_close_twice(client: Polling) -> None:
    assert (await client.post("41", "1", "1")).text == "ok"


async def engine_close_while_a_GET_is_held(client: Polling) -> None:
    assert await client.next()
    held = await client.hold()
    await client.post("1")
    await held.answer()


async def aborted_poll(client: Polling) -> None:
    await until_held(client)
    (await client.begin_get()).close()


async def reset_poll(client: Polling) -> None:
    await until_held(client)
    (await client.hold()).reset()


async def aborted_post(client: Polling) -> None:
    (await client.begin_post(b'42["private"', announced=100)).close()


async def reset_post(client: Polling) -> None:
    (await client.begin_post(b"", announced=100)).reset()


async def aborted_post_while_a_GET_is_held(client: Polling) -> None:
    await until_held(client)
    held = await client.hold()
    (await client.begin_post(b'42["private"', announced=100)).reset()
    assert (await held.answer()).packets in (["1"], ["6"])


async def post_and_poll_reset_at_once(client: Polling) -> None:
    await until_held(client)
    lines = [await client.hold(), await client.begin_post(b"42", announced=100)]
    for line in lines:
        line.reset()


async def two_polls_at_once(client: Polling) -> None:
    await until_held(client)
    lines = [await client.begin_get(), await client.begin_get()]
    assert sorted([(await line.answer()).status for line in lines]) == [200, 400]


async def close_while_upgrading(client: Polling) -> None:
    socket = await client.server.websocket(client.sid)
    await socket.send("2probe")
    assert await socket.next() == "3probe"
    await client.post("1")
    await socket.ended()


async def candidate_and_poll_reset_at_once(client: Polling) -> None:
    await until_held(client)
    socket, held = await client.server.websocket(client.sid), await client.hold()
    socket.reset()
    held.reset()


async def close_behind_the_upgrade(client: Polling) -> None:
    socket = await client.server.websocket(client.sid)
    await socket.send("2probe", "5")
    assert await socket.next() == "3probe"
    socket.reset()


async def upgrade_and_close_in_one_breath(client: Polling) -> None:
    socket = await client.server.websocket(client.sid)
    await socket.send("2probe", "5", "41")
    socket.close()


async def until_held(client: Polling) -> None:
    """Read what has been said, so that the next GET is held."""
    while welcome(3)[1]["msg"] not in str(await client.next()):
        pass


Way = Callable[[Any], Awaitable[None]]
OVER_WEBSOCKET: list[Way] = [close_frame, close_line, reset_line, malformed_frame, disconnect_and_close]
OVER_POLLING: list[Way] = [
    engine_close, engine_close_twice, engine_close_while_a_GET_is_held, aborted_poll, reset_poll, aborted_post,
    reset_post, aborted_post_while_a_GET_is_held, post_and_poll_reset_at_once, two_polls_at_once,
    close_while_upgrading, candidate_and_poll_reset_at_once, close_behind_the_upgrade, upgrade_and_close_in_one_breath,
]  # fmt: skip
OVER_BOTH: list[Way] = [
    disconnect, disconnect_twice, event_named_disconnect, events_named_disconnect_and_41, parse_error,
]  # fmt: skip
WAYS = [("websocket", way) for way in OVER_WEBSOCKET + OVER_BOTH] + [("polling", w) for w in OVER_POLLING + OVER_BOTH]


@at_any_pace
@pytest.mark.parametrize(("transport", "way"), WAYS, ids=[f"{t}-{way.__name__}" for t, way in WAYS])
async def test_those_who_stay_are_told_at_once_and_once_of(transport: str, way: Way, pace: str) -> None:
    async with watched(**TIMES[pace]) as those_who_stay:
        visitor = await those_who_stay.visitor(transport)
        await way(visitor)
        await those_who_stay.hear_once_that_the_visitor_left()


async def test_nobody_is_told_of_again_when_the_ping_timeouts_of_all_who_left_are_over() -> None:
    async with watched(**BRISK) as those_who_stay:
        for transport, way in WAYS:
            visitor = await those_who_stay.visitor(transport)
            await way(visitor)
            await those_who_stay.hear(went(2))
        await those_who_stay.visitor("websocket")
        await those_who_stay.hear_once_that_the_visitor_left()  # in silence: later than any of the others could be


@at_any_pace
async def test_the_newcomer_is_told_too_and_greeted_behind_it(pace: str) -> None:
    async with serve(board_app(**TIMES[pace])) as server:
        for count, transport in enumerate(("websocket", "polling", "websocket"), 1):
            witness = Witness(await enter(server, transport))
            await witness.hears(came(count), welcome(count))
            await witness.leave()


# -- the silent


@both
@pytest.mark.parametrize("pongs", [0, 2])
async def test_a_silent_client_is_told_of_when_its_ping_timeout_is_over(transport: str, pongs: int) -> None:
    async with watched(**BRISK) as those_who_stay:
        last_sign, visitor = time.monotonic(), await those_who_stay.visitor(transport)
        while pongs:
            if await visitor.next() == "2":
                pongs, last_sign = pongs - 1, time.monotonic()
                await visitor.send("3")
        await those_who_stay.hear(went(2))
        assert time.monotonic() - last_sign > 0.78
        await those_who_stay.visitor("websocket")


async def test_many_silent_clients_are_told_of_each_once() -> None:
    # Longer than it takes all of them to come, on a slow machine too.
    async with serve(board_app(ping_interval=2, ping_timeout=1)) as server:
        witness = Witness(await enter(server, "websocket"))
        for number in range(20):
            await enter(server, ("websocket", "polling")[number % 2])
        await witness.hears(came(1), welcome(1), *(came(count) for count in range(2, 22)))
        await witness.hears(*(went(count) for count in range(20, 0, -1)))
        await witness.leave()


async def test_a_silent_client_that_polls_on_is_told_of_all_the_same() -> None:
    async with watched(**BRISK) as those_who_stay:
        visitor = await those_who_stay.visitor("polling")
        while await visitor.next() != "1":
            pass
        await those_who_stay.hear_once_that_the_visitor_left()


@both
async def test_a_client_that_closes_when_its_time_is_up_is_told_of_once(transport: str) -> None:
    async with watched(**BRISK) as those_who_stay:
        visitor = await those_who_stay.visitor(transport)
        await those_who_stay.hear(went(2))
        if transport == "polling":
            await visitor.post("41", "1")
        else:
            await visitor.send("41")
            visitor.close()
        await those_who_stay.visitor("polling")


async def test_a_crowd_that_leaves_in_all_ways_at_once_is_counted_down_one_by_one() -> None:
    async with serve(board_app()) as server:
        witness = Witness(await enter(server, "websocket"))
        crowd = [await enter(server, "websocket") for _ in range(20)]
        await witness.hears(came(1), welcome(1), *(came(count) for count in range(2, 22)))
        ways = (close_line, reset_line, close_frame, disconnect)
        await asyncio.gather(*(ways[number % 4](client) for number, client in enumerate(crowd)))
        await witness.hears(*(went(count) for count in range(20, 0, -1)))
        await enter(server, "polling")
        await witness.hears(came(2))
        await witness.leave()
