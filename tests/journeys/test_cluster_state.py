"""Nodes on lines that fail: everything once, in one order."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from fake_stream import FakeNode, FakeStream, heard, settle
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.socketio.cluster.errors import MalformedError
from handlers.socketio.engineio.offsets import write_offset


def cluster(number: int = 2, **options: Any) -> list[FakeNode]:
    stream = FakeStream()
    nodes = [FakeNode(stream, "abcdefgh"[index], **options) for index in range(number)]
    settle(*nodes)
    return nodes


# -- order

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["say", "say", "say", "write", "read", "fail", "thaw", "connect", "wait"]),
        st.integers(0, 2),
        st.integers(0, 3),
    ),
    max_size=60,
)


class Story:
    """Three nodes with a client each, whose lines hypothesis breaks."""

    def __init__(self) -> None:
        self.nodes = cluster(3)
        self.clients = [node.client() for node in self.nodes]
        settle(*self.nodes)
        self.said: list[list[int]] = []
        self.performed_alone: list[set[str]] = [set(), set(), set()]

    def say(self, index: int, _: int) -> None:
        self.said.append([index, len(self.said)])
        self.nodes[index].hub.of("/").emit("said", *self.said[-1])
        self.nodes[index].loop.turn()

    def write(self, index: int, _: int) -> None:
        if self.nodes[index].is_connected:
            self.nodes[index].write()

    def read(self, index: int, number: int) -> None:
        if self.nodes[index].is_connected:
            self.nodes[index].read(number)

    def fail(self, index: int, number: int) -> None:
        if self.nodes[index].is_connected:
            self.nodes[index].fail(number, late=bool(number % 2))

    def thaw(self, index: int, _: int) -> None:
        self.nodes[index].thaw()

    def connect(self, index: int, _: int) -> None:
        if not self.nodes[index].is_connected:
            self.nodes[index].connect()

    def wait(self, index: int, _: int) -> None:
        self.nodes[index].loop.now += 0.6
        if self.nodes[index].cluster.is_stalled:
            self.nodes[index].lose()

    def note_performed_alone(self) -> None:
        for node, texts in zip(self.nodes, self.performed_alone, strict=True):
            texts.update(entry.fields["data"] for entry in node.cluster.outbox if entry.performed)

    def end(self) -> None:
        settle(*self.nodes)
        for node in self.nodes:
            node.thaw()
        settle(*self.nodes)

    @property
    def in_stream(self) -> list[str]:
        """The data of what was said, in order."""
        data = [fields[b"data"].decode() for _, fields in self.nodes[0].stream.entries]
        return list(dict.fromkeys(text for text in data if '"said"' in text))


@given(STEPS)
@settings(deadline=None)
def test_everything_is_heard_once_and_in_one_order_whatever_the_lines_do(steps: list[tuple[str, int, int]]) -> None:
    story = Story()
    for step, index, number in steps:
        getattr(story, step)(index, number)
        story.note_performed_alone()
    story.end()
    order = [json.loads(data)["packet"]["data"][1:] for data in story.in_stream]
    assert sorted(order) == sorted(story.said)
    for client, alone in zip(story.clients, story.performed_alone, strict=True):
        assert sorted(heard(client)) == sorted(story.said)
        excepted = [json.loads(data)["packet"]["data"][1:] for data in alone if '"said"' in data]
        assert [args for args in heard(client) if args not in excepted] == [a for a in order if a not in excepted]
    assert all(len(node.cluster.outbox) == 0 for node in story.nodes)
    assert all(node.cluster.gaps.number == 0 for node in story.nodes)


def test_what_a_handler_says_to_all_to_itself_and_as_answer_arrives_in_that_order() -> None:
    node, _ = cluster()
    ann, bob = node.client(), node.client()
    settle(node)
    ann.received.clear()
    bob.received.clear()
    ann.brings('27["say",1]')
    node.loop.turn()
    assert ann.received == []
    bob.brings('2["nothing"]')
    settle(node)
    assert ann.received == ['2["said",1]', '2["private",1]', '37["said it"]']
    assert bob.received == ['2["said",1]']


def test_who_does_not_speak_does_not_wait() -> None:
    node, _ = cluster()
    ann, bob = node.client(), node.client()
    settle(node)
    ann.received.clear()
    bob.received.clear()
    ann.brings('27["say",1]')
    bob.brings('28["no such event"]')
    node.loop.turn()
    assert (len(ann.received), len(bob.received)) == (0, 1)


def test_a_client_that_is_disconnected_hears_what_was_said_to_it_before() -> None:
    node, _ = cluster()
    ann = node.client()
    settle(node)
    ann.received.clear()
    ann.brings('27["say",1]')
    next(iter(node.hub.namespaces["/"].clients.values())).send_away()
    node.loop.turn()
    assert ann.received == ['2["private",1]', '37["said it"]', "1"]
    settle(node)


def test_every_node_has_one_offset_for_an_event() -> None:
    nodes = cluster(2)
    offsets = []
    for node in nodes:
        node.client({"recovery": True})
    settle(*nodes)
    nodes[0].hub.of("/").emit("said", 1)
    nodes[1].hub.of("/").emit("said", 2)
    settle(*nodes)
    for node in nodes:
        log = node.hub.namespaces["/"].everyone.after(0)
        offsets.append([(entry.packets[0].data, write_offset(entry.offset)) for entry in log])
    assert offsets[0] == offsets[1]
    assert [text for text, _ in offsets[0]] == ['2["said",1]', '2["said",2]']
    ids = [id_.decode() for id_, _ in nodes[0].stream.entries]
    assert all(offset in ids for _, offset in offsets[0])


# -- rooms


def test_rooms_are_entered_and_left_and_clients_sent_away_on_all_nodes() -> None:
    one, other = cluster()
    ann, bob = one.client(), other.client()
    settle(one, other)
    bobs = next(iter(other.hub.namespaces["/"].clients))
    one.hub.of("/").to(bobs).enter("red")
    one.hub.of("/").to("red").emit("said", "to red")
    one.hub.of("/").except_("red").emit("said", "to others")
    one.hub.of("/").to("red").leave("red")
    one.hub.of("/").to("red").emit("said", "to nobody")
    one.hub.of("/").local.emit("said", "here")
    settle(one, other)
    assert heard(bob) == [["to red"]]
    assert heard(ann) == [["here"], ["to others"]]
    one.hub.of("/").to(bobs).disconnect()
    settle(one, other)
    assert bob.received[-1] == "1"
    assert one.hub.online("/") == other.hub.online("/") == 1


def test_a_client_in_too_many_rooms_harms_nobody() -> None:
    one, other = cluster()
    ann = one.client()
    settle(one, other)
    for number in range(1001):
        other.hub.of("/").enter(f"room {number}")
    other.hub.of("/").emit("said", 1)
    settle(one, other)
    assert heard(ann) == [[1]]


def test_a_message_makes_no_namespace() -> None:
    one, _ = cluster()
    for name in ("/none", "/game-1"):
        said = '{"packet":{"type":2,"data":["a"]},"opts":{"rooms":[],"except":[]}}'
        one.stream.add({"uid": "x", "nsp": name, "type": "3", "data": said})
    before = dict(one.hub._by_name)
    one.read()
    assert dict(one.hub._by_name) == before


# -- Redis away


def test_while_redis_is_away_local_clients_hear_at_once_and_others_later_in_order() -> None:
    one, other = cluster()
    ann, bob = one.client(), other.client()
    settle(one, other)
    one.lose()
    for number in range(3):
        one.hub.of("/").emit("said", number)
    one.loop.turn()
    assert heard(ann) == [[0], [1], [2]]
    assert "Redis is away" in str(one.cluster.trouble)
    other.hub.of("/").emit("said", "theirs")
    other.write()
    one.connect()
    settle(one, other)
    assert heard(bob) == [["theirs"], [0], [1], [2]]
    assert heard(ann) == [[0], [1], [2], ["theirs"]]
    assert one.cluster.trouble is None


def test_a_redis_that_hangs_is_noticed_within_a_second() -> None:
    one, _ = cluster()
    one.hub.of("/").emit("said", 1)
    one.cluster.take_unwritten()
    one.loop.now += 0.7
    assert not one.cluster.is_stalled
    one.loop.now += 0.2
    assert one.cluster.is_stalled


def test_a_node_that_reads_and_is_behind_waits_for_its_turn() -> None:
    one, other = cluster()
    for _ in range(9):
        other.hub.of("/").emit("said", 1)
    other.write()
    one.hub.of("/").emit("said", 2)
    one.write()
    for _ in range(9):
        one.loop.now += 0.7
        one.read(1)
        assert not one.cluster.is_stalled


def test_the_outbox_is_bounded_and_what_is_dropped_is_counted() -> None:
    one, other = cluster()
    ann, bob = one.client(), other.client()
    settle(one, other)
    one.cluster.outbox._limit = 10_000
    one.lose()
    for number in range(100):
        one.hub.of("/").emit("said", number)
    one.loop.turn()
    assert heard(ann) == [[number] for number in range(100)]
    assert one.cluster.outbox.size <= 10_000
    kept = len(one.cluster.outbox)
    assert one.cluster.dropped["outbox full"] == 100 - kept
    settle(one, other)
    assert heard(bob) == [[number] for number in range(100 - kept, 100)]


def test_a_gap_is_noticed_by_each_of_its_causes() -> None:
    for cause in ("trimmed", "lost", "older"):
        one, other = cluster()
        one.lose()
        for number in range(5):
            other.hub.of("/").emit("said", number)
        settle(other)
        if cause == "trimmed":
            one.stream.trim(2)
        elif cause == "lost":
            one.stream.trim(0)
            one.stream.last = 0
        else:
            one.stream.entries = one.stream.entries[:1]
            one.stream.last = int(one.stream.entries[0][0].split(b"-")[0])
        one.connect()
        assert one.cluster.gaps.number == 1, cause
        assert "were lost" in str(one.cluster.trouble)


def test_nobody_recovers_over_a_gap() -> None:
    one, other = cluster()
    one.client({"recovery": True})
    settle(one, other)
    client = next(iter(one.hub.namespaces["/"].clients.values()))
    one.hub.of("/").emit("said", 1)
    settle(one, other)
    assert client.trail is not None
    newest = one.hub.delivery.offset
    assert client.trail.missed(newest) is not None
    one.lose()
    other.hub.of("/").emit("said", 2)
    settle(other)
    one.stream.trim(0)
    one.connect()
    assert client.trail.missed(newest) is None


def test_ids_that_go_back_keep_offsets_rising() -> None:
    one, other = cluster()
    ann = one.client({"recovery": True})
    settle(one, other)
    one.lose()
    one.stream.entries, one.stream.last = [], 5
    for number in range(3):
        one.hub.of("/").emit("said", number)
    settle(one, other)
    other.hub.of("/").emit("said", "more")
    settle(one, other)
    assert [args[:1] for args in heard(ann)] == [[0], [1], [2], ["more"]]


POISONS = [
    {"uid": "x"},
    {"uid": "x", "nsp": "/", "type": "3", "data": "{"},
    {"uid": "x", "nsp": "/", "type": "6", "data": "[]"},
    {"uid": "x", "nsp": "/", "type": "9", "data": '{"packet":["presence"]}'},
    {"uid": "x", "nsp": "/", "type": "9", "data": '{"packet":["presence",{"node":1}]}'},
    {"uid": "x", "nsp": "/", "type": "9", "data": '{"packet":["presence",{"node":"n","join":[1]}]}'},
    {"uid": "x", "nsp": "/", "type": "9", "data": '{"packet":["presence",{"node":"n","join":[["i",1,2]]}]}'},
    {"uid": "x", "nsp": "/", "type": "9", "data": '{"packet":["presence",{"node":"n","leave":[{}]}]}'},
    {"uid": "x", "nsp": "/", "type": "9", "data": '{"packet":["presence",{"node":"n","join":"x"}]}'},
]


def test_a_poison_drops_itself_and_nothing_else() -> None:
    one, other = cluster()
    ann = one.client()
    settle(one, other)
    for number, poison in enumerate(POISONS):
        one.stream.add(poison)
        other.hub.of("/").emit("said", number)
        settle(one, other)
    assert heard(ann) == [[number] for number in range(len(POISONS))]
    assert sum(one.cluster.dropped.values()) == len(POISONS)
    assert one.hub.online("/") == 1


def test_own_entries_that_say_what_this_node_never_sent_are_ignored() -> None:
    one, _ = cluster()
    ann = one.client()
    settle(one)
    for number in (b"", b"x", b"-1", b"9" * 40, b"1", b"99999"):
        fields = {"uid": one.cluster.uid, "nsp": "/", "type": "3", "n": number.decode(), "data": "{}"}
        one.stream.add(fields)
    settle(one)
    one.hub.of("/").emit("said", 1)
    settle(one)
    assert heard(ann) == [[1]]


# -- who is there


def online(*nodes: FakeNode) -> list[int]:
    return [node.hub.online("/") for node in nodes]


def test_online_counts_the_cluster() -> None:
    nodes = cluster(3)
    one, other, _ = nodes
    ann = one.client()
    assert online(*nodes) == [1, 0, 0]
    settle(*nodes)
    assert online(*nodes) == [1, 1, 1]
    other.client()
    settle(*nodes)
    late = FakeNode(one.stream, "late")
    settle(*nodes, late)
    assert online(*nodes, late) == [2, 2, 2, 2]
    ann.session.close("transport close")
    settle(*nodes, late)
    assert online(*nodes, late) == [1, 1, 1, 1]


def test_what_clients_show_is_seen_everywhere() -> None:
    one, other = cluster()
    one.client()
    settle(one, other)
    (client,) = one.hub.namespaces["/"].clients.values()
    client.handler.shown = {"name": "Ann"}
    settle(one, other)
    assert one.hub.present("/") == other.hub.present("/") == {client.id: {"name": "Ann"}}


def beat(nodes: list[FakeNode], seconds: float, subscribers: dict[str, int] | None = None) -> None:
    """Let time pass, with a beat every half a second."""
    for _ in range(round(seconds * 2)):
        for node in nodes:
            node.loop.now += 0.5
        for node in nodes:
            for other in nodes:
                other.cluster.roster.hear(node.cluster.roster.beat().encode())
            node.cluster.roster.check(subscribers or {})
        settle(*nodes)


def introduce(nodes: list[FakeNode]) -> None:
    """Let each node hear of the others' clients, and of their beats."""
    settle(*nodes)
    beat(nodes, 4)


def test_a_killed_node_is_gone_within_two_seconds_and_each_client_told_of_once() -> None:
    nodes = cluster(3)
    one, other, killed = nodes
    for _ in range(3):
        killed.client()
    introduce(nodes)
    ids = list(killed.hub.namespaces["/"].clients)
    beat([one, other], 1.5, {killed.cluster.uid: 0})
    assert online(one, other) == [0, 0]
    told = one.hub.settings.get("lost", []) + other.hub.settings.get("lost", [])
    assert sorted(told) == sorted(ids)


def test_a_node_that_hangs_is_gone_after_its_beats_are_missed_and_comes_back() -> None:
    nodes = cluster(2)
    one, hanging = nodes
    hanging.client()
    introduce(nodes)
    beat([one], 3)
    assert online(one) == [1]
    beat([one], 1.5)
    assert online(one) == [0]
    settle(*nodes)
    assert online(*nodes) == [1, 1]


def test_a_cut_line_of_a_moment_is_no_death() -> None:
    nodes = cluster(2)
    _, other = nodes
    other.client()
    introduce(nodes)
    beat(nodes, 0.5, {other.cluster.uid: 0})
    beat(nodes, 2)
    assert online(*nodes) == [1, 1]


def test_nobody_is_gone_because_redis_was() -> None:
    nodes = cluster(2)
    one, other = nodes
    other.client()
    introduce(nodes)
    one.lose()
    one.loop.now += 60
    one.connect()
    beat(nodes, 3, {other.cluster.uid: 0})
    assert online(*nodes) == [1, 1]


def test_a_heartbeat_that_no_node_publishes_is_malformed() -> None:
    one, _ = cluster()
    for data in (
        b"",
        b"{",
        b"[]",
        b"7",
        b'{"uid":1,"node":"a"}',
        b'{"uid":"u"}',
        b'{"uid":"","node":"a"}',
        b"[" * 9999,
    ):
        with pytest.raises(MalformedError):
            one.cluster.roster.hear(data)
    for number in range(2000):
        with suppress(MalformedError):
            one.cluster.roster.hear(json.dumps({"uid": f"u{number}", "node": "n"}).encode())
    assert len(one.cluster.roster.presence.nodes) == 1000


def test_a_client_on_two_nodes_counts_once() -> None:
    one, other = cluster()
    one.client()
    settle(one, other)
    (client,) = one.hub.namespaces["/"].clients.values()
    other.client()
    (moved,) = other.hub.namespaces["/"].clients.values()
    namespace = other.hub.namespaces["/"]
    settle(one, other)
    namespace.disappear(moved)
    moved.id = client.id
    namespace._appear(moved)
    settle(one, other)
    assert online(one, other) == [1, 1]


def test_what_is_removed_before_a_connected_node_could_read_it_is_a_gap() -> None:
    one, other = cluster()
    for number in range(3):
        one.hub.of("/").emit("said", number)
        one.write()
        if number == 1:
            one.stream.trim(0)
    other.read()
    assert other.cluster.gaps.number == 1
    assert "were lost" in str(other.cluster.trouble)
    settle(one, other)
    other.hub.of("/").emit("said", 3)
    settle(one, other)
    assert (one.cluster.gaps.number, other.cluster.gaps.number) == (1, 1)


def test_what_an_outbox_has_no_room_for_is_a_gap_of_the_others() -> None:
    one, other = cluster()
    one.cluster.outbox._limit = 2_000
    one.lose()
    for number in range(9):
        one.hub.of("/").emit("said", number)
    settle(one, other)
    assert (one.cluster.gaps.number, other.cluster.gaps.number) == (0, 1)


def test_a_redis_that_lost_its_data_is_given_the_sessions_again() -> None:
    one, _ = cluster()
    one.client({"recovery": True})
    settle(one)
    sessions = dict(one.stream.sessions)
    one.lose()
    one.stream.sessions.clear()
    one.stream.entries, one.stream.last = [], 0
    settle(one)
    assert sessions.keys() == one.stream.sessions.keys()
