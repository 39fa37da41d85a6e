"""Actions and entries of a stream: recorded, generated, and malformed."""

from __future__ import annotations

import base64
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.socketio.actions import EMIT, Action, ActionKind
from handlers.socketio.cluster.errors import MalformedError
from handlers.socketio.cluster.stream_format import ServerEvent, StreamEntry, decode_entry, encode_entry
from handlers.socketio.message import RESERVED_EVENTS, decode_text, merge_attachments
from handlers.socketio.namespace import event_message, packets

UID = "86f14072ecc7fe4c"
VECTORS = json.loads((Path(__file__).parents[1] / "support" / "redis_vectors.json").read_text())["vectors"]
RECORDED = [
    (wire["fields"], vector.get("heard"))
    for vector in VECTORS
    if vector["adapter"].startswith("streams")
    for wire in vector["wire"]
    if "XADD" in wire
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMESPACES = st.sampled_from(["/", "/admin", "/a[b]", "/é"])
EVENTS = NAMES.filter(lambda name: name not in RESERVED_EVENTS)


def on_the_wire(fields: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in fields.items()}


def decode(fields: dict[str, str], max_size: int = 1_000_000) -> StreamEntry:
    return decode_entry(on_the_wire(fields), max_size)


def broadcast(namespace: str, event: str, *args: Any, **options: Any) -> Action:
    encoded = packets(event_message(namespace, event, args))
    return Action(EMIT, namespace, packets=encoded, event=event, **options)


def read(action: Action) -> Any:
    """The name and arguments of an event."""
    text, *attachments = (packet.data for packet in action.packets)
    message, _ = decode_text(text, 200)
    assert message.namespace == action.namespace
    return merge_attachments(message.data, attachments)


def shown(value: Any) -> Any:
    """A value as the recording shows it."""
    if isinstance(value, bytes):
        return f"<{value.hex()}>"
    if isinstance(value, list):
        return [shown(item) for item in value]
    return {key: shown(item) for key, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize(("fields", "heard"), RECORDED)
def test_every_recorded_entry_is_decoded_and_encoded_again(fields: dict[str, str], heard: Any) -> None:
    entry = decode(fields)
    assert (entry.uid, entry.number) == (fields["uid"], None)
    if "data" not in fields or int(fields["type"]) not in (3, 4, 5, 6, 9):
        assert entry.content is None
        return
    if "requestId" in json.loads(fields["data"]) if fields["data"].startswith("{") else False:
        return  # of 0.2, where questions were in the stream
    assert entry.content is not None
    if heard and fields["type"] == "3":
        assert shown(read(entry.content)) in [client[1:] for client in heard]
    ours = re.sub('"(compress|expectSingleResponse)":(true|false)', "", fields["data"])  # flags that only Node has
    assert encode_entry(entry.content, entry.uid, 7) == {**fields, "data": ours, "n": "7"}


def test_an_entry_of_ours_is_as_the_documents_show_it() -> None:
    assert encode_entry(broadcast("/", "news", {"msg": "hi", "count": 2}), UID, 1) == {
        "uid": UID,
        "nsp": "/",
        "type": "3",
        "data": '{"packet":{"type":2,"data":["news",{"msg":"hi","count":2}]},'
        '"opts":{"rooms":[],"except":[],"flags":{}}}',
        "n": "1",
    }


@given(
    namespace=NAMESPACES, event=EVENTS, args=st.lists(JSON, max_size=3), rooms=st.lists(NAMES, max_size=3).map(tuple),
    excepted=st.lists(NAMES, max_size=3).map(tuple), volatile=st.booleans(), keep=st.integers(0, 100),
    number=st.integers(0, 2**40),
)  # fmt: skip
def test_an_event_survives_the_way_there_and_back(
    namespace, event, args, rooms, excepted, volatile, keep, number
) -> None:
    said = broadcast(namespace, event, *args, rooms=rooms, excepted=excepted, volatile=volatile, keep=keep)
    entry = decode(encode_entry(said, UID, number))
    assert entry.number == number
    assert entry.content == said._replace(packets=tuple(said.packets))


BINARY = st.binary(max_size=9)
OBJECTS = st.dictionaries(NAMES, BINARY | st.integers(-(2**53), 2**53), max_size=2)


@given(namespace=NAMESPACES, event=EVENTS, args=st.lists(BINARY | OBJECTS, min_size=1, max_size=3))
def test_an_event_with_bytes_survives_too(namespace: str, event: str, args: list[Any]) -> None:
    said = broadcast(namespace, event, b"\x00", *args)
    entry = decode(encode_entry(said, UID, 1))
    heard = read(entry.content)
    assert [*map(type, heard[1:])] == [bytes, *map(type, args)]
    assert heard == [event, b"\x00", *args]


@given(
    kind=st.sampled_from([ActionKind.ENTER, ActionKind.LEAVE, ActionKind.DISCONNECT]), namespace=NAMESPACES,
    rooms=st.lists(NAMES, max_size=2).map(tuple), names=st.lists(NAMES, max_size=3).map(tuple), close=st.booleans(),
)  # fmt: skip
def test_what_is_done_with_clients_survives(kind, namespace, rooms, names, close) -> None:
    leaving = kind is ActionKind.DISCONNECT
    done = Action(
        kind, namespace, rooms=rooms, names=() if leaving else names, close=leaving and close, elsewhere=leaving
    )
    assert decode(encode_entry(done, UID, 3)).content == done


@given(namespace=NAMESPACES, event=EVENTS, args=st.lists(JSON, max_size=3))
def test_an_event_for_servers_survives(namespace: str, event: str, args: list[Any]) -> None:
    said = ServerEvent(namespace, event, args)
    assert decode(encode_entry(said, UID, 3)).content == said


def data(**changes: Any) -> dict[str, Any]:
    return {"packet": {"type": 2, "data": ["news", 1]}, "opts": {"rooms": [], "except": [], "flags": {}}, **changes}


def entry(value: Any = None, **fields: str) -> dict[str, str]:
    text = value if isinstance(value, str) else json.dumps(data() if value is None else value, separators=(",", ":"))
    return {"uid": UID, "nsp": "/", "type": "3", "data": text, **fields}


def packed(value: Any) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else msgpack.packb(value)).decode()


def packet(*args: Any, **changes: Any) -> dict[str, Any]:
    return data(packet={"type": 2, "data": list(args), **changes})


DEEP = json.loads("[" * 300 + "]" * 300)
POISONS = {
    "no JSON": entry('{"packet":{"type":2,"data":["news"'),
    "JSON and more": entry('{"packet":{"type":2,"data":["news"]},"opts":{"rooms":[],"except":[],"flags":{}}}}'),
    "NaN": entry('{"packet":{"type":2,"data":["news",NaN]},"opts":{"rooms":[],"except":[],"flags":{}}}'),
    "Infinity": entry('{"packet":{"type":2,"data":["news",-Infinity]},"opts":{"rooms":[],"except":[],"flags":{}}}'),
    "a number beyond floats": entry('{"packet":{"type":2,"data":["news",1e999]},"opts":{"rooms":[],"except":[]}}'),
    "an array": entry("[]"),
    "null": entry("null"),
    "nothing": entry(""),
    "no packet": entry({"opts": {"rooms": [], "except": []}}),
    "no opts": entry({"packet": {"type": 2, "data": ["news"]}}),
    "opts of another type": entry(data(opts=[])),
    "rooms of another type": entry(data(opts={"rooms": "a", "except": []})),
    "rooms that are no texts": entry(data(opts={"rooms": [1], "except": []})),
    "flags of another type": entry(data(opts={"rooms": [], "except": [], "flags": 1})),
    "keep that is no number": entry(data(opts={"rooms": [], "except": [], "flags": {"keep": "many"}})),
    "keep below 0": entry(data(opts={"rooms": [], "except": [], "flags": {"keep": -1}})),
    "no event": entry(packet()),
    "an event without text": entry(packet(1)),
    "an event that is an object": entry(packet({})),
    "data that is an object": entry(data(packet={"type": 2, "data": {}})),
    **{f"the event {name}": entry(packet(name)) for name in sorted(RESERVED_EVENTS)},
    "a CONNECT": entry(packet("news", type=0)),
    "a DISCONNECT": entry(packet("news", type=1)),
    "a type that is true": entry(packet("news", type=True)),
    "a type that is a text": entry(packet("news", type="2")),
    "too deep": entry(packet("news", DEEP)),
    "too deep in opts": entry(data(opts={"rooms": DEEP, "except": []})),
    "too large": entry(packet("news", "x" * 2_000_000)),
    "no UTF-8": {
        **entry(),
        "data": '{"packet":{"type":2,"data":["\udcff"]},"opts":{"rooms":[],"except":[],"flags":{}}}',
    },
    "no base64": entry("%%%%"),
    "empty msgpack": entry(packed(b"")),
    "half of a msgpack": entry(packed(b"\x93\x01")),
    "two msgpacks": entry(packed(b"\x01\x01")),
    "a huge length": entry(packed(b"\xdd\xff\xff\xff\xff")),
    "a huge text": entry(packed(b"\xdb\xff\xff\xff\xff")),
    "an array as key": entry(packed(b"\x81\x90\x01")),
    "bytes as key": entry(packed(packet("news", {b"k": b"v"}))),
    "half of a surrogate pair": entry(packed(b"\xa3\xed\xa0\x80")),
    "an unknown extension": entry(packed(packet("news", msgpack.ExtType(5, b"x"), b"v"))),
    "a date of year 300000": entry(packed(packet("news", msgpack.Timestamp(10**13), b"v"))),
    "msgpack too deep": entry(packed(packet("news", DEEP, b"v"))),
    "msgpack of 2,000 levels": entry(packed(b"\x91" * 2000 + b"\x01")),
    "eleven attachments": entry(packed(packet("news", *[b"v"] * 11))),
    "no uid": entry(uid=""),
    "a long uid": entry(uid="x" * 65),
    "no namespace": entry(nsp=""),
    "a namespace without slash": entry(nsp="admin"),
    "a long namespace": entry(nsp="/" + "x" * 2000),
    "no type": entry(type=""),
    "a type below 0": entry(type="-3"),
    "a type that is no number": entry(type="x"),
    "n that is no number": entry(n="x"),
    "n of 100 digits": entry(n="1" * 100),
    "rooms to enter that are no texts": entry({"opts": data()["opts"], "rooms": [None]}, type="4"),
    "no rooms to enter": entry(data(), type="4"),
    "rooms to leave, of another type": entry({"opts": data()["opts"], "rooms": "x"}, type="5"),
    "close of another type": entry({"opts": data()["opts"], "close": 1}, type="6"),
    "an event for servers without name": entry({"packet": []}, type="9"),
    "an event for servers that is an object": entry({"packet": {}}, type="9"),
}


@pytest.mark.parametrize("fields", POISONS.values(), ids=POISONS.keys())
def test_what_no_node_writes_is_malformed(fields: dict[str, str]) -> None:
    raw = {name.encode(): value.encode(errors="surrogateescape") for name, value in fields.items()}
    with pytest.raises(MalformedError):
        decode_entry(raw, 1_000_000)


@given(st.dictionaries(st.sampled_from([b"uid", b"nsp", b"type", b"data", b"n"]), st.binary(max_size=60)))
def test_any_fields_are_decoded_or_malformed(fields: dict[bytes, bytes]) -> None:
    with suppress(MalformedError):
        decode_entry(fields, 1_000_000)


@given(st.binary(max_size=60), st.sampled_from([3, 4, 5, 6, 9]))
def test_any_binary_data_is_decoded_or_malformed(data: bytes, kind: int) -> None:
    with suppress(MalformedError):
        decode(entry(packed(data), type=str(kind)))


@pytest.mark.parametrize("kind", [0, 1, 2, 7, 8, 10, 11, 12, 13, 100])
def test_types_for_other_kinds_of_servers_are_ignored(kind: int) -> None:
    assert decode(entry("", type=str(kind))).content is None


def test_unknown_fields_and_members_are_ignored_and_an_id_is_dropped() -> None:
    fields = entry(packet("news", 1, id=5, nsp="/other", attachments=9) | {"more": 1}, color="red")
    assert decode(fields).content == broadcast("/", "news", 1)._replace(packets=broadcast("/", "news", 1).packets)


def test_the_values_of_msgpack_arrive_as_JavaScript_has_them() -> None:
    values = [
        float("nan"),
        float("inf"),
        msgpack.Timestamp(0),
        msgpack.Timestamp(-1, 500_000_000),
        msgpack.ExtType(0, b"\0"),
        {1: 2},
    ]
    said = decode(entry(packed(packet("news", b"v", *values)))).content
    assert read(said)[2:] == [None, None, "1970-01-01T00:00:00.000Z", "1969-12-31T23:59:59.500Z", None, {"1": 2}]


def test_numbers_beyond_64_bits_go_as_floats_where_there_are_bytes() -> None:
    assert read(decode(encode_entry(broadcast("/", "news", 2**70, b"v"), UID, 1)).content) == ["news", 2.0**70, b"v"]
