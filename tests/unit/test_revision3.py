"""Engine.IO 3 packets; the table was recorded from Node's engine.io."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.socketio.engineio.codec.packet import MESSAGE, Packet, PacketType
from handlers.socketio.engineio.codec.revision3 import (
    decode,
    decode_payload,
    encode_base64,
    encode_binary_payload,
    encode_bytes,
    encode_payload,
)
from handlers.socketio.engineio.errors import ProtocolError

RECORDED = [
    ([Packet(MESSAGE, "hello")], "6:4hello", b"\x00\x06\xff4hello"),
    (
        [Packet(PacketType.OPEN, "{}"), Packet(MESSAGE, "é€😀"), Packet(PacketType.PING, "probe")],
        "3:0{}5:4é€😀6:2probe",
        b"\x00\x03\xff0{}\x00\x01\x00\xff4\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x00\x06\xff2probe",
    ),
    ([Packet(MESSAGE, b"\x00\x01\xff")], "6:b4AAH/", b"\x01\x04\xff\x04\x00\x01\xff"),
    (
        [Packet(MESSAGE, "😀"), Packet(MESSAGE, b"\x07"), Packet(PacketType.PONG)],
        "3:4😀6:b4Bw==1:3",
        b"\x00\x05\xff4\xf0\x9f\x98\x80\x01\x02\xff\x04\x07\x00\x01\xff3",
    ),
    ([Packet(MESSAGE, b""), Packet(PacketType.CLOSE)], "2:b41:1", b"\x01\x01\xff\x04\x00\x01\xff1"),
    (
        [Packet(MESSAGE, "x" * 120), Packet(MESSAGE, b"\x01" * 9)],
        f"121:4{'x' * 120}14:b4{'AQEB' * 3}",
        b"\x00\x01\x02\x01\xff4" + b"x" * 120 + b"\x01\x01\x00\xff\x04" + b"\x01" * 9,
    ),
]


@pytest.mark.parametrize(("packets", "text", "binary"), RECORDED)
def test_payloads_are_those_of_nodes_parser(packets: list[Packet], text: str, binary: bytes) -> None:
    assert encode_payload(packets) == text
    assert encode_binary_payload(packets) == binary
    assert list(decode_payload(text.encode())) == list(decode_payload(binary)) == packets


PACKETS = st.builds(Packet, st.sampled_from(PacketType), st.text()) | st.builds(Packet, st.just(MESSAGE), st.binary())


@given(st.lists(PACKETS, min_size=1))
def test_what_is_encoded_is_decoded(packets: list[Packet]) -> None:
    assert list(decode_payload(encode_payload(packets).encode())) == packets
    assert list(decode_payload(encode_binary_payload(packets))) == packets


@given(st.binary())
def test_a_message_of_bytes_is_decoded(data: bytes) -> None:
    assert decode(encode_bytes(data)) == decode(encode_base64(data)) == Packet(MESSAGE, data)


@given(st.binary() | st.lists(st.sampled_from([b"\0", b"\1", b"\xff", b"4", b":", b"b", b"9", b"\x80"])).map(b"".join))
def test_any_body_is_packets_or_an_error(body: bytes) -> None:
    try:
        packets = list(decode_payload(body))
    except ProtocolError:
        return
    assert list(decode_payload(encode_binary_payload(packets))) == packets


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"4hello",
        b":4hello",
        b"-1:4",
        b"6:4hell",
        b"6:4hello6",
        b"6:4hello2",
        b"99999999999:4",
        "２:4a".encode(),
        b"2:4\xff",
        "2:4😀".encode(),  # half of a surrogate pair
        b"1:9",
        b"4:b5AA",
        b"4:b4**",
        b"\x00\xff4",
        b"\x00\x0a\xff4",
        b"\x00\x05\xff4",
        b"\x00\x01",
        b"\x00" + b"\x01" * 20 + b"\xff4",
        b"\x01\x01\xff\x05",
        b"\x01\x00\xff",
        b"\x00\x02\xff4\x80",
        b"\x00\x01\xff4\x02\x01\xff4",
    ],
)
def test_a_malformed_body_is_an_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(decode_payload(body))


@pytest.mark.parametrize("message", [b"", b"\x00x", b"\x05x", "b", "b5AA==", "b4*", "", "7"])
def test_a_malformed_message_is_an_error(message: str | bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(message)
