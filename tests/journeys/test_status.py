"""The status page's samples, and which clients are sent them.

test_status_page tests how they look.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from inside import status_of, without_samples
from raw_client import (
    JOURNEY,
    Client,
    Server,
    WebSocket,
    address,
    io_loop,  # noqa: F401 (a fixture)
    join,
    serve,
)
from test_headers import Inline
from tornado.options import options
from tornado.web import Application

from handlers.socketio import Hub, SocketIOHandler
from handlers.socketio.counters import TRANSPORTS
from handlers.socketio.engineio.counters import LONG, REMEMBERED, Counters
from handlers.socketio.engineio.errors import BadRequest
from handlers.socketio.engineio.reasons import CloseReason
from handlers.socketio.operations import process
from handlers.socketio.operations.lag import LoopLag
from handlers.socketio.operations.status import page as status
from handlers.socketio.operations.status.samples import KEPT, Samples
from server import make_app as make_board


def make_app() -> Application:
    """The board, which takes no samples but those of a test."""
    return without_samples(make_board())


STRANGER = "127.0.0.1 may not see this: add it to the admin addresses"


# -- samples


def hub_with(deliveries: int = 0, events: int = 0) -> Hub:
    hub = Hub({"/": SocketIOHandler})
    hub.counters.deliveries, hub.counters.events = deliveries, events
    return hub


def test_a_sample_tells_what_happened_a_second_since_the_one_before() -> None:
    hub = hub_with(deliveries=1000, events=10)
    samples = Samples(hub, LoopLag())
    first = samples.take(online=3, now=50.0, at=1_700_000_000.0)
    assert (first.at, first.online, first.deliveries, first.events) == (1_700_000_000.0, 3, 0, 0)
    hub.counters.deliveries, hub.counters.events = 4000, 25
    second = samples.take(online=4, now=52.5, at=1_700_000_002.5)
    assert (second.at, second.online, second.deliveries, second.events) == (1_700_000_002.5, 4, 1200, 6)
    assert list(samples) == [first, second]
    assert samples.last is second


def test_a_clock_that_is_set_changes_no_rate() -> None:
    hub = hub_with()
    samples = Samples(hub, LoopLag())
    samples.take(online=0, now=1.0, at=5000.0)
    hub.counters.events = 7
    assert samples.take(online=0, now=2.0, at=1000.0).events == 7


def test_the_last_ten_minutes_are_kept() -> None:
    hub = hub_with()
    samples = Samples(hub, LoopLag())
    assert samples.last is None
    for second in range(700):
        samples.take(online=second, now=float(second), at=float(second))
    assert [sample.online for sample in samples] == list(range(100, 700))
    assert KEPT == 600


def test_a_sample_tells_of_the_lag_of_ten_seconds() -> None:
    lag = LoopLag()
    for late in [9.0] * 50 + [0.25] * 2 + [0.002] * 98:
        lag.observe(late)
    sample = Samples(hub_with(), lag).take(online=0, now=0.0, at=0.0)
    assert (sample.lag_p50, sample.lag_p99) == (0.002, 0.25)


def test_a_sample_tells_of_the_memory_where_the_system_does(monkeypatch: Any, tmp_path: Path) -> None:
    samples = Samples(hub_with(), LoopLag())
    memory = samples.take(online=0, now=0.0, at=0.0).memory
    assert memory is not None
    assert 5e6 < memory < 5e9
    monkeypatch.setattr(process, "PROC", tmp_path)
    assert samples.take(online=0, now=1.0, at=1.0).memory is None


# -- refusals


def test_the_last_refusals_are_remembered_as_far_as_they_are_of_use() -> None:
    counters = Counters()
    for number in range(50):
        counters.refuse("192.0.2.7", BadRequest(f"{number} " + "x" * 1000), float(number))
    assert len(counters.refusals) == REMEMBERED
    assert [refusal.at for refusal in counters.refusals] == list(range(50 - REMEMBERED, 50))
    assert {len(refusal.hint) for refusal in counters.refusals} == {LONG}
    assert counters.refused[3, "Bad request"] == 50


def test_the_page_has_words_for_all_that_can_be_counted() -> None:
    assert set(status.REASONS) == set(get_args(CloseReason))
    assert set(status.TRANSPORTS) == set(TRANSPORTS)


# -- the page


@pytest.fixture
def elsewhere(monkeypatch: Any) -> None:
    """Administrators are elsewhere."""
    monkeypatch.setattr(options.mockable(), "admin_addresses", ["192.0.2.0/24"])


@JOURNEY
async def test_the_page_is_an_administrator_s() -> None:
    async with serve(make_app()) as server:
        answer = await server.request("GET", "/status")
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
        assert Inline(answer.text).found == []
        assert (await server.request("HEAD", "/status")).status == 200


@JOURNEY
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.usefixtures("elsewhere")
async def test_a_stranger_is_told_which_setting_shows_the_page(method: str) -> None:
    async with serve(make_app()) as server:
        answer = await server.request(method, "/status")
        assert (answer.status, answer.text) == (403, f"{STRANGER}\n")


# -- the namespace


async def look_on(client: Client) -> None:
    await join(client, "/status")


async def told(client: Client, event: str = "now") -> Any:
    """What the server says next."""
    packet = await client.next()
    assert isinstance(packet, str)
    name, said = json.loads(packet.removeprefix("42/status,"))
    assert name == event
    return said


async def refusal(client: Client) -> Any:
    """Try to look on; return what is said against it."""
    await client.send("40/status,")
    packet = await client.next()
    assert isinstance(packet, str)
    assert packet.startswith("44/status,"), packet
    return json.loads(packet.removeprefix("44/status,"))


@JOURNEY
@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.usefixtures("elsewhere")
async def test_a_stranger_is_told_which_setting_lets_one_look_on(transport: str) -> None:
    async with serve(make_app()) as server:
        client = await server.open(transport)
        assert await refusal(client) == {"message": STRANGER}
        await join(client)  # The board is for everyone.


async def websocket(server: Server, headers: dict[str, str]) -> WebSocket:
    client = await server.handshake(headers)
    assert (await client.answer()).status == 101
    await client.next()
    return client


FORWARDED = {
    "a stranger behind a proxy": ({"X-Forwarded-For": "198.51.100.7"}, "198.51.100.7"),
    "a stranger that a proxy believed": ({"X-Forwarded-For": "127.0.0.1, 198.51.100.7"}, "198.51.100.7"),
    "one that is named in a header that is not read": ({"Forwarded": "for=127.0.0.1"}, "for=127.0.0.1"),
    "one that is not named": ({"X-Forwarded-For": ""}, "An unknown address"),
}


@JOURNEY
@pytest.mark.parametrize("who", FORWARDED)
async def test_the_socket_keeps_out_whom_the_page_keeps_out(who: str) -> None:
    headers, named = FORWARDED[who]
    why_denied = STRANGER.replace("127.0.0.1", named)
    async with serve(make_app()) as server:
        assert (await server.request("GET", "/status", headers)).text == f"{why_denied}\n"
        assert await refusal(await websocket(server, headers)) == {"message": why_denied}


@JOURNEY
async def test_a_page_of_another_origin_does_not_look_on_in_an_administrator_s_browser(monkeypatch: Any) -> None:
    monkeypatch.setattr(options.mockable(), "origins", ["*"])
    async with serve(make_app()) as server:
        foreign = await websocket(server, {"Origin": "https://elsewhere.example"})
        said = "A page of https://elsewhere.example may not see this: open /status on this server"
        assert await refusal(foreign) == {"message": said}
        await join(foreign)
        await look_on(await websocket(server, {"Origin": f"http://127.0.0.1:{server.port}"}))


@JOURNEY
async def test_the_address_is_that_of_the_request_that_opened_the_connection() -> None:
    """Each poll and each upgrade is a request of its own."""
    async with serve(make_app()) as server:
        opening = await server.request("GET", address(), {"X-Forwarded-For": "198.51.100.7"})
        sid = json.loads(opening.text[1:])["sid"]
        await server.request("POST", address(sid=sid), body=b"40/status,")
        answer = await server.request("GET", address(sid=sid))
        assert answer.text.startswith('44/status,{"message":"198.51.100.7 may not')


# -- clients


async def asked(client: Client, *words: Any) -> Any:
    """Send an event to the status page's namespace; return its acknowledgement."""
    await client.send(f"42/status,7{json.dumps(words)}")
    while not (packet := str(await client.next())).startswith("43/status,7"):
        pass
    return json.loads(packet.removeprefix("43/status,7"))


@JOURNEY
async def test_a_client_is_sent_away_with_its_connection() -> None:
    async with serve(make_app()) as server:
        guest, admin = await server.websocket(), await server.websocket()
        id_ = await join(guest)
        await look_on(admin)
        (answer,) = await asked(admin, "clients", {"text": id_})
        assert [(row["id"], row["address"], row["namespace"]) for row in answer["rows"]] == [(id_, "127.0.0.1", "/")]
        assert await asked(admin, "send_away", "/", id_) in ([], [None])
        packets = [str(await guest.next())]
        while packets[-1] != "41":
            packets.append(str(await guest.next()))
        assert (await asked(admin, "clients", {}))[0]["total"] == 0
        assert await asked(admin, "send_away", "/", id_) == [{"message": "It has left already"}]


@JOURNEY
async def test_what_is_asked_wrongly_is_refused_and_harms_nobody() -> None:
    async with serve(make_app()) as server:
        guest, admin = await server.websocket(), await server.websocket()
        id_ = await join(guest)
        await look_on(admin)
        for words in (("send_away", None, id_), ("send_away", "/", {}), ("send_away", "/status", id_), ("clients", 5)):
            (refusal_,) = await asked(admin, *words)
            assert refusal_.keys() == {"message"}, words
        assert (await asked(admin, "clients", {}))[0]["total"] == 1
        assert (await asked(admin, "minutes")) == [[]]


# -- what is told


@JOURNEY
async def test_a_newcomer_is_told_what_there_was_and_what_there_is() -> None:
    app = make_app()
    async with serve(app) as server:
        watched = status_of(app)
        for second in range(3):
            watched.samples.take(online=second, now=float(second), at=float(second))
        client = await server.websocket()
        await look_on(client)
        history = await told(client, "history")
        assert [(sample["at"], sample["online"]) for sample in history] == [(0, 0), (1, 1), (2, 2)]
        now = await told(client)
        assert now["sample"] == history[-1]
        assert now["clients"] == {"polling": 0, "websocket": 1, "events": 0}


@JOURNEY
async def test_a_newcomer_is_told_even_where_no_sample_was_taken() -> None:
    async with serve(make_app()) as server:
        client = await server.poll()
        await look_on(client)
        assert await told(client, "history") == []
        assert (await told(client))["sample"] is None


async def watching(server: Server) -> Any:
    """Open the status page's namespace; return a function that takes a sample."""
    assert server.application is not None
    watched = status_of(server.application)
    client = await server.websocket()
    await look_on(client)
    await told(client, "history")
    await told(client)

    async def look() -> Any:
        watched.look()
        return await told(client)

    await look()
    return look


@JOURNEY
async def test_people_who_come_and_go_are_counted() -> None:
    async with serve(make_app()) as server:
        look = await watching(server)
        people: list[Any] = [await server.open(transport) for transport in ("websocket", "polling", "polling")]
        for person in people:
            await join(person)
        now = await look()
        assert now["sample"]["online"] == 3
        assert now["clients"] == {"polling": 2, "websocket": 2, "events": 0}
        await people[2].send("41", "1")
        await people[2].forgotten()
        now = await look()
        assert now["sample"]["online"] == 2
        assert now["clients"]["polling"] == 1
        assert now["closed"]["transport close"] == 1


@JOURNEY
async def test_who_looks_on_is_nobody_on_the_board() -> None:
    async with serve(make_app()) as server:
        await watching(server)
        person = await server.websocket()
        await join(person)
        assert json.loads(str(await person.next())[2:])[1]["count"] == 1
        assert "you are the 1 person here" in str(await person.next())
        look = await watching(server)
        assert (await look())["sample"]["online"] == 1


@JOURNEY
async def test_what_people_say_is_counted() -> None:
    async with serve(make_app()) as server:
        look = await watching(server)
        person = await server.websocket()
        await join(person)
        await person.send('42["private",{}]', '42["private",{}]', '421["private",{}]')
        while not str(await person.next()).startswith("431"):
            pass
        sample = (await look())["sample"]
        assert sample["events"] > 0
        assert sample["deliveries"] > sample["events"]  # a CONNECT, News, Private, an answer; and what we were told
        assert (await look())["sample"]["events"] == 0


@JOURNEY
async def test_refusals_are_told_in_words_the_last_first() -> None:
    async with serve(make_app()) as server:
        look = await watching(server)
        await server.request("GET", address(EIO="3"))
        client = await server.poll()
        await client.post("x" * 10)
        await server.request("GET", address(sid="\u202e<b>"))
        now = await look()
        assert now["refused"] == 3
        unknown, malformed, unsupported = now["refusals"]
        assert unknown["message"] == "Session ID unknown"
        assert unknown["hint"] == r"no session '\u202e<b>': it was closed, or the server was restarted"
        assert malformed["message"] == "Bad request"
        assert unsupported["message"] == "Unsupported protocol version"
        assert unsupported["hint"].endswith("(Dart)")
        assert {refused["address"] for refused in now["refusals"]} == {"127.0.0.1"}
        assert unsupported["at"] <= malformed["at"] <= unknown["at"]
        assert now["closed"]["parse error"] == 1


@JOURNEY
async def test_a_refusal_is_told_without_what_is_not_to_be_seen() -> None:
    app = make_app()
    async with serve(app) as server:
        look = await watching(server)
        app.settings["hub"].counters.refuse("192.0.2.7", BadRequest("two\nlines \u202e\x1b[2J"), 1.5)
        (refused,) = (await look())["refusals"]
        hint = r"two\nlines \u202e\x1b[2J"
        assert refused == {"at": 1.5, "address": "192.0.2.7", "message": "Bad request", "hint": hint}


@JOURNEY
async def test_where_nobody_looks_on_nothing_is_said() -> None:
    app = make_app()
    async with serve(app) as server:
        hub, watched = app.settings["hub"], status_of(app)
        watched.look()
        await join(await server.websocket())
        client = await server.websocket()
        await look_on(client)
        client.close()
        while len(hub.sessions) > 1:
            await server.request("GET", "/healthz")
        said = hub.delivery.published
        watched.look()
        assert hub.delivery.published == said
        assert [sample.online for sample in watched.samples] == [0, 1]


@JOURNEY
async def test_two_servers_in_one_process_tell_of_themselves() -> None:
    async with serve(make_app()) as one, serve(make_app()) as other:
        look, look_elsewhere = await watching(one), await watching(other)
        await join(await one.websocket())
        await one.request("GET", address(EIO="3"))
        assert ((await look())["sample"]["online"], (await look())["refused"]) == (1, 1)
        now = await look_elsewhere()
        assert (now["sample"]["online"], now["refused"], now["refusals"]) == (0, 0, [])


@JOURNEY
async def test_it_looks_when_it_starts_and_then_again_and_again(monkeypatch: Any) -> None:
    monkeypatch.setattr(status, "PERIOD", 0.01)
    app = make_app()
    async with serve(app) as server:
        watched = status_of(app)
        watched.start()
        assert len(list(watched.samples)) == 1
        client = await server.websocket()
        await look_on(client)
        await told(client, "history")
        times = [(await told(client))["sample"]["at"] for _ in range(4)]
        assert times == sorted(times)
        assert len(set(times)) > 2
