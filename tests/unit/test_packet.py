from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.socketio.engineio.codec.packet import (
    SEPARATOR,
    Packet,
    PacketType,
    decode,
    decode_payload,
    encode,
    encode_payload,
    frame,
)
from handlers.socketio.engineio.errors import ProtocolError

WIRE = [
    ('0{"sid":"x"}', Packet(PacketType.OPEN, '{"sid":"x"}')),
    ("1", Packet(PacketType.CLOSE)),
    ("2", Packet(PacketType.PING)),
    ("2probe", Packet(PacketType.PING, "probe")),
    ("3", Packet(PacketType.PONG)),
    ("4", Packet(PacketType.MESSAGE)),
    ("4hello", Packet(PacketType.MESSAGE, "hello")),
    ("4€ and 4", Packet(PacketType.MESSAGE, "€ and 4")),
    ("5", Packet(PacketType.UPGRADE)),
    ("6", Packet(PacketType.NOOP)),
    (b"\x00\x01", Packet(PacketType.MESSAGE, b"\x00\x01")),
    (b"", Packet(PacketType.MESSAGE, b"")),
]


@pytest.mark.parametrize(("wire", "packet"), WIRE)
def test_a_packet_is_written_and_read(wire: str | bytes, packet: Packet) -> None:
    assert encode(packet) == wire
    assert decode(wire) == packet


@pytest.mark.parametrize("wire", ["", "7", "abc", "9x", "-1", " 4", "٤x", "bA", "b!!!!", "BAAA="])
def test_what_begins_with_no_type_is_no_packet(wire: str) -> None:
    with pytest.raises(ProtocolError):
        decode(wire)


@pytest.mark.parametrize(
    ("payload", "packets"),
    [
        ("4a", [Packet(PacketType.MESSAGE, "a")]),
        ("4a\x1e4b\x1e2", [Packet(PacketType.MESSAGE, "a"), Packet(PacketType.MESSAGE, "b"), Packet(PacketType.PING)]),
        ("4a\x1ebAQID", [Packet(PacketType.MESSAGE, "a"), Packet(PacketType.MESSAGE, b"\x01\x02\x03")]),
        ("b", [Packet(PacketType.MESSAGE, b"")]),
    ],
)
def test_packets_share_a_payload(payload: str, packets: list[Packet]) -> None:
    assert list(decode_payload(payload.encode())) == packets
    assert encode_payload(packets) == payload


@pytest.mark.parametrize("payload", ["", "4a\x1e", "\x1e4a", "4a\x1e\x1e4b", "b!!!!", "bAQI", "bAQ=D", "bé", "x"])
def test_a_payload_with_anything_else_in_it_is_refused(payload: str) -> None:
    with pytest.raises(ProtocolError):
        list(decode_payload(payload.encode()))


@pytest.mark.parametrize("length", [0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 70000])
def test_a_frame_is_whole_final_unmasked_and_of_the_shortest_form(length: int) -> None:
    data = frame(Packet(PacketType.MESSAGE, b"x" * length))
    assert data[0] == 0x82
    if length < 126:
        header = bytes([length])
    elif length < 65536:
        header = struct.pack("!BH", 126, length)
    else:
        header = struct.pack("!BQ", 127, length)
    assert data[1:] == header + b"x" * length


def test_a_text_frame_counts_bytes_not_characters() -> None:
    assert frame(Packet(PacketType.MESSAGE, "€")) == b"\x81\x04" + b"4\xe2\x82\xac"


packets = st.builds(
    Packet, st.just(PacketType.MESSAGE), st.binary() | st.text().filter(lambda text: SEPARATOR not in text)
)


@given(st.lists(packets, min_size=1))
def test_any_payload_comes_back(sent: list[Packet]) -> None:
    assert list(decode_payload(encode_payload(sent).encode())) == sent


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = list(decode_payload(text.encode()))
    except ProtocolError:
        return
    assert list(decode_payload(encode_payload(read).encode())) == read


def test_a_packet_says_for_the_log_what_it_is() -> None:
    assert str(Packet(PacketType.PING)) == "PING"
    assert str(Packet(PacketType.PING, "probe")) == "PING 'probe'"
    assert str(Packet(PacketType.MESSAGE, b"abc")) == "MESSAGE 3 bytes"
    assert len(str(Packet(PacketType.MESSAGE, "x" * 1000))) < 100
