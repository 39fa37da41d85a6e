"""The receive loop against Tornado's own: any bytes mean the same.

The bytes are cut anywhere.

What is delivered, what is answered, whether and with what code the connection ends, and in what order.
"""

from __future__ import annotations

import asyncio
import itertools
import operator
import zlib
from collections.abc import Iterable, Iterator

import pytest
from effort import amount
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import AT_THE_HEAD, FAREWELL, FINAL, IN_A_CLOSE, RSV1, Client, Connection, Oracle, ours, tornados
from tornado.websocket import WebSocketProtocol13

from handlers.socketio.engineio.codec.deflate import deflate
from handlers.socketio.engineio.codec.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from handlers.socketio.engineio.websocket import protocol

Strategy = st.SearchStrategy


@pytest.fixture(autouse=True, scope="module")
def wires_without_sockets() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "SocketConnection", Connection)
        yield


# -- clients that behave, and others


def encode(first: int, payload: bytes = b"", mask: bytes = b"\x12\x34\x56\x78", width: int | None = None) -> bytes:
    """Write a frame.

    width: bytes of its length field beyond the second byte, if it is not to be the shortest.
    """
    size = len(payload)
    if width is None:
        width = 0 if size < 126 else 2 if size < 1 << 16 else 8
    short = {0: size, 2: 126, 8: 127}[width]
    masked = bytes(map(operator.xor, payload, itertools.cycle(mask))) if mask else payload
    length = size.to_bytes(width, "big") if width else b""
    return bytes([first, (0x80 if mask else 0) | short]) + length + mask + masked


def fragments(kind: tuple[int, bytes], ends: Iterable[int], between: Iterable[bytes] = ()) -> bytes:
    """Write a message in fragments, with other frames between them.

    kind: its first byte without FIN.
    """
    first, payload = kind
    parts = [payload[a:b] for a, b in zip([0, *ends], [*ends, len(payload)], strict=True)]
    heads = [first, *[CONTINUATION for _ in ends]]
    heads[-1] |= FINAL
    frames = [encode(head, part) for head, part in zip(heads, parts, strict=True)]
    return b"".join(itertools.chain(*itertools.zip_longest(frames, between, fillvalue=b"")))


def close(code: int, reason: bytes) -> bytes:
    return encode(FINAL | CLOSE, code.to_bytes(2, "big") + reason)


SIZES = (0, 1, 9, 10, 11, 124, 125, 126, 127, 999, 1000)
TEXTS = [FAREWELL.encode(), "é€𝄞".encode(), *(b"x" * size for size in SIZES)]
NO_TEXTS = [b"\xff", b"\xe2\x82", b"\xed\xa0\x80", b"a\x80"]
BLOBS = [b"\x00\xff", *(b"\xff" * size for size in SIZES)]
PLAIN = [*((TEXT, text) for text in TEXTS), *((BINARY, blob) for blob in BLOBS)]
SQUEEZED = [(opcode | RSV1, deflate(payload)) for opcode, payload in PLAIN]
WRONG = [
    *((TEXT, data) for data in NO_TEXTS),
    *((opcode, b"x" * size) for opcode in (TEXT, BINARY) for size in (1001, 65_535, 65_536)),
    *((TEXT | RSV1, data) for data in NO_TEXTS),
    *((TEXT | RSV1, deflate(data)) for data in (*NO_TEXTS, b"x" * 1001, b"x" * 70_000)),
]
CONTROLS = [encode(FINAL | opcode, data) for opcode in (PING, PONG) for data in (b"", b"p", b"x" * 125)]
CODES = (0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 2999, 3000, 4999, 5000)
CLOSES = [
    encode(FINAL | CLOSE),
    encode(FINAL | CLOSE, b"\x03"),
    *(close(code, reason) for code in CODES for reason in (b"", b"bye", *NO_TEXTS)),
]
HEADS = [
    encode(first, b"x" * size, mask, width)
    for first in range(256)
    for size, width in ((0, None), (3, None), (125, None), (126, 2), (3, 8))
    for mask in (b"mask", b"")
]
"""Any first byte, masked or not, with any form of length."""

BYTE_BY_BYTE = tuple(range(400))
ONCE = [(cut,) for cut in range(-20, 60)]


def spoil(parts: tuple[bytes, ...], edits: list[tuple[int, int]], length: int | None) -> bytes:
    """Join frames, write a byte over another, and cut off the end."""
    stream = bytearray(b"".join(parts))
    for at, byte in edits:
        stream[at : at + 1] = bytes([byte])
    return bytes(stream[:length])


def clients(compresses: bool, kinds: list[tuple[int, bytes]]) -> Strategy[Client]:
    """Clients that behave, and get into trouble once or twice at most."""
    ends = st.sampled_from([(), (), (0,), (1,), (1, 1), (1, 2, 3)])
    between = st.lists(st.sampled_from(CONTROLS), max_size=2)
    whole = st.builds(fragments, st.sampled_from(kinds), ends, between)
    good = st.lists(whole, max_size=3).map(b"".join)
    begun = st.just(b"") | st.sampled_from(kinds).map(lambda kind: encode(*kind))
    trouble = (
        st.sampled_from(HEADS) | st.sampled_from(CLOSES) | st.builds(fragments, st.sampled_from(WRONG), ends, between)
    )
    over = st.just(b"") | st.just(encode(FINAL | CONTINUATION))
    edits = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 255)), max_size=1)
    cuts = st.lists(st.integers(-30, 100), max_size=6).map(tuple)
    length = st.none() | st.none() | st.none() | st.integers(0, 200)
    return st.builds(
        Client,
        st.builds(spoil, st.tuples(good, begun, st.just(b"") | trouble, over, good), edits, length),
        cuts,
        st.sampled_from([1000, 1000, 1000, 1000, 1000, 65_535, 126, 125, 10, 1]),
        st.just(compresses),
    )


@pytest.mark.slow
@settings(max_examples=amount(100, thorough=1000), deadline=None)
@given(clients(False, PLAIN) | clients(True, PLAIN + SQUEEZED))
def test_any_bytes_mean_the_same_to_tornado_wherever_they_are_cut(client: Client) -> None:
    async def compare() -> None:
        trace = await tornados(client, Oracle)
        for cuts in [client.cuts, BYTE_BY_BYTE, *ONCE]:
            assert await ours(client._replace(cuts=cuts)) == trace

    asyncio.run(compare())


@pytest.mark.parametrize("compresses", [False, True])
@pytest.mark.parametrize("begun", [(), (TEXT, b"a"), (BINARY, b"a"), (TEXT | RSV1, b"")])
def test_any_frame_means_the_same_to_tornado_at_any_time(begun: tuple[int, bytes], compresses: bool) -> None:
    async def compare() -> None:
        before = encode(*begun) if begun else b""
        for head in HEADS:
            stream = before + head + encode(FINAL | CONTINUATION) + encode(FINAL | TEXT, b"more")
            client = Client(stream, (len(before + head) - 1,), compresses=compresses)
            assert await ours(client) == await tornados(client, Oracle)

    asyncio.run(compare())


BEGUN = encode(TEXT, b"a")
STRICTER: dict[str, Client] = {
    "§5.1: a client masks": Client(encode(FINAL | TEXT, b"a", mask=b"")),
    "§5.2: an opcode has a meaning": Client(encode(3)),
    "§5.4: only what has begun goes on": Client(encode(CONTINUATION, b"a")[:2]),
    "§5.4: messages are not within another": Client(BEGUN + encode(TEXT, b"b")[:2]),
    "§5.5: a control frame is whole": Client(encode(PING)[:2]),
    "RFC 7692 §6.1: a control frame is not compressed": Client(
        encode(FINAL | RSV1 | PONG, deflate(b"")), compresses=True
    ),
    "§5.5.1: a code has two bytes": Client(encode(FINAL | CLOSE, b"\x03")),
    "§7.4: it is one that may be sent": Client(encode(FINAL | CLOSE, b"\0\0")),
    "§8.1: the reason is UTF-8": Client(encode(FINAL | CLOSE, b"\x03\xe8\xff")),
    "§7.1.7: the side that fails a connection says why": Client(encode(FINAL | TEXT, b"\xff")),
    "§5.4: a control frame does not add to the size of a message": Client(
        BEGUN + encode(FINAL | PING, b"b"), max_size=1
    ),
    "§5.4: a control frame does not end the compression of a message": Client(
        encode(RSV1 | TEXT, deflate(b"a")) + encode(FINAL | PING) + encode(FINAL | CONTINUATION), compresses=True
    ),
    "RFC 7692 §7.2.2: what cannot be decompressed fails the connection": Client(
        encode(FINAL | RSV1 | TEXT, b"\xff"), compresses=True
    ),
}


@pytest.mark.parametrize(("rule", "client"), STRICTER.items())
def test_the_oracle_has_no_rule_without_need(rule: str, client: Client) -> None:
    async def compare() -> None:
        trace = await ours(client)
        assert trace == await tornados(client, Oracle)
        try:
            alone = await tornados(client, WebSocketProtocol13)
        except (UnicodeDecodeError, zlib.error):
            return
        assert trace != alone

    asyncio.run(compare())


def test_every_rule_of_a_table_is_shown() -> None:
    assert STRICTER.keys() >= AT_THE_HEAD.keys() | IN_A_CLOSE.keys()
