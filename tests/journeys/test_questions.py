"""Questions of a hub alone, and of nodes on a fake stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from datetime import date
from pathlib import Path
from typing import Any

import msgpack
import pytest
from fake_stream import FakeNode, FakeStream, Talker, heard, settle
from fakes import FakeTransport

from handlers.socketio import Acks, FetchedClient, Hub, SocketIOHandler
from handlers.socketio.cluster.errors import MalformedError
from handlers.socketio.cluster.request_format import decode_message, encode_message
from handlers.socketio.message import decode_text
from handlers.socketio.testing import connect

VECTORS = json.loads((Path(__file__).parents[1] / "support" / "redis_vectors.json").read_text())["vectors"]
RECORDED = [
    (vector["what"], bytes.fromhex(wire["hex"]))
    for vector in VECTORS
    if vector["adapter"].startswith("streams 0.3")
    for wire in vector["wire"]
    if "PUBLISH" in wire
]
NODE = "982b332d0d83ad73"
"""Id of a server of Node's."""
REQUEST = ("192.0.2.1", {}, "http")
"""The request of each fake client."""


class Answerer(Talker):
    """Answers other nodes."""

    @classmethod
    def node_event(cls, hub: Hub, namespace: str, event: str, *args: Any) -> Any:
        hub.settings.setdefault("events", []).append([namespace, event, *args])
        if event == "fail":
            raise ValueError("as the test wants")
        if event == "later":
            return cls.answer_later(*args)
        return {"sum": sum(args)} if event == "sum" else None

    @classmethod
    async def answer_later(cls, *args: Any) -> Any:
        await asyncio.sleep(0)
        return args


def cluster(number: int = 2, **options: Any) -> list[FakeNode]:
    stream = FakeStream()
    nodes = [FakeNode(stream, "abcdefgh"[index], handler=Answerer, **options) for index in range(number)]
    settle(*nodes)
    return nodes


async def done(question: Coroutine[Any, Any, Any], *nodes: FakeNode) -> Any:
    """Let nodes talk until a question is answered."""
    asked = asyncio.ensure_future(question)
    while not asked.done():
        for node in nodes:
            if not node.hangs:
                node.loop.turn()
                node.write()
        for node in nodes:
            if not node.hangs:
                node.read()
        await asyncio.sleep(0)
    return asked.result()


class Guest:
    """A client that answers what it is asked, once."""

    def __init__(self, node: FakeNode, auth: dict[str, Any] | None = None) -> None:
        self.node = node
        self.transport: FakeTransport = node.client(auth)
        settle(node)
        self.id: str = json.loads(self.transport.received[0][1:])["sid"]

    @property
    def handler(self) -> Any:
        return self.node.hub.of("/").get(self.id)

    def answer(self, *args: Any, event: str = "who") -> None:
        """Answer the last question of this name."""
        texts = [text for text in self.transport.received if isinstance(text, str)]
        asked = [decode_text(text)[0] for text in texts if f'"{event}"' in text]
        self.transport.brings(f"3{asked[-1].id}{json.dumps(args)}")

    async def answers(self, *args: Any) -> None:
        """Wait for a question, and answer it."""
        while not any(isinstance(text, str) and '"who"' in text for text in self.transport.received):
            await asyncio.sleep(0)
        self.answer(*args)


# -- alone


@pytest.mark.gen_test
async def test_a_hub_alone_fetches_its_own_clients() -> None:
    hub = Hub({"/": Answerer})
    ann, bob = await connect(hub, auth={"name": "Ann"}), await connect(hub)
    handler = hub.of("/").get(ann.id)
    handler.enter("red")
    handler.shown = {"name": "Ann"}
    found = await hub.of("/").fetch()
    assert [client.id for client in found] == [ann.id, bob.id]
    assert found.missing == []
    assert found[0] == FetchedClient(
        ann.id, frozenset({"red"}), {"name": "Ann"}, {"name": "Ann"}, handler.request.remote_ip, {}, "http", ""
    )
    for audience in (hub.of("/").to("red"), hub.of("/").except_(bob.id), hub.of("/").to(ann.id).local):
        assert [client.id for client in await audience.fetch()] == [ann.id]
    assert await hub.of("/").to("nobody").fetch() == []


@pytest.mark.gen_test
async def test_a_hub_alone_has_no_other_nodes() -> None:
    hub = Hub({"/": Answerer})
    await connect(hub)
    hub.emit_to_nodes("/", "sum", 1)
    assert (await hub.call_nodes("/", "sum", 1), hub.settings) == ({}, {})
    with pytest.raises(KeyError, match="no namespace"):
        hub.emit_to_nodes("/no", "sum")
    with pytest.raises(ValueError, match="reserved"):
        await hub.call_nodes("/", "connect")
    with pytest.raises(TypeError, match="must be a text"):
        hub.emit_to_nodes("/", 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="date"):
        hub.emit_to_nodes("/", "sum", date(2026, 1, 1))


# -- in a cluster


@pytest.mark.gen_test
async def test_fetch_finds_the_clients_of_all_nodes() -> None:
    nodes = cluster(3)
    ann, bob = Guest(nodes[0], {"name": "Ann"}), Guest(nodes[1], {"name": "Bob"})
    bob.handler.shown = {"name": "Bob"}
    nodes[0].hub.of("/").to(bob.id).enter("red")
    found = await done(nodes[0].hub.of("/").fetch(), *nodes)
    assert found.missing == []
    assert {client.id: client for client in found} == {
        ann.id: FetchedClient(ann.id, frozenset(), None, {"name": "Ann"}, *REQUEST, "a"),
        bob.id: FetchedClient(
            bob.id, frozenset({"red"}), {"name": "Bob"}, {"name": "Bob"}, "192.0.2.1", {}, "http", "b"
        ),
    }
    in_red = await done(nodes[2].hub.of("/").to("red").fetch(), *nodes)
    assert [client.id for client in in_red] == [bob.id]
    assert [client.id for client in await nodes[0].hub.of("/").local.fetch()] == [ann.id]


@pytest.mark.gen_test
async def test_what_was_done_before_is_seen_in_the_answers_of_nodes_that_read_late() -> None:
    one, other = cluster()
    bob = Guest(other)
    settle(one, other)
    one.hub.of("/").to(bob.id).enter("red")
    asked = asyncio.ensure_future(one.hub.of("/").to("red").fetch())
    for _ in range(5):
        one.write()
        one.read()
        await asyncio.sleep(0)
    assert one.stream.published != []
    other.write()
    assert [kind for kind in kinds(one) if kind == 8] == []
    other.read()
    found = await done(asyncio.wait_for(asked, 5), one, other)
    assert [client.id for client in found] == [bob.id]


async def publishes(node: FakeNode, number: int = 1) -> dict[int, str]:
    """Wait for requests; return the id of the last by its type."""
    while len(node.stream.published) < number:
        await asyncio.sleep(0)
        settle(node)
    return {message["type"]: message["data"]["requestId"] for _, message in node.stream.published}


def kinds(node: FakeNode) -> list[int]:
    """The types of all that was published."""
    return [message["type"] for _, message in node.stream.published]


@pytest.mark.gen_test
async def test_a_call_asks_the_clients_of_all_nodes() -> None:
    nodes = cluster(3)
    ann, bob, cid = (Guest(node) for node in nodes)
    call = nodes[0].hub.of("/").call("who", {"b": b"\x01"}, timeout=5)
    acks, *_ = await asyncio.gather(done(call, *nodes), ann.answers("Ann"), bob.answers("Bob", 2), cid.answers())
    assert (acks, acks.missing) == ({ann.id: "Ann", bob.id: ("Bob", 2), cid.id: None}, [])
    for guest in (ann, bob, cid):
        assert guest.transport.received[-1] == b"\x01"
    assert kinds(nodes[0]) == [3, 11, 11, *[12] * 2]


@pytest.mark.gen_test
async def test_clients_and_nodes_that_do_not_answer_are_named() -> None:
    nodes = cluster(3)
    ann, bob, cid = (Guest(node) for node in nodes)
    settle(*nodes)
    nodes[2].hangs = True
    everyone = nodes[0].hub.of("/")
    acks, _ = await asyncio.gather(done(everyone.call("who", timeout=0.05), *nodes), bob.answers("Bob"))
    assert (acks, acks.missing) == ({bob.id: "Bob"}, [ann.id, "c"])
    found = await done(everyone.fetch(timeout=0.05), *nodes)
    assert ({client.id for client in found}, found.missing) == ({ann.id, bob.id}, ["c"])
    answers = await done(nodes[0].hub.call_nodes("/", "sum", 1, timeout=0.05), *nodes)
    assert (answers, answers.missing) == ({"b": {"sum": 1}}, ["c"])
    nodes[2].hangs = False
    found = await done(everyone.fetch(), *nodes)
    assert ({client.id for client in found}, found.missing) == ({ann.id, bob.id, cid.id}, [])


@pytest.mark.gen_test
async def test_a_question_ends_when_a_node_is_gone() -> None:
    nodes = cluster(3)
    settle(*nodes)
    nodes[2].hangs = True
    asked = asyncio.ensure_future(nodes[0].hub.of("/").fetch(timeout=60))
    for _ in range(5):
        settle(*nodes[:2])
        await asyncio.sleep(0)
    assert not asked.done()
    nodes[0].cluster.put(nodes[0].cluster.roster._changes.say(gone=nodes[2].cluster.uid))
    found = await done(asyncio.wait_for(asked, 5), *nodes)
    assert found.missing == [nodes[2].cluster.uid]


@pytest.mark.gen_test
async def test_without_redis_the_own_clients_answer_and_all_nodes_are_missing() -> None:
    one, other = cluster()
    ann, _ = Guest(one), Guest(other)
    settle(one, other)
    one.lose()
    everyone = one.hub.of("/")
    found = await everyone.fetch()
    assert ([client.id for client in found], found.missing) == ([ann.id], ["b"])
    acks, _ = await asyncio.gather(everyone.call("who"), turning(one, ann.answers("Ann")))
    assert (acks, acks.missing) == ({ann.id: "Ann"}, ["b"])
    assert (await one.hub.call_nodes("/", "sum")).missing == ["b"]
    one.hub.emit_to_nodes("/", "sum")
    settle(one, other)
    assert other.hub.settings == {}


async def turning(node: FakeNode, work: Coroutine[Any, Any, None]) -> None:
    """Let a node's clients hear while something waits for that."""
    task = asyncio.ensure_future(work)
    while not task.done():
        node.loop.turn()
        await asyncio.sleep(0)


@pytest.mark.gen_test
async def test_redis_that_goes_away_ends_a_question_with_what_has_come() -> None:
    nodes = cluster(3)
    ann = Guest(nodes[0])
    settle(*nodes)
    nodes[2].hangs = True
    asked = [
        asyncio.ensure_future(question)
        for question in (
            nodes[0].hub.of("/").fetch(timeout=60),
            nodes[0].hub.call_nodes("/", "sum", timeout=60),
            nodes[0].hub.of("/").to("nobody").call("who", timeout=60),
        )
    ]
    for _ in range(5):
        settle(*nodes[:2])
        await asyncio.sleep(0)
    nodes[0].hub.of("/").emit("unread")
    waiting = asyncio.ensure_future(nodes[0].hub.of("/").fetch(timeout=60))
    await asyncio.sleep(0)
    nodes[0].lose()
    found, answers, acks, late = await asyncio.wait_for(asyncio.gather(*asked, waiting), 5)
    assert ([client.id for client in found], found.missing) == ([ann.id], ["c"])
    assert (answers, answers.missing) == ({"b": {"sum": 0}}, ["c"])
    assert (acks, acks.missing) == ({}, ["c"])
    assert ([client.id for client in late], late.missing) == ([ann.id], ["b", "c"])


@pytest.mark.gen_test
async def test_events_for_nodes_reach_all_others_and_are_answered_by_name(caplog: pytest.LogCaptureFixture) -> None:
    nodes = cluster(3)
    settle(*nodes)
    hub = nodes[0].hub
    answers = await done(hub.call_nodes("/", "sum", 1, 2), *nodes)
    assert (answers, answers.missing) == ({"b": {"sum": 3}, "c": {"sum": 3}}, [])
    answers = await done(hub.call_nodes("/", "later", b"\x01"), *nodes)
    assert answers == {"b": [b"\x01"], "c": [b"\x01"]}
    hub.emit_to_nodes("/", "told", {"a": 1})
    settle(*nodes)
    answers = await done(hub.call_nodes("/", "fail", timeout=0.05), *nodes)
    assert (answers, answers.missing) == ({}, ["b", "c"])
    assert "Answerer.node_event" in caplog.text
    expected = [["/", "sum", 1, 2], ["/", "later", b"\x01"], ["/", "told", {"a": 1}], ["/", "fail"]]
    assert [node.hub.settings.get("events") for node in nodes] == [None, expected, expected]


# -- Node's servers


@pytest.mark.parametrize(("what", "raw"), RECORDED)
def test_every_recorded_message_is_decoded_and_encoded_again(what: str, raw: bytes) -> None:
    message = decode_message(raw, 1_000_000)
    assert message is not None
    again = msgpack.unpackb(encode_message(message.kind, message.namespace, message.uid, message.data))
    assert again == msgpack.unpackb(raw), what


def asks(node: FakeNode, kind: int, **data: Any) -> None:
    """Let Node's server publish."""
    message = {"type": kind, "data": {"requestId": "r1", **data}, "uid": NODE, "nsp": "/"}
    node.cluster.questions.hear(msgpack.packb(message))


def told(node: FakeNode) -> list[tuple[int, Any]]:
    """What Node's server was told."""
    settle(node)
    answers = [message for to, message in node.stream.published if to == NODE]
    assert all((m["uid"], m["nsp"], m["data"]["requestId"]) == (node.cluster.uid, "/", "r1") for m in answers)
    return [(message["type"], {**message["data"], "requestId": ""}) for message in answers]


OPTIONS = {"rooms": [], "except": [], "flags": {}}
QUESTION = {"type": 2, "data": ["who", "x"]}


@pytest.mark.gen_test
async def test_a_fetch_of_node_is_answered_without_headers() -> None:
    node, _ = cluster()
    ann = Guest(node, {"name": "Ann"})
    ann.handler.enter("red")
    asks(node, 7, opts=OPTIONS)
    handshake = {
        "headers": {}, "address": "192.0.2.1", "xdomain": False, "secure": False, "query": {}, "auth": {"name": "Ann"},
    }  # fmt: skip
    sockets = [{"id": ann.id, "handshake": handshake, "rooms": [ann.id, "red"], "data": {}}]
    assert told(node) == [(8, {"requestId": "", "sockets": sockets})]
    asks(node, 7, opts={**OPTIONS, "rooms": ["blue"]})
    asks(node, 7, opts={**OPTIONS, "except": ["red"]})
    assert told(node)[1:] == [(8, {"requestId": "", "sockets": []})] * 2


@pytest.mark.gen_test
async def test_a_broadcast_with_ack_of_node_is_answered_by_a_count_and_each_ack() -> None:
    node, _ = cluster()
    ann, bob = Guest(node), Guest(node)
    asks(node, 3, packet=QUESTION, opts={**OPTIONS, "flags": {"timeout": 50}})
    await asyncio.gather(*(turning(node, guest.answers(text, 2)) for guest, text in ((bob, "Bob"), (ann, "Ann"))))
    for _ in range(3):
        await asyncio.sleep(0)
    (count, asked), *acks = told(node)
    assert (count, asked["clientCount"]) == (11, 2)
    assert sorted((kind, ack["packet"], ack["sid"]) for kind, ack in acks) == sorted(
        [(12, "Bob", bob.id), (12, "Ann", ann.id)]
    )
    assert heard(ann.transport, "who") == []  # it has an id
    asks(node, 3, packet=QUESTION, opts={**OPTIONS, "rooms": ["nobody"]})
    await asyncio.sleep(0)
    assert told(node)[-1] == (11, {"requestId": "", "clientCount": 0, "sids": []})


@pytest.mark.gen_test
async def test_a_client_that_leaves_or_is_too_late_is_waited_for_until_the_deadline() -> None:
    node, _ = cluster()
    ann, bob = Guest(node), Guest(node)
    asks(node, 3, packet=QUESTION, opts={**OPTIONS, "flags": {"timeout": 20}})
    await asyncio.sleep(0)
    ann.transport.session.close("transport close")
    client = node.hub.namespaces["/"].clients[bob.id]
    while client._acks:
        await asyncio.sleep(0.005)
    node.loop.turn()
    bob.answer("late")
    await asyncio.sleep(0)
    assert [kind for kind, _ in told(node)] == [11]


@pytest.mark.gen_test
async def test_events_of_node_s_servers_are_answered_once() -> None:
    node, _ = cluster()
    asks(node, 9, packet=["sum", 1, 2])
    asks(node, 9, packet=["told"], requestId=None)
    asks(node, 9, packet=["other"])
    for _ in range(3):
        await asyncio.sleep(0)
    assert told(node) == [(10, {"requestId": "", "packet": {"sum": 3}}), (10, {"requestId": "", "packet": None})]
    node.stream.add({"uid": NODE, "nsp": "/", "type": "9", "data": '{"packet":["streamed",5]}'})
    settle(node)
    await asyncio.sleep(0)
    assert node.hub.settings["events"][-1] == ["/", "streamed", 5]


@pytest.mark.gen_test
async def test_node_s_servers_answer_ours() -> None:
    (node,) = cluster(1)
    node.stream.strangers = [NODE]
    fetch = asyncio.ensure_future(node.hub.of("/").fetch())
    call = asyncio.ensure_future(node.hub.of("/").call("who"))
    events = asyncio.ensure_future(node.hub.call_nodes("/", "hello"))
    requests = await publishes(node, 3)
    handshake = {"headers": {"cookie": "x"}, "address": "::1", "secure": True, "query": {"EIO": "4"}, "auth": {"a": 1}}
    asks(
        node,
        8,
        requestId=requests[7],
        sockets=[{"id": "i", "handshake": handshake, "rooms": ["i", "r"], "data": {"n": 1}}],
    )
    asks(node, 12, requestId=requests[3], packet="early")
    asks(node, 11, requestId=requests[3], clientCount=2)
    for packet in ("one", "two", "three"):
        asks(node, 12, requestId=requests[3], packet=packet)
    asks(node, 10, requestId=requests[9], packet={"from": 1})
    asks(node, 10, requestId=requests[9], packet="twice")
    found = await fetch
    assert found == [FetchedClient("i", frozenset("r"), {"n": 1}, {"a": 1}, "::1", {"EIO": "4"}, "https", NODE)]
    acks = await call
    assert (acks, acks.missing) == ({f"{NODE}/1": "one", f"{NODE}/2": "two"}, [])
    assert await events == Acks({NODE: {"from": 1}}, [])
    assert not node.cluster.questions._open


@pytest.mark.gen_test
async def test_a_server_of_node_s_that_hangs_is_missing() -> None:
    (node,) = cluster(1)
    node.stream.strangers = [NODE]
    found = await done(node.hub.of("/").fetch(timeout=0.02), node)
    assert (found, found.missing) == ([], ["unknown"])
    call = asyncio.ensure_future(node.hub.of("/").call("who", timeout=0.05))
    request = (await publishes(node, 2))[3]
    asks(node, 11, requestId=request, clientCount=2)
    asks(node, 12, requestId=request, packet=1)
    acks = await call
    assert (acks, acks.missing) == ({f"{NODE}/1": 1}, [f"{NODE}/2"])


# -- malformed


def published(kind: Any, data: Any, **changed: Any) -> bytes:
    return msgpack.packb({"type": kind, "data": data, "uid": NODE, "nsp": "/", **changed})


POISONS = [
    b"", b"\xc1", b"\x93", msgpack.packb(5), msgpack.packb([]), b"\x91" * 1100,
    published("3", {}), published(True, {}), published(7, None), published(7, []), published(7, {}),
    published(7, {"requestId": "r"}), published(7, {"requestId": 5, "opts": OPTIONS}),
    published(7, {"requestId": "r" * 65, "opts": OPTIONS}),
    published(7, {"requestId": "r", "opts": OPTIONS}, uid=5),
    published(7, {"requestId": "r", "opts": OPTIONS}, uid=""),
    published(7, {"requestId": "r", "opts": OPTIONS}, nsp="no"),
    published(7, {"requestId": "r", "opts": OPTIONS}, nsp=5),
    published(7, {"requestId": "r", "opts": {"rooms": [5], "except": []}}),
    published(7, {"requestId": "r", "opts": {"rooms": "r", "except": []}}),
    published(3, {"packet": QUESTION, "opts": OPTIONS}),
    published(3, {"requestId": "r", "opts": OPTIONS}),
    published(3, {"requestId": "r", "packet": {"type": 1, "data": ["x"]}, "opts": OPTIONS}),
    published(3, {"requestId": "r", "packet": {"type": 2, "data": ["disconnect"]}, "opts": OPTIONS}),
    published(3, {"requestId": "r", "packet": {"type": 2, "data": []}, "opts": OPTIONS}),
    published(3, {"requestId": "r", "packet": {"type": 2, "data": ["x", "y" * 2_000_000]}, "opts": OPTIONS}),
    published(9, {"packet": []}), published(9, {"packet": "hello"}), published(9, {"packet": ["connect"]}),
    published(9, {"packet": ["x"], "requestId": 7}),
]  # fmt: skip
BAD_ANSWERS = [
    (8, {}), (8, {"sockets": [5]}), (8, {"sockets": [{"id": "i"}]}), (8, {"sockets": {"id": "i"}}),
    (8, {"sockets": [{"id": "", "handshake": {}, "rooms": []}]}),
    (8, {"sockets": [{"id": "i", "handshake": {}, "rooms": [1]}]}),
    (11, {}), (11, {"clientCount": -1}), (11, {"clientCount": 10**9}), (11, {"clientCount": True}),
    (11, {"clientCount": 2, "sids": ["i"]}), (11, {"clientCount": 1, "sids": [5]}),
]  # fmt: skip


@pytest.mark.gen_test
@pytest.mark.parametrize("poison", POISONS)
async def test_a_poison_drops_itself_and_nothing_else(poison: bytes) -> None:
    node, other = cluster()
    ann = Guest(node)
    before = set(node.hub.namespaces)
    node.cluster.questions.hear(poison)
    await asyncio.sleep(0)
    assert sum(node.cluster.dropped.values()) == 1
    assert set(node.hub.namespaces) == before
    assert [client.id for client in await done(other.hub.of("/").fetch(), node, other)] == [ann.id]


@pytest.mark.gen_test
@pytest.mark.parametrize(("kind", "data"), BAD_ANSWERS)
async def test_a_malformed_answer_counts_as_none(kind: int, data: dict[str, Any]) -> None:
    (node,) = cluster(1)
    node.stream.strangers = [NODE]
    everyone = node.hub.of("/")
    question = everyone.fetch(timeout=0.02) if kind == 8 else everyone.call("who", timeout=0.02)
    asked = asyncio.ensure_future(question)
    (request,) = (await publishes(node)).values()
    asks(node, kind, **{**data, "requestId": request})
    answer: Any = await asked
    assert (list(answer), answer.missing) == ([], ["unknown"])
    assert sum(node.cluster.dropped.values()) == 1


@pytest.mark.gen_test
async def test_answers_of_another_kind_or_to_nothing_are_ignored() -> None:
    (node,) = cluster(1)
    node.stream.strangers = [NODE]
    asked = asyncio.ensure_future(node.hub.of("/").fetch(timeout=0.02))
    request = (await publishes(node))[7]
    asks(node, 11, requestId=request, clientCount=1)
    asks(node, 12, requestId=request, packet=1)
    asks(node, 10, requestId=request, packet=1)
    asks(node, 8, requestId="another", sockets=[])
    asks(node, 99, requestId=request)
    assert (await asked).missing == ["unknown"]
    assert node.cluster.dropped == {}


@pytest.mark.gen_test
async def test_a_question_for_a_namespace_that_is_not_there_is_answered_and_makes_none() -> None:
    node, _ = cluster()
    for kind, data in ((7, {}), (3, {"packet": QUESTION}), (9, {"packet": ["sum"]})):
        message = published(kind, {"requestId": "r", "opts": OPTIONS, **data}, nsp="/no")
        node.cluster.questions.hear(message)
    settle(node)
    assert [(m["type"], m["nsp"]) for to, m in node.stream.published if to == NODE] == [
        (8, "/no"), (11, "/no"), (10, "/no"),
    ]  # fmt: skip
    assert "/no" not in node.hub.namespaces


def test_sizes_are_bounded_before_decoding() -> None:
    with pytest.raises(MalformedError, match="size"):
        decode_message(b"\xc0" * ((16 << 20) + 1), 1_000_000)


class Silent(SocketIOHandler):
    """Has no answer for nodes."""


@pytest.mark.gen_test
async def test_without_a_method_the_answer_is_none() -> None:
    stream = FakeStream()
    one, other = (FakeNode(stream, name, handler=Silent) for name in "ab")
    settle(one, other)
    assert await done(one.hub.call_nodes("/", "hello"), one, other) == {"b": None}
