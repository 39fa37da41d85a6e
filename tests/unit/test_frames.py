from __future__ import annotations

import os
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.socketio.engineio.codec.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    MAX_FRAGMENTS,
    PING,
    PONG,
    TEXT,
    Control,
    FrameReader,
    Received,
    WebSocketProtocolError,
    read_close,
)


def unmask(mask: bytes, data: bytes) -> bytes:
    return bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, reserved: int = 0, mask: bool = True) -> bytes:
    """A frame as a client writes it, with the shortest length field."""
    head = bytes([final << 7 | reserved << 4 | opcode])
    bit = mask << 7
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 1 << 16:
        head += bytes([bit | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + len(payload).to_bytes(8, "big")
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + unmask(key, payload)


def reader(max_size: int = 1_000_000) -> FrameReader:
    return FrameReader(max_size, unmask)


def feed(one: FrameReader, pieces: Iterable[bytes]) -> list[Received]:
    """Feed the pieces, up to a violation."""
    received: list[Received] = []
    for piece in pieces:
        received += one.feed(piece)
        if received and isinstance(received[-1], WebSocketProtocolError):
            break
    return received


def feed_bytewise(slow: FrameReader, stream: bytes) -> list[Received]:
    return feed(slow, cut(stream, 1))


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def code_of(received: list[Received]) -> int:
    """The code of the violation with which it ends."""
    assert isinstance(received[-1], WebSocketProtocolError)
    return received[-1].code


STREAMS: list[tuple[str, bytes, list[Received]]] = [
    ("a text", frame(TEXT, b"hello"), ["hello"]),
    ("an empty text", frame(TEXT), [""]),
    ("a text beyond ASCII", frame(TEXT, "€𝄞".encode()), ["€𝄞"]),
    ("binary", frame(BINARY, b"\x00\xff"), [b"\x00\xff"]),
    ("125 bytes", frame(TEXT, b"x" * 125), ["x" * 125]),
    ("126 bytes", frame(TEXT, b"x" * 126), ["x" * 126]),
    ("65,536 bytes", frame(BINARY, b"x" * 65536), [b"x" * 65536]),
    ("a short text in the long form", b"\x81\xfe\x00\x01" + b"\0\0\0\0" + b"a", ["a"]),
    ("three messages", frame(TEXT, b"1") + frame(BINARY, b"2") + frame(TEXT, b"3"), ["1", b"2", "3"]),
    (
        "fragments",
        frame(TEXT, b"a", final=False) + frame(CONTINUATION, b"b", final=False) + frame(CONTINUATION, b"c"),
        ["abc"],
    ),
    ("empty fragments", frame(BINARY, final=False) + frame(CONTINUATION, final=False) + frame(CONTINUATION), [b""]),
    (
        "a character across fragments",
        frame(TEXT, b"\xe2\x82", final=False) + frame(CONTINUATION, b"\xac") + frame(TEXT, b"x"),
        ["€", "x"],
    ),
    (
        "control frames between fragments",
        frame(TEXT, b"a", final=False) + frame(PING, b"p") + frame(PONG) + frame(CONTINUATION, b"b"),
        [Control(PING, b"p"), Control(PONG, b""), "ab"],
    ),
    ("a close", frame(CLOSE, b"\x03\xe8bye"), [Control(CLOSE, b"\x03\xe8bye")]),
    ("a ping of 125 bytes", frame(PING, b"x" * 125), [Control(PING, b"x" * 125)]),
]

VIOLATIONS = [
    ("a frame without a mask", frame(TEXT, b"x", mask=False), 1002),
    *[(f"reserved bits {bits}", frame(TEXT, b"x", reserved=bits), 1002) for bits in (1, 2, 4, 7)],
    *[(f"opcode {opcode}", frame(opcode, b"x"), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    ("a ping in fragments", frame(PING, b"x", final=False), 1002),
    ("a ping of 126 bytes", frame(PING, b"x" * 126), 1002),
    ("a continuation of nothing", frame(CONTINUATION, b"x"), 1002),
    ("a message within another", frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), 1002),
    ("binary within a text", frame(TEXT, b"a", final=False) + frame(BINARY, b"b", final=False), 1002),
    ("a continuation after the end", frame(TEXT, b"a") + frame(CONTINUATION, b"b"), 1002),
    ("text that is not UTF-8", frame(TEXT, b"\xff"), 1007),
    ("half a character", frame(TEXT, b"\xe2\x82"), 1007),
    ("a surrogate", frame(TEXT, b"\xed\xa0\x80"), 1007),
    ("not UTF-8 in fragments", frame(TEXT, b"a", final=False) + frame(CONTINUATION, b"\x80"), 1007),
    ("a message too big", frame(BINARY, b"x" * 1001), 1009),
    ("fragments too big", frame(BINARY, b"x" * 600, final=False) + frame(CONTINUATION, b"x" * 401), 1009),
    ("a length of 2^63", b"\x82\xff\x80" + b"\0" * 7 + b"\0" * 4, 1009),
]


@pytest.mark.parametrize(("name", "stream", "received"), STREAMS, ids=[row[0] for row in STREAMS])
def test_a_stream_is_read_whole_byte_by_byte_and_with_more_behind_it(
    name: str, stream: bytes, received: list[Received]
) -> None:
    assert reader().feed(stream) == received
    assert feed_bytewise(reader(), stream) == received
    more = frame(TEXT, b"more")
    assert reader().feed(stream + more) == [*received, "more"]
    part = reader()
    assert part.feed(stream + more[:-1]) == received
    assert part.feed(more[-1:]) == ["more"]


@pytest.mark.parametrize(("name", "stream", "code"), VIOLATIONS, ids=[row[0] for row in VIOLATIONS])
def test_what_the_rfc_forbids_is_a_violation(name: str, stream: bytes, code: int) -> None:
    assert code_of(reader(1000).feed(stream)) == code
    assert code_of(feed_bytewise(reader(1000), stream)) == code


def test_what_came_before_a_violation_in_the_same_read_is_received() -> None:
    *received, violation = reader().feed(frame(TEXT, b"a") + frame(PING, b"b") + frame(3) + frame(TEXT, b"c"))
    assert received == ["a", Control(PING, b"b")]
    assert isinstance(violation, WebSocketProtocolError)


def test_a_size_is_refused_before_the_payload_comes() -> None:
    assert code_of(reader(1000).feed(frame(BINARY, b"x" * 5000)[:4])) == 1009


@pytest.mark.parametrize("max_size", [0, 1, 100, 124, 125, 126, 65535, 65536])
def test_a_message_may_have_just_the_size_that_is_allowed(max_size: int) -> None:
    assert reader(max_size).feed(frame(BINARY, b"x" * max_size)) == [b"x" * max_size]
    assert reader(max_size).feed(frame(TEXT, b"x" * max_size)) == ["x" * max_size]
    for opcode in (BINARY, TEXT):
        assert code_of(reader(max_size).feed(frame(opcode, b"x" * (max_size + 1)))) == 1009


def test_the_number_of_fragments_is_bounded() -> None:
    many = reader()
    assert many.feed(frame(TEXT, final=False) + frame(CONTINUATION, final=False) * (MAX_FRAGMENTS - 1)) == []
    assert code_of(many.feed(frame(CONTINUATION, final=False))) == 1009


def test_a_large_message_in_small_pieces_costs_no_more_than_its_size() -> None:
    stream = frame(BINARY, b"x" * 2_000_000)
    assert feed(reader(2_000_000), cut(stream, 100)) == [b"x" * 2_000_000]


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1014, 3000, 3999, 4000, 4999])
def test_a_close_code_is_read(code: int) -> None:
    assert read_close(code.to_bytes(2, "big") + "tschüß".encode()) == code


def test_a_close_need_not_have_a_code() -> None:
    assert read_close(b"") is None


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_a_close_code_that_may_not_be_sent_is_a_violation(code: int) -> None:
    with pytest.raises(WebSocketProtocolError):
        read_close(code.to_bytes(2, "big"))


def test_half_a_close_code_or_a_reason_that_is_not_utf8_is_a_violation() -> None:
    for data, code in ((b"\x03", 1002), (b"\x03\xe8\xff", 1007)):
        with pytest.raises(WebSocketProtocolError) as violation:
            read_close(data)
        assert violation.value.code == code


messages = st.lists(st.text() | st.binary(), max_size=5)


@given(messages, st.data())
def test_any_messages_in_any_fragments_and_pieces_come_whole(sent: list[str | bytes], data: st.DataObject) -> None:
    stream = b""
    for message in sent:
        payload, opcode = (message.encode(), TEXT) if isinstance(message, str) else (message, BINARY)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(payload)), max_size=3)))
        parts = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
        for number, part in enumerate(parts):
            stream += frame(CONTINUATION if number else opcode, part, final=number == len(parts) - 1)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert feed(reader(), pieces) == sent


@given(st.binary(max_size=200), st.integers(1, 20))
def test_any_bytes_are_read_or_a_violation_however_they_are_cut(stream: bytes, size: int) -> None:
    def read(pieces: list[bytes]) -> list[str | bytes | Control | int]:
        return [one.code if isinstance(one, WebSocketProtocolError) else one for one in feed(reader(100), pieces)]

    assert read([stream]) == read(cut(stream, size))
