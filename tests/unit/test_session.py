from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from effort import amount
from fakes import MESSAGE, FakeLoop, FakeTransport, Recorder, connect, started
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, rule
from hypothesis.strategies import sampled_from

from handlers.socketio.engineio.codec.packet import Packet, PacketType
from handlers.socketio.engineio.engine import Engine
from handlers.socketio.engineio.errors import BadRequest, ProtocolError, SessionUnknown
from handlers.socketio.engineio.reasons import CloseReason
from handlers.socketio.engineio.room import Room
from handlers.socketio.engineio.session import Session


class Harness:
    """An engine on a fake loop, with a recorder for each session."""

    def __init__(self, **options: float) -> None:
        self.recorders: dict[Session, Recorder] = {}
        self.engine = Engine(self._accept, ping_interval=25, ping_timeout=20, **options)
        self.loop: FakeLoop = started(self.engine)

    def _accept(self, session: Session) -> Recorder:
        self.recorders[session] = Recorder()
        return self.recorders[session]

    def connect(self, name: str = "polling") -> FakeTransport:
        return connect(self.engine, name)

    def upgrade(self, transport: FakeTransport) -> FakeTransport:
        """Let a WebSocket probe for the session of this transport."""
        candidate = FakeTransport("websocket")
        candidate.session = transport.session
        transport.session.begin_upgrade(candidate)
        return candidate

    def publish(self, *rooms: Room, text: str, volatile: bool = False) -> None:
        self.engine.delivery.publish(list(rooms), [Packet(MESSAGE, text)], volatile=volatile)

    def closed(self, transport: FakeTransport) -> list[str]:
        return list(self.recorders[transport.session].closed)


@pytest.fixture
def harness() -> Harness:
    return Harness()


def test_the_greeting_tells_milliseconds_as_integers() -> None:
    harness = Harness(max_payload=1234, upgrade_timeout=1)
    harness.engine.ping_interval = 0.3
    open_packet = json.loads(str(harness.engine.open_packet(harness.connect().session).data))
    assert open_packet.pop("sid") in harness.engine.sessions
    assert open_packet == {"upgrades": ["websocket"], "pingInterval": 300, "pingTimeout": 20000, "maxPayload": 1234}


def test_a_session_that_began_on_websocket_has_no_upgrades(harness: Harness) -> None:
    assert '"upgrades":[]' in str(harness.engine.open_packet(harness.connect("websocket").session).data)


def test_what_is_said_in_a_tick_is_read_together(harness: Harness) -> None:
    client = harness.connect()
    client.session.send("a")
    client.session.send(b"b")
    assert client.received == []
    harness.loop.turn()
    assert client.received == ["a", b"b"]


def test_rooms_are_read_in_the_order_in_which_things_were_said(harness: Harness) -> None:
    client, lobby, kitchen = harness.connect(), Room("lobby"), Room("kitchen")
    client.session.enter(lobby)
    client.session.enter(kitchen)
    harness.publish(lobby, text="1")
    harness.publish(client.session.room, text="2")
    harness.publish(kitchen, text="3")
    harness.publish(lobby, text="4")
    harness.loop.turn()
    assert client.received == ["1", "2", "3", "4"]


def test_a_client_that_enters_reads_from_then_on(harness: Harness) -> None:
    first, second, lobby = harness.connect(), harness.connect(), Room("lobby")
    first.session.enter(lobby)
    harness.publish(lobby, text="1")
    second.session.enter(lobby)
    harness.publish(lobby, text="2")
    harness.loop.turn()
    assert first.received == ["1", "2"]
    assert second.received == ["2"]


def test_a_client_that_leaves_keeps_what_was_said_before(harness: Harness) -> None:
    client, lobby = harness.connect(), Room("lobby")
    client.session.enter(lobby)
    harness.publish(lobby, text="1")
    client.session.leave(lobby)
    harness.publish(lobby, text="2")
    harness.publish(client.session.room, text="3")
    harness.loop.turn()
    assert client.received == ["1", "3"]


def test_a_stuck_transport_reads_on_from_its_place(harness: Harness) -> None:
    stuck, quick, lobby = harness.connect(), harness.connect(), Room("lobby")
    for client in (stuck, quick):
        client.session.enter(lobby)
    stuck.stuck = True
    for text in "123":
        harness.publish(lobby, text=text)
        harness.loop.turn()
    assert (stuck.received, quick.received) == ([], ["1", "2", "3"])
    stuck.stuck = False
    harness.engine.delivery.schedule(stuck.session)
    harness.publish(lobby, text="4")
    harness.loop.turn()
    assert stuck.received == quick.received == ["1", "2", "3", "4"]


def test_a_room_forgets_what_everybody_has_read(harness: Harness) -> None:
    stuck, quick, lobby = harness.connect(), harness.connect(), Room("lobby")
    for client in (stuck, quick):
        client.session.enter(lobby)
    stuck.stuck = True
    harness.publish(lobby, text="1")
    harness.loop.turn()
    assert (lobby.start, lobby.end) == (0, 1)
    stuck.stuck = False
    harness.engine.delivery.schedule(stuck.session)
    harness.loop.turn()
    assert (lobby.start, lobby.end) == (1, 1)


def test_a_client_that_leaves_behind_a_backlog_does_not_hold_the_room(harness: Harness) -> None:
    stuck, quick, lobby = harness.connect(), harness.connect(), Room("lobby")
    for client in (stuck, quick):
        client.session.enter(lobby)
    stuck.stuck = True
    harness.publish(lobby, text="1")
    harness.loop.turn()
    stuck.session.close("transport close")
    assert (lobby.start, lobby.end) == (1, 1)


def test_volatile_messages_are_for_those_who_can_read_at_once(harness: Harness) -> None:
    stuck, quick, lobby = harness.connect(), harness.connect(), Room("lobby")
    for client in (stuck, quick):
        client.session.enter(lobby)
    stuck.stuck = True
    harness.publish(lobby, text="kept")
    harness.publish(lobby, text="volatile", volatile=True)
    harness.loop.turn()
    stuck.stuck = False
    harness.engine.delivery.schedule(stuck.session)
    harness.loop.turn()
    assert quick.received == ["kept", "volatile"]
    assert stuck.received == ["kept"]
    harness.publish(lobby, text="again", volatile=True)
    harness.loop.turn()
    assert stuck.received == ["kept", "again"]


def test_a_slow_consumer_is_closed_and_nobody_else(harness: Harness) -> None:
    harness = Harness(max_backlog=10_000)
    stuck, quick, lobby = harness.connect(), harness.connect(), Room("lobby")
    for client in (stuck, quick):
        client.session.enter(lobby)
    stuck.stuck = True
    for number in range(20):
        harness.publish(lobby, text=f"{number}" + "x" * 1000)
        harness.loop.turn()
    assert harness.closed(stuck) == ["slow consumer"]
    assert harness.closed(quick) == []
    assert len(quick.received) == 20
    assert lobby.start == lobby.end


def test_a_burst_in_one_tick_may_exceed_the_backlog(harness: Harness) -> None:
    harness = Harness(max_backlog=10_000)
    client = harness.connect()
    for number in range(100):
        client.session.send(f"{number}" + "x" * 1000)
    harness.loop.turn()
    assert len(client.received) == 100
    assert harness.closed(client) == []


def test_messages_reach_the_listener_in_order(harness: Harness) -> None:
    client = harness.connect()
    client.brings("a")
    client.brings(b"b")
    assert harness.recorders[client.session].messages == ["a", b"b"]


# -- heartbeat


def test_a_client_that_answers_stays(harness: Harness) -> None:
    client = harness.connect()
    for _ in range(5):
        harness.loop.advance(25, harness.engine)
        assert client.received.pop() == "PING"
        client.brings_packet(PacketType.PONG)
    assert harness.closed(client) == []


def test_a_client_that_owes_a_pong_ends_with_ping_timeout(harness: Harness) -> None:
    client = harness.connect()
    harness.loop.advance(44.9, harness.engine)
    assert harness.closed(client) == []
    harness.loop.advance(0.4, harness.engine)
    assert harness.closed(client) == ["ping timeout"]
    assert client.ended == "ping timeout"


def test_an_expired_session_is_not_found_whatever_the_period(harness: Harness) -> None:
    client = harness.connect()
    harness.loop.advance(25.1, harness.engine)
    harness.loop.advance(19.85, harness.engine)
    harness.loop.now += 0.16
    with pytest.raises(SessionUnknown):
        harness.engine.find(client.session.sid)


def test_a_server_that_stood_still_reads_what_came_before_it_judges(harness: Harness) -> None:
    alive, silent, resting = (harness.connect() for _ in range(3))
    harness.loop.advance(25.1, harness.engine)
    resting.brings_packet(PacketType.PONG)
    harness.loop.now += 60
    assert harness.engine.find(alive.session.sid) is alive.session
    assert harness.engine.find(silent.session.sid) is silent.session
    harness.engine.beat()
    alive.brings_packet(PacketType.PONG)
    harness.loop.turn()
    assert resting.received == ["PING", "PING"], "it is pinged at once: it waits for that"
    harness.loop.advance(20.1, harness.engine)
    assert [harness.closed(client) for client in (alive, silent, resting)] == [[], ["ping timeout"], ["ping timeout"]]


def test_a_session_is_over_between_two_beats_unless_the_server_stood_still(harness: Harness) -> None:
    client = harness.connect()
    harness.loop.advance(25, harness.engine)
    harness.loop.now += 60
    assert not harness.engine.is_overdue(client.session)
    harness.engine.beat()
    harness.loop.advance(19.95, harness.engine)
    assert not harness.engine.is_overdue(client.session)
    harness.loop.now += 0.06
    assert harness.engine.is_overdue(client.session)
    assert harness.closed(client) == [], "a look ends nothing"
    harness.engine.beat()
    assert harness.closed(client) == ["ping timeout"]


def test_an_upgrade_that_waited_for_a_server_that_stood_still_goes_on(harness: Harness) -> None:
    client = harness.connect()
    candidate = harness.upgrade(client)
    harness.loop.now += 60
    harness.engine.beat()
    candidate.brings_packet(PacketType.PING, "probe")
    candidate.brings_packet(PacketType.UPGRADE)
    assert client.session.transport is candidate


def test_a_ping_of_the_client_closes_it(harness: Harness) -> None:
    client = harness.connect()
    client.brings_packet(PacketType.PING)
    assert harness.closed(client) == ["parse error"]


@pytest.mark.parametrize("type_", [PacketType.OPEN, PacketType.UPGRADE, PacketType.NOOP, PacketType.PONG])
def test_other_packets_are_harmless(harness: Harness, type_: PacketType) -> None:
    client = harness.connect()
    client.brings_packet(type_)
    assert harness.closed(client) == []


# -- upgrade


def test_a_probe_is_answered_and_packets_flow_on_polling_until_the_upgrade(harness: Harness) -> None:
    polling = harness.connect()
    websocket = harness.upgrade(polling)
    websocket.brings_packet(PacketType.PING, "probe")
    assert websocket.probes_answered == 1
    polling.session.send("1")
    harness.loop.turn()
    polling.brings("a")
    websocket.brings_packet(PacketType.UPGRADE)
    polling.session.send("2")
    harness.loop.turn()
    websocket.brings("b")
    assert (polling.received, websocket.received) == (["1"], ["2"])
    assert polling.released
    assert harness.recorders[polling.session].messages == ["a", "b"]


def test_what_is_buffered_at_the_upgrade_goes_out_on_the_websocket(harness: Harness) -> None:
    polling = harness.connect()
    polling.stuck = True
    for text in "123":
        polling.session.send(text)
        harness.loop.turn()
    websocket = harness.upgrade(polling)
    websocket.brings_packet(PacketType.PING, "probe")
    websocket.brings_packet(PacketType.UPGRADE)
    harness.loop.turn()
    assert (polling.received, websocket.received) == ([], ["1", "2", "3"])


def test_a_first_packet_that_is_no_probe_ends_only_the_candidate(harness: Harness) -> None:
    polling = harness.connect()
    websocket = harness.upgrade(polling)
    websocket.brings("hello")
    assert websocket.released
    assert harness.closed(polling) == []
    harness.upgrade(polling)


def test_a_candidate_that_is_gone_leaves_polling_as_it_was(harness: Harness) -> None:
    polling = harness.connect()
    websocket = harness.upgrade(polling)
    websocket.brings_packet(PacketType.PING, "probe")
    polling.session.lost(websocket, "transport close")
    assert not polling.session.probed
    polling.session.send("1")
    harness.loop.turn()
    assert polling.received == ["1"]
    assert harness.closed(polling) == []


def test_a_client_that_dies_within_its_upgrade_is_gone_soon(harness: Harness) -> None:
    dead, alive = harness.connect(), harness.connect()
    for polling in (dead, alive):
        websocket = harness.upgrade(polling)
        websocket.brings_packet(PacketType.PING, "probe")
        polling.session.lost(websocket, "transport close")
    alive.session.resume()
    harness.loop.advance(5.1, harness.engine)
    assert harness.closed(dead) == ["transport close"]
    assert harness.closed(alive) == []


def test_an_upgrade_that_takes_too_long_ends_only_the_candidate(harness: Harness) -> None:
    polling = harness.connect()
    websocket = harness.upgrade(polling)
    websocket.brings_packet(PacketType.PING, "probe")
    harness.loop.advance(10.1, harness.engine)
    assert websocket.released
    assert not polling.session.probed
    assert harness.closed(polling) == []


def test_a_second_candidate_is_refused_and_the_first_lives_on(harness: Harness) -> None:
    polling = harness.connect()
    websocket = harness.upgrade(polling)
    with pytest.raises(BadRequest):
        harness.upgrade(polling)
    websocket.brings_packet(PacketType.UPGRADE)
    assert polling.session.transport is websocket
    with pytest.raises(BadRequest):
        harness.upgrade(polling)


def test_the_old_transport_cannot_end_an_upgraded_session(harness: Harness) -> None:
    polling = harness.connect()
    websocket = harness.upgrade(polling)
    websocket.brings_packet(PacketType.UPGRADE)
    polling.session.lost(polling, "transport close")
    polling.brings("late")
    assert harness.closed(polling) == []
    assert harness.recorders[polling.session].messages == []


@pytest.mark.parametrize("reason", ["transport close", "ping timeout", "parse error", "server shutting down"])
def test_a_close_during_an_upgrade_ends_both_transports(harness: Harness, reason: CloseReason) -> None:
    polling = harness.connect()
    websocket = harness.upgrade(polling)
    websocket.brings_packet(PacketType.PING, "probe")
    polling.session.close(reason)
    assert polling.ended == reason
    assert websocket.released
    websocket.brings_packet(PacketType.UPGRADE)
    harness.loop.advance(60, harness.engine)
    assert harness.closed(polling) == [reason]


@pytest.mark.parametrize("reason", ["forced close", "slow consumer", "rate limited", "transport error"])
def test_a_client_that_upgrades_when_the_server_has_closed_hears_so_from_its_candidate(
    harness: Harness, reason: CloseReason
) -> None:
    polling = harness.connect()
    websocket = harness.upgrade(polling)
    websocket.brings_packet(PacketType.PING, "probe")
    polling.session.close(reason)
    assert polling.ended == reason
    assert not websocket.released
    websocket.brings_packet(PacketType.UPGRADE)
    assert websocket.released
    assert harness.closed(polling) == [reason]


def test_a_client_whose_transport_breaks_while_it_upgrades_loses_its_candidate(harness: Harness) -> None:
    polling = harness.connect()
    websocket = harness.upgrade(polling)
    websocket.brings_packet(PacketType.PING, "probe")
    polling.session.lost(polling, "transport error")
    assert websocket.released


def test_a_client_that_does_not_upgrade_when_the_server_has_closed_is_disconnected(harness: Harness) -> None:
    polling = harness.connect()
    websocket = harness.upgrade(polling)
    websocket.brings_packet(PacketType.PING, "probe")
    polling.session.close("forced close")
    harness.loop.advance(11, harness.engine)
    assert websocket.released
    assert not harness.engine.upgrading


# -- end


def test_a_session_ends_once_with_its_first_reason(harness: Harness) -> None:
    client = harness.connect()
    client.session.close("transport close")
    client.session.close("ping timeout")
    harness.engine.close()
    harness.loop.advance(100, harness.engine)
    assert harness.closed(client) == ["transport close"]
    assert not harness.engine.sessions


def test_what_was_said_before_the_end_still_goes_out(harness: Harness) -> None:
    client, lobby = harness.connect(), Room("lobby")
    client.session.enter(lobby)
    harness.publish(lobby, text="1")
    client.session.send("2")
    client.session.close("forced close")
    assert client.received == ["1", "2"]


def test_a_closed_session_neither_reads_nor_is_read(harness: Harness) -> None:
    client, lobby = harness.connect(), Room("lobby")
    client.session.enter(lobby)
    client.session.close("forced close")
    client.session.enter(lobby)
    harness.publish(lobby, client.session.room, text="1")
    harness.loop.turn()
    client.brings("a")
    assert client.received == []
    assert harness.recorders[client.session].messages == []
    assert not lobby.readers


def test_a_listener_that_refuses_a_message_closes_its_session_alone(harness: Harness) -> None:
    client, other = harness.connect(), harness.connect()

    def refuse(data: str | bytes) -> None:
        raise ProtocolError("no")

    harness.recorders[client.session].on_message = refuse
    client.brings("x")
    assert harness.closed(client) == ["parse error"]
    assert harness.closed(other) == []


def test_nothing_is_left_of_sessions_that_are_over(harness: Harness) -> None:
    transports = [harness.connect() for _ in range(100)]
    for transport in transports[:50]:
        harness.upgrade(transport).brings_packet(PacketType.PING, "probe")
    for number, transport in enumerate(transports):
        transport.session.send("x")
        transport.session.close("transport close" if number % 2 else "parse error")
    harness.loop.advance(100, harness.engine)
    assert not harness.engine.sessions
    assert not harness.engine.upgrading
    assert not harness.engine._heartbeat
    assert not harness.engine.delivery._queue


def test_a_long_tick_with_many_rooms_leaves_others_their_turn(harness: Harness) -> None:
    clients = [harness.connect() for _ in range(100)]

    def slowly(act: Callable[..., Any], *args: Any) -> Any:
        harness.loop.now += 0.004
        return act(*args)

    for client in clients:
        client.deliver = partial(slowly, client.deliver)
        client.session.send("1")
    harness.loop._soon.pop(0)()
    assert 0 < sum(bool(client.received) for client in clients) < 50
    harness.loop.turn()
    assert all(client.received == ["1"] for client in clients)


@pytest.mark.parametrize("rooms", [1, 2])
def test_a_long_tick_leaves_others_their_turn(harness: Harness, rooms: int) -> None:
    clients, lobbies = [harness.connect() for _ in range(100)], [Room(str(n)) for n in range(rooms)]
    for client in clients:
        for lobby in lobbies:
            client.session.enter(lobby)

    def slowly(act: Callable[..., Any], *args: Any) -> Any:
        harness.loop.now += 0.004
        return act(*args)

    for client in clients:
        client.deliver = partial(slowly, client.deliver)
    for lobby in lobbies:
        harness.publish(lobby, text="1")
    harness.loop._soon.pop(0)()
    assert 0 < sum(bool(client.received) for client in clients) < 50
    harness.loop.turn()
    assert all(client.received == ["1"] * rooms for client in clients)


@pytest.mark.parametrize("seconds", [0.0, 0.004])
def test_the_sender_of_the_only_entry_is_served_after_the_others(harness: Harness, seconds: float) -> None:
    clients, lobby, served = [harness.connect() for _ in range(40)], Room("lobby"), list[int]()

    def deliver(number: int, act: Callable[..., Any], *args: Any) -> Any:
        harness.loop.now += seconds
        served.append(number)
        return act(*args)

    for number, client in enumerate(clients):
        client.session.enter(lobby)
        client.deliver = partial(deliver, number, client.deliver)
    delivery = harness.engine.delivery
    delivery.publish([lobby], [Packet(MESSAGE, "1")], sender=clients[3].session)
    harness.loop.turn()
    assert served == [*range(3), *range(4, 40), 3]
    for senders in ([None], [clients[3], clients[5]], [clients[3], None]):
        served.clear()
        for sender in senders:
            delivery.publish([lobby], [Packet(MESSAGE, "2")], sender=sender and sender.session)
        harness.loop.turn()
        assert served == list(range(40))
    assert all(client.received == ["1", *"22222"] for client in clients)


def test_a_client_that_alone_is_spoken_to_does_not_wait_for_everybody(harness: Harness) -> None:
    clients, lobby = [harness.connect() for _ in range(1000)], Room("lobby")
    for client in clients:
        client.session.enter(lobby)

    def slowly(act: Callable[..., Any], *args: Any) -> Any:
        harness.loop.now += 0.001
        return act(*args)

    for client in clients:
        client.deliver = partial(slowly, client.deliver)
    harness.publish(lobby, text="news")
    harness.loop._soon.pop(0)()
    clients[-1].session.send("answer")
    harness.loop._soon.pop(0)()
    assert clients[-1].received == ["news", "answer"]
    assert sum(bool(client.received) for client in clients) < 100
    harness.loop.turn()
    assert all(client.received == ["news"] for client in clients[:-1])


def test_what_is_published_while_others_are_served_does_not_overtake(harness: Harness) -> None:
    lobby, hall, kitchen = Room("lobby"), Room("hall"), Room("kitchen")
    failing, client = harness.connect(), harness.connect()
    failing.session.enter(lobby)
    client.session.enter(hall)
    client.session.enter(kitchen)

    def fail(*_: Any) -> bool:
        harness.publish(kitchen, text="2")
        harness.publish(hall, text="3")
        raise OSError

    failing.deliver = fail
    harness.publish(lobby, text="1")
    harness.publish(hall, text="1")
    harness.loop.turn()
    assert client.received == ["1", "2", "3"]


def test_a_reader_that_ends_while_others_are_served_leaves_nothing_pending(harness: Harness) -> None:
    lobby = Room("lobby")
    failing, other = harness.connect(), harness.connect()
    for client in (failing, other):
        client.session.enter(lobby)

    def fail(*_: Any) -> bool:
        other.session.close("forced close")
        raise OSError

    failing.deliver = fail
    harness.publish(lobby, text="1")
    harness.loop.turn()
    assert (lobby.pending_readers, lobby.end - lobby.start) == (0, 0)


def test_a_reader_that_leaves_while_others_are_served_is_still_sent_what_was_published_before(harness: Harness) -> None:
    lobby, hall = Room("lobby"), Room("hall")
    failing, client = harness.connect(), harness.connect()
    failing.session.enter(lobby)
    client.session.enter(lobby)
    client.session.enter(hall)

    def fail(*_: Any) -> bool:
        client.session.leave(lobby)
        raise OSError

    failing.deliver = fail
    harness.publish(lobby, text="1")
    harness.publish(hall, text="2")
    harness.loop.turn()
    assert client.received == ["1", "2"]
    assert (lobby.pending_readers, lobby.end - lobby.start) == (0, 0)


def test_the_listener_of_a_failed_reader_may_publish_and_move_and_close_others(harness: Harness) -> None:
    lobby = Room("lobby")
    failing, leaving, closing, _ = clients = [harness.connect() for _ in range(4)]
    for client in clients:
        client.session.enter(lobby)

    def fail(*_: Any) -> bool:
        raise OSError

    def on_close(_: CloseReason) -> None:
        harness.publish(lobby, text="2")
        leaving.session.leave(lobby)
        harness.publish(lobby, text="3")
        closing.session.close("forced close")

    failing.deliver = failing.end = fail  # type: ignore[assignment, method-assign]
    failing.session.listener.on_close = on_close  # type: ignore[method-assign]
    harness.publish(lobby, text="1")
    harness.loop.turn()
    harness.publish(lobby, text="4")
    harness.loop.turn()
    assert [client.received for client in clients[1:]] == [["1", "2"], ["1", "2", "3"], ["1", "2", "3", "4"]]
    assert (lobby.pending_readers, lobby.end - lobby.start) == (0, 0)


def test_a_reader_that_closes_while_others_are_served_stops_no_tick(harness: Harness) -> None:
    rooms = [Room(str(number)) for number in range(3)]
    clients = [harness.connect() for _ in rooms]
    for room, client in zip(rooms, clients, strict=True):
        client.session.enter(room)
    clients[0].deliver = lambda *_: clients[0].session.close("forced close")  # type: ignore[assignment, method-assign]
    for room in rooms:
        harness.publish(room, text="1")
    harness.loop.turn()
    assert [client.received for client in clients[1:]] == [["1"], ["1"]]


def test_what_waits_for_a_reader_is_about_its_part_of_the_logs(harness: Harness) -> None:
    lobby, hall = Room("lobby"), Room("hall")
    slow, fast = harness.connect(), harness.connect()
    for room in (lobby, hall):
        slow.session.enter(room)
        fast.session.enter(room)
    harness.publish(lobby, text="read")
    harness.loop.turn()
    slow.stuck = True
    for room in (lobby, lobby, hall):
        harness.publish(room, text="x" * 1000)
    harness.loop.turn()
    assert 3000 <= slow.session.unread_bytes < 4000
    assert fast.session.unread_bytes == 0
    slow.stuck = False
    harness.engine.delivery.schedule(slow.session)
    harness.loop.turn()
    assert slow.session.unread_bytes == 0


class AnyOrder(RuleBasedStateMachine):
    """Clients enter and leave rooms, stall and resume, while events are sent.

    Each hears what was sent while it was there.
    """

    clients, rooms = range(4), range(3)

    def __init__(self) -> None:
        super().__init__()
        self.harness = Harness()
        self.said = 0
        self.lines = [self.harness.connect() for _ in self.clients]
        self.logs = [Room(str(n)) for n in self.rooms]
        self.inside: list[set[int]] = [set() for _ in self.clients]
        self.due: list[list[str]] = [[] for _ in self.clients]

    @rule(client=sampled_from(clients), room=sampled_from(rooms))
    def enter(self, client: int, room: int) -> None:
        self.lines[client].session.enter(self.logs[room])
        self.inside[client].add(room)

    @rule(client=sampled_from(clients), room=sampled_from(rooms))
    def leave(self, client: int, room: int) -> None:
        self.lines[client].session.leave(self.logs[room])
        self.inside[client].discard(room)

    @rule(room=sampled_from(rooms))
    def publish(self, room: int) -> None:
        self.said += 1
        self.harness.publish(self.logs[room], text=str(self.said))
        for client in self.clients:
            if room in self.inside[client]:
                self.due[client].append(str(self.said))

    @rule(client=sampled_from(clients))
    def send(self, client: int) -> None:
        self.said += 1
        self.lines[client].session.send(str(self.said))
        self.due[client].append(str(self.said))

    @rule(client=sampled_from(clients))
    def stick(self, client: int) -> None:
        self.lines[client].stuck = True

    @rule(client=sampled_from(clients))
    def go_on(self, client: int) -> None:
        self.lines[client].stuck = False
        self.harness.engine.delivery.schedule(self.lines[client].session)

    @rule()
    def turn(self) -> None:
        self.harness.loop.turn()
        for line, due in zip(self.lines, self.due, strict=True):
            assert line.received == due[: len(line.received)]
            assert line.stuck or line.received == due

    def teardown(self) -> None:
        for client in self.clients:
            self.go_on(client)
        self.turn()
        assert all(not room._entries for room in self.logs)


AnyOrder.TestCase.settings = settings(max_examples=amount(60, thorough=600), stateful_step_count=40, deadline=None)
TestAnyOrder = pytest.mark.slow(AnyOrder.TestCase)
