"""What /status tells of clients, places, and the minutes of a day."""

from __future__ import annotations

import time
from typing import Any

import pytest
from inside import connect

from handlers.socketio import Hub, Refused, SocketIOHandler
from handlers.socketio.operations.lag import LoopLag
from handlers.socketio.operations.status.client_table import ROWS, ClientTable, Query, Row, read_query
from handlers.socketio.operations.status.places import MAX_SHOWN, largest
from handlers.socketio.operations.status.samples import MINUTES_KEPT, Samples

pytestmark = pytest.mark.gen_test


class Person(SocketIOHandler):
    def on_name(self, name: Any) -> None:
        self.shown = name

    def on_join(self, *rooms: str) -> None:
        for room in rooms:
            self.enter(room)


def hall() -> Hub:
    return Hub({"/": Person, "/chat": Person, "/status": Person})


async def person(hub: Hub, name: Any = None, *rooms: str, namespace: str = "/", ip: str = "192.0.2.1") -> Any:
    client = await connect(hub, namespace, remote_ip=ip)
    client.emit("name", name)
    client.emit("join", *rooms)
    return client


def names(table: ClientTable, now: float = 100.0, **query: Any) -> list[str]:
    return [row["name"] for row in table.page(Query(**query), now)["rows"]]


async def test_rows_tell_of_each_client_but_of_the_pages_own() -> None:
    hub = hall()
    await person(hub, {"name": "Ann"}, "a", "b", ip="2001:db8::1")
    await person(hub, "Bob", namespace="/chat")
    await person(hub, "me", namespace="/status")
    answer = ClientTable(hub, "/status").page(Query(sort="name", descending=False), hub.now() + 5)
    assert (answer["total"], answer["found"], answer["offset"]) == (2, 2, 0)
    ann, bob = answer["rows"]
    assert ann.keys() == set(Row._fields)
    assert (ann["namespace"], ann["address"], ann["name"], ann["rooms"]) == ("/", "2001:db8::1", "Ann", 2)
    assert ann["seconds"] == pytest.approx(5, abs=0.2)
    assert (bob["namespace"], bob["name"], bob["events"]) == ("/chat", "Bob", 0)


@pytest.mark.parametrize("shown", [None, 7, {}, {"name": 7}, {"name": None}, ["Ann"], {"name": ""}])
async def test_a_client_without_a_name_has_none(shown: Any) -> None:
    hub = hall()
    await person(hub, shown)
    assert names(ClientTable(hub, "/status")) == [""]


async def test_it_is_sorted_by_any_column_either_way() -> None:
    hub = hall()
    for number, name in enumerate(("bob", "Ann", "cleo")):
        await person(hub, name, *"xyz"[:number], ip=f"192.0.2.{3 - number}")
    table = ClientTable(hub, "/status")
    for sort in Row._fields:
        there = [row[sort] for row in table.page(Query(sort, descending=False), 100)["rows"]]
        back = [row[sort] for row in table.page(Query(sort, descending=True), 100)["rows"]]
        assert there == sorted(there, key=lambda value: str(value).casefold() if sort == "name" else value), sort
        assert back == there[::-1], sort
    assert names(table, sort="name", descending=False) == ["Ann", "bob", "cleo"]
    assert names(table, sort="rooms", descending=True) == ["cleo", "Ann", "bob"]


async def test_a_text_is_looked_for_in_all_that_names_a_client() -> None:
    hub = hall()
    await person(hub, "Ann", "Kitchen", ip="2001:db8::1")
    bob = await person(hub, "Bob", namespace="/chat")
    table = ClientTable(hub, "/status")
    for text, found in (
        ("ANN", ["Ann"]), ("kitch", ["Ann"]), ("2001:", ["Ann"]), ("/chat", ["Bob"]), (bob.id, ["Bob"]), ("zz zz", []),
        ("", ["Ann", "Bob"]),
    ):  # fmt: skip
        assert sorted(names(table, text=text)) == found, text


async def test_pages_end_where_the_clients_end() -> None:
    hub = hall()
    for _ in range(ROWS + 3):
        await person(hub)
    table = ClientTable(hub, "/status")
    for offset, expected, rows in ((0, 0, ROWS), (ROWS, ROWS, 3), (10 * ROWS, ROWS, 3), (10**30, ROWS, 3)):
        answer = table.page(Query(offset=offset), 0)
        assert (answer["offset"], len(answer["rows"])) == (expected, rows)
    assert ClientTable(hall(), "/status").page(Query(offset=5), 0)["offset"] == 0


async def test_events_a_second_are_those_since_the_last_look() -> None:
    hub = hall()
    ann = await person(hub, "Ann")
    table = ClientTable(hub, "/status")
    assert table.page(Query(), 100)["rows"][0]["events"] == 0
    for _ in range(10):
        ann.emit("name", "Ann")
    assert table.page(Query(), 100.5)["rows"][0]["events"] == 0, "too soon for another look"
    assert table.page(Query(), 102)["rows"][0]["events"] == 5
    bob = await person(hub, "Bob")
    bob.emit("name", "Bob")
    assert {row["name"]: row["events"] for row in table.page(Query(), 103)["rows"]} == {"Ann": 0, "Bob": 3}
    ann.emit("name", "Ann")
    assert table.page(Query(), 1000)["rows"][0]["events"] == 0, "the last look is too old"
    table.forget()
    assert not table._counts


@pytest.mark.parametrize(
    "asked",
    [None, [], "sort", {"sort": "__class__"}, {"sort": ["name"]}, {"more": 1}, {"offset": -1}, {"offset": 1.5},
     {"offset": True}, {"offset": "0"}, {"descending": 1}, {"text": 5}, {"text": "x" * 101}, {"text": None}],
)  # fmt: skip
def test_what_is_no_query_is_refused(asked: Any) -> None:
    with pytest.raises(Refused):
        read_query(asked)


def test_a_query_may_leave_out_what_is_usual() -> None:
    assert read_query({}) == Query("seconds", True, 0, "")
    assert read_query({"text": "a", "sort": "name"}) == Query("name", True, 0, "a")


async def test_only_clients_of_the_table_are_found() -> None:
    hub = hall()
    ann, own = await person(hub), await person(hub, namespace="/status")
    table = ClientTable(hub, "/status")
    assert table.find("/", ann.id) is not None
    for namespace, id_ in (("/status", own.id), ("/", own.id), ("/chat", ann.id), ("/none", ann.id), ("/", "")):
        assert table.find(namespace, id_) is None


async def test_ten_thousand_clients_cost_little_more_than_a_look_at_each() -> None:
    hub = hall()
    await person(hub, "Ann")
    (client,) = hub.namespaces["/"].clients.values()
    hub.namespaces["/"].clients.update({str(number): client for number in range(10_000)})
    table = ClientTable(hub, "/status")
    began = time.process_time()
    for sort in Row._fields:
        answer = table.page(Query(sort, text="ann"), 0)
        assert (answer["total"], len(answer["rows"])) == (10_001, ROWS)
    assert time.process_time() - began < 5, "some 0.2 s; all rows with all their fields would take as many seconds"


# -- places


async def test_the_largest_namespaces_and_rooms_come_first() -> None:
    hub = hall()
    for number in range(3):
        await person(hub, None, *(f"room {room}" for room in range(MAX_SHOWN + 5) if room <= 10 or number == 0))
    await person(hub, None, "<b>", namespace="/chat")
    await person(hub, None, "hidden", namespace="/status")
    places = largest(hub, "/status")
    assert places["namespaces"] == [
        {"name": "/", "clients": 3, "rooms": MAX_SHOWN + 5},
        {"name": "/chat", "clients": 1, "rooms": 1},
    ]
    assert (places["namespace_count"], places["room_count"]) == (2, MAX_SHOWN + 6)
    assert [room["clients"] for room in places["rooms"]] == [3] * MAX_SHOWN
    assert {room["namespace"] for room in places["rooms"]} == {"/"}


# -- samples of a day


def day_of(seconds: int, change: Any = lambda hub, second: None) -> Samples:
    hub = hall()
    samples = Samples(hub, LoopLag())
    for second in range(seconds):
        change(hub, second)
        samples.take(online=second, now=float(second), at=1000.0 + second)
    return samples


def test_a_minute_is_one_coarse_sample() -> None:
    samples = day_of(150)
    assert [(minute.at, minute.online) for minute in samples.minutes] == [(1059, 29.5), (1119, 89.5)]


def test_a_day_is_kept() -> None:
    samples = day_of(60)
    for _ in range(MINUTES_KEPT + 5):
        samples.minutes.append(samples.minutes[0])
    assert len(samples.minutes) == MINUTES_KEPT


def test_rates_of_a_minute_are_means_and_its_lag_and_memory_the_highest() -> None:
    def change(hub: Hub, second: int) -> None:
        hub.counters.closed["transport close"] += 2
        hub.counters.closed["ping timeout"] += second == 30
        hub.counters.traffic["websocket"].sent += 1000

    samples = day_of(60, change)
    (minute,) = samples.minutes
    assert minute.gone_left == pytest.approx(2 * 59 / 60, abs=0.001)  # of the first second nothing is known
    assert minute.gone_lost == pytest.approx(1 / 60, abs=0.001)
    assert (minute.gone_ended, minute.received) == (0, 0)
    assert minute.sent == pytest.approx(1000 * 59 / 60, abs=0.001)
    assert minute.memory == max(sample.memory or 0 for sample in samples)
    assert minute.lag_p99 == max(sample.lag_p99 for sample in samples)
