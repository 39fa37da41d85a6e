"""Nodes with the classic adapter, on fake channels."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgpack
import pytest
from fake_classic import FakeChannels, FakeClassicNode
from fake_stream import heard, settle
from hypothesis import given, settings
from hypothesis import strategies as st
from test_classic_format import POISONS, REQUEST_CHANNEL, RESPONSE_CHANNEL, event, request
from test_questions import BAD_ANSWERS, Answerer, Guest, done, turning

from handlers.socketio import Acks, FetchedClient


def cluster(number: int = 2, **options: Any) -> list[FakeClassicNode]:
    channels = FakeChannels()
    nodes = [FakeClassicNode(channels, "abcdefgh"[index], handler=Answerer, **options) for index in range(number)]
    settle(*nodes)
    return nodes


def hear(node: FakeClassicNode, channel: str, payload: Any) -> None:
    """Let a node hear what somebody else has published."""
    raw = payload if isinstance(payload, bytes) else msgpack.packb(payload)
    node.cluster.hear(channel.encode(errors="surrogateescape"), raw)
    node.loop.turn()


def answers(node: FakeClassicNode, uid: str = "abcdef") -> list[Any]:
    """What a node has told one of Node's servers."""
    settle(node)
    payloads = [payload for channel, payload in node.channels.published if channel == f"socket.io-response#/#{uid}#"]
    return [json.loads(raw) if raw.startswith(b"{") else msgpack.unpackb(raw) for raw in payloads]


# -- actions


def test_an_action_happens_at_once_here_and_on_the_others_when_it_is_heard() -> None:
    one, other = cluster()
    ann, bob = Guest(one), Guest(other)
    settle(one, other)
    assert one.hub.online("/") == other.hub.online("/") == 2
    one.hub.of("/").emit("said", 1)
    one.loop.turn()
    assert (heard(ann.transport), heard(bob.transport)) == ([[1]], [])
    settle(one, other)
    assert (heard(ann.transport), heard(bob.transport)) == ([[1]], [[1]])
    one.hub.of("/").to(bob.id).enter("red")
    other.hub.of("/").to("red").emit("said", "red")
    settle(one, other)
    one.hub.of("/").to("red").emit("said", "red again")
    one.hub.of("/").except_("red").emit("said", "others")
    one.hub.of("/").to("red").leave("red")
    one.hub.of("/").to("red").emit("said", "nobody")
    settle(one, other)
    assert (heard(ann.transport), heard(bob.transport)) == ([[1], ["others"]], [[1], ["red again"]])
    one.hub.of("/").to(bob.id).disconnect()
    settle(one, other)
    assert one.hub.online("/") == other.hub.online("/") == 1
    assert one.cluster.dropped == other.cluster.dropped == {}


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["emit", "enter", "leave", "emit to", "emit except"]),
        st.sampled_from(["red", "blue"]),
        st.integers(0, 9),
    ),
    max_size=20,
)


@given(ACTIONS)
@settings(deadline=None)
def test_what_one_node_does_happens_in_its_order_on_the_other(steps: list[tuple[str, str, int]]) -> None:
    one, other = cluster()
    ann, bob = Guest(one), Guest(other)
    settle(one, other)
    everyone = one.hub.of("/")
    do = {
        "emit": lambda room, number: everyone.emit("said", room, number),
        "enter": lambda room, _: everyone.enter(room),
        "leave": lambda room, _: everyone.leave(room),
        "emit to": lambda room, number: everyone.to(room).emit("said", room, number),
        "emit except": lambda room, number: everyone.except_(room).emit("said", room, number),
    }
    for step, room, number in steps:
        do[step](room, number)
    settle(one, other)
    assert heard(ann.transport) == heard(bob.transport)
    assert len(heard(ann.transport)) >= sum(step == "emit" for step, _, _ in steps)


# -- Redis away


def test_what_is_said_while_redis_is_away_is_lost_and_nobody_recovers_over_it() -> None:
    one, other = cluster()
    ann, bob = Guest(one), Guest(other)
    settle(one, other)
    other.lose()
    one.hub.of("/").emit("said", "lost")
    other.hub.of("/").emit("said", "here")
    other.loop.turn()
    settle(one)
    assert (heard(ann.transport), heard(bob.transport)) == ([["lost"]], [["here"]])
    assert "Redis is away" in (other.cluster.trouble or "")
    settle(one, other)
    one.hub.of("/").emit("said", "after")
    settle(one, other)
    assert (heard(ann.transport), heard(bob.transport)) == ([["lost"], ["after"]], [["here"], ["after"]])
    assert other.cluster.gaps.number == 1
    assert "events of other nodes were lost" in (other.cluster.trouble or "")
    assert other.hub.namespaces["/"].everyone.forgotten > 0
    assert one.cluster.trouble is None


def test_who_comes_and_goes_while_redis_is_away_is_known_afterwards() -> None:
    one, other = cluster()
    settle(one, other)
    other.lose()
    one.client()
    other.client()
    assert (one.hub.online("/"), other.hub.online("/")) == (1, 1)
    settle(one, other)
    assert one.hub.online("/") == other.hub.online("/") == 2


def test_a_killed_node_s_clients_are_told_of_once_by_the_node_with_the_lowest_uid() -> None:
    nodes = cluster(3)
    lost = Guest(nodes[2])
    settle(*nodes)
    nodes[2].is_connected = False
    for _ in range(10):
        for node in nodes[:2]:
            node.loop.now += 0.5
            for other in nodes[:2]:
                other.cluster.roster.hear(node.cluster.roster.beat().encode())
        for node in nodes[:2]:
            node.cluster.roster.check(
                {other.cluster.uid: int(other.is_connected) for other in nodes if other is not node}
            )
        for node in nodes[:2]:
            node.write()
        for node in nodes[:2]:
            node.read()
    told = [node.hub.settings.get("lost", []) for node in sorted(nodes[:2], key=lambda node: node.cluster.uid)]
    assert told == [[lost.id], []]
    assert [node.hub.online("/") for node in nodes[:2]] == [0, 0]


# -- questions of ours


@pytest.mark.gen_test
async def test_nodes_answer_each_other() -> None:
    nodes = cluster(3)
    ann, bob, cid = (Guest(node) for node in nodes)
    settle(*nodes)
    hub = nodes[0].hub
    hub.of("/").to(bob.id).enter("red")
    found = await done(hub.of("/").to("red").fetch(), *nodes)
    assert (found, found.missing) == (
        [FetchedClient(bob.id, frozenset({"red"}), None, {}, "192.0.2.1", {}, "http", "b")],
        [],
    )
    call = hub.of("/").call("who", b"\x01", timeout=5)
    acks, *_ = await asyncio.gather(done(call, *nodes), ann.answers("Ann"), bob.answers("Bob", 2), cid.answers())
    assert (acks, acks.missing) == ({ann.id: "Ann", bob.id: ("Bob", 2), cid.id: None}, [])
    answered = await done(hub.call_nodes("/", "later", b"\x01"), *nodes)
    assert answered == {"b": [b"\x01"], "c": [b"\x01"]}
    hub.emit_to_nodes("/", "told", {"a": 1})
    settle(*nodes)
    await asyncio.sleep(0)
    assert [node.hub.settings.get("events", [None])[-1] for node in nodes] == [None, *[["/", "told", {"a": 1}]] * 2]


@pytest.mark.gen_test
async def test_those_that_do_not_answer_are_named_and_redis_away_ends_a_question() -> None:
    nodes = cluster(3)
    ann, _, _ = (Guest(node) for node in nodes)
    settle(*nodes)
    nodes[2].hangs = True
    found = await done(nodes[0].hub.of("/").fetch(timeout=0.05), *nodes)
    assert (len(found), found.missing) == (2, ["c"])
    asked = asyncio.ensure_future(nodes[0].hub.of("/").fetch(timeout=60))
    for _ in range(5):
        settle(*nodes[:2])
        await asyncio.sleep(0)
    nodes[0].lose()
    found = await asyncio.wait_for(asked, 5)
    assert found.missing == ["c"]
    assert ann.id in [client.id for client in found]
    assert (await nodes[0].hub.call_nodes("/", "sum")).missing == ["b", "c"]


@pytest.mark.gen_test
async def test_answers_of_node_s_servers_which_do_not_say_their_name() -> None:
    (node,) = cluster(1)
    node.channels.strangers = 2
    fetch = asyncio.ensure_future(node.hub.of("/").fetch())
    call = asyncio.ensure_future(node.hub.of("/").call("who"))
    events = asyncio.ensure_future(node.hub.call_nodes("/", "hello"))
    ids = await requests(node, 3)
    handshake = {"headers": {}, "address": "::1", "secure": True, "query": {}, "auth": {}}
    for number in range(2):
        socket = {"id": f"i{number}", "handshake": handshake, "rooms": [f"i{number}"], "data": {}}
        hear(node, RESPONSE_CHANNEL, json.dumps({"requestId": ids[5], "sockets": [socket]}).encode())
        hear(node, RESPONSE_CHANNEL, {"type": 9, "requestId": ids[7], "packet": "early"} if not number else {})
        hear(node, RESPONSE_CHANNEL, json.dumps({"type": 8, "requestId": ids[7], "clientCount": number + 1}).encode())
        hear(node, RESPONSE_CHANNEL, json.dumps({"type": 6, "requestId": ids[6], "data": number}).encode())
    for packet in ("one", "two", "three", "four"):
        hear(node, RESPONSE_CHANNEL, {"type": 9, "requestId": ids[7], "packet": packet})
    found = await fetch
    assert ([(client.id, client.node) for client in found], found.missing) == (
        [("i0", "unknown"), ("i1", "unknown")],
        [],
    )
    acks = await call
    assert (sorted(acks.values()), acks.missing) == (["one", "three", "two"], [])
    assert await events == Acks({"unknown1": 0, "unknown2": 1}, [])


@pytest.mark.gen_test
async def test_servers_of_node_s_that_hang_are_missing() -> None:
    (node,) = cluster(1)
    node.channels.strangers = 2
    call = asyncio.ensure_future(node.hub.of("/").call("who", timeout=0.05))
    request_id = (await requests(node, 1))[7]
    hear(node, RESPONSE_CHANNEL, {"type": 8, "requestId": request_id, "clientCount": 2})
    hear(node, RESPONSE_CHANNEL, {"type": 9, "requestId": request_id, "packet": 1})
    acks = await call
    assert (acks, acks.missing) == ({"unknown1/1": 1}, ["unknown1/2", "unknown"])


async def requests(node: FakeClassicNode, number: int) -> dict[int, str]:
    """Wait for questions; return the id of each by its type."""
    asked: list[Any] = []
    while len(asked) < number:
        await asyncio.sleep(0)
        settle(node)
        raws = [payload for channel, payload in node.channels.published if channel == REQUEST_CHANNEL]
        asked = [json.loads(raw) if raw.startswith(b"{") else msgpack.unpackb(raw) for raw in raws]
        asked = [message for message in asked if "requestId" in message]
    return {message["type"]: message["requestId"] for message in asked}


# -- questions of Node's servers

QUESTION = {"type": 2, "data": ["who", "x"], "nsp": "/"}


@pytest.mark.gen_test
async def test_node_s_questions_are_answered_as_node_answers() -> None:
    (node,) = cluster(1)
    ann = Guest(node, {"name": "Ann"})
    ann.handler.enter("red")
    uid = {"uid": "abcdef", "requestId": "r"}
    hear(node, REQUEST_CHANNEL, request(type=5, **uid))
    hear(node, REQUEST_CHANNEL, request(type=1, **uid))
    hear(node, REQUEST_CHANNEL, request(type=6, data=["sum", 1, 2], **uid))
    hear(
        node, REQUEST_CHANNEL, {**uid, "type": 7, "packet": QUESTION, "opts": {"rooms": [], "except": [], "flags": {}}}
    )
    await turning(node, ann.answers("Ann"))
    await asyncio.sleep(0)
    mine = {"uid": node.cluster.uid, "requestId": "r"}
    fetched, rooms, *others = answers(node)
    assert [client["id"] for client in fetched["sockets"]] == [ann.id]
    assert "type" not in fetched
    assert rooms == {**mine, "rooms": ["red", ann.id]}
    expected = [
        {**mine, "type": 6, "data": {"sum": 3}},
        {**mine, "type": 8, "clientCount": 1, "sids": [ann.id]},
        {**mine, "type": 9, "packet": "Ann", "sid": ann.id},
    ]
    assert sorted(others, key=lambda answer: int(answer["type"])) == expected
    hear(node, REQUEST_CHANNEL, request(type=6, data=["told", "by an emitter"], uid="emitter"))
    await asyncio.sleep(0)
    assert node.hub.settings["events"][-1] == ["/", "told", "by an emitter"]


@pytest.mark.gen_test
async def test_a_question_for_a_namespace_that_is_not_there_is_answered_and_makes_none() -> None:
    (node,) = cluster(1)
    uid = {"uid": "abcdef", "requestId": "r"}
    for kind, more in ((5, {}), (1, {}), (6, {"data": ["sum"]}), (7, {"packet": {**QUESTION, "nsp": "/no"}})):
        hear(node, "socket.io-request#/no#", request(type=kind, **uid, **more))
    settle(node)
    told = [json.loads(raw) for channel, raw in node.channels.published if channel == "socket.io-response#/no#abcdef#"]
    assert [(answer.get("sockets"), answer.get("rooms"), answer.get("clientCount")) for answer in told] == [
        ([], None, None), (None, [], None), (None, None, None), (None, None, 0),
    ]  # fmt: skip
    assert "/no" not in node.hub.namespaces


# -- malformed

OPEN = "opts", {"rooms": [], "except": [], "flags": {}}
BAD_QUESTIONS = [
    {"type": 5, "opts": []}, {"type": 5, "opts": {"rooms": [5], "except": []}}, {"type": 5, "opts": None},
    {"type": 5, "opts": {"rooms": "r", "except": []}}, {"type": 7}, {"type": 7, "packet": []},
    {"type": 7, "packet": {"type": 1, "data": ["x"]}}, {"type": 7, "packet": {"type": 2, "data": ["disconnect"]}},
    {"type": 7, "packet": {"type": 2, "data": []}}, {"type": 7, "packet": {"type": 2, "data": "x"}},
    {"type": 6, "data": []}, {"type": 6, "data": "hello"}, {"type": 6, "data": ["connect"]}, {"type": 6, "data": [5]},
    {"type": 6, "data": ["presence", 5], "requestId": None}, {"type": 6, "data": ["presence"], "requestId": None},
    {"type": 6, "data": ["presence", {"node": "x", "join": 5}], "requestId": None},
]  # fmt: skip


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("channel", "payload"),
    [
        *POISONS.values(),
        *((REQUEST_CHANNEL, request(**{"uid": "abcdef", "requestId": "r", **bad})) for bad in BAD_QUESTIONS),
    ],
    ids=[*POISONS.keys(), *(f"a question {bad}" for bad in BAD_QUESTIONS)],
)
async def test_a_poison_drops_one_message_and_nothing_else(channel: str, payload: Any) -> None:
    node, other = cluster()
    ann, bob = Guest(node), Guest(node)
    settle(node, other)
    known = dict(node.hub.namespaces), set(node.cluster.roster.presence.nodes)
    hear(node, channel, payload)
    hear(node, "socket.io#/#", event("said", 1))
    await asyncio.sleep(0)
    assert sum(node.cluster.dropped.values()) == 1
    assert heard(ann.transport) == heard(bob.transport) == [[1]]
    assert (dict(node.hub.namespaces), set(node.cluster.roster.presence.nodes)) == known
    assert len(await done(other.hub.of("/").fetch(), node, other)) == 2


@pytest.mark.gen_test
@pytest.mark.parametrize(("kind", "data"), BAD_ANSWERS)
async def test_a_malformed_answer_counts_as_none(kind: int, data: dict[str, Any]) -> None:
    (node,) = cluster(1)
    node.channels.strangers = 1
    everyone = node.hub.of("/")
    asked = asyncio.ensure_future(everyone.fetch(timeout=0.02) if kind == 8 else everyone.call("who", timeout=0.02))
    (request_id,) = (await requests(node, 1)).values()
    answer = {"requestId": request_id, **({} if kind == 8 else {"type": 8}), **data}
    hear(node, RESPONSE_CHANNEL, answer)
    hear(node, RESPONSE_CHANNEL, b"\xc1")
    result: Any = await asked
    assert (list(result), result.missing) == ([], ["unknown"])
    assert sum(node.cluster.dropped.values()) == (1 if answer.keys() == {"requestId"} else 2)


@pytest.mark.gen_test
async def test_answers_of_another_kind_or_to_nothing_are_ignored() -> None:
    (node,) = cluster(1)
    node.channels.strangers = 1
    hear(node, RESPONSE_CHANNEL, b"\xc1")  # nothing is open, so it is not even decoded
    asked = asyncio.ensure_future(node.hub.of("/").fetch(timeout=0.02))
    request_id = (await requests(node, 1))[5]
    for answer in (
        {"type": 8, "requestId": request_id, "clientCount": 1},
        {"type": 9, "requestId": request_id, "packet": 1},
        {"type": 6, "requestId": request_id, "data": 1},
        {"requestId": request_id, "rooms": ["red"]},
        {"requestId": "another", "sockets": []},
        {"type": 10**18, "requestId": request_id},
    ):
        hear(node, RESPONSE_CHANNEL, answer)
    assert (await asked).missing == ["unknown"]
    assert node.cluster.dropped == {}
