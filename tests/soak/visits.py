"""How visits end: politely, rudely, silently, or in a flood."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random

from conftest import PATIENCE
from raw_client import Server, address

from .guests import (
    ENDS,
    Guest,
    LibraryGuest,
    Listener,
    PollingGuest,
    RawGuest,
    UpgradingGuest,
    WebSocketGuest,
    cancel,
)

LONG_NAME = "40/" + "x" * 50_000 + ","
"""What is answered at length."""
FLOOD = ['42["nothing",{"of":"interest"}]', '420["private"]', "3", "40/nowhere,", '43999["late"]']
OFFENCES = [
    "",
    "9",
    "2",
    "4",
    "4x",
    "42",
    '42["',
    '42["connect"]',
    "42{}",
    "42/nowhere,[1]",
    "40",
    "4599-[]",
    "42" + "[" * 5000,
]


class Rest(asyncio.Event):
    """Set while all visitors are to end.

    silence: seconds after which the server gives up a silent client.
    """

    def __init__(self, silence: float) -> None:
        super().__init__()
        self.silence = silence

    async def pause(self, seconds: float) -> None:
        """Wait for some time, or until all rest."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.wait(), seconds)


class Visit:
    """One guest's visit, from when it is in."""

    def __init__(self, guest: Guest, draw: Random, rest: Rest) -> None:
        self.guest, self.draw, self.rest = guest, draw, rest
        self.listening = asyncio.create_task(guest.stay())

    @property
    def over(self) -> bool:
        """Whether its connection has ended."""
        return self.listening.done()


async def leave(visit: Visit) -> None:
    """Leave with DISCONNECT; the server may not close before."""
    assert not visit.over, f"was disconnected: {visit.listening.exception()!r}"
    await cancel(visit.listening)
    await visit.guest.leave()


async def reset(visit: Visit) -> None:
    """Die, and have the kernel say so."""
    await visit.guest.reset()


async def be_silent(visit: Visit) -> None:
    """Be silent until the server gives up the client.

    If all visitors rest before, the client leaves by itself.
    """
    await visit.rest.pause(visit.rest.silence)
    if visit.rest.is_set() and isinstance(visit.guest, PollingGuest):
        with suppress(*ENDS):
            await visit.guest.say("1")


async def vanish(visit: Visit) -> None:
    """Be silent from now on: no word, and no FIN."""
    await cancel(visit.listening)
    await be_silent(visit)


async def stall(visit: Visit) -> None:
    """Read nothing from now on, and have much said to it."""
    guest = visit.guest
    assert isinstance(guest, (RawGuest, Listener))
    await cancel(visit.listening)
    guest.stop_reading()
    if isinstance(guest, RawGuest):
        with suppress(*ENDS, asyncio.TimeoutError):
            for _ in range(100):
                if guest.gone or visit.rest.is_set():
                    break
                await guest.say(LONG_NAME)
                await asyncio.sleep(0.01)
    await be_silent(visit)


async def flood(visit: Visit) -> None:
    """Send far more than is allowed, and close in the middle."""
    guest, end = visit.guest, time.monotonic() + visit.draw.uniform(0.5, 12)
    assert isinstance(guest, RawGuest)
    while time.monotonic() < end and not (visit.over or guest.gone or visit.rest.is_set()):
        with suppress(*ENDS):
            await guest.say(*visit.draw.choices(FLOOD, k=100))
        await asyncio.sleep(0.05)
    await guest.reset()


async def offend(visit: Visit) -> None:
    """Violate the protocol, and be disconnected."""
    guest = visit.guest
    assert isinstance(guest, RawGuest)
    offence = visit.draw.choice(OFFENCES)
    with suppress(*ENDS):
        await guest.say(offence)
        await asyncio.wait_for(visit.listening, PATIENCE)


async def idle(visit: Visit) -> None:
    """Join no namespace, until the server closes."""
    await visit.rest.pause(visit.rest.silence)
    assert visit.over or visit.rest.is_set(), "joined nothing, and may stay"


ServerShuttingDown = Callable[[Visit], Awaitable[None]]

ENDINGS: dict[str, list[ServerShuttingDown]] = {
    WebSocketGuest.kind: [leave, leave, reset, reset, vanish, stall, flood, offend, idle],
    PollingGuest.kind: [leave, leave, reset, reset, vanish, stall, flood, offend, idle],
    UpgradingGuest.kind: [leave, leave, reset, reset, vanish, stall, flood, offend],
    LibraryGuest.kind: [leave, leave, reset],
    Listener.kind: [leave, reset, stall],
}
"""In which ways the visits of each kind end, some more often than others."""
KINDS: list[type[Guest]] = [WebSocketGuest, PollingGuest, UpgradingGuest, LibraryGuest, Listener]


Visiting = Callable[[int, Random, Rest], Awaitable[tuple[str, str]]]
"""Takes the server's port, what draws, and what ends it; returns who came, and how it ended."""


async def visit(port: int, draw: Random, rest: Rest) -> tuple[str, str]:
    """Pay one visit; return its kind and its end.

    Raises AssertionError if the server misbehaves.
    """
    kind = draw.choice(KINDS)
    ending = draw.choice(ENDINGS[kind.kind])
    server = Server(port)
    guest = kind(server, recovery=draw.random() < 0.5)
    stay = min(draw.expovariate(1), 5)
    try:
        await guest.come(join=ending is not idle)
        one = Visit(guest, draw, rest)
        try:
            await rest.pause(stay)
            await ending(one)
        finally:
            await cancel(one.listening)
    except Exception as error:
        raise AssertionError(f"{kind.kind}, which was to {ending.__name__}: {error!r}") from error
    finally:
        await server.hang_up()
    return kind.kind, ending.__name__


# -- requests that come to nothing

FOREIGN = {"Origin": "http://elsewhere.example"}
REQUESTS = [
    (400, "GET", address(sid="nobody"), {}, b""),
    (400, "GET", address(EIO="3"), {}, b""),
    (400, "GET", address(transport="pigeon"), {}, b""),
    (400, "POST", address(), {}, b"x"),
    (400, "GET", address(transport="websocket"), {}, b""),
    (403, "GET", address(), FOREIGN, b""),
    (403, "GET", "/events", FOREIGN, b""),
    (404, "GET", "/static/../server.py", {}, b""),
    (405, "POST", "/", {}, b"x"),
    (200, "GET", "/", {}, b""),
    (200, "GET", "/socket.io/socket.io.js", {}, b""),
]
"""The expected answer, and the request."""


async def knock(port: int, draw: Random, rest: Rest) -> tuple[str, str]:
    """Send a request that is refused, unfinished, or for a page.

    Returns what `visit` returns.
    """
    server = Server(port)
    status, method, path, headers, body = draw.choice(REQUESTS)
    try:
        if draw.random() < 0.7:
            answer = await server.request(method, path, headers, body)
            assert answer.status == status, f"{method} {path}: {answer.status} where {status} was due"
            return "stranger", "refused" if status >= 400 else "served"
        line = await server.connect()
        request = server.head(method, path, headers, body) + body
        line.write(request[: draw.randrange(len(request))])
        await rest.pause(draw.uniform(0, 1))
        draw.choice([line.reset, line.close])()
    finally:
        await server.hang_up()
    return "stranger", "broke off"
