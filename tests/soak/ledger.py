"""What a soak finds, and whether it is as it should be."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from .guests import Heard

GROWTH = 8 << 20
"""Bytes by which the memory of a process that has not grown may still differ."""
SPARE = 3
"""Connections that those who poll keep for a while, or do not."""
STEPS = {"One more person is online": 1, "Someone went home": -1}
"""What each kind of news does to the count."""
COUNTED = r"disconnects|rate_lim|upgrades|recoveries|refusals|lag_seconds_bucket.*le=\"(0\.1|1|5|\+Inf)\""
"""What happened: names of `/metrics`."""
LOUD = re.compile(r"^\[[WEC] |Traceback|^Exception")
MISUSE = re.compile(
    r"\] (\S+ has no event|\S+ takes .+ came with|a client asks for no namespace|a client cannot connect:) "
)
"""What the server is right to say once: the guests do all that a client must not."""


class State(NamedTuple):
    """What the server holds at one moment."""

    memory: int
    """Bytes."""
    descriptors: int
    tables: dict[str, float]
    """Numbers of `/metrics`."""


class Stayer(NamedTuple):
    """Somebody who stays throughout, as it is at one moment.

    id: who it is to the board. carrier: what carries it. told, posted: up to which number it has counted, in private
    and in posts. returns: how often it has lost its connection and come back.
    """

    name: str
    id: str
    carrier: str
    heard: list[Heard]
    told: int = 0
    posted: int = 0
    returns: int = 0


def due_tables(stayers: Iterable[Stayer]) -> dict[str, float]:
    """Return what the server is to hold when only these are there."""
    carriers = Counter(stayer.carrier for stayer in stayers)
    return {
        **{f'socketio_clients{{transport="{name}"}}': carriers[name] for name in ("polling", "websocket", "events")},
        "socketio_clients_away": 0,
        "socketio_rooms": 0,
        "socketio_backlog_bytes": 0,
    }


def table_faults(found: Mapping[str, float], due: Mapping[str, float]) -> list[str]:
    """Say which tables are not as they should be."""
    return [
        f"{name} is {found[name]:g}, and {number:g} was due" for name, number in due.items() if found[name] != number
    ]


def state_faults(start: State, end: State) -> Iterator[str]:
    """Say what has grown from the start to the end."""
    if end.memory > start.memory + GROWTH:
        yield f"the memory grew by {megabytes(end.memory - start.memory)}; {megabytes(GROWTH)} may be by chance"
    if end.descriptors > start.descriptors + SPARE:
        yield f"{end.descriptors} descriptors are open, where {start.descriptors} were"


def hearing_faults(stayers: Iterable[Stayer]) -> Iterator[str]:
    """Say who has not heard everything, once and in order.

    Each piece of news counts on from the one before. All heard the same, but for what was said while they came: a
    client that stays is announced to those who were there before.
    """
    stayers = sorted(stayers, key=lambda stayer: len(stayer.heard))
    most = stayers[-1]
    for stayer in stayers:
        yield from _gaps(stayer)
        if len(stayer.heard) < len(most.heard) - 2 * len(stayers):
            yield f"{stayer.name} heard {len(stayer.heard)} things, where {most.name} heard {len(most.heard)}"
        for back, (one, other) in enumerate(zip(reversed(stayer.heard), reversed(most.heard), strict=False)):
            if not _same(one, other):
                yield f"{stayer.name} heard {one} as the last but {back}, where {most.name} heard {other}"
                break
    yield from _missing_posts(stayers, most)


def _gaps(stayer: Stayer) -> Iterator[str]:
    for before, after in pairwise(heard for heard in stayer.heard if heard.online is not None):
        if after.online - before.online != STEPS[after.said]:
            yield f"{stayer.name} heard {after} behind {before}"
            return


def _same(one: Heard, other: Heard) -> bool:
    return one[:2] == other[:2] and (one.stamp is None or other.stamp is None or one.stamp == other.stamp)


def _missing_posts(stayers: Iterable[Stayer], most: Stayer) -> Iterator[str]:
    posts = [heard.said for heard in most.heard if heard.online is None]
    for stayer in stayers:
        heard = [text for text in posts if text.rpartition(" ")[0] == stayer.name]
        due = [f"{stayer.name} {number}" for number in range(1, max(stayer.posted, len(heard)) + 1)]
        if heard != due:
            yield f"{stayer.name} posted {stayer.posted} times, and {most.name} heard {heard}"


def count_faults(stayers: Iterable[Stayer]) -> Iterator[str]:
    """Return who was told a wrong count.

    Only these clients are there.
    """
    stayers = list(stayers)
    truth = sum(stayer.carrier != "events" for stayer in stayers)
    for stayer in stayers:
        told = next((heard.online for heard in reversed(stayer.heard) if heard.online is not None), None)
        if told != truth:
            yield f"{stayer.name} heard last that {told} are online, and {truth} are"


def number_faults(lines: Iterable[str], stayers: Iterable[Stayer]) -> Iterator[str]:
    """Return whose numbers the server has not received in order, once each.

    lines: those of the server's log.
    """
    taken: defaultdict[str, list[int]] = defaultdict(list)
    for line in lines:
        if match := re.search(r"private from (\S+): '.* (\d+)'$", line):
            taken[match[1]].append(int(match[2]))
    for stayer in stayers:
        numbers = taken[stayer.id]
        wrong = next((place for place, number in enumerate(numbers, 1) if number != place), len(numbers) + 1)
        if wrong <= stayer.told:
            came = f"{numbers[wrong - 1]} came" if wrong <= len(numbers) else "none came"
            yield f"{stayer.name} told {stayer.told} numbers, and in the place of {wrong} {came}"


def log_faults(lines: Iterable[str]) -> list[str]:
    """Return the server's warnings, at most a page of them."""
    return [f"the server said: {line}" for line in lines if LOUD.search(line) and not MISUSE.search(line)][:20]


def megabytes(size: float) -> str:
    """Write a number of bytes."""
    return f"{size / (1 << 20):.1f} MB"


def table_of_visits(visits: Mapping[tuple[str, str], int]) -> str:
    """Return a table of the visits, by visitor and end."""
    kinds, endings = (sorted(names) for names in map(set, zip(*visits, strict=True)))
    rows = [[kind, *(visits.get((kind, ending), 0) for ending in endings)] for kind in kinds]
    sums = [sum(visits.get((kind, ending), 0) for kind in kinds) for ending in endings]
    return _table([["visits", *endings], *rows, ["all", *sums]])


def table_of_stayers(stayers: Iterable[Stayer]) -> str:
    """Write what those who stayed heard and told."""
    rows = [[stayer.name, len(stayer.heard), stayer.told, stayer.posted, stayer.returns] for stayer in stayers]
    return _table([["who stayed", "heard", "told", "posted", "came back"], *rows])


def table_of_states(start: State, end: State) -> str:
    """Return a table of the server's state at start and end.

    It counts what happened in between, too.
    """
    happened = {
        name: [start.tables.get(name, 0), number]
        for name, number in end.tables.items()
        if re.search(COUNTED, name) and number
    }
    held = {name: [start.tables[name], end.tables[name]] for name in due_tables([])}
    rows = [[name, *(f"{number:g}" for number in numbers)] for name, numbers in {**held, **happened}.items()]
    return _table(
        [
            ["the server", "start", "end"],
            ["memory", megabytes(start.memory), megabytes(end.memory)],
            ["descriptors", start.descriptors, end.descriptors],
            *rows,
        ]
    )


def _table(rows: Sequence[Sequence[object]]) -> str:
    columns = [[str(cell) for cell in column] for column in zip(*rows, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    padded = [[cell.rjust(width) for cell in column] for column, width in zip(columns[1:], widths[1:], strict=True)]
    first = [cell.ljust(widths[0]) for cell in columns[0]]
    return "\n".join("  ".join(row) for row in zip(first, *padded, strict=True))
