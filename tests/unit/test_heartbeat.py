from __future__ import annotations

from handlers.socketio.engineio.heartbeat import Deadlines, Heartbeat


def test_deadlines_fall_due_in_the_order_in_which_they_began() -> None:
    deadlines: Deadlines[str] = Deadlines(10)
    deadlines.begin("a", 0)
    deadlines.begin("b", 1)
    deadlines.begin("c", 2)
    assert deadlines.due(9.9) == []
    assert deadlines.due(11) == ["a", "b"]
    assert len(deadlines) == 1


def test_an_item_that_starts_again_waits_from_then_on() -> None:
    deadlines: Deadlines[str] = Deadlines(10)
    deadlines.begin("a", 0)
    deadlines.begin("b", 1)
    deadlines.begin("a", 5)
    assert deadlines.due(12) == ["b"]
    assert deadlines.due(15) == ["a"]


def test_a_wait_that_ended_is_not_due() -> None:
    deadlines: Deadlines[str] = Deadlines(10)
    deadlines.begin("a", 0)
    assert deadlines.end("a")
    assert not deadlines.end("a")
    assert deadlines.due(100) == []


def test_when_nobody_could_look_after_them_for_long_all_start_again() -> None:
    deadlines: Deadlines[str] = Deadlines(10)
    deadlines.begin("a", 0)
    deadlines.begin("b", 8)
    assert deadlines.due(13, late=5) == []
    assert deadlines.due(22.9, late=4.9) == []
    assert deadlines.due(23) == ["a", "b"]


def test_a_ping_is_due_an_interval_after_the_last_pong() -> None:
    heartbeat: Heartbeat[str] = Heartbeat(25, 20)
    heartbeat.watch("a", 0)
    assert heartbeat.beat(24.9) == ([], [])
    assert heartbeat.beat(25) == ([], ["a"])
    heartbeat.pong("a", 30)
    assert heartbeat.beat(54.9) == ([], [])
    assert heartbeat.beat(55) == ([], ["a"])


def test_a_client_that_owes_a_pong_for_the_timeout_is_gone() -> None:
    heartbeat: Heartbeat[str] = Heartbeat(25, 20)
    heartbeat.watch("a", 0)
    heartbeat.beat(25)
    assert heartbeat.beat(44.9) == ([], [])
    assert heartbeat.beat(45) == (["a"], [])
    assert len(heartbeat) == 0


def test_a_beat_that_comes_very_late_waits_for_pongs_again_and_pings_at_once() -> None:
    heartbeat: Heartbeat[str] = Heartbeat(25, 20)
    heartbeat.watch("a", 0)
    heartbeat.watch("b", 15)
    assert heartbeat.beat(25) == ([], ["a"])
    assert heartbeat.beat(85, late=60) == ([], ["b"])
    heartbeat.pong("b", 86)
    assert heartbeat.beat(105) == (["a"], [])


def test_a_pong_that_nobody_asked_for_does_not_put_off_the_ping() -> None:
    heartbeat: Heartbeat[str] = Heartbeat(25, 20)
    heartbeat.watch("a", 0)
    heartbeat.pong("a", 24)
    assert heartbeat.beat(25) == ([], ["a"])


def test_a_client_that_is_forgotten_is_neither_pinged_nor_gone() -> None:
    heartbeat: Heartbeat[str] = Heartbeat(25, 20)
    for who in "abc":
        heartbeat.watch(who, 0)
    heartbeat.forget("a")
    assert heartbeat.beat(25) == ([], ["b", "c"])
    heartbeat.forget("b")
    assert heartbeat.beat(45) == (["c"], [])
    assert len(heartbeat) == 0
