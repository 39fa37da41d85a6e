"""Actions and messages of the classic adapter: recorded, generated, and malformed."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgpack
import pytest
from fake_stream import FakeNode, FakeStream, heard, settle
from hypothesis import given
from hypothesis import strategies as st
from test_stream_format import DEEP, EVENTS, JSON, NAMES, NAMESPACES, OBJECTS, VECTORS, broadcast, read, shown

from handlers.socketio.actions import Action, ActionKind
from handlers.socketio.cluster.classic_format import ClassicMessage, decode_message, encode_message
from handlers.socketio.cluster.classic_requests import ROOMS, RoomsQuestion, decode_answer, encode_request
from handlers.socketio.cluster.emitted import Emitted
from handlers.socketio.cluster.errors import MalformedError
from handlers.socketio.cluster.request_format import Kind, Published
from handlers.socketio.cluster.stream_format import ServerEvent
from handlers.socketio.message import RESERVED_EVENTS

SENDERS = ("classic 8.3.0", "redis-emitter", "socket.io-python-emitter")
RECORDED = [
    pytest.param(wire, vector.get("heard"), id=f"{vector['adapter']} {vector['js']}")
    for vector in VECTORS
    if vector["adapter"].startswith(SENDERS)
    for wire in vector["wire"]
    if "PUBLISH" in wire
]
OTHER_FLAGS = {"compress", "expectSingleResponse", "timeout"}
"""What only Node's servers have."""


def payload_of(wire: dict[str, Any]) -> bytes:
    return bytes.fromhex(wire["hex"]) if "hex" in wire else wire["text"].encode()


def decode(channel: str, payload: Any, max_size: int = 1_000_000) -> ClassicMessage:
    raw = payload if isinstance(payload, bytes) else msgpack.packb(payload)
    return decode_message(channel.encode(errors="surrogateescape"), raw, "socket.io", max_size)


def plain(payload: bytes) -> Any:
    """A message as a value, without what only others write."""
    if payload.startswith(b"{"):
        return json.loads(payload)
    uid, packet, options = msgpack.unpackb(payload, timestamp=3, strict_map_key=False)
    flags = {key: value for key, value in dict(options["flags"] or {}).items() if key not in OTHER_FLAGS}
    return [uid, packet, {"rooms": options["rooms"] or [], "except": options.get("except", []), "flags": flags}]


def loads(payload: bytes) -> Any:
    return json.loads(payload) if payload.startswith(b"{") else msgpack.unpackb(payload)


@pytest.mark.parametrize(("wire", "heard"), RECORDED)
def test_every_recorded_message_is_decoded_and_encoded_again(wire: dict[str, Any], heard: Any) -> None:
    payload = payload_of(wire)
    uid, content = decode(wire["PUBLISH"], payload)
    if content is None:
        assert "rooms" in loads(payload)  # an answer with rooms, for which no node of ours asks
        return
    if isinstance(content, RoomsQuestion):
        assert {"type": ROOMS, "uid": content.uid, "requestId": content.request} == loads(payload)
        return
    if isinstance(content, Published):
        again = encode_request(content.kind, content.namespace, content.uid, content.data)
        assert again.startswith(b"{") == payload.startswith(b"{")
        assert loads(again) == {"uid": "", **loads(payload)}
        return
    if heard and isinstance(content, Action) and content.packets:
        by_wire = [client[1:] for client in heard if client[0] != "ann"]
        assert shown(read(content)) in by_wire
    if any(value in payload for value in (b"\xcb\x7f", b"\xd6\xff", b"\xd7\xff", b"\xc7\x0c")):
        return  # NaN and dates, which JSON has not
    channel, ours = encode_message(content, uid, "socket.io")
    several = len(content.rooms) > 1 if isinstance(content, Action) else False
    assert channel == wire["PUBLISH"] or (several and uid == "emitter")  # the Python port sends it once for each room
    assert plain(ours) == {"uid": "", **plain(payload)} if payload.startswith(b"{") else plain(payload)


def test_there_are_messages_of_all_senders() -> None:
    assert len(RECORDED) > 50


def test_a_message_of_ours_has_the_bytes_of_Nodes() -> None:
    assert encode_message(broadcast("/", "news", {"msg": "hi", "count": 2}), "70_UNp", "socket.io") == (
        "socket.io#/#",
        bytes.fromhex(
            "93a637305f554e7083a47479706502a46461746192a46e65777382a36d7367a26869a5636f756e7402a36e7370a12f"
            "83a5726f6f6d7390a665786365707490a5666c61677380"
        ),
    )


@given(
    namespace=NAMESPACES, event=EVENTS, args=st.lists(JSON | st.binary(max_size=9) | OBJECTS, max_size=3),
    rooms=st.lists(NAMES, max_size=3).map(tuple), excepted=st.lists(NAMES, max_size=3).map(tuple),
    volatile=st.booleans(), keep=st.integers(0, 100),
)  # fmt: skip
def test_an_event_survives_the_way_there_and_back(namespace, event, args, rooms, excepted, volatile, keep) -> None:
    said = broadcast(namespace, event, *args, rooms=rooms, excepted=excepted, volatile=volatile, keep=keep)
    channel, payload = encode_message(said, "abcdef", "socket.io")
    uid, content = decode(channel, payload)
    assert (uid, read(content)) == ("abcdef", read(said))
    assert content._replace(packets=()) == said._replace(packets=())


@given(
    kind=st.sampled_from([ActionKind.ENTER, ActionKind.LEAVE, ActionKind.DISCONNECT]), namespace=NAMESPACES,
    rooms=st.lists(NAMES, max_size=2).map(tuple), names=st.lists(NAMES, max_size=3).map(tuple), close=st.booleans(),
)  # fmt: skip
def test_what_is_done_with_clients_survives(kind, namespace, rooms, names, close) -> None:
    leaving = kind is ActionKind.DISCONNECT
    done = Action(kind, namespace, rooms=rooms, names=() if leaving else names, close=leaving and close)
    assert decode(*encode_message(done, "abcdef", "socket.io")) == ("abcdef", done)


@given(namespace=NAMESPACES, event=EVENTS, args=st.lists(JSON, max_size=3))
def test_an_event_for_servers_survives(namespace: str, event: str, args: list[Any]) -> None:
    said = ServerEvent(namespace, event, args)
    assert decode(*encode_message(said, "abcdef", "socket.io")).content == said


IDS = st.text("abc_-09", min_size=1, max_size=6)
OPTIONS = st.fixed_dictionaries({"rooms": st.lists(NAMES), "except": st.lists(NAMES)})
VALUES = JSON | st.binary(max_size=9)
QUESTIONS: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.FETCH: st.fixed_dictionaries({"requestId": IDS, "opts": OPTIONS}),
    Kind.CALL: st.fixed_dictionaries(
        {"requestId": IDS, "opts": OPTIONS, "packet": st.just({"type": 2, "data": ["who", b"\x01"], "nsp": "/"})}
    ),
    Kind.SERVER_EVENT: st.fixed_dictionaries({"requestId": IDS, "packet": st.lists(VALUES)}),
}
ANSWERS: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.FETCHED: st.fixed_dictionaries({"requestId": IDS, "sockets": st.lists(JSON)}),
    Kind.SERVER_ANSWER: st.fixed_dictionaries({"requestId": IDS, "packet": VALUES}),
    Kind.CLIENT_COUNT: st.fixed_dictionaries(
        {"requestId": IDS, "clientCount": st.integers(0, 9), "sids": st.lists(IDS)}
    ),
    Kind.ACK: st.fixed_dictionaries({"requestId": IDS, "packet": VALUES, "sid": IDS, "more": st.lists(VALUES)}),
}


def of_kind(strategies: dict[Kind, st.SearchStrategy[Any]]) -> st.SearchStrategy[tuple[Kind, Any]]:
    return st.one_of(*(st.tuples(st.just(kind), data) for kind, data in strategies.items()))


@pytest.mark.parametrize(("place", "strategies"), [("request", QUESTIONS), ("response", ANSWERS)])
@given(data=st.data())
def test_questions_and_answers_survive(place: str, strategies: Any, data: st.DataObject) -> None:
    kind, said = data.draw(of_kind(strategies))
    message = decode(f"socket.io-{place}#/#", encode_request(kind, "/", "abcdef", said)).content
    assert isinstance(message, Published)
    assert (message.kind, message.uid, message.request) == (kind, "abcdef", said["requestId"])
    assert {name: message.data[name] for name in said} == said


EVENT_CHANNEL, REQUEST_CHANNEL, RESPONSE_CHANNEL = "socket.io#/#", "socket.io-request#/#", "socket.io-response#/#"


def event(*args: Any, packet: Any = None, options: Any = None, uid: Any = "abcdef") -> list[Any]:
    plain = {"rooms": [], "except": [], "flags": {}}
    sent = {"type": 2, "data": list(args), "nsp": "/"}
    return [uid, sent if packet is None else packet, plain if options is None else options]


def request(**members: Any) -> bytes:
    return json.dumps({"opts": {"rooms": [], "except": []}, **members}).encode()


POISONS: dict[str, tuple[str, Any]] = {
    "nothing": (EVENT_CHANNEL, b""),
    "one bad byte": (EVENT_CHANNEL, b"\xc1"),
    "half of a message": (EVENT_CHANNEL, b"\x93\x01"),
    "two messages": (EVENT_CHANNEL, b"\x01\x01"),
    "a huge length": (EVENT_CHANNEL, b"\xdd\xff\xff\xff\xff"),
    "2,000 levels": (EVENT_CHANNEL, b"\x91" * 2000 + b"\x01"),
    "half of a surrogate pair": (EVENT_CHANNEL, b"\x91\xa3\xed\xa0\x80"),
    "an unknown extension": (EVENT_CHANNEL, event("news", msgpack.ExtType(9, b""))),
    "a number": (EVENT_CHANNEL, 1),
    "a text": (EVENT_CHANNEL, "news"),
    "two elements, as old ports": (EVENT_CHANNEL, event("news")[1:]),
    "four elements": (EVENT_CHANNEL, [*event("news"), 1]),
    "a uid that is no text": (EVENT_CHANNEL, event("news", uid=1)),
    "a long uid": (EVENT_CHANNEL, event("news", uid="x" * 65)),
    "a packet that is an array": (EVENT_CHANNEL, event(packet=[])),
    "a packet without data": (EVENT_CHANNEL, event(packet={"type": 2, "nsp": "/"})),
    "a namespace that is no text": (EVENT_CHANNEL, event(packet={"type": 2, "nsp": 1, "data": ["news"]})),
    "a namespace of another channel": (EVENT_CHANNEL, event(packet={"type": 2, "nsp": "/b", "data": ["news"]})),
    "a namespace without slash": ("socket.io#a#", event(packet={"type": 2, "nsp": "a", "data": ["news"]})),
    "no event": (EVENT_CHANNEL, event()),
    "an event that is a number": (EVENT_CHANNEL, event(1)),
    **{f"the event {name}": (EVENT_CHANNEL, event(name)) for name in sorted(RESERVED_EVENTS)},
    **{
        f"a packet of type {kind!r}": (EVENT_CHANNEL, event(packet={"type": kind, "nsp": "/", "data": ["news"]}))
        for kind in (0, 1, 3, 4, 6, True, "2", None)
    },
    "too deep": (EVENT_CHANNEL, event("news", DEEP)),
    "too large": (EVENT_CHANNEL, event("news", "x" * 2_000_000)),
    "eleven attachments": (EVENT_CHANNEL, event("news", *[b"v"] * 11)),
    "a date of year 300000": (EVENT_CHANNEL, event("news", msgpack.Timestamp(10**13))),
    "options that are an array": (EVENT_CHANNEL, event("news", options=[])),
    "options that are a text": (EVENT_CHANNEL, event("news", options="")),
    "rooms that are 0": (EVENT_CHANNEL, event("news", options={"rooms": 0})),
    "rooms that are false": (EVENT_CHANNEL, event("news", options={"rooms": False})),
    "rooms that are an object": (EVENT_CHANNEL, event("news", options={"rooms": {}})),
    "rooms that are no texts": (EVENT_CHANNEL, event("news", options={"rooms": [1]})),
    "exceptions that are a text": (EVENT_CHANNEL, event("news", options={"except": "a"})),
    "flags that are an array": (EVENT_CHANNEL, event("news", options={"flags": [1]})),
    "keep below 0": (EVENT_CHANNEL, event("news", options={"flags": {"keep": -1}})),
    "another channel": ("socket.io", event("news")),
    "a channel without end": ("socket.io#/", event("news")),
    "a channel without UTF-8": ("socket.io#/#\udcff#", event("news")),
    "a request without JSON": (REQUEST_CHANNEL, b"{"),
    "a request with NaN": (REQUEST_CHANNEL, b'{"type":NaN}'),
    "a request that is an array": (REQUEST_CHANNEL, [1]),
    "a request without type": (REQUEST_CHANNEL, request()),
    "a request whose type is true": (REQUEST_CHANNEL, request(type=True)),
    "a request whose type is a text": (REQUEST_CHANNEL, request(type="2")),
    "a request of a uid that is no text": (REQUEST_CHANNEL, request(type=2, rooms=["a"], uid=1)),
    "a request without opts": (REQUEST_CHANNEL, b'{"type":2,"rooms":["a"]}'),
    "a request without rooms": (REQUEST_CHANNEL, request(type=2)),
    "rooms to enter that are no texts": (REQUEST_CHANNEL, request(type=2, rooms=[None])),
    "rooms to leave that are a text": (REQUEST_CHANNEL, request(type=3, rooms="a")),
    "close that is a number": (REQUEST_CHANNEL, request(type=4, close=1)),
    "opts that are an array": (REQUEST_CHANNEL, b'{"type":4,"opts":[]}'),
    "a request too deep": (REQUEST_CHANNEL, b"[" * 300 + b"]" * 300),
    "an event for servers without name": (REQUEST_CHANNEL, request(type=6, data=[])),
    "an event for servers named disconnect": (REQUEST_CHANNEL, request(type=6, data=["disconnect"])),
    **{
        f"a question of type {kind} from nobody": (REQUEST_CHANNEL, request(type=kind, requestId="r", data=["x"]))
        for kind in (1, 5, 6, 7)
    },
    "a question without id": (REQUEST_CHANNEL, request(type=5, uid="abcdef")),
    "a question whose id is a number": (REQUEST_CHANNEL, request(type=5, uid="abcdef", requestId=1)),
    "a question whose id is long": (REQUEST_CHANNEL, request(type=5, uid="abcdef", requestId="r" * 65)),
    "a question of a long uid": (REQUEST_CHANNEL, request(type=5, uid="u" * 65, requestId="r")),
    "a question of a uid without letters": (REQUEST_CHANNEL, request(type=1, uid="", requestId="r")),
    "a request of no namespace": ("socket.io-request#", request(type=4)),
    "a request of a namespace without slash": ("socket.io-request#a#", request(type=4)),
    "a request of a namespace without end": ("socket.io-request#/", request(type=4)),
}


@pytest.mark.parametrize(("channel", "payload"), POISONS.values(), ids=POISONS.keys())
def test_what_nobody_sends_is_malformed(channel: str, payload: Any) -> None:
    with pytest.raises(MalformedError):
        decode(channel, payload)


KEYS = ["type", "data", "nsp", "rooms", "except", "flags", "opts", "uid", "requestId", "sockets", "clientCount"]


@given(
    st.binary(max_size=80),
    st.sampled_from([EVENT_CHANNEL, REQUEST_CHANNEL, RESPONSE_CHANNEL, "socket.io#/#room#", "x"]),
)
def test_any_bytes_are_decoded_or_malformed(payload: bytes, channel: str) -> None:
    with suppress(MalformedError):
        decode(channel, payload)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 9) | st.text(max_size=3) | st.sampled_from(["/", "news"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    ),
    st.sampled_from([EVENT_CHANNEL, REQUEST_CHANNEL, RESPONSE_CHANNEL]),
)
def test_any_value_is_decoded_or_malformed(value: Any, channel: str) -> None:
    with suppress(MalformedError):
        decode(channel, value)


@pytest.mark.parametrize("kind", [0, 8, 9, 100, -1, 2**64 - 1, 10**30])
def test_requests_of_unknown_types_are_ignored(kind: int) -> None:
    assert decode(REQUEST_CHANNEL, request(type=kind)).content is None
    assert decode_answer("/", {"type": kind if kind > 9 else 0, "requestId": "r"}) is None


def test_an_answer_may_be_larger_than_a_packet_but_not_by_much() -> None:
    large = b'{"requestId":"r","sockets":["' + b"x" * 4_000_000 + b'"]}'
    assert decode(RESPONSE_CHANNEL, large).content is not None
    with pytest.raises(MalformedError, match="size"):
        decode(RESPONSE_CHANNEL, b"x" * (17 << 20))


def test_a_message_of_a_streams_cluster_is_ignored() -> None:
    assert decode(EVENT_CHANNEL, {"type": 3, "data": {}, "uid": "x", "nsp": "/"}).content is None


def test_the_python_emitters_empty_texts_mean_everyone() -> None:
    sent = ["emitter", {"data": ["news", 1], "type": 2}, {"flags": "", "rooms": ""}]
    expected = broadcast("/", "news", 1)
    uid, content = decode(EVENT_CHANNEL, sent)
    assert (uid, content._replace(packets=())) == ("emitter", expected._replace(packets=()))


# -- what a node does with what it hears of emitters


def hears(prefix: str = "socket.io") -> tuple[FakeNode, Emitted, list[Any]]:
    """A node that hears emitters, with ann, and bob in a room."""
    node = FakeNode(FakeStream())
    ann, bob = node.client(), node.client()
    settle(node)
    list(node.hub.namespaces["/"].clients.values())[1].enter("room1")
    return node, Emitted(node.cluster, prefix), [ann, bob]


def test_emitters_reach_the_clients_that_they_mean() -> None:
    node, emitted, (ann, bob) = hears()
    said = [
        ("socket.io#/#", event("said", "all", uid="emitter")),
        ("socket.io#/#room1#", event("said", "room", options={"rooms": ["room1"], "flags": {}}, uid="emitter")),
        ("socket.io#/#", event("said", "except", options={"except": ["room1"]}, uid="emitter")),
        ("socket.io#/#", event("said", "a server's")),
        ("socket.io#/elsewhere#", event(packet={"type": 2, "nsp": "/elsewhere", "data": ["said"]}, uid="emitter")),
        ("socket.io#/#", ["emitter", {"type": 5, "data": ["said", "port"]}, {"rooms": "", "flags": ""}]),
    ]
    for channel, value in said:
        emitted.hear(channel.encode(), msgpack.packb(value))
        node.loop.turn()
    assert (heard(ann), heard(bob)) == ([["all"], ["except"], ["port"]], [["all"], ["room"], ["port"]])
    assert set(node.hub.namespaces) == {"/"}
    assert not node.cluster.dropped
    emitted.hear(b"socket.io-request#/#", b'{"type":4,"opts":{"rooms":["room1"],"except":[]},"close":true}')
    node.loop.turn()
    assert len(node.hub.namespaces["/"].known) == 1
    emitted.hear(b"socket.io-request#/#", b'{"uid":"abcdef","type":4,"opts":{"rooms":[],"except":[]},"close":true}')
    node.loop.turn()
    assert len(node.hub.namespaces["/"].known) == 1


@pytest.mark.parametrize(("channel", "payload"), POISONS.values(), ids=POISONS.keys())
def test_a_poison_drops_one_message_and_nothing_else(channel: str, payload: Any) -> None:
    node, emitted, (ann, bob) = hears()
    raw = payload if isinstance(payload, bytes) else msgpack.packb(payload)
    emitted.hear(channel.encode(errors="surrogateescape"), raw)
    emitted.hear(b"socket.io#/#", msgpack.packb(event("said", 1, uid="emitter")))
    node.loop.turn()
    assert sum(node.cluster.dropped.values()) == 1
    assert heard(ann) == heard(bob) == [[1]]
    assert set(node.hub.namespaces) == {"/"}


def test_a_prefix_with_the_signs_of_patterns_is_taken_by_its_letters() -> None:
    assert hears("a*[b]?\\")[1].patterns == (r"a\*\[b\]\?\\#*", r"a\*\[b\]\?\\-request#*")
