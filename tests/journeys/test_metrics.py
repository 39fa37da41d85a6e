"""`/metrics`: each number moves with what it counts.

Prometheus can parse all of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from inside import session_of
from prometheus_client.parser import text_string_to_metric_families
from raw_client import (
    JOURNEY,
    Line,
    Server,
    WebSocket,
    address,
    io_loop,  # noqa: F401 (a fixture)
    join,
    serve,
)

from handlers.socketio import Hub, SocketIOHandler
from handlers.socketio.operations.lag import LoopLag
from server import make_app

pytestmark = JOURNEY

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


class Talk(SocketIOHandler):
    """Passes on what it is told."""

    def on_say(self, word: str) -> None:
        self.broadcast("said", word)

    def on_leave(self) -> None:
        session_of(self).close("forced close")


def talk(**options: Any) -> Hub:
    return Hub({"/": Talk}, **options)


class Numbers(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """The numbers of one scrape, `numbers("socketio_clients", transport="polling")`."""

    def __init__(self, text: str) -> None:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self, f"{key} stands there twice"
                self[key] = sample.value

    def __call__(self, name: str, **labels: str) -> float:
        return self[name, frozenset(labels.items())]


async def scrape(server: Server) -> Numbers:
    answer = await server.request("GET", "/metrics")
    assert answer.status == 200, answer
    return Numbers(answer.text)


Moved = Callable[..., float]


@asynccontextmanager
async def watching(server: Server) -> AsyncIterator[Callable[[], Any]]:
    """Gives a function that returns how far each number has moved."""
    before = await scrape(server)

    async def moved() -> Moved:
        after = await scrape(server)
        return lambda name, **labels: after(name, **labels) - before(name, **labels)

    yield moved


async def until(server: Server, number: float, name: str, **labels: str) -> None:
    """Wait until a number is there."""
    while (await scrape(server))(name, **labels) != number:
        await asyncio.sleep(0)


# -- the form


async def test_the_page_explains_each_number_and_no_others() -> None:
    explained = re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE)
    async with serve(make_app(talk())) as server:
        answer = await server.request("GET", "/metrics")
    assert sorted(explained) == sorted(re.findall(r"^# TYPE (\w+) (\w+)$", answer.text, re.MULTILINE))


async def test_it_is_what_prometheus_expects() -> None:
    async with serve(make_app(talk())) as server:
        answer = await server.request("GET", "/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(answer.text))
    assert len(families) > 15
    for family in families:
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge", "histogram")
        if family.name.startswith("socketio_handler_"):
            continue  # no handler has run yet
        assert family.samples, family.name
        if family.type == "counter":
            assert {sample.name for sample in family.samples} == {f"{family.name}_total"}


async def test_a_label_may_say_anything() -> None:
    hub = talk()
    async with serve(make_app(hub)) as server:
        hub.counters.refused[3, 'a "b" \\ c\nd'] = 7
        assert (await scrape(server))("socketio_refusals_total", code="3", message='a "b" \\ c\nd') == 7


async def test_all_that_can_happen_stands_there_before_it_does() -> None:
    async with serve(make_app(talk())) as server:
        numbers = await scrape(server)
    assert numbers("socketio_disconnects_total", reason="slow consumer") == 0
    assert numbers("socketio_refusals_total", code="3", message="Payload too large") == 0
    assert numbers("socketio_clients", transport="events") == 0


async def test_two_servers_in_one_process_count_for_themselves() -> None:
    async with serve(make_app(talk())) as one, serve(make_app(talk())) as other:
        await one.websocket()
        assert (await scrape(one))("socketio_connections_total", transport="websocket") == 1
        assert (await scrape(other))("socketio_connections_total", transport="websocket") == 0


# -- who is there


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_client_that_comes_and_goes(transport: str) -> None:
    async with serve(make_app(talk())) as server, watching(server) as moved:
        client = await server.open(transport)
        await join(client)
        change = await moved()
        assert change("socketio_clients", transport=transport) == 1
        assert change("socketio_connections_total", transport=transport) == 1
        await client.send('42["leave"]')
        await client.ended()
        change = await moved()
        assert change("socketio_clients", transport=transport) == 0
        assert change("socketio_connections_total", transport=transport) == 1
        assert change("socketio_disconnects_total", reason="forced close") == 1


async def test_a_listener_that_comes_and_goes() -> None:
    hub = talk()
    async with serve(make_app(hub)) as server, watching(server) as moved:
        line = await server.send("GET", "/events")
        said = await chunk(line)
        change = await moved()
        assert change("socketio_clients", transport="events") == 1
        assert change("socketio_connections_total", transport="events") == 1
        hub.of("/").emit("said", "déjà vu")
        said += await chunk(line)
        assert "déjà vu" in said.decode()
        change = await moved()
        assert change("socketio_sent_bytes_total", transport="events") == len(said)
        assert change("socketio_deliveries_total") == 1
        line.abort()
        await until(server, 0, "socketio_clients", transport="events")
        assert (await moved())("socketio_disconnects_total", reason="transport close") == 1


async def chunk(line: Line) -> bytes:
    """Read an answer's next chunk, and the head before the first.

    RFC 9112, section 7.1.
    """
    size = b""
    while not re.fullmatch(rb"(HTTP.*\r\n\r\n)?([0-9a-fA-F]+)\r\n", size, re.DOTALL):
        size += await line.take(1)
    data = await line.take(int(size.split(b"\r\n")[-2], 16) + 2)
    return data[:-2]


async def stays_silent(client: WebSocket, hub: Hub) -> None:
    """Answers no ping."""


async def says_nonsense(client: WebSocket, hub: Hub) -> None:
    await client.send("9")


async def breaks_off(client: WebSocket, hub: Hub) -> None:
    client.reset()


async def hangs_up(client: WebSocket, hub: Hub) -> None:
    client.close()


async def outlives_the_server(client: WebSocket, hub: Hub) -> None:
    hub.close()


ENDS: dict[str, Callable[[WebSocket, Hub], Awaitable[None]]] = {
    "ping timeout": stays_silent,
    "parse error": says_nonsense,
    "transport error": breaks_off,
    "transport close": hangs_up,
    "server shutting down": outlives_the_server,
}


@pytest.mark.parametrize("reason", ENDS)
async def test_a_client_that_ends_by(reason: str) -> None:
    hub = talk(**({"ping_interval": 0.1, "ping_timeout": 0.1} if reason == "ping timeout" else {}))
    async with serve(make_app(hub)) as server, watching(server) as moved:
        client = await server.websocket()
        await ENDS[reason](client, hub)
        await until(server, 1, "socketio_disconnects_total", reason=reason)
        change = await moved()
        assert change("socketio_connections_total", transport="websocket") == 1
        assert change("socketio_clients", transport="websocket") == 0


async def test_a_server_that_is_about_to_end() -> None:
    hub = talk()
    async with serve(make_app(hub)) as server, watching(server) as moved:
        hub.draining = True
        assert (await moved())("socketio_draining") == 1


# -- upgrades, recovery, refusals


async def test_an_upgrade() -> None:
    async with serve(make_app(talk())) as server, watching(server) as moved:
        polling = await server.poll()
        await join(polling)
        websocket = await server.websocket(polling.sid)
        await websocket.send("2probe", "5", '42["say","hello"]')
        while "hello" not in str(await websocket.next()):
            pass
        change = await moved()
        assert change("socketio_upgrades_total", result="done") == 1
        assert change("socketio_upgrades_total", result="abandoned") == 0
        assert change("socketio_clients", transport="websocket") == 1
        assert change("socketio_clients", transport="polling") == 0
        assert change("socketio_connections_total", transport="polling") == 1


async def test_an_upgrade_that_comes_to_nothing() -> None:
    async with serve(make_app(talk())) as server, watching(server) as moved:
        polling = await server.poll()
        websocket = await server.websocket(polling.sid)
        await websocket.send("2probe")
        assert await websocket.next() == "3probe"
        websocket.abort()
        await until(server, 1, "socketio_upgrades_total", result="abandoned")
        change = await moved()
        assert change("socketio_upgrades_total", result="done") == 0
        assert change("socketio_clients", transport="polling") == 1


async def test_a_client_that_comes_back_and_gets_what_it_missed() -> None:
    hub = talk()
    async with serve(make_app(hub)) as server:
        client = await server.websocket()
        await client.send('40{"recovery":true}')
        pid = json.loads(str(await client.next())[2:])["pid"]
        hub.of("/").emit("said", 1)
        offset = json.loads(str(await client.next())[2:])[-1]
        client.abort()
        await until(server, 0, "socketio_clients", transport="websocket")
        hub.of("/").emit("said", 2)
        hub.of("/").emit("said", 3)
        async with watching(server) as moved:
            back = await server.websocket()
            await back.send("40" + json.dumps({"pid": pid, "offset": offset}))
            heard = [str(await back.next()) for _ in range(3)]
            assert [packet[:12] for packet in heard if "said" in packet] == ['42["said",2,', '42["said",3,']
            change = await moved()
        assert change("socketio_recoveries_total") == 1
        assert change("socketio_deliveries_total") == change("socketio_messages_total") + 2


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "0": ("Transport unknown", {"transport": "pigeon"}),
    "1": ("Session ID unknown", {"sid": "nobody"}),
    "2": ("Bad handshake method", {"method": "POST"}),
    "3": ("Bad request", {"transport": "websocket"}),
    "4": ("Forbidden", {"headers": {"Origin": "https://elsewhere.example"}}),
    "5": ("Unsupported protocol version", {"EIO": "3"}),
}


@pytest.mark.parametrize("code", REFUSED)
async def test_a_request_that_is_refused_with(code: str) -> None:
    message, fault = REFUSED[code]
    parameters = {name: value for name, value in fault.items() if name not in ("method", "headers")}
    async with serve(make_app(talk())) as server, watching(server) as moved:
        await server.request(fault.get("method", "GET"), address(**parameters), fault.get("headers"))
        change = await moved()
        assert change("socketio_refusals_total", code=code, message=message) == 1
        assert change("socketio_connections_total", transport="polling") == 0


async def test_a_body_that_is_too_large() -> None:
    async with serve(make_app(talk(max_payload=100))) as server, watching(server) as moved:
        client = await server.poll()
        assert (await client.post("4" * 101)).status == 413
        assert (await moved())("socketio_refusals_total", code="3", message="Payload too large") == 1


# -- what is said


async def test_a_broadcast_is_one_message_and_a_delivery_for_each() -> None:
    hub = talk()
    async with serve(make_app(hub)) as server:
        clients = [await server.websocket() for _ in range(3)] + [await server.poll()]
        for client in clients:
            await join(client)
        async with watching(server) as moved:
            hub.of("/").emit("said", "hello")
            for client in clients:
                assert await client.next() == '42["said","hello"]'
            change = await moved()
        assert change("socketio_messages_total") == 1
        assert change("socketio_deliveries_total") == 4


async def test_an_event_of_a_client_and_one_that_nobody_knows() -> None:
    async with serve(make_app(talk())) as server:
        client = await server.websocket()
        await join(client)
        async with watching(server) as moved:
            await client.send('42["what"]', '42["say","hello"]')
            assert "hello" in str(await client.next())
            change = await moved()
        assert change("socketio_events_received_total") == 2
        assert change("socketio_unknown_events_total") == 1


async def test_the_bytes_of_a_websocket() -> None:
    word = "déjà vu " * 100
    async with serve(make_app(talk())) as server:
        client = await server.websocket()
        await join(client)
        async with watching(server) as moved:
            sent = f'42["say","{word}"]'.encode()
            await client.send(sent.decode())
            heard = str(await client.next()).encode()
            change = await moved()
        assert change("socketio_received_bytes_total", transport="websocket") == len(sent) + 8  # its head, and mask
        assert change("socketio_sent_bytes_total", transport="websocket") == len(heard) + 4
        assert change("socketio_sent_bytes_total", transport="polling") == 0


async def test_the_bytes_of_a_poller() -> None:
    async with serve(make_app(talk())) as server:
        client = await server.poll()
        await join(client)
        async with watching(server) as moved:
            sent = '42["say","déjà vu"]'
            await client.send(sent)
            heard = str(await client.next())
            change = await moved()
        assert change("socketio_received_bytes_total", transport="polling") == len(sent.encode())
        assert change("socketio_sent_bytes_total", transport="polling") == len(heard.encode())


# -- who is slow


async def test_a_client_that_is_behind_and_one_that_is_too_far_behind() -> None:
    hub = talk(max_backlog=10_000, recovery=0)
    async with serve(make_app(hub)) as server, watching(server) as moved:
        client = await server.poll()
        await join(client)
        hub.of("/").emit("said", "x" * 5000)
        await until(server, 1, "socketio_clients_behind")
        assert 5000 < (await moved())("socketio_backlog_bytes") < 6000
        hub.of("/").emit("said", "x" * 9000)
        await until(server, 1, "socketio_slow_consumers_total")
        change = await moved()
        assert change("socketio_disconnects_total", reason="slow consumer") == 1
        assert change("socketio_clients_behind") == 0
        assert change("socketio_backlog_bytes") == 0


async def test_what_is_kept_in_rooms_for_those_who_may_come_back() -> None:
    hub = talk()
    async with serve(make_app(hub)) as server, watching(server) as moved:
        client = await server.websocket()
        await client.send('40{"recovery":true}')
        await client.next()
        hub.of("/").to("lobby").emit("said", "nobody is there")
        assert (await moved())("socketio_backlog_bytes") < 1000
        hub.of("/").enter("lobby")
        hub.of("/").to("lobby").emit("said", "x" * 5000)
        await client.next()
        assert 5000 < (await moved())("socketio_backlog_bytes") < 7000


async def test_rooms_and_who_is_away() -> None:
    hub = talk()
    async with serve(make_app(hub)) as server, watching(server) as moved:
        client = await server.websocket()
        await client.send('40{"recovery":true}')
        pid = json.loads(str(await client.next())[2:])["pid"]
        hub.of("/").enter("lobby")
        change = await moved()
        assert (change("socketio_rooms"), change("socketio_clients_away")) == (1, 0)
        client.reset()
        await until(server, 1, "socketio_clients_away")
        client = await server.websocket()
        await client.send(f'40{{"pid":"{pid}"}}')
        await client.next()
        change = await moved()
        assert (change("socketio_rooms"), change("socketio_clients_away")) == (1, 0)
        await client.send("41")
        await until(server, 0, "socketio_rooms")
        assert (await moved())("socketio_clients_away") == 0


async def test_a_client_that_is_slowed_down() -> None:
    hub = talk()
    async with serve(make_app(hub)) as server, watching(server) as moved:
        hub.counters.rate_limited += 1
        assert (await moved())("socketio_rate_limits_total") == 1


# -- the machine


async def test_a_loop_that_was_kept_waiting() -> None:
    application = make_app(talk())
    async with serve(application) as server, watching(server) as moved:
        time.sleep(0.35)  # noqa: ASYNC251 (that is the point)
        while not (await moved())("socketio_loop_lag_seconds_count"):
            await asyncio.sleep(0)
        change = await moved()
    looks = change("socketio_loop_lag_seconds_count")
    assert change("socketio_loop_lag_seconds_bucket", le="+Inf") == looks
    assert change("socketio_loop_lag_seconds_bucket", le="0.2") < looks
    assert change("socketio_loop_lag_seconds_sum") >= 0.24


def test_lag_in_numbers() -> None:
    lag = LoopLag()
    assert lag.quantile(0.5) == 0
    for late in (0.0, 0.001, 0.0015, 0.3, 9.0):
        lag.observe(late)
    buckets = dict(lag.buckets)
    assert (buckets[0.001], buckets[0.002], buckets[0.2], buckets[0.5], buckets[5], buckets[float("inf")]) == (
        2, 3, 3, 4, 4, 5,
    )  # fmt: skip
    assert lag.sum == pytest.approx(9.3025)
    assert [lag.quantile(share) for share in (0, 0.5, 0.99, 1)] == [0.0, 0.0015, 9.0, 9.0]


def test_quantiles_are_those_of_the_last_minute() -> None:
    lag = LoopLag()
    lag.observe(9.0)
    for _ in range(600):
        lag.observe(0.001)
    assert lag.quantile(1) == 0.001


async def test_the_process_and_its_descriptors() -> None:
    async with serve(make_app(talk())) as server, watching(server) as moved:
        numbers = await scrape(server)
        assert 1e6 < numbers("process_resident_memory_bytes") < 1e11
        assert numbers("process_max_fds") == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(100)]
        change = await moved()
        for descriptor in opened:
            os.close(descriptor)
        # Each scrape has a connection of its own, whose two ends are closed when they are.
        assert 80 <= change("process_open_fds") <= 120
        until_then = time.process_time() + 0.05
        while time.process_time() < until_then:
            pass
        assert (await moved())("process_cpu_seconds_total") >= 0.05
