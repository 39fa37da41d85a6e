"""A session over WebSocket, frame by frame.

Source: Engine.IO protocol, revision 4, "WebSocket"; RFC 6455.
"""

from __future__ import annotations

import asyncio
import struct
import time

import conformance_server
import pytest
from raw_client import (
    BINARY,
    CLOSE,
    JOURNEY,
    PING,
    PONG,
    TEXT,
    UPGRADE,
    Server,
    WebSocket,
    address,
    echo,
    io_loop,  # noqa: F401 (a fixture)
    join,
    reason_of,
    serve,
    witnessed,
)

from handlers.socketio.engineio.websocket import protocol

pytestmark = JOURNEY

CONTINUATION = 0
LIVELY = {"ping_interval": 0.3, "ping_timeout": 0.2}


async def joined(server: Server) -> WebSocket:
    socket = await server.websocket()
    await join(socket)
    return socket


# -- the handshake


async def test_the_first_frame_is_an_OPEN_packet_that_offers_no_upgrade() -> None:
    async with serve(conformance_server.make_app(max_payload=4321)) as server:
        socket = await server.websocket()
    assert len(socket.opening.pop("sid")) == 20
    assert socket.opening == {"upgrades": [], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 4321}


async def test_the_handshake_is_accepted_as_RFC_6455_asks() -> None:
    async with serve(conformance_server.make_app()) as server:
        answer = await (await server.handshake()).answer()
    assert answer.status == 101
    assert answer.headers["Upgrade"].lower() == "websocket"
    assert answer.headers["Connection"].lower() == "upgrade"
    assert answer.headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 §1.3


async def test_the_Upgrade_header_may_be_written_in_any_case() -> None:
    async with serve(conformance_server.make_app()) as server:
        assert (await (await server.handshake({"Upgrade": "WebSocket"})).answer()).status == 101


@pytest.mark.parametrize("header", ["Sec-WebSocket-Key", "Sec-WebSocket-Version"])
async def test_a_handshake_that_lacks_a_header_is_refused_before_the_101_and_opens_no_session(header: str) -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        headers = {name: value for name, value in UPGRADE.items() if name != header}
        answer = await server.request("GET", address(transport="websocket"), headers)
        assert answer.status in (400, 426)
        assert reasons.empty()


# -- packets and frames


async def test_each_packet_is_one_text_frame() -> None:
    async with serve(conformance_server.make_app()) as server:
        socket = await joined(server)
        await socket.send('42["burst",3]')
        frames = [await socket.frame() for _ in range(3)]
    assert frames == [(TEXT, b'42["burst",0]'), (TEXT, b'42["burst",1]'), (TEXT, b'42["burst",2]')]


@pytest.mark.parametrize("data", [b"", b"b", b"\x00\xff", bytes(70_000)])
async def test_binary_is_a_binary_frame_with_no_prefix_both_ways(data: bytes) -> None:
    async with serve(conformance_server.make_app()) as server:
        socket = await joined(server)
        await socket.send('451-["say",{"_placeholder":true,"num":0}]', data)
        assert await socket.frame() == (TEXT, b'451-["said",{"_placeholder":true,"num":0}]')
        assert await socket.frame() == (BINARY, data)


@pytest.mark.parametrize("size", [125, 126, 65_535, 65_536])
async def test_frames_of_every_form_of_length_pass_both_ways(size: int) -> None:
    async with serve(conformance_server.make_app()) as server:
        socket = await joined(server)
        await echo(socket, "x" * (size - len('4299["echo",""]')))


async def test_several_frames_in_one_segment_are_several_packets() -> None:
    async with serve(conformance_server.make_app()) as server:
        socket = await server.websocket()
        await socket.send("40", *(f'42["say",{n}]' for n in range(100)))
        assert str(await socket.next())[:2] == "40"
        assert [await socket.next() for _ in range(100)] == [f'42["said",{n}]' for n in range(100)]


async def test_a_fragmented_packet_is_put_together_and_a_ping_between_is_answered() -> None:
    async with serve(conformance_server.make_app()) as server:
        socket = await joined(server)
        socket.send_frame(TEXT, b'42["say","\xc3', final=False)
        socket.send_frame(PING, b"alive?")
        socket.send_frame(CONTINUATION, b'\xa9"]')
        assert await socket.frame() == (PONG, b"alive?")
        assert await socket.next() == '42["said","é"]'


async def test_a_frame_may_come_byte_by_byte() -> None:
    async with serve(conformance_server.make_app()) as server:
        socket = await joined(server)
        kept: list[bytes] = []
        write, socket.write = socket.write, kept.append  # type: ignore[method-assign]
        socket.send_frame(TEXT, b'42["say",1]')
        for byte in kept[0]:
            write(bytes([byte]))
            await asyncio.sleep(0)
        assert await socket.next() == '42["said",1]'


# -- what closes, and what does not


@pytest.mark.parametrize("packet", ["", "abc", "7", "-", "2", "2probe", "42[", "é"])
async def test_a_packet_that_no_client_may_send_closes_this_client_alone(packet: str) -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        socket, other = await joined(server), await joined(server)
        await socket.send(packet)
        assert await socket.ended() == 1002
        assert await reason_of(reasons) == "parse error"
        await echo(other)


async def test_what_comes_behind_a_malformed_packet_does_not_count() -> None:
    async with serve(conformance_server.make_app()) as server:
        socket, other = await joined(server), await joined(server)
        await socket.send('42["shout",1]', "abc", '42["shout",2]')
        await other.send('42["shout",3]')
        assert [await other.next(), await other.next()] == ['42["shout",1]', '42["shout",3]']


@pytest.mark.parametrize("packet", ["0", '0{"sid":"x"}', "1", "5", "6", "3", "3probe"])
async def test_after_the_open_is_ignored(packet: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        socket = await joined(server)
        await socket.send(packet, packet)
        await echo(socket)


@pytest.mark.parametrize("filler", ["x", "é"])
async def test_a_packet_of_maxPayload_bytes_passes(filler: str) -> None:
    async with serve(conformance_server.make_app(max_payload=1000)) as server:
        socket = await joined(server)
        word = filler * ((1000 - len('42["say",""]')) // len(filler.encode()))
        await socket.send(f'42["say","{word}"]')
        assert await socket.next() == f'42["said","{word}"]'


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_a_frame_over_maxPayload_closes_with_1009(opcode: int) -> None:
    application, reasons = witnessed(max_payload=1000)
    async with serve(application) as server:
        socket = await joined(server)
        socket.send_frame(opcode, b"4" * 1001)
        assert await socket.ended() == 1009
        assert await reason_of(reasons) in ("transport close", "transport error")


async def test_a_frame_over_maxPayload_is_refused_by_its_length_alone() -> None:
    async with serve(conformance_server.make_app()) as server:
        socket = await joined(server)
        socket.write(bytes([0x80 | TEXT, 0xFF]) + struct.pack("!Q", 1 << 40) + b"mask")
        assert await socket.ended() == 1009


async def test_fragments_that_are_over_maxPayload_together_close_with_1009() -> None:
    async with serve(conformance_server.make_app(max_payload=1000)) as server:
        socket = await joined(server)
        socket.send_frame(TEXT, b"4" * 600, final=False)
        socket.send_frame(CONTINUATION, b"4" * 600)
        assert await socket.ended() == 1009


@pytest.mark.parametrize(
    ("opcode", "data", "final"),
    [
        (CONTINUATION, b"4", True),  # of nothing
        (PING, b"x" * 126, True),  # §5.5: too long for a control frame
        (PING, b"x", False),  # §5.5: a control frame in fragments
        (TEXT, b"4\xff", True),  # §8.1: not UTF-8
        (3, b"", True),  # §5.2: a reserved opcode
        (0x40 | TEXT, b"4", True),  # §5.2: a reserved bit
    ],
)
async def test_a_frame_that_RFC_6455_forbids_ends_the_connection(opcode: int, data: bytes, final: bool) -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        socket, other = await joined(server), await joined(server)
        socket.send_frame(opcode, data, final=final)
        await socket.ended()
        assert await reason_of(reasons) in ("transport close", "transport error", "parse error")
        await echo(other)


async def test_a_frame_without_a_mask_ends_the_connection() -> None:
    async with serve(conformance_server.make_app()) as server:
        socket = await joined(server)
        socket.send_frame(TEXT, b'42["say",1]', masked=False)  # RFC 6455 §5.1: the server MUST close
        await socket.ended()


# -- the end


async def test_a_client_that_closes_has_its_close_frame_answered() -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        socket = await joined(server)
        socket.send_frame(CLOSE, struct.pack("!H", 1000))
        assert await socket.frame() == (CLOSE, struct.pack("!H", 1000))
        assert await reason_of(reasons) == "transport close"


async def test_a_client_that_closes_and_does_not_read_what_was_sent_before_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "CLOSING", 0.1)
    application, reasons = witnessed(max_payload=200_000, max_backlog=1 << 30)
    async with serve(application) as server:
        socket = await joined(server)
        socket._transport.pause_reading()
        for _ in range(100):
            await socket.send(f'42["say","{"x" * 100_000}"]')
        socket.send_frame(CLOSE, struct.pack("!H", 1000))
        assert await reason_of(reasons) == "transport close"


@pytest.mark.parametrize(("way", "reason"), [("close", "transport close"), ("reset", "transport error")])
async def test_a_connection_that_breaks_off_ends_the_client(way: str, reason: str) -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        socket = await joined(server)
        getattr(socket, way)()
        assert await reason_of(reasons) == reason


async def test_a_WebSocket_that_closes_in_the_moment_it_opens_leaves_no_client_behind() -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        socket = await server.handshake()
        await socket.send("40")
        socket.close()
        assert await reason_of(reasons) in ("transport close", "transport error")


async def test_a_server_that_closes_ends_the_WebSocket_with_1000_behind_its_last_word() -> None:
    async with serve(conformance_server.make_app()) as server:
        socket = await joined(server)
        await socket.send('42["say","last"]', '42["cut"]')
        assert await socket.next() == '42["said","last"]'
        assert await socket.ended() == 1000


# -- the heartbeat


async def test_the_first_ping_comes_an_interval_behind_the_open_and_the_next_an_interval_behind_each_pong() -> None:
    async with serve(conformance_server.make_app(ping_interval=0.3, ping_timeout=2)) as server:
        rested, socket = time.monotonic(), await server.websocket()
        for _ in range(3):
            assert await socket.next() == "2"
            assert time.monotonic() - rested > 0.28
            await asyncio.sleep(0.15)  # the client takes its time: the interval begins with its pong
            rested = time.monotonic()
            await socket.send("3")


async def test_a_client_that_does_not_answer_a_ping_is_gone_with_the_reason_ping_timeout() -> None:
    application, reasons = witnessed(**LIVELY)
    async with serve(application) as server:
        opened, socket = time.monotonic(), await server.websocket()
        await join(socket)
        assert await socket.next() == "2"
        await socket.ended()
        assert time.monotonic() - opened > 0.48
        assert await reason_of(reasons) == "ping timeout"


async def test_neither_messages_nor_unasked_pongs_stand_for_a_pong() -> None:
    application, reasons = witnessed(**LIVELY)
    async with serve(application) as server:
        socket = await server.websocket()
        await join(socket)
        await socket.send("3", "3")
        assert await socket.next() == "2"
        await echo(socket)
        assert await reason_of(reasons) == "ping timeout"


async def test_a_pong_may_carry_data() -> None:
    async with serve(conformance_server.make_app(**LIVELY)) as server:
        socket = await server.websocket()
        for _ in range(2):
            assert await socket.next() == "2"
            await socket.send("3x")


async def test_a_client_that_reads_nothing_keeps_nobody_waiting() -> None:
    async with serve(conformance_server.make_app(max_payload=200_000)) as server:
        stuck, reader = await joined(server), await joined(server)
        stuck._transport.pause_reading()
        word = f'"{"x" * 100_000}"'
        for _ in range(100):
            await reader.send(f'42["shout",{word}]')
            assert await reader.next() == f'42["shout",{word}]'
