"""Clients that come back to another node, with what they missed."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import msgpack
import pytest
from fake_stream import FakeNode, FakeStream, heard, settle
from fakes import FakeTransport

from handlers.socketio.cluster.emitted import Emitted
from handlers.socketio.cluster.sessions import PREFIX
from handlers.socketio.message import decode_text


class Guest:
    """A client that takes part in recovery, on any node."""

    def __init__(self) -> None:
        self.place: dict[str, Any] = {"recovery": True}
        self.id = ""
        self.recovered = False
        self.heard: list[Any] = []
        self.transport: FakeTransport

    async def connect(self, node: FakeNode) -> Guest:
        self.transport = node.client(self.place)
        for _ in range(5):
            await asyncio.sleep(0)
            node.loop.turn()
        self.read()
        return self

    def read(self) -> None:
        """Take what has come."""
        came, self.transport.received = self.transport.received, []
        for text in came:
            if isinstance(text, bytes):
                self.heard[-1].append(text)
            elif text.startswith("0"):
                answer = json.loads(text[1:])
                self.recovered = answer["sid"] == self.id
                self.id, self.place["pid"] = answer["sid"], answer["pid"]
            elif text[0] in "25":
                *args, self.place["offset"] = decode_text(text)[0].data
                self.heard.append(args)

    def said(self) -> list[Any]:
        self.read()
        return [args[1] for args in self.heard if args[0] == "said"]

    def drop(self) -> None:
        self.transport.session.close("transport close")


def cluster(**options: Any) -> list[FakeNode]:
    stream = FakeStream()
    nodes = [FakeNode(stream, name, **options) for name in "ab"]
    settle(*nodes)
    return nodes


@pytest.mark.gen_test
@pytest.mark.parametrize("killed", [False, True])
async def test_a_client_moves_with_all_it_has_and_missed(killed: bool) -> None:
    one, other = cluster()
    ann = await Guest().connect(one)
    settle(one, other)
    (client,) = one.hub.namespaces["/"].clients.values()
    client.handler.color = "red"
    client.enter("room")
    one.hub.of("/").emit("said", 1)
    settle(one, other)
    assert ann.said() == [1]
    if killed:
        one.is_connected = False
    else:
        ann.drop()
        settle(one, other)
    other.hub.of("/").emit("said", 2)
    other.hub.of("/").to("room").emit("said", 3)
    other.hub.of("/").to("elsewhere").emit("said", "for others")
    other.hub.of("/").except_("room").emit("said", "not for the room")
    other.hub.of("/").volatile.emit("said", "volatile")
    other.hub.of("/").to(ann.id).emit("said", [4, b"\x00"])
    settle(other)
    await ann.connect(other)
    settle(other)
    assert ann.recovered
    assert [args if isinstance(args, int) else args[0] for args in ann.said()] == [1, 2, 3, 4]
    (moved,) = other.hub.namespaces["/"].clients.values()
    assert (moved.handler.color, set(moved.rooms), moved.handler.recovered) == ("red", {"room"}, True)
    other.hub.of("/").to("room").emit("said", 5)
    settle(other)
    assert ann.said()[-1] == 5
    settle(one, other)
    assert one.hub.online("/") == other.hub.online("/") == 1
    assert not one.hub.namespaces["/"].known


@pytest.mark.gen_test
async def test_what_an_emitter_said_on_one_node_keeps_nobody_from_another() -> None:
    one, other = cluster()
    ann = await Guest().connect(one)
    settle(one, other)
    one.hub.of("/").emit("said", 1)
    settle(one, other)
    Emitted(one.cluster, "socket.io").hear(
        b"socket.io#/#", msgpack.packb(["emitter", {"type": 2, "data": ["said", 2]}, {"rooms": []}])
    )
    one.loop.turn()
    assert ann.said() == [1, 2]
    one.is_connected = False
    other.hub.of("/").emit("said", 3)
    settle(other)
    await ann.connect(other)
    assert ann.recovered
    assert ann.said() == [1, 2, 3]


@pytest.mark.gen_test
async def test_a_client_moves_before_it_has_heard_anything() -> None:
    one, other = cluster()
    ann = await Guest().connect(one)
    settle(one, other)
    other.hub.of("/").emit("said", 1)
    settle(other)
    await ann.connect(other)
    assert (ann.recovered, ann.said()) == (True, [1])


@pytest.mark.gen_test
async def test_a_client_moves_to_and_fro_and_hears_everything_once() -> None:
    nodes = cluster()
    ann = await Guest().connect(nodes[0])
    settle(*nodes)
    next(iter(nodes[0].hub.namespaces["/"].clients.values())).enter("room")
    settle(*nodes)
    for number in range(20):
        speaker = nodes[number % 3 % 2]
        speaker.hub.of("/").to("room").emit("said", number)
        speaker.write()
        if number % 4 == 1:
            settle(*nodes)
        if number % 3 == 0:
            settle(*nodes)
            ann.read()
            await ann.connect(nodes[number % 2])
            assert ann.recovered
    settle(*nodes)
    assert ann.said() == list(range(20))


@pytest.mark.gen_test
async def test_the_old_connection_of_a_client_that_moved_is_closed() -> None:
    one, other = cluster()
    ann = await Guest().connect(one)
    settle(one, other)
    old = ann.transport
    await ann.connect(other)
    settle(one, other)
    assert old.ended is not None
    assert ann.transport.ended is None
    assert one.hub.online("/") == other.hub.online("/") == 1


@pytest.mark.gen_test
async def test_a_pid_is_taken_by_one_node() -> None:
    one, other = cluster()
    third = FakeNode(one.stream, "c")
    settle(one, other, third)
    ann = await Guest().connect(one)
    settle(one, other, third)
    ann.drop()
    settle(one, other, third)
    twin = Guest()
    twin.place, twin.id = dict(ann.place), ann.id
    await ann.connect(other)
    await twin.connect(third)
    settle(one, other, third)
    assert (ann.recovered, twin.recovered) == (True, False)
    assert other.hub.online("/") == 2


@pytest.mark.gen_test
async def test_who_left_for_good_leaves_no_record() -> None:
    one, other = cluster()
    ann, bob = await Guest().connect(one), await Guest().connect(one)
    settle(one, other)
    assert len(one.stream.sessions) == 2
    ann.transport.brings("1")
    one.hub.of("/").to(bob.id).disconnect()
    settle(one, other)
    assert one.stream.sessions == {}


@pytest.mark.gen_test
async def test_over_a_gap_nobody_moves() -> None:
    one, other = cluster()
    ann = await Guest().connect(one)
    one.hub.of("/").emit("said", 1)
    settle(one, other)
    ann.read()
    other.lose()
    one.hub.of("/").emit("said", 2)
    settle(one)
    one.stream.trim(0)
    other.connect()
    await ann.connect(other)
    assert not ann.recovered


ROOMS = list(map(str, range(2000)))
RECORDS: dict[str, Any] = {
    "no base64": b"%%%",
    "no msgpack": base64.b64encode(b"\xc1"),
    "a number": 7,
    "no sid": {"pid": "p", "rooms": [], "data": {}},
    "a sid that is no id": {"sid": "a b", "pid": "p", "rooms": [], "data": {}},
    "rooms that are no texts": {"sid": "s" * 20, "pid": "p", "rooms": [1], "data": {}},
    "no rooms": {"sid": "s" * 20, "pid": "p", "data": {}},
    "another pid": {"sid": "s" * 20, "pid": "q", "rooms": [], "data": {}},
    "another namespace": {"sid": "s" * 20, "pid": "p", "rooms": [], "data": {}, "nsp": "/x", "at": "1000000-0"},
    "entered that is a list": {"sid": "s" * 20, "pid": "p", "rooms": [], "data": {}, "entered": []},
    "too many rooms": {
        "sid": "s" * 20,
        "pid": "p",
        "rooms": list(map(str, range(2000))),
        "data": {},
        "at": "1000000-0",
    },
    "too large": {"sid": "s" * 20, "pid": "p", "rooms": [], "data": {"color": "x" * 200_000}, "at": "1000000-0"},
}


@pytest.mark.gen_test
@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS.keys())
async def test_a_record_that_no_server_writes_makes_a_new_client(record: Any) -> None:
    one, _ = cluster()
    raw = record if isinstance(record, bytes) else base64.b64encode(msgpack.packb(record))
    one.stream.sessions[PREFIX + "p"] = raw
    ann = Guest()
    ann.place |= {"pid": "p", "offset": "1000000-0"}
    await ann.connect(one)
    assert (len(ann.id), one.hub.online("/")) == (20, 1)
    assert ann.id != "s" * 20


@pytest.mark.gen_test
async def test_a_record_of_node_s_server_is_taken() -> None:
    one, other = cluster()
    record = {
        "sid": "USAZVhpRLPfQryfLAAAA",
        "pid": "p",
        "rooms": ["USAZVhpRLPfQryfLAAAA", "room1"],
        "data": {"color": "red"},
    }
    one.stream.sessions[PREFIX + "p"] = base64.b64encode(msgpack.packb(record))
    place = one.cluster.place
    other.hub.of("/").to("room1").emit("said", 1)
    settle(one, other)
    ann = Guest()
    ann.id = "USAZVhpRLPfQryfLAAAA"
    ann.place |= {"pid": "p", "offset": f"{place >> 64}-0"}
    await ann.connect(one)
    assert (ann.recovered, ann.said()) == (True, [1])
    (client,) = one.hub.namespaces["/"].clients.values()
    assert client.handler.color == "red"


@pytest.mark.gen_test
async def test_the_way_back_is_no_leaving_where_the_grace_lasts() -> None:
    one, other = cluster(presence_grace=5)
    ann, bob = await Guest().connect(one), await Guest().connect(one)
    settle(one, other)
    ann.drop()
    settle(one, other)
    assert other.hub.online("/") == 2
    await ann.connect(other)
    settle(one, other)
    assert (ann.recovered, one.hub.online("/"), other.hub.online("/")) == (True, 2, 2)
    assert bob.transport.ended is None


def test_a_snapshot_of_a_node_has_what_rooms_keep_and_no_sessions() -> None:
    one, other = cluster()
    one.client({"recovery": True})
    one.hub.of("/").emit("said", 1, keep=1)
    settle(one, other)
    alone = FakeNode(FakeStream())
    saved = one.hub.snapshot(0)
    assert (saved["said"], saved["namespaces"]["/"]["clients"]) == ([], [])
    assert alone.hub.restore(saved, 0) == 0
    assert heard(alone.client()) == [[1]]


def test_a_node_that_never_reached_redis_saves_its_sessions() -> None:
    node = FakeNode(FakeStream(), is_connected=False)
    node.client({"recovery": True})
    assert len(node.hub.snapshot(0)["namespaces"]["/"]["clients"]) == 1
