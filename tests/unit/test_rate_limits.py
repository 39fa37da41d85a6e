from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.socketio.engineio.errors import ServerFull, TooManyRequests
from handlers.socketio.engineio.limits import MAX_TRACKED, Admission, RateLimit, Throttle, address_key


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def spend(throttle: Throttle, now: float) -> float:
    """Count a packet; return the seconds to pause."""
    wait = throttle.take(now)
    return throttle.pause(now, wait) if wait else 0.0


def flood(throttle: Throttle, clock: Clock, seconds: float, per_second: float) -> int:
    """Ask at this rate and wait as told; return the count."""
    asked, end = 0, clock.now + seconds
    while clock.now < end and not throttle.exhausted:
        clock.now += max(1 / per_second, spend(throttle, clock.now))
        asked += 1
    return asked


def test_two_seconds_worth_may_come_at_once() -> None:
    clock = Clock()
    throttle = Throttle(100, clock.now)
    assert [spend(throttle, clock.now) for _ in range(200)] == [0.0] * 200
    assert spend(throttle, clock.now) > 0


def test_a_client_that_keeps_to_the_rate_never_waits() -> None:
    clock = Clock()
    throttle = Throttle(100, clock.now)
    for _ in range(10_000):
        clock.now += 1 / 99
        assert spend(throttle, clock.now) == 0
    assert not throttle.exhausted


def test_a_client_that_asks_more_gets_the_rate() -> None:
    clock = Clock()
    assert flood(Throttle(100, clock.now), clock, seconds=8, per_second=10_000) == pytest.approx(
        200 + 8 * 100, rel=0.05
    )


def test_ten_seconds_of_too_much_are_too_much() -> None:
    clock = Clock()
    throttle = Throttle(100, clock.now)
    flood(throttle, clock, seconds=9, per_second=1000)
    assert not throttle.exhausted
    flood(throttle, clock, seconds=9, per_second=1000)
    assert throttle.exhausted


def test_a_second_without_a_pause_begins_the_ten_again() -> None:
    clock = Clock()
    throttle = Throttle(100, clock.now)
    for _ in range(5):
        flood(throttle, clock, seconds=6, per_second=1000)
        clock.now += 3
        assert spend(throttle, clock.now) == 0
    assert not throttle.exhausted


def test_a_rate_limit_allows_a_burst_then_its_rate_and_a_refusal_does_not_count() -> None:
    limit = RateLimit(2, 10)
    assert [limit.take(now) for now in (0, 0, 0, 4, 5, 9, 10, 10, 19, 20, 20, 20)] == [
        *(0, 0, 5, 1, 0, 1, 0, 5, 0, 0, 5, 5),
    ]
    assert [limit.wait(now) for now in (21, 24, 25, 99)] == [4, 1, 0, 0]
    assert [limit.take(now) for now in (99, 99, 99)] == [0, 0, 5]


@given(st.integers(1, 50), st.floats(0.01, 1000), st.lists(st.floats(0, 100), max_size=60))
def test_no_span_sees_more_than_the_burst_and_the_rate(times: int, seconds: float, steps: list[float]) -> None:
    limit, now, taken = RateLimit(times, seconds), 0.0, list[float]()
    for step in steps:
        now += step * seconds / times
        wait = limit.take(now)
        if wait:
            assert not limit.wait(now + wait)
        else:
            taken.append(now)
    for number, start in enumerate(taken):
        for count, end in enumerate(taken[number:], 1):
            assert count <= times + (end - start + 1e-5) * times / seconds


def test_a_burst_is_whole_though_its_fractions_do_not_sum_up() -> None:
    for times in range(1, 200):
        limit = RateLimit(times, 10)
        assert [limit.take(1e6 + 0.1) for _ in range(times)] == [0] * times
        assert limit.take(1e6 + 0.1) == pytest.approx(10 / times)


@pytest.mark.parametrize("rate", [0.1, 0.5, 1, 1.5, 30])
def test_any_rate_is_kept(rate: float) -> None:
    clock = Clock()
    seconds = 40 / rate
    asked = 0
    throttle = Throttle(rate, clock.now)
    end = clock.now + seconds
    while clock.now < end:
        clock.now += spend(throttle, clock.now) or 0.001
        asked += 1
    assert asked == pytest.approx(40 + 2 * rate, abs=2)


@pytest.mark.parametrize(
    ("times", "seconds", "fault"),
    [
        (0, 10, "times must be a whole number of uses, more than 0, got 0"),
        (-1, 10, "times must be a whole number of uses, more than 0, got -1"),
        (2.0, 10, "times must be a whole number of uses, more than 0, got 2.0: write times=2"),
        (2, 0, "seconds must be a number of seconds, more than 0, got 0"),
        (2, "10", "seconds must be a number of seconds, more than 0, got '10': write seconds=10"),
        (2, float("nan"), "seconds must be a number of seconds, more than 0, got nan"),
    ],
)
def test_a_rate_limit_says_what_to_write(times: Any, seconds: Any, fault: str) -> None:
    with pytest.raises((TypeError, ValueError)) as error:
        RateLimit(times, seconds)
    assert str(error.value) == fault


def test_without_limits_anybody_may_come() -> None:
    admission = Admission()
    for _ in range(1000):
        admission.enter("10.0.0.1")
    admission.check("10.0.0.1", Clock())


def test_the_number_of_clients_is_limited_and_a_client_that_goes_makes_room() -> None:
    admission = Admission(clients=2)
    for address in ("10.0.0.1", "10.0.0.2"):
        admission.check(address, Clock())
        admission.enter(address)
    with pytest.raises(ServerFull, match="max_clients=2"):
        admission.check("10.0.0.3", Clock())
    admission.leave("10.0.0.1")
    admission.check("10.0.0.3", Clock())


def test_the_number_of_one_address_is_limited_and_others_come_in() -> None:
    admission = Admission(per_address=1)
    admission.enter("10.0.0.1")
    with pytest.raises(TooManyRequests, match="max_per_address=1"):
        admission.check("10.0.0.1", Clock())
    admission.check("10.0.0.2", Clock())
    admission.leave("10.0.0.1")
    admission.check("10.0.0.1", Clock())


def test_handshakes_of_one_address_are_limited_and_a_refusal_does_not_count() -> None:
    clock, admission = Clock(), Admission(handshakes=1)
    for _ in range(2):
        admission.check("10.0.0.1", clock)
    for _ in range(100):
        with pytest.raises(TooManyRequests, match="handshake_rate=1"):
            admission.check("10.0.0.1", clock)
    admission.check("10.0.0.2", clock)
    clock.now += 2
    admission.check("10.0.0.1", clock)


def test_the_addresses_that_are_remembered_are_bounded() -> None:
    clock, admission = Clock(), Admission(handshakes=1)
    for n in range(MAX_TRACKED + 10):
        admission.check(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", clock)
    assert len(admission._limits) == MAX_TRACKED


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002::/64"),
        ("2001:db8:1:2::1", "2001:0db8:0001:0002::/64"),
        ("a unix socket", "a unix socket"),
    ],
)
def test_of_an_ipv6_address_the_network_counts(address: str, place: str) -> None:
    assert address_key(address) == place
