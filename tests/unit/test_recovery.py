"""Connection state recovery, by the test kit.

With real clients it is tested in test_clients.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.socketio import Hub, SocketIOHandler
from handlers.socketio.recovery.recovery import BEATS, Recovery
from handlers.socketio.testing import TestClient, connect

pytestmark = pytest.mark.gen_test


class DiaryHandler(SocketIOHandler):
    """Everyone hears who comes and goes; each client has a name."""

    name = ""

    def on_connect(self) -> None:
        self.broadcast("came", self.online, self.recovered)

    def on_disconnect(self, reason: str) -> None:
        self.broadcast("went", self.online, reason)

    def on_name(self, name: str) -> None:
        self.name = name

    def on_whoami(self) -> list[Any]:
        return [self.name, sorted(self.rooms), self.recovered]

    def on_join(self, room: str) -> None:
        self.enter(room)

    def on_part(self, room: str) -> None:
        self.leave(room)


def diary(**options: Any) -> Hub:
    return Hub({"/": DiaryHandler}, **options)


async def advance(hub: Hub, seconds: float) -> None:
    await hub.loop.advance(seconds)  # type: ignore[union-attr]


async def settled(client: TestClient) -> list[tuple[Any, ...]]:
    """What came besides comings and goings, now that all has come."""
    await client.call("whoami")
    return [args for args in client.received if args[0] not in ("came", "went")]


async def test_a_client_that_comes_back_has_its_id_rooms_and_attributes_and_what_it_missed() -> None:
    hub = diary()
    ann = await connect(hub, recovery=True)
    await ann.call("name", "Ann")
    await ann.call("join", "lobby")
    hub.of("/").to("lobby").emit("said", 1)
    assert await ann.receive("said") == 1
    id_ = ann.id
    ann.drop()
    hub.of("/").to("lobby").emit("said", 2)
    hub.of("/").emit("said", 3)
    hub.of("/").to(id_).emit("said", 4)
    hub.of("/").except_("elsewhere").emit("said", 5)
    await ann.connect()
    assert (ann.id, ann.recovered) == (id_, True)
    assert await ann.call("whoami") == ["Ann", ["lobby"], True]
    assert await settled(ann) == [("said", n) for n in (2, 3, 4, 5)]
    hub.of("/").to("lobby").emit("said", 6)
    assert (await settled(ann))[-1] == ("said", 6)


async def test_it_works_with_nothing_received_yet_and_a_second_time() -> None:
    hub = diary()
    ann = await connect(hub, recovery=True)
    for number in range(3):
        ann.drop()
        hub.of("/").emit("said", number)
        await ann.connect()
        assert ann.recovered
    assert await settled(ann) == [("said", 0), ("said", 1), ("said", 2)]


async def test_it_works_after_a_quiet_hour() -> None:
    hub = diary()
    ann = await connect(hub, recovery=True)
    hub.of("/").emit("said", 1)
    assert await ann.receive("said") == 1
    await advance(hub, 3600)
    ann.drop()
    await advance(hub, 100)
    hub.of("/").emit("said", 2)
    await ann.connect()
    assert ann.recovered
    assert await settled(ann) == [("said", 2)]


async def test_a_client_that_comes_back_too_late_is_a_newcomer() -> None:
    hub = diary(recovery=120)
    ann = await connect(hub, recovery=True)
    id_ = ann.id
    ann.drop()
    await advance(hub, 121)
    hub.of("/").emit("said", 1)
    await ann.connect()
    assert not ann.recovered
    assert ann.id != id_
    assert await settled(ann) == []


async def test_where_something_was_forgotten_the_client_is_a_newcomer() -> None:
    hub = diary(max_backlog=10_000)
    ann, bob = await connect(hub, recovery=True), await connect(hub)
    ann.drop()
    for _ in range(20):
        hub.of("/").emit("said", "x" * 1000)
        await settled(bob)
    await ann.connect()
    assert not ann.recovered
    assert await settled(ann) == []
    assert len(hub.recovery) == 1


async def test_what_was_sent_and_never_arrived_is_sent_again() -> None:
    hub = diary()
    ann = await connect(hub, recovery=True)
    hub.of("/").emit("said", 1)
    assert await ann.receive("said") == 1
    heard = dict(ann._place)
    hub.of("/").emit("said", 2)
    assert await ann.receive("said") == 2
    ann.drop()
    ann._place = heard
    await ann.connect()
    assert await settled(ann) == [("said", 2)]


async def test_what_was_said_in_a_room_before_it_was_entered_or_after_it_was_left_is_not_missed() -> None:
    hub = diary()
    ann, bob = await connect(hub, recovery=True), await connect(hub)
    await bob.call("join", "a")
    await bob.call("join", "b")
    room_a, room_b = hub.of("/").to("a"), hub.of("/").to("b")
    room_a.emit("said", "before")
    await ann.call("join", "a")
    await ann.call("join", "b")
    place = dict(ann._place)
    room_a.emit("said", "a")
    room_b.emit("said", "b")
    await ann.call("part", "b")
    room_b.emit("said", "after")
    ann.drop()
    room_b.emit("said", "long after")
    room_a.emit("said", "a again")
    ann._place = place
    ann._events.clear()
    await ann.connect()
    assert await settled(ann) == [("said", "a"), ("said", "b"), ("said", "a again")]


async def test_only_who_asks_is_sent_offsets() -> None:
    hub = diary()
    plain = await connect(hub)
    hub.of("/").emit("said", 1)
    assert await plain.receive("said") == 1
    plain.drop()
    await plain.connect()
    assert not plain.recovered


async def test_recovery_can_be_off() -> None:
    hub = diary(recovery=0)
    ann = await connect(hub, auth={"recovery": True})
    assert ann._place == {}
    assert len(hub.recovery) == 0


async def test_ids_are_120_random_bits() -> None:
    hub = diary()
    clients = [await connect(hub, recovery=True) for _ in range(100)]
    for ids in zip(*((client.id, client._place["pid"], client.session.sid) for client in clients), strict=True):
        bits = [int.from_bytes(urlsafe_b64decode(each), "big") for each in ids]
        assert {len(urlsafe_b64decode(each)) for each in ids} == {15}
        for bit in range(120):
            assert {number >> bit & 1 for number in bits} == {0, 1}


async def test_a_pid_serves_one_connection_at_a_time() -> None:
    hub = diary()
    ann = await connect(hub, recovery=True)
    thief = TestClient(hub, "/", {"recovery": True}, ann.session.handshake)
    thief._place = dict(ann._place)
    await thief.connect()
    assert thief.recovered
    assert thief.id == ann.id
    assert ann.closed == "transport close"
    assert len(hub.of("/").clients) == 1


async def test_a_ghost_is_evicted_before_the_client_is_back() -> None:
    hub = diary()
    half_open, bob = await connect(hub, recovery=True), await connect(hub)
    await bob.call("whoami")
    bob._events.clear()
    back = TestClient(hub, "/", {"recovery": True}, half_open.session.handshake)
    back._place = half_open._place
    await back.connect()
    assert back.recovered
    assert half_open.closed == "transport close"
    assert await bob.receive("went") == (1, "transport close")
    assert await bob.receive("came") == (2, True)


async def test_a_client_that_leaves_in_words_is_forgotten() -> None:
    hub = diary()
    ann = await connect(hub, recovery=True)
    ann.disconnect()
    ann.drop()
    assert len(hub.recovery) == 0
    await ann.connect()
    assert not ann.recovered


async def test_a_stranger_s_pid_or_offset_makes_a_newcomer() -> None:
    hub = diary()
    ann = await connect(hub, recovery=True)
    for auth in ({"pid": "x"}, {"pid": 7}, {"pid": None}, {"pid": ["x"]}, {"pid": "x", "offset": "y"}):
        client = await connect(hub, auth=auth)
        assert not client.recovered
    ann.drop()
    for offset in (None, "", "-1", "x", "9" * 50, "٣", 5, [], {}):
        ann._place["offset"] = offset  # type: ignore[assignment]
        await ann.connect()
        ann.drop()


async def test_the_application_does_not_see_what_the_protocol_says_of_recovery() -> None:
    hub = diary()
    ann = await connect(hub, auth={"token": "x"}, recovery=True)
    assert hub.namespaces["/"].clients[ann.id].auth == {"token": "x"}


# -- presence


async def test_within_the_grace_time_nobody_has_gone_home() -> None:
    hub = diary(presence_grace=5)
    ann, bob = await connect(hub, recovery=True), await connect(hub)
    await bob.call("whoami")
    bob._events.clear()
    ann.drop()
    await advance(hub, 4)
    await ann.connect()
    assert await bob.call("whoami") == ["", [], False]
    assert bob.received == []


async def test_within_the_grace_time_as_many_are_listed_as_are_online_and_only_those_there_are_called() -> None:
    hub = diary(presence_grace=5)
    ann, bob, eve = await connect(hub, recovery=True), await connect(hub), await connect(hub)
    await ann.call("join", "lobby")
    for client in (bob, eve):
        client.answer("how", lambda: "fine")
    ann.drop()
    everyone = hub.of("/")
    assert [client.id for client in everyone.clients] == [client.id for client in (ann, bob, eve)]
    assert everyone.clients[1].online == 3
    assert [client.id for client in everyone.except_(bob.id).clients] == [ann.id, eve.id]
    assert [client.id for client in everyone.to("lobby").clients] == [ann.id]
    answers = await everyone.call("how", timeout=1)
    assert answers == {bob.id: "fine", eve.id: "fine"}
    assert answers.missing == []
    await advance(hub, 6)
    assert [client.id for client in everyone.clients] == [bob.id, eve.id]


async def test_after_the_grace_time_it_is_told_that_somebody_went_and_came_back() -> None:
    hub = diary(presence_grace=5)
    ann, bob = await connect(hub, recovery=True), await connect(hub)
    await bob.call("whoami")
    bob._events.clear()
    ann.drop()
    await advance(hub, 6)
    assert await bob.receive("went") == (1, "transport close")
    await ann.connect()
    assert await bob.receive("came") == (2, True)


async def test_who_never_comes_back_went_home_once() -> None:
    hub = diary(presence_grace=5, recovery=10)
    ann, bob = await connect(hub, recovery=True), await connect(hub)
    ann.drop()
    await advance(hub, 20)
    await bob.call("whoami")
    assert [args for args in bob.received if args[0] == "went"] == [("went", 1, "transport close")]
    assert len(hub.recovery) == 0
    assert list(hub.namespaces["/"].known) == [bob.id]


async def test_nothing_is_left_of_those_who_never_came_back() -> None:
    hub = diary(recovery=10)
    for _ in range(300):
        client = await connect(hub, recovery=True)
        await client.call("join", "lobby")
        client.drop()
    await advance(hub, 11)
    namespace = hub.namespaces["/"]
    assert not any((namespace.clients, namespace.known, namespace.rooms, namespace._members))
    assert namespace.everyone.start == namespace.everyone.end
    assert namespace.everyone.retain_count == 0
    assert len(hub.recovery) == 0


def looked_at(look: Callable[[], object]) -> Any:
    """A client that notes when its rooms are looked through."""
    return SimpleNamespace(trail=SimpleNamespace(forget_through=lambda _: look()))


def test_no_beat_looks_through_the_rooms_of_all_clients() -> None:
    looked: list[int] = []
    recovery = Recovery(window=50, grace=0)
    clients = [looked_at(lambda n=n: looked.append(n)) for n in range(1000)]
    for client in clients:
        recovery.begin(client)
    recovery.beat(0, offset=1)
    recovery.beat(51, offset=2)
    assert 0 < len(looked) < 200
    for _ in range(BEATS):
        recovery.beat(51, offset=2)
    assert sorted(looked) == list(range(1000))


def test_the_rooms_of_all_clients_are_looked_through_however_short_the_window_is() -> None:
    looked: set[int] = set()
    recovery = Recovery(window=1, grace=0)
    for number in range(100):
        recovery.begin(looked_at(lambda n=number: looked.add(n)))
    for beat in range(1, 30):
        recovery.beat(0.1 * beat, offset=beat)
    assert looked == set(range(100))


async def test_who_is_away_costs_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.socketio.recovery.recovery.MAX_AWAY", 10)
    hub = diary()
    clients = [await connect(hub, recovery=True) for _ in range(30)]
    for client in clients:
        client.drop()
    assert len(hub.recovery) == 10
    await clients[0].connect()
    assert not clients[0].recovered
    await clients[-1].connect()
    assert clients[-1].recovered
