"""What a hub's snapshot holds; a hub takes nothing else.

From one server to the next, without processes.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from effort import amount
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.socketio import Hub, SocketIOHandler
from handlers.socketio.engineio.handshake import Handshake
from handlers.socketio.engineio.offsets import SEQUENCE
from handlers.socketio.event_stream import EventStream
from handlers.socketio.testing import Clock, TestClient, connect

pytestmark = pytest.mark.gen_test

ENDED = "server shutting down"
TAKEN_AT = 1_700_000_000.0


class DiaryHandler(SocketIOHandler):
    """Everyone hears who comes and goes; each client has a name."""

    remembered = ("name", "notes")
    name = ""

    def on_connect(self) -> None:
        self.broadcast("came", self.online, self.recovered)

    def on_disconnect(self, reason: str) -> None:
        self.broadcast("went", self.online, reason, self.name)

    def on_name(self, name: str) -> None:
        self.name = name

    def on_whoami(self) -> list[Any]:
        return [self.name, sorted(self.rooms), self.recovered]

    def on_join(self, room: str) -> None:
        self.enter(room)

    def on_part(self, room: str) -> None:
        self.leave(room)


class GameHandler(DiaryHandler):
    """Another namespace."""


HANDLERS: dict[Any, type[SocketIOHandler]] = {"/": DiaryHandler, re.compile(r"/game-\d+"): GameHandler}


def diary(**options: Any) -> Hub:
    hub = Hub(HANDLERS, **options)
    hub.start(Clock(hub))
    return hub


async def ended(hub: Hub) -> Any:
    """End a server; return its snapshot, as read from a file."""
    hub.draining = True
    hub.close()
    await asyncio.sleep(0)
    return json.loads(json.dumps(hub.snapshot(TAKEN_AT)))


async def restarted(hub: Hub, after: float = 1, **options: Any) -> Hub:
    """End a server, and begin another `after` seconds later."""
    data = await ended(hub)
    following = diary(**options)
    following.restore(data, TAKEN_AT + after)
    return following


async def comes_back(client: TestClient, hub: Hub) -> None:
    client._hub = hub
    await client.connect()


async def settled(client: TestClient) -> list[tuple[Any, ...]]:
    """What came besides comings and goings, now that all has come."""
    await client.call("whoami")
    return [args for args in client.received if args[0] not in ("came", "went")]


async def advance(hub: Hub, seconds: float) -> None:
    await hub.loop.advance(seconds)  # type: ignore[union-attr]


# -- what comes back


async def test_a_client_has_its_id_rooms_and_remembered_attributes_and_gets_what_it_missed_once() -> None:
    hub = diary()
    ann = await connect(hub, recovery=True)
    await ann.call("name", "Ann")
    await ann.call("join", "lobby")
    hub.of("/").emit("said", 1)
    assert await ann.receive("said") == 1
    id_ = ann.id
    ann.drop()
    hub.of("/").emit("said", 2)
    hub.of("/").to("lobby").emit("said", 3, {"binary": [b"\x00\xff", b""]})
    hub.of("/").to(id_).emit("said", "\ud800 é")
    hub.of("/").except_("elsewhere").emit("said", 5)
    hub = await restarted(hub)
    await comes_back(ann, hub)
    assert (ann.id, ann.recovered) == (id_, True)
    hub.of("/").to("lobby").emit("said", 6)
    assert await settled(ann) == [
        ("said", 2), ("said", 3, {"binary": [b"\x00\xff", b""]}), ("said", "\ud800 é"), ("said", 5), ("said", 6),
    ]  # fmt: skip
    assert await ann.call("whoami") == ["Ann", ["lobby"], True]
    ann.drop()
    hub.of("/").emit("said", 7)
    await ann.connect()
    assert (await settled(ann))[-1] == ("said", 7)


async def test_a_room_that_each_handler_enters_at_first_is_not_entered_again() -> None:
    class LobbyHandler(DiaryHandler):
        def __init__(self) -> None:
            self.enter("lobby")

    hub = Hub({"/": LobbyHandler})
    hub.start(Clock(hub))
    ann = await connect(hub, recovery=True)
    assert await ann.call("whoami") == ["", ["lobby"], False]
    await ann.call("part", "lobby")
    ann.drop()
    data = await ended(hub)
    following = Hub({"/": LobbyHandler})
    following.start(Clock(following))
    following.restore(data, TAKEN_AT + 1)
    await comes_back(ann, following)
    assert await ann.call("whoami") == ["", [], True]


async def test_what_is_said_until_the_end_is_not_missed_by_those_who_were_disconnected_before() -> None:
    hub = diary()
    ann, bob = await connect(hub, recovery=True), await connect(hub, recovery=True)
    ann.session.close(ENDED)
    hub.of("/").emit("said", 1)
    assert await bob.receive("said") == 1
    bob.session.close(ENDED)
    hub.of("/").emit("said", 2)
    hub = await restarted(hub)
    await comes_back(ann, hub)
    await comes_back(bob, hub)
    assert await settled(ann) == [("said", 1), ("said", 2)]
    assert await settled(bob) == [("said", 2)]


async def test_it_works_again_and_again_and_without_anything_heard() -> None:
    hub = diary()
    ann = await connect(hub, recovery=True)
    await ann.call("join", "lobby")
    for number in range(3):
        hub.of("/").to("lobby").emit("said", number)
        hub = await restarted(hub)
    await comes_back(ann, hub)
    assert ann.recovered
    assert await settled(ann) == [("said", 0), ("said", 1), ("said", 2)]


async def test_every_namespace_has_its_own() -> None:
    hub = diary()
    ann, bob = await connect(hub, recovery=True), await connect(hub, "/game-7", recovery=True)
    hub.of("/").emit("said", "here")
    hub.of("/game-7").emit("said", "there", b"binary")
    ann._events.clear()
    bob._events.clear()
    for client in (ann, bob):
        client.drop()
    hub.of("/").emit("said", "still here")
    hub.of("/game-7").emit("said", "still there")
    hub = await restarted(hub)
    await comes_back(ann, hub)
    await comes_back(bob, hub)
    assert (ann.recovered, bob.recovered) == (True, True)
    assert (await settled(ann))[-1:] == [("said", "still here")]
    assert (await settled(bob))[-1:] == [("said", "still there")]


async def test_what_was_said_in_a_room_before_it_was_left_is_not_lost_and_after_it_not_heard() -> None:
    hub = diary()
    ann, bob = await connect(hub, recovery=True), await connect(hub, recovery=True)
    for client in (ann, bob):
        await client.call("join", "lobby")
    place = dict(ann._place)
    hub.of("/").to("lobby").emit("said", "before")
    await ann.call("part", "lobby")
    hub.of("/").to("lobby").emit("said", "after")
    await settled(ann)
    ann._place, _ = place, ann._events.clear()
    hub = await restarted(hub)
    hub.of("/").to("lobby").emit("said", "long after")
    await comes_back(ann, hub)
    assert await settled(ann) == [("said", "before")]


async def test_what_is_kept_is_sent_to_newcomers_of_the_next_server() -> None:
    hub = diary()
    for number in range(5):
        hub.of("/").emit("score", number, keep=2)
        hub.of("/").to("lobby").emit("topic", b"\x00", number, keep=1)
    hub = await restarted(hub)
    hub.of("/").emit("score", 5, keep=2)
    ann = await connect(hub)
    assert await settled(ann) == [("score", 4), ("score", 5)]
    await ann.call("join", "lobby")
    assert (await settled(ann))[-1] == ("topic", b"\x00", 4)


async def test_a_listener_resumes_at_the_next_server() -> None:
    hub = diary()
    everyone = hub.namespace("/").everyone
    hub.recovery.retain(everyone)
    hub.of("/").emit("said", 1)
    heard = hub.delivery.offset
    hub.of("/").emit("said", 2)
    hub = await restarted(hub)
    everyone = hub.namespace("/").everyone
    assert everyone.forgotten <= heard
    assert [entry.packets[0].data for entry in everyone.after(heard)] == ['2["said",2]']
    stream = EventStream(hub, None)  # type: ignore[arg-type]
    stream.enter(everyone)
    hub.of("/").emit("said", 3)
    hub.delivery.offer_pending()
    assert [entry.packets[0].data for entry in stream.read().entries] == ['2["said",3]']


async def test_new_stamps_are_above_the_old_ones_whatever_the_clock_says() -> None:
    hub = diary()
    hub.delivery.offset = 10**15
    hub.of("/").emit("said", 1)
    data = await ended(hub)
    for now in (TAKEN_AT - 1e6, TAKEN_AT, TAKEN_AT + 1e6):
        following = diary()
        following.restore(data, now)
        assert (following.delivery.offset, following.delivery.published) == (10**15 + SEQUENCE, 0)


async def test_what_a_client_said_of_itself_is_there_for_its_hooks() -> None:
    hub = diary(presence_grace=5)
    ann = TestClient(hub, "/", {"recovery": True, "token": "x"}, Handshake({"Cookie": "y"}, "192.0.2.1", {"a": [b"b"]}))
    await ann.connect()
    data = await ended(hub)
    hub = diary(presence_grace=5)
    hub.restore(data, TAKEN_AT)
    client = hub.namespaces["/"].known[ann.id]
    assert client.auth == {"token": "x"}
    assert client.session.handshake == Handshake({}, "192.0.2.1", {"a": [b"b"]})
    assert "Cookie" not in json.dumps(data)


async def test_only_what_can_be_asked_for_again_is_saved() -> None:
    hub = diary()
    ann, _plain = await connect(hub, recovery=True), await connect(hub)
    ann.drop()
    hub.of("/").volatile.emit("said", "volatile")
    hub.of("/").emit("said", "in two places")
    hub.of("/").except_("nobody").emit("said", "in one place each")
    data = await ended(hub)
    texts = [text for _, text, *_ in data["said"]]
    assert [text for text in texts if "said" in text] == ['2["said","in two places"]', '2["said","in one place each"]']
    assert [client["id"] for client in data["namespaces"]["/"]["clients"]] == [ann.id]


# -- who is a newcomer all the same


async def test_the_time_without_a_server_counts() -> None:
    hub = diary(recovery=10)
    ann, bob = await connect(hub, recovery=True), await connect(hub, recovery=True)
    ann.drop()
    await advance(hub, 6)
    bob.drop()
    hub = await restarted(hub, after=5, recovery=10)
    hub.beat()
    await comes_back(ann, hub)
    await comes_back(bob, hub)
    assert (ann.recovered, bob.recovered) == (False, True)
    bob.drop()
    await advance(hub, 11)
    assert len(hub.recovery) == 1


async def test_a_snapshot_older_than_anybody_may_be_away_is_of_no_use() -> None:
    hub = diary(recovery=10)
    await connect(hub, recovery=True)
    hub.of("/").emit("score", 1, keep=1)
    data = await ended(hub)
    following = diary(recovery=10)
    assert following.restore(data, TAKEN_AT + 11) == 0
    assert following.namespaces == {}
    assert len(following.recovery) == 0


async def test_with_a_clock_that_went_back_clients_have_all_their_time() -> None:
    hub = diary(recovery=10)
    ann = await connect(hub, recovery=True)
    hub = await restarted(hub, after=-3600, recovery=10)
    await advance(hub, 9)
    await comes_back(ann, hub)
    assert ann.recovered


async def test_a_client_whose_handler_cannot_be_made_again_is_a_newcomer_and_leaves_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = diary()
    ann, bob = await connect(hub, recovery=True), await connect(hub, recovery=True)
    for client, rooms in ((ann, ("hall", "lobby")), (bob, ("lobby",))):
        for room in rooms:
            await client.call("join", room)
    failures = [asyncio.CancelledError(), None]

    def init(self: Any) -> None:
        failure = failures.pop(0) if failures else None
        if failure is not None:
            raise failure

    monkeypatch.setattr(DiaryHandler, "__init__", init)
    following = await restarted(hub)
    assert "DiaryHandler.__init__ was cancelled for " in caplog.text
    assert following.namespaces["/"].rooms.keys() == {"lobby"}
    for client in (ann, bob):
        client._hub = following
        await client.connect()
    assert (ann.recovered, bob.recovered) == (False, True)


async def test_who_missed_more_than_its_rooms_kept_is_a_newcomer() -> None:
    hub = diary(max_backlog=10_000)
    ann, bob = await connect(hub, recovery=True), await connect(hub)
    ann.drop()
    for _ in range(20):
        hub.of("/").emit("said", "x" * 1000)
        await settled(bob)
    hub = await restarted(hub)
    await comes_back(ann, hub)
    assert not ann.recovered


async def test_a_namespace_that_is_no_more_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    hub = diary()
    ann, bob = await connect(hub, recovery=True), await connect(hub, "/game-7", recovery=True)
    data = await ended(hub)
    following = Hub({"/": DiaryHandler})
    following.start(Clock(following))
    assert following.restore(data, TAKEN_AT) == 1
    assert "1 clients of '/game-7' are lost" in caplog.text
    await comes_back(ann, following)
    assert ann.recovered
    assert following.recovery.find(bob._place["pid"]) is None


async def test_nothing_is_left_of_those_who_never_came_back() -> None:
    hub = diary(recovery=10)
    for number in range(20):
        client = await connect(hub, "/game-7" if number % 2 else "/", recovery=True)
        await client.call("join", "lobby")
        await client.call("join", f"room {number}")
    hub.of("/").to("lobby").emit("said", 1)
    hub = await restarted(hub, recovery=10)
    assert len(hub.recovery) == 20
    await advance(hub, 12)
    assert list(hub.namespaces) == ["/"]
    namespace = hub.namespaces["/"]
    assert not any((namespace.clients, namespace.known, namespace.rooms, namespace._members, hub.sessions))
    assert namespace.everyone.start == namespace.everyone.end
    assert namespace.everyone.retain_count == 0
    assert len(hub.recovery) == 0


# -- presence


async def test_without_a_grace_time_the_end_of_the_server_is_everybodys_leaving() -> None:
    hub = diary()
    ann, bob = await connect(hub, recovery=True), await connect(hub, recovery=True)
    await settled(ann)
    await settled(bob)
    for client in (ann, bob):
        client._events.clear()
    hub = await restarted(hub)
    assert len(hub.namespaces["/"].clients) == 0
    await comes_back(ann, hub)
    assert await ann.receive("went") == (1, ENDED, "")
    assert await ann.receive("went") == (0, ENDED, "")
    assert await ann.receive("came") == (1, True)
    await comes_back(bob, hub)
    assert await ann.receive("came") == (2, True)
    heard = [(1, ENDED, ""), (0, ENDED, ""), (1, True), (2, True)]
    assert [await bob.receive() for _ in heard] == heard


async def test_within_the_grace_time_nobody_has_left() -> None:
    hub = diary(presence_grace=5)
    ann, bob = await connect(hub, recovery=True), await connect(hub, recovery=True)
    await settled(ann)
    await settled(bob)
    for client in (ann, bob):
        client._events.clear()
    hub.draining = True
    ann.session.close(ENDED)
    await advance(hub, 8)  # it could not have come back
    hub = await restarted(hub, after=20, presence_grace=5)
    assert len(hub.namespaces["/"].clients) == 2
    await advance(hub, 4)
    await comes_back(ann, hub)
    await comes_back(bob, hub)
    await settled(ann)
    await settled(bob)
    assert (ann.received, bob.received) == ([], [])
    assert (ann.recovered, bob.recovered) == (True, True)


async def test_after_the_grace_time_it_is_told_who_went_home() -> None:
    hub = diary(presence_grace=5)
    ann, bob = await connect(hub, recovery=True), await connect(hub, recovery=True)
    await bob.call("name", "Bob")
    await settled(ann)
    hub = await restarted(hub, presence_grace=5)
    await comes_back(ann, hub)
    ann._events.clear()
    await advance(hub, 6)
    assert await ann.receive("went") == (1, ENDED, "Bob")
    await comes_back(bob, hub)
    assert await ann.receive("came") == (2, True)
    assert await bob.call("whoami") == ["Bob", [], True]


async def test_who_had_left_before_is_not_said_to_leave_again() -> None:
    hub = diary(presence_grace=5)
    ann = await connect(hub, recovery=True)
    ann.drop()
    await advance(hub, 6)
    hub = await restarted(hub, presence_grace=5)
    bob = await connect(hub)
    await settled(bob)
    await advance(hub, 130)
    await settled(bob)
    assert not [args for args in bob.received if args[0] == "went"]


async def test_where_the_next_server_has_no_grace_time_it_is_over_at_once() -> None:
    hub = diary(presence_grace=5)
    ann = await connect(hub, recovery=True)
    hub = await restarted(hub)
    hub.beat()
    assert len(hub.namespaces["/"].clients) == 0
    await comes_back(ann, hub)
    assert ("came", 1, True) in [(args[0], *args[1:]) for args in ann.received]


async def test_who_is_online_counts_as_away_from_now_on() -> None:
    hub = diary()
    ann = await connect(hub, recovery=True)
    await advance(hub, 100)
    following = diary()
    following.restore(json.loads(json.dumps(hub.snapshot(TAKEN_AT))), TAKEN_AT)
    await advance(following, 119)
    await comes_back(ann, following)
    assert ann.recovered


# -- attributes


async def test_an_attribute_without_a_JSON_form_is_named_in_the_log_and_the_rest_is_saved(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hub = diary()
    for _ in range(2):
        ann = await connect(hub, recovery=True)
        client: Any = hub.namespaces["/"].clients[ann.id].handler
        client.name, client.notes, client.other = "Ann", {"file": object()}, "not remembered"
    with caplog.at_level(logging.ERROR):
        hub = await restarted(hub)
    assert [record.getMessage() for record in caplog.records] == [
        "DiaryHandler.notes has no JSON form and is not saved: Object of type object is not JSON serializable"
    ]
    client = hub.namespaces["/"].known[ann.id].handler
    assert client.name == "Ann"
    assert not hasattr(client, "notes")
    assert not hasattr(client, "other")


async def test_what_becomes_of_an_attribute_concerns_nobody_else() -> None:
    hub = diary()
    ann = await connect(hub, recovery=True)
    notes = hub.namespaces["/"].clients[ann.id].handler.notes = {"a": [1]}
    data = hub.snapshot(TAKEN_AT)
    notes["a"].append(2)
    following = diary()
    following.restore(data, TAKEN_AT)
    assert following.namespaces["/"].known[ann.id].handler.notes == {"a": [1]}


# -- what is no snapshot


async def saved() -> dict[str, Any]:
    """A snapshot with something of everything."""
    hub = diary(presence_grace=5)
    hub.of("/").emit("score", 1, b"\x00", keep=3)
    hub.of("/").to("stage").emit("score", 1, keep=3)
    ann = await connect(hub, recovery=True, auth={"token": ["x"]})
    bob = await connect(hub, "/game-7", recovery=True)
    await ann.call("name", "Ann")
    for client in (ann, bob):
        await client.call("join", "lobby")
        await client.call("join", "bar")
    for name in ("/", "/game-7"):
        hub.of(name).to("lobby").emit("said", {"a": [b"\x01", None]})
        hub.of(name).to("bar").emit("said", 1)
        hub.of(name).except_("stage").emit("said", 2)
        hub.of(name).emit("said", 3)
    await ann.call("part", "bar")
    data: dict[str, Any] = await ended(hub)
    return data


def state(hub: Hub) -> Any:
    return hub.snapshot(TAKEN_AT), hub.delivery.offset, list(hub.namespaces), dict(hub._by_name), len(hub.recovery)


async def test_a_restored_hub_has_what_the_other_had() -> None:
    data = await saved()
    hub = diary(presence_grace=5)
    assert hub.restore(data, TAKEN_AT) == 2
    assert hub.snapshot(TAKEN_AT) == data


def say(data: dict[str, Any], text: str) -> None:
    """Put another text in the place of the last event."""
    data["said"][-1][1:] = [text]


def numbered_as_in_version_1(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Return a snapshot in the format of version 1."""
    numbered: dict[str, Any] = json.loads(json.dumps(snapshot), parse_int=lambda n: int(n) >> 32 or int(n))
    return numbered | {"format": "handlers.socketio snapshot 1"}


async def test_a_snapshot_of_version_1_is_restored_with_its_offsets_as_today_s() -> None:
    data = await saved()
    hub = diary(presence_grace=5)
    assert hub.restore(numbered_as_in_version_1(data), TAKEN_AT) == 2
    assert hub.snapshot(TAKEN_AT) == data


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another form": lambda d: d.update(format="handlers.socketio snapshot 3"),
    "no form": lambda d: d.pop("format"),
    "a stamp that is too large": lambda d: d.update(stamp=1 << 120),
    "a stamp that is true": lambda d: d.update(stamp=True),
    "a stamp before the last": lambda d: d.update(stamp=d["said"][-1][0] - 1),
    "a time that is none": lambda d: d.update(taken_at=float("nan")),
    "a time without end": lambda d: d.update(taken_at=float("inf")),
    "no namespaces": lambda d: d.update(namespaces=None),
    "no said": lambda d: d.update(said={}),
    "said out of order": lambda d: d["said"].reverse(),
    "an event twice": lambda d: d["said"].append(d["said"][-1]),
    "an event without a text": lambda d: d["said"].append([d["stamp"]]),
    "an event that asks for an answer": lambda d: say(d, '21["came"]'),
    "another kind of message": lambda d: say(d, '0{"sid":"x"}'),
    "an event that is no JSON": lambda d: say(d, '2["came",]'),
    "an event in too many brackets": lambda d: say(d, "2" + "[" * 100_000 + "]" * 100_000),
    "an event without a name": lambda d: say(d, "2[]"),
    "an event of another namespace": lambda d: say(d, '2/other,["came"]'),
    "an event that is no UTF-8": lambda d: say(d, '2["\ud800"]'),
    "attachments nobody announced": lambda d: d["said"][0].append("AA=="),
    "attachments that are no base64": lambda d: d["namespaces"]["/"]["everyone"]["kept"][0][2][0].__setitem__(1, "?"),
    "kept for ever": lambda d: d["namespaces"]["/"]["everyone"]["kept"][0].__setitem__(1, 1 << 80),
    "more kept than are": lambda d: d["namespaces"]["/"]["everyone"]["kept"][0].__setitem__(1, 0),
    "a log with what nobody said": lambda d: d["namespaces"]["/"]["everyone"]["log"].append(7),
    "a log out of order": lambda d: d["namespaces"]["/"]["everyone"]["log"].reverse(),
    "the log of another namespace": lambda d: d["namespaces"]["/"]["rooms"]["lobby"].update(
        log=d["namespaces"]["/game-7"]["rooms"]["lobby"]["log"]
    ),
    "a room nobody is in": lambda d: d["namespaces"]["/"]["rooms"].update(x=d["namespaces"]["/"]["rooms"]["lobby"]),
    "a client in a room that is not there": lambda d: d["namespaces"]["/"]["rooms"].pop("lobby"),
    "a client twice": lambda d: d["namespaces"]["/"]["clients"].append(d["namespaces"]["/"]["clients"][0]),
    "two of one pid": lambda d: d["namespaces"]["/"]["clients"][0].update(
        pid=d["namespaces"]["/game-7"]["clients"][0]["pid"]
    ),
    "a pid that can be guessed": lambda d: d["namespaces"]["/"]["clients"][0].update(pid="x"),
    "a client away since tomorrow": lambda d: d["namespaces"]["/"]["clients"][0].update(away=-86400),
    "a query of numbers": lambda d: d["namespaces"]["/"]["clients"][0].update(query={"a": 1}),
    "an auth of bytes": lambda d: d["namespaces"]["/"]["clients"][0].update(auth="token"),
    "a client that is a list": lambda d: d["namespaces"]["/"]["clients"].append([]),
}


async def test_a_snapshot_that_was_written_before_the_first_version_is_read() -> None:
    """It was saved by the commit b025280, with what `saved` has."""
    data = json.loads((Path(__file__).parents[1] / "support" / "snapshot_1.json").read_text())
    hub = diary(presence_grace=5)
    assert hub.restore(data, TAKEN_AT) == 2
    again = numbered_as_in_version_1(hub.snapshot(TAKEN_AT))
    for namespace in again["namespaces"].values():
        for client in namespace["clients"]:
            del client["connection"]  # which it did not have
    assert again == data
    (ann,) = data["namespaces"]["/"]["clients"]
    back = TestClient(hub, "/", {"recovery": True}, Handshake({}, "", {}))
    back._place = {"pid": ann["pid"]}
    await back.connect()
    assert (back.id, back.recovered) == (ann["id"], True)
    assert await back.call("whoami") == ["Ann", ["lobby"], True]


@pytest.mark.parametrize("mistake", WRONG)
async def test_a_hub_does_not_take(mistake: str) -> None:
    data = await saved()
    WRONG[mistake](data)
    hub = diary()
    before = state(hub)
    with pytest.raises(ValueError, match=r"\w+"):
        hub.restore(data, TAKEN_AT)
    assert state(hub) == before


@pytest.mark.parametrize("data", [None, [], {}, "", 1, {"format": 1}, {"format": None}, [{}]])
async def test_a_hub_does_not_take_something_else(data: Any) -> None:
    with pytest.raises(ValueError, match="format"):
        diary().restore(data, TAKEN_AT)


async def test_an_attribute_that_is_not_remembered_is_not_set_whatever_the_file_says() -> None:
    data = await saved()
    data["namespaces"]["/"]["clients"][0]["remembered"] = {"name": "Eve", "emit": 1, "_trail": 2, "connected": True}
    hub = diary()
    hub.restore(data, TAKEN_AT)
    client = next(iter(hub.namespaces["/"].known.values())).handler
    assert client.name == "Eve"
    assert callable(client.emit)
    assert not client.connected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=8), values, max_size=3),
    max_leaves=6,
)


def places(data: Any) -> list[tuple[Any, Any]]:
    """All containers in a value, each with a key in it."""
    found: list[tuple[Any, Any]] = []
    for key in data if isinstance(data, dict) else range(len(data)):
        found.append((data, key))
        if isinstance(data[key], (dict, list)):
            found += places(data[key])
    return found


def tamper(data: dict[str, Any], draw: Callable[[Any], Any]) -> None:
    """Change one thing in a snapshot.

    It becomes something else, something from another place, or nothing.
    """
    container, key = draw(st.sampled_from(places(data)))
    other, its_key = draw(st.sampled_from(places(data)))
    change = draw(st.sampled_from(["value", "copy", "gone", "number"]))
    if change == "gone":
        del container[key]
    elif change == "number" and type(container[key]) is int:
        container[key] += draw(st.integers(-2, 2))
    else:
        container[key] = draw(JSON) if change == "value" else copy.deepcopy(other[its_key])


@pytest.mark.slow
@settings(max_examples=amount(40, thorough=400), deadline=None)
@given(data=st.data())
def test_whatever_was_done_to_it_a_hub_takes_all_of_it_or_nothing(data: st.DataObject) -> None:
    async def scenario() -> None:
        tampered = await saved()
        for _ in range(data.draw(st.integers(1, 3))):
            tamper(tampered, data.draw)
        hub = diary()
        before = state(hub)
        try:
            count = hub.restore(tampered, TAKEN_AT)
        except ValueError:
            assert state(hub) == before
            return
        assert len(hub.recovery) == count
        await works(hub)

    asyncio.run(scenario())


async def works(hub: Hub) -> None:
    """Check that a hub serves as any other after what it took."""
    bystander = await connect(hub)
    clients = []
    for pid in list(hub.recovery._clients):
        known = hub.recovery.find(pid)
        assert known is not None
        back = TestClient(hub, known.namespace.name, {"recovery": True}, Handshake({}, "", {}))
        back._place = {"pid": pid}
        await back.connect()
        await back.call("whoami")
        clients.append(back)
    hub.of("/").emit("said", "to all")
    assert await bystander.receive("said") == "to all"
    json.dumps(hub.snapshot(TAKEN_AT))
    for client in clients:
        client.drop()
    await advance(hub, 130)
    assert len(hub.recovery) == 0
    assert list(hub.namespaces["/"].known) == [bystander.id]
