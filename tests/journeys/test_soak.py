"""A short soak, and that it reports what is wrong.

`make soak` is the whole of it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from conftest import JS, PATIENCE, ROOT
from soak import ledger
from soak.guests import Heard
from soak.ledger import State, Stayer
from soak.witness import Witness

CAME, WENT = ledger.STEPS
SAID = [(CAME, 3), (CAME, 4), (WENT, 3), ("a post", None), (CAME, 4), (WENT, 3), (WENT, 2)]
HEARD = [Heard(said, online, 10 + 2 * number) for number, (said, online) in enumerate(SAID)]
"""What everybody hears who stays."""


def test_all_is_as_it_was_after_seconds_of_everything(node: str) -> None:
    said = soak("--seconds=4", "--warm-up=2", "--patience=4")
    assert said.startswith("seed ")
    assert "All is as it was" in said


def test_a_cluster_is_as_it_was_after_seconds_of_faults() -> None:
    said = soak("--nodes=2", "--seconds=4", "--warm-up=0", "--patience=2", "--visitors=2", "--seed=1")
    assert "All is as it was" in said
    (faults,) = re.findall(r"^faults: (\d+)$", said, re.MULTILINE)
    assert int(faults) > 0


def soak(*options: str) -> str:
    """Run a soak that finds nothing wrong; return what it prints."""
    command = [sys.executable, "-m", "soak", *options]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(JS.parent), str(JS.parent / "support")])}
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=6 * PATIENCE)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def somebody(news: list[Heard], **what: object) -> Stayer:
    return Stayer("somebody", "Ab", "websocket", news)._replace(**what)


def witness(name: str = "a witness") -> Stayer:
    return Stayer(name, "Cd", "websocket", HEARD)


@pytest.mark.parametrize("news", [HEARD, HEARD[1:], [Heard(said, online) for said, online, _ in HEARD]])
def test_a_client_that_heard_what_the_others_heard_heard_everything(news: list[Heard]) -> None:
    assert list(ledger.hearing_faults([witness(), somebody(news)])) == []


@pytest.mark.parametrize(
    "news",
    {
        "one is missing": HEARD[:2] + HEARD[3:],
        "two are missing that belong together": HEARD[:1] + HEARD[3:],
        "the last is missing": HEARD[:-1],
        "one came twice": HEARD[:2] + HEARD[1:],
        "two changed places": [*HEARD[:2], HEARD[3], HEARD[2], *HEARD[4:]],
        "one is another": [*HEARD[:2], HEARD[2]._replace(stamp=13), *HEARD[3:]],
        "the first are missing": HEARD[5:],
        "all are missing": [],
    }.items(),
    ids=lambda case: case[0],
)
def test_a_client_that_did_not_is_named(news: tuple[str, list[Heard]]) -> None:
    _, heard = news
    faults = list(ledger.hearing_faults([witness(), somebody(heard)]))
    assert faults
    assert all("somebody" in fault for fault in faults)


def test_a_count_that_is_not_the_truth_is_told() -> None:
    assert list(ledger.count_faults([witness(), somebody(HEARD)])) == []
    stream = somebody(HEARD, carrier="events")
    assert list(ledger.count_faults([witness(), stream])) == [
        "a witness heard last that 2 are online, and 1 are",
        "somebody heard last that 2 are online, and 1 are",
    ]
    assert list(ledger.count_faults([somebody([])])) == ["somebody heard last that None are online, and 1 are"]


@pytest.mark.parametrize(
    ("numbers", "fault"),
    [
        ([1, 2, 3], None),
        ([1, 2, 3, 4], None),
        ([1, 2], "in the place of 3 none came"),
        ([1, 3], "in the place of 2 3 came"),
        ([1, 1, 2, 3], "in the place of 2 1 came"),
        ([2, 1, 3], "in the place of 1 2 came"),
    ],
)
def test_numbers_that_the_server_did_not_take_are_told(numbers: list[int], fault: str | None) -> None:
    lines = [f"[I 261122 18:56:28 board:23] private from Ab: 'somebody {number}'" for number in numbers]
    lines.append("[I 261122 18:56:28 board:23] private from Cd: 'somebody 7'")
    told = somebody(HEARD, told=3)
    assert list(ledger.number_faults(lines, [told])) == ([f"somebody told 3 numbers, and {fault}"] if fault else [])


def test_what_has_grown_is_told() -> None:
    start = State(30 << 20, 20, {})
    assert list(ledger.state_faults(start, State(start.memory + ledger.GROWTH, 20 + ledger.SPARE, {}))) == []
    assert list(ledger.state_faults(start, State(50 << 20, 30, {}))) == [
        "the memory grew by 20.0 MB; 8.0 MB may be by chance",
        "30 descriptors are open, where 20 were",
    ]


def test_tables_that_are_not_as_they_should_be_are_told() -> None:
    due = ledger.due_tables([witness(), witness(), somebody(HEARD, carrier="events")])
    assert ledger.table_faults(due, due) == []
    assert ledger.table_faults({**due, "socketio_rooms": 7}, due) == ["socketio_rooms is 7, and 0 was due"]
    assert len(ledger.table_faults(ledger.due_tables([]), due)) == 2


def test_what_the_server_says_loudly_is_told() -> None:
    said = ["[I 261122 18:56:28 engine:162] x connected", "[E 261122 18:56:28 board:23] failed", "    Traceback (most"]
    assert ledger.log_faults(said) == [f"the server said: {line}" for line in said[1:]]


def test_what_a_witness_heard_twice_or_in_another_order_is_told() -> None:
    one, other = Witness("one", [], 0), Witness("other", [], 1)
    one.heard = [("post", [{"text": text}]) for text in ("one 1", "other 1", "one 2", "one 10")]
    other.heard = [("post", [{"text": text}]) for text in ("one 2", "other 1", "one 1", "other 1")]
    assert list(one.faults([one, other])) == []
    assert list(other.faults([one, other])) == [
        "other heard twice: ['other 1']",
        "other heard one in the order [2, 1]",
    ]
