"""What the server counts, in the text format of Prometheus.

`docs/metrics.md` says what each of them means. Names carry their units, and what only grows ends in `_total`.

Source: Prometheus, "Text-based format", version 0.0.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .. import Hub, read_gauges
from . import process
from .lag import LoopLag

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Sample(NamedTuple):
    """One number. What tells it from others of its family: a part of the name, and labels."""

    value: float
    labels: Mapping[str, str] = {}
    suffix: str = ""


class Family(NamedTuple):
    """The numbers of one name."""

    name: str
    kind: str
    help: str
    samples: list[Sample]


def write_metrics(hub: Hub, lag: LoopLag) -> str:
    """Write all of a server's numbers as they are now."""
    return "".join(_write(family) for group in (_clients(hub), _messages(hub), _machine(lag)) for family in group)


def _clients(hub: Hub) -> Iterator[Family]:
    counters, census = hub.counters, read_gauges(hub)
    yield _gauge("socketio_clients", "Connections, by transport.", *_by("transport", census.clients))
    yield _gauge(
        "socketio_clients_behind", "Connections that could not take at once what was said.", Sample(census.behind)
    )
    yield _gauge(
        "socketio_backlog_bytes",
        "What is kept for those, and for clients that may come back.",
        Sample(census.backlog),
    )
    yield _gauge("socketio_clients_away", "Clients that are away, and may come back.", Sample(census.away))
    yield _gauge("socketio_rooms", "Rooms that somebody is in.", Sample(census.rooms))
    yield _gauge("socketio_draining", "1 while the server is about to end.", Sample(hub.draining))
    yield _counter(
        "socketio_connections_total",
        "Connections that were opened, by the transport that they began with.",
        *_by("transport", counters.opened),
    )
    yield _counter("socketio_disconnects_total", "Connections that ended, by reason.", *_by("reason", counters.closed))
    yield _counter(
        "socketio_slow_consumers_total",
        "Connections that were closed because they did not read.",
        Sample(counters.closed["slow consumer"]),
    )
    yield _counter(
        "socketio_rate_limits_total",
        "How often a client was slowed down for what it sent.",
        Sample(counters.rate_limited),
    )
    yield _counter(
        "socketio_upgrades_total",
        "Upgrades to WebSocket, by what became of them.",
        Sample(counters.upgraded, {"result": "done"}),
        Sample(counters.not_upgraded, {"result": "abandoned"}),
    )
    yield _counter(
        "socketio_recoveries_total",
        "Clients that came back and were sent what they had missed.",
        Sample(counters.recovered),
    )
    yield _counter(
        "socketio_refusals_total",
        "HTTP requests that were refused, by the code and message of the answer.",
        *(Sample(number, {"code": str(code), "message": said}) for (code, said), number in counters.refused.items()),
    )


def _messages(hub: Hub) -> Iterator[Family]:
    counters, traffic = hub.counters, hub.counters.traffic
    yield _counter(
        "socketio_messages_total",
        "What the server said: events, answers and the protocol's own; a broadcast counts once.",
        Sample(hub.delivery.published),
    )
    yield _counter(
        "socketio_deliveries_total",
        "The same, once for each connection that it was for.",
        Sample(counters.deliveries),
    )
    yield _counter("socketio_events_received_total", "Events that clients sent.", Sample(counters.events))
    yield _counter("socketio_unknown_events_total", "Those for which there is no handler.", Sample(hub.unknown_events))
    yield _counter(
        "socketio_sent_bytes_total",
        "Bytes handed to the connections, without the heads of HTTP.",
        *_by("transport", {name: bytes_.sent for name, bytes_ in traffic.items()}),
    )
    yield _counter(
        "socketio_received_bytes_total",
        "Bytes that clients sent, without the heads of HTTP.",
        *_by("transport", {name: bytes_.received for name, bytes_ in traffic.items()}),
    )


def _machine(lag: LoopLag) -> Iterator[Family]:
    *_, (_, looks) = lag.buckets
    yield Family(
        "socketio_loop_lag_seconds",
        "histogram",
        "How late the event loop was, ten looks a second.",
        [
            *(Sample(number, {"le": _number(bound)}, "_bucket") for bound, number in lag.buckets),
            Sample(lag.sum, suffix="_sum"),
            Sample(looks, suffix="_count"),
        ],
    )
    resident, descriptors = process.resident_bytes(), process.open_descriptors()
    if resident is not None:
        yield _gauge("process_resident_memory_bytes", "Memory that the process occupies.", Sample(resident))
    if descriptors is not None:
        yield _gauge("process_open_fds", "File descriptors that are open.", Sample(descriptors))
    yield _gauge("process_max_fds", "File descriptors that may be open.", Sample(process.max_descriptors()))
    yield _counter("process_cpu_seconds_total", "Time that the processor spent.", Sample(process.cpu_seconds()))


def _gauge(name: str, help_: str, *samples: Sample) -> Family:
    return Family(name, "gauge", help_, list(samples))


def _counter(name: str, help_: str, *samples: Sample) -> Family:
    return Family(name, "counter", help_, list(samples))


def _by(label: str, numbers: Mapping[str, int]) -> Iterator[Sample]:
    for value, number in numbers.items():
        yield Sample(number, {label: value})


def _write(family: Family) -> str:
    name = family.name
    lines = [f"# HELP {name} {family.help}", f"# TYPE {name} {family.kind}"]
    lines += [f"{name}{sample.suffix}{_labels(sample.labels)} {_number(sample.value)}" for sample in family.samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return "+Inf" if value == float("inf") else str(int(value)) if value == int(value) else repr(value)
