from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.socketio.engineio.errors import ProtocolError
from handlers.socketio.json_codec import DEEP, MAX_DEPTH
from handlers.socketio.message import RESERVED_EVENTS, Decoder, Kind, Message, encode

PLACE = '{"_placeholder":true,"num":%d}'

WIRE: list[tuple[list[str | bytes], Message]] = [
    (["0"], Message(Kind.CONNECT)),
    (['0{"token":"x"}'], Message(Kind.CONNECT, "/", {"token": "x"})),
    (["0/admin,"], Message(Kind.CONNECT, "/admin")),
    (['0/admin,{"a":1}'], Message(Kind.CONNECT, "/admin", {"a": 1})),
    (["1"], Message(Kind.DISCONNECT)),
    (["1/admin,"], Message(Kind.DISCONNECT, "/admin")),
    (['2["hello"]'], Message(Kind.EVENT, "/", ["hello"])),
    (['2["hello",1,"é",null,{"a":[]}]'], Message(Kind.EVENT, "/", ["hello", 1, "é", None, {"a": []}])),
    (['212["hello"]'], Message(Kind.EVENT, "/", ["hello"], 12)),
    (['20["hello"]'], Message(Kind.EVENT, "/", ["hello"], 0)),
    (['2/admin,12["hello"]'], Message(Kind.EVENT, "/admin", ["hello"], 12)),
    (["2[1]"], Message(Kind.EVENT, "/", [1])),
    (["312[]"], Message(Kind.ACK, "/", [], 12)),
    (['3/admin,12["a"]'], Message(Kind.ACK, "/admin", ["a"], 12)),
    (['4{"message":"no"}'], Message(Kind.CONNECT_ERROR, "/", {"message": "no"})),
    ([f'51-["b",{PLACE % 0}]', b"\x01"], Message(Kind.EVENT, "/", ["b", b"\x01"])),
    ([f'51-/admin,7["b",{PLACE % 0}]', b""], Message(Kind.EVENT, "/admin", ["b", b""], 7)),
    (
        [f'52-["b",{{"a":[{PLACE % 0}],"c":{PLACE % 1}}}]', b"1", b"2"],
        Message(Kind.EVENT, "/", ["b", {"a": [b"1"], "c": b"2"}]),
    ),
    ([f"61-3[{PLACE % 0}]", b"x"], Message(Kind.ACK, "/", [b"x"], 3)),
]


def decode(parts: list[str | bytes]) -> Message:
    decoder = Decoder()
    for part in parts[:-1]:
        assert decoder.add(part) is None
    message = decoder.add(parts[-1])
    assert message is not None
    return message


@pytest.mark.parametrize(("wire", "message"), WIRE)
def test_a_message_is_written_and_read(wire: list[str | bytes], message: Message) -> None:
    assert encode(message) == wire
    assert decode(wire) == message


@pytest.mark.parametrize(("wire", "message"), WIRE)
def test_a_message_is_read_with_another_behind_it(wire: list[str | bytes], message: Message) -> None:
    decoder = Decoder()
    read = [decoder.add(part) for part in [*wire, *wire]]
    assert [one for one in read if one is not None] == [message, message]


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        ("0/custom", Message(Kind.CONNECT, "/custom")),
        ("0/,", Message(Kind.CONNECT)),
        ('2 ["hello"]', Message(Kind.EVENT, "/", ["hello"])),
    ],
)
def test_other_spellings_are_read(wire: str, message: Message) -> None:
    assert decode([wire]) == message


@pytest.mark.parametrize(
    "wire",
    [
        "", "7", "x", "9", "٢", "-1", "{}",
        "0[]", "0null", '0"x"', '0{"a":', "1{}", "1[]", "1null",
        "2", "2[]", "2{}", '2"hello"', "2null", "2[null]", "2[true]", "2[{}]", "2[[]]", '2["a"', '2["a"]x', "2[NaN]",
        '2["a",NaN]', '2["a",Infinity]', '2["a",-Infinity]', '2["a",1e999]', '2["a",-1e999]',
        '2["a",1' + "0" * 5000 + "]",
        "2" + "1" * 5000 + '["a"]', '2-1["a"]',
        "3", "3[]", "3{}", '31{"a":1}', "31", "31null",
        "4", "4null", '4"x"',
        '5["a"]', '50-["a"]', '511-["a"]', '5x-["a"]', '5-["a"]', '5-1-["a"]', '21-["a"]', '5999999999999-["a"]',
        "60-1[]", "6[]",
        '2["a\x00"', "2['a']", '2["a",]', "2[1,,2]", '2["a"][]',
    ],
)  # fmt: skip
def test_what_the_protocol_does_not_allow_is_refused(wire: str) -> None:
    with pytest.raises(ProtocolError):
        Decoder().add(wire)


@pytest.mark.parametrize("name", sorted(RESERVED_EVENTS))
def test_a_reserved_name_is_refused(name: str) -> None:
    with pytest.raises(ProtocolError):
        Decoder().add(f'2["{name}"]')


@pytest.mark.parametrize(
    "parts",
    [
        [b"x"],
        [f'51-["a",{PLACE % 0}]', '2["b"]'],
        [f'51-["a",{PLACE % 1}]', b"x"],
        [f'51-["a",{PLACE % -1}]', b"x"],
        [f'51-["a",{PLACE % 0},{PLACE % 0}]', b"x"],
        ['51-["a",{"_placeholder":true}]', b"x"],
        ['51-["a",{"_placeholder":true,"num":true}]', b"x"],
        ['51-["a",{"_placeholder":true,"num":"0"}]', b"x"],
        ['51-["a",{"_placeholder":true,"num":0.5}]', b"x"],
        [f"51-[{PLACE % 0}]", b"x"],
        ["51-{}", b"x"],
        ["61-[]", b"x"],
    ],
)
def test_attachments_that_do_not_fit_are_refused(parts: list[str | bytes]) -> None:
    decoder = Decoder()
    for part in parts[:-1]:
        assert decoder.add(part) is None
    with pytest.raises(ProtocolError):
        decoder.add(parts[-1])


def test_ten_attachments_are_allowed_and_not_eleven() -> None:
    data = ["a", *[b"x"] * 10]
    assert decode(encode(Message(Kind.EVENT, "/", data))).data == data
    with pytest.raises(ProtocolError):
        Decoder().add('511-["a"]')


def nested(depth: int) -> str:
    return '2["a",' + "[" * (depth - 1) + "]" * (depth - 1) + "]"


def test_nesting_is_bounded() -> None:
    Decoder().add(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 5000, 100_000):
        with pytest.raises(ProtocolError, match="nested deeper"):
            Decoder().add(nested(depth))


def arrays(depth: int) -> Any:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_what_came_may_be_passed_on_within_something_and_what_nests_without_bound_may_not() -> None:
    encode(Message(Kind.EVENT, "/", ["a", arrays(DEEP - 1), "[" * DEEP, *[[]] * DEEP]))
    endless: dict[str, Any] = {}
    endless["itself"] = endless
    for value in (arrays(DEEP), (arrays(DEEP - 1),), arrays(5000), arrays(100_000), endless, {"a": [endless]}):
        with pytest.raises(ValueError, match=f"nests deeper than {DEEP}, or contains itself"):
            encode(Message(Kind.EVENT, "/", ["a", value]))


def test_brackets_side_by_side_or_in_strings_do_not_nest() -> None:
    Decoder().add("2" + json.dumps(["a", [[]] * 1000, "[" * 1000, '"[{\\"' * 500]))


@pytest.mark.parametrize("text", ["“" * 1000, '"' * 200_000, '\\"' * 100_000 + "[" * 200, '"' + "\\" * 200_001])
def test_hostile_strings_cost_no_more_than_their_size(text: str) -> None:
    with pytest.raises(ProtocolError):
        Decoder().add("2" + "[" * 101 + text)


def test_half_a_surrogate_pair_goes_out_escaped() -> None:
    message = decode([r'2["a","\ud800"]'])
    (text,) = encode(message)
    assert isinstance(text, str)
    text.encode()
    assert decode([text]) == message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, {"a": [object()]}, {(1, 2): 3}])
def test_what_has_no_json_form_is_not_written(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode(Message(Kind.EVENT, "/", ["a", value]))


@pytest.mark.parametrize("value", [b"x", bytearray(b"x"), memoryview(b"x")])
def test_bytes_of_all_kinds_are_attached(value: Any) -> None:
    assert encode(Message(Kind.EVENT, "/", ["a", value])) == [f'51-["a",{PLACE % 0}]', b"x"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
names = st.text().filter(lambda name: name not in RESERVED_EVENTS)
namespaces = st.just("/") | st.from_regex(r"/[^,\ud800-\udfff]+", fullmatch=True)
ids = st.none() | st.integers(0, 10**18 - 1)


@given(names, st.lists(json_values, max_size=3), namespaces, ids)
def test_any_event_comes_back(name: str, args: list[Any], namespace: str, id_: int | None) -> None:
    message = Message(Kind.EVENT, namespace, [name, *args], id_)
    assert decode(encode(message)) == message


@given(names, st.lists(json_values | st.binary(), max_size=8), ids)
def test_any_binary_event_comes_back(name: str, args: list[Any], id_: int | None) -> None:
    message = Message(Kind.EVENT, "/", [name, *args], id_)
    assert decode(encode(message)) == message


@given(st.lists(st.text() | st.binary() | st.sampled_from([part for wire, _ in WIRE for part in wire])))
def test_any_traffic_is_read_or_refused(parts: list[str | bytes]) -> None:
    decoder = Decoder()
    try:
        for part in parts:
            message = decoder.add(part)
            assert message is None or decode(encode(message)) == message
    except ProtocolError:
        pass


def test_a_message_says_for_the_log_what_it_is() -> None:
    assert str(Message(Kind.EVENT, "/", ["a"], 3)) == "EVENT / #3 ['a']"
    assert len(str(Message(Kind.EVENT, "/", ["a" * 1000]))) < 120


@pytest.mark.parametrize("auth", ['"token"', "[1]", "true", "false", '"' + "x" * 500 + '"'])
@pytest.mark.parametrize("namespace", ["", "/admin,"])
def test_an_auth_that_is_no_object_says_what_to_write(namespace: str, auth: str) -> None:
    with pytest.raises(
        ProtocolError, match=r"^auth must be an object, as in io\(\{ auth: \{ token \} \}\), got "
    ) as raised:
        Decoder().add(f"0{namespace}{auth}")
    assert len(str(raised.value)) < 150
