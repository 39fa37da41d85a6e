from __future__ import annotations

from typing import Any

import pytest

from handlers.socketio.engineio.errors import ServerFull, TooManyRequests
from handlers.socketio.engineio.limits import MAX_TRACKED, Admission, RateLimit, TokenBucket, address_key


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def flood(allowance: TokenBucket, clock: Clock, seconds: float, per_second: float) -> int:
    """Ask at this rate and wait as told; return the count."""
    asked, end = 0, clock.now + seconds
    while clock.now < end and not allowance.exhausted:
        clock.now += max(1 / per_second, allowance.spend(clock))
        asked += 1
    return asked


def test_two_seconds_worth_may_come_at_once() -> None:
    clock = Clock()
    allowance = TokenBucket(100, clock.now)
    assert [allowance.spend(clock) for _ in range(200)] == [0.0] * 200
    assert allowance.spend(clock) > 0


def test_a_client_that_keeps_to_the_rate_never_waits() -> None:
    clock = Clock()
    allowance = TokenBucket(100, clock.now)
    for _ in range(10_000):
        clock.now += 1 / 99
        assert allowance.spend(clock) == 0
    assert not allowance.exhausted


def test_a_client_that_asks_more_gets_the_rate() -> None:
    clock = Clock()
    assert flood(TokenBucket(100, clock.now), clock, seconds=8, per_second=10_000) == pytest.approx(
        200 + 8 * 100, rel=0.05
    )


def test_ten_seconds_of_too_much_are_too_much() -> None:
    clock = Clock()
    allowance = TokenBucket(100, clock.now)
    flood(allowance, clock, seconds=9, per_second=1000)
    assert not allowance.exhausted
    flood(allowance, clock, seconds=9, per_second=1000)
    assert allowance.exhausted


def test_a_second_without_a_pause_begins_the_ten_again() -> None:
    clock = Clock()
    allowance = TokenBucket(100, clock.now)
    for _ in range(5):
        flood(allowance, clock, seconds=6, per_second=1000)
        clock.now += 3
        assert allowance.spend(clock) == 0
    assert not allowance.exhausted


def test_a_rate_limit_is_kept_over_any_span_and_a_refusal_does_not_count() -> None:
    limit = RateLimit(2, 10)
    assert [limit.take(now) for now in (0, 4, 9, 10, 13, 14)] == [0, 0, 1, 0, 1, 0]
    assert [limit.wait(now) for now in (14, 19, 20, 99)] == [6, 1, 0, 0]


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
    assert len(admission._allowances) == MAX_TRACKED


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
