from __future__ import annotations

from handlers.socketio.engineio.codec.packet import Packet, PacketType
from handlers.socketio.engineio.polling.formats import write_payload
from handlers.socketio.engineio.room import EMPTY, Entry, Room, Slice, merge
from handlers.socketio.engineio.websocket.transport import write_frames


def entry(offset: int, text: str = "x", volatile: bool = False) -> Entry:
    return Entry(offset, [Packet(PacketType.MESSAGE, text)], volatile)


def room_of(*entries: Entry) -> Room:
    room = Room("lobby")
    for one in entries:
        room.append(one)
    room.offer()
    return room


def offsets(room: Room, place: int) -> list[int]:
    return [one.offset for one in room.since(place).entries]


def test_a_reader_reads_from_its_place_to_the_end() -> None:
    room = room_of(entry(3), entry(5), entry(8))
    assert offsets(room, 0) == [3, 5, 8]
    assert offsets(room, 2) == [8]
    assert room.since(3) is EMPTY


def test_readers_at_one_place_share_one_slice() -> None:
    room = room_of(entry(1), entry(2))
    first = room.since(0)
    assert room.since(0) is first
    assert first.derive(write_frames) is room.since(0).derive(write_frames)
    room.append(entry(3))
    assert room.since(0) is first, "it was not offered yet"
    room.offer()
    assert offsets(room, 0) == [1, 2, 3]


def test_an_entry_is_encoded_once() -> None:
    said = entry(1, "hello")
    alone = Slice([said])
    assert alone.derive(write_frames) is Slice([said]).derive(write_frames) == b"\x81\x064hello"
    assert alone.derive(write_payload) == b"4hello"


def test_a_message_with_attachments_is_one_entry() -> None:
    said = Entry(1, [Packet(PacketType.MESSAGE, "51-"), Packet(PacketType.MESSAGE, b"\x01")])
    assert Slice([said]).derive(write_frames) == b"\x81\x0441-".replace(b"41-", b"451-") + b"\x82\x01\x01"
    assert Slice([said]).derive(write_payload) == b"451-\x1ebAQ=="


def test_rooms_are_merged_in_the_order_in_which_things_were_said() -> None:
    one, other = room_of(entry(1), entry(4), entry(5)), room_of(entry(2), entry(3), entry(6))
    assert [e.offset for e in merge([one.since(0), other.since(0)]).entries] == [1, 2, 3, 4, 5, 6]


def test_a_client_that_could_not_read_misses_what_is_volatile() -> None:
    room = room_of(entry(1), entry(2, volatile=True), entry(3))
    assert [e.offset for e in room.since(0).without_volatile().entries] == [1, 3]


def test_a_log_is_forgotten_when_the_last_reader_has_read() -> None:
    room = room_of(entry(1), entry(2))
    room.pending_readers = 2
    room.reader_done()
    assert offsets(room, 0) == [1, 2]
    room.reader_done()
    assert room.start == room.end == 2
    assert room.since(2) is EMPTY


def test_a_log_is_kept_while_something_new_was_not_offered() -> None:
    room = room_of(entry(1))
    room.pending_readers = 1
    room.append(entry(2))
    room.has_unoffered = True
    room.reader_done()
    assert [e.offset for e in room.offer().entries] == [2]
    assert offsets(room, 0) == [1, 2]


def test_trimming_keeps_the_newest_within_the_limit() -> None:
    room = room_of(*[entry(i, "x" * 1000) for i in range(10)])
    assert room.trim(4000, room.offered_end)
    assert offsets(room, room.start) == [7, 8, 9]
    assert not room.trim(4000, room.offered_end)


def test_what_was_not_offered_is_not_trimmed() -> None:
    room = Room("lobby")
    for i in range(10):
        room.append(entry(i, "x" * 1000))
    assert not room.trim(4000, room.offered_end)
    room.offer()
    assert len(offsets(room, 0)) == 10


def test_what_was_offered_later_is_not_trimmed() -> None:
    room = room_of(*[entry(i, "x" * 1000) for i in range(5)])
    end = room.offered_end
    for i in range(5, 10):
        room.append(entry(i, "x" * 1000))
    room.offer()
    assert room.trim(1000, end)
    assert offsets(room, room.start) == [5, 6, 7, 8, 9]
