"""Metrics in the text format of Prometheus; `docs/metrics.md` explains each of them.

Names carry their units; names of counters end in `_total`. A HELP text is shown alone, so it must be true alone.

Source: Prometheus, "Text-based format", version 0.0.4.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import tornado

from .. import Hub, __version__, read_gauges
from . import process
from .lag import LoopLag

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Sample(NamedTuple):
    """One number of a family, with its labels and suffix."""

    value: float
    labels: Mapping[str, str] = {}
    suffix: str = ""


class Family(NamedTuple):
    """All samples of one metric, with its type and its HELP text."""

    name: str
    kind: str
    help: str
    samples: list[Sample]


def write_metrics(hub: Hub, lag: LoopLag) -> str:
    """Return all metrics of a server, with their current values."""
    groups = (_clients(hub), _messages(hub), _handlers(hub), _machine(lag), _cluster(hub))
    return "".join(_write(family) for group in groups for family in group)


def _clients(hub: Hub) -> Iterator[Family]:
    counters, gauges = hub.counters, read_gauges(hub)
    build = {"version": __version__, "tornado": tornado.version, "python": platform.python_version()}
    yield _gauge("socketio_build_info", "1; its labels are the versions of the server.", Sample(1, build))
    yield _gauge("socketio_clients", "Connections, by transport.", *_by("transport", gauges.clients))
    yield _gauge(
        "socketio_clients_behind", "Connections with messages waiting because they read slowly.", Sample(gauges.behind)
    )
    yield _gauge(
        "socketio_backlog_bytes",
        "Bytes of messages kept for slow connections and for recoverable sessions.",
        Sample(gauges.backlog),
    )
    yield _gauge(
        "socketio_clients_away", "Disconnected clients that can still recover their session.", Sample(gauges.away)
    )
    yield _gauge("socketio_rooms", "Rooms that have at least one client.", Sample(gauges.rooms))
    yield _gauge("socketio_draining", "1 while the server shuts down, else 0.", Sample(hub.draining))
    yield _counter(
        "socketio_connections_total",
        "Connections opened, by their first transport.",
        *_by("transport", counters.opened),
    )
    yield _counter("socketio_disconnects_total", "Connections closed, by reason.", *_by("reason", counters.closed))
    yield _counter(
        "socketio_slow_consumers_total",
        "Connections closed because they read too slowly.",
        Sample(counters.closed["slow consumer"]),
    )
    yield _counter(
        "socketio_rate_limits_total",
        "Times that reading from a client was paused because it exceeded the packet rate.",
        Sample(counters.rate_limited),
    )
    yield _counter(
        "socketio_upgrades_total",
        "Upgrades to WebSocket, by result.",
        Sample(counters.upgraded, {"result": "done"}),
        Sample(counters.not_upgraded, {"result": "abandoned"}),
    )
    yield _counter(
        "socketio_recoveries_total",
        "Sessions recovered: the client was sent the messages it had missed.",
        Sample(counters.recovered),
    )
    yield _counter(
        "socketio_refusals_total",
        "HTTP requests refused, by code and message of the answer.",
        *(Sample(number, {"code": str(code), "message": said}) for (code, said), number in counters.refused.items()),
    )


def _messages(hub: Hub) -> Iterator[Family]:
    counters, traffic = hub.counters, hub.counters.traffic
    yield _counter(
        "socketio_messages_total",
        "Messages sent: events, acknowledgements and protocol packets; a broadcast counts once.",
        Sample(hub.delivery.published),
    )
    yield _counter(
        "socketio_deliveries_total",
        "Messages delivered, counted once per connection.",
        Sample(counters.deliveries),
    )
    yield _counter("socketio_events_received_total", "Events received from clients.", Sample(counters.events))
    yield _counter(
        "socketio_unknown_events_total", "Events received that no handler answers.", Sample(hub.counters.unknown_events)
    )
    yield _counter(
        "socketio_sent_bytes_total",
        "Bytes sent to clients, without HTTP headers, by transport.",
        *_by("transport", {name: bytes_.sent for name, bytes_ in traffic.items()}),
    )
    yield _counter(
        "socketio_received_bytes_total",
        "Bytes received from clients, without HTTP headers, by transport.",
        *_by("transport", {name: bytes_.received for name, bytes_ in traffic.items()}),
    )


def _handlers(hub: Hub) -> Iterator[Family]:
    events = [
        ({"namespace": watch.namespace, "event": event}, times)
        for watch in hub.watches
        for event, times in watch.events.items()
    ]
    yield _counter(
        "socketio_handler_errors_total",
        "Failures of event handlers and hooks, by namespace and event.",
        *(Sample(times.errors, labels) for labels, times in events),
    )
    yield Family(
        "socketio_handler_seconds",
        "histogram",
        "Time from the call of an event handler or hook to its end, waiting included.",
        [sample for labels, times in events for sample in _histogram(times.buckets, times.seconds, labels)],
    )


def _machine(lag: LoopLag) -> Iterator[Family]:
    yield Family(
        "socketio_loop_lag_seconds",
        "histogram",
        "Lag of the event loop, sampled ten times a second.",
        _histogram(lag.buckets, lag.sum, {}),
    )
    resident, descriptors = process.resident_bytes(), process.open_descriptors()
    if resident is not None:
        yield _gauge("process_resident_memory_bytes", "Resident memory of the process.", Sample(resident))
    if descriptors is not None:
        yield _gauge("process_open_fds", "Open file descriptors of the process.", Sample(descriptors))
    yield _gauge("process_max_fds", "Maximum number of open file descriptors.", Sample(process.max_descriptors()))
    yield _counter("process_cpu_seconds_total", "CPU time that the process used.", Sample(process.cpu_seconds()))


def _cluster(hub: Hub) -> Iterator[Family]:
    for figure in hub.backplane.figures():
        yield Family(f"socketio_cluster_{figure.name}", figure.kind, figure.help, [Sample(figure.value)])


def _gauge(name: str, help_: str, *samples: Sample) -> Family:
    return Family(name, "gauge", help_, list(samples))


def _counter(name: str, help_: str, *samples: Sample) -> Family:
    return Family(name, "counter", help_, list(samples))


def _histogram(buckets: list[tuple[float, int]], total: float, labels: Mapping[str, str]) -> list[Sample]:
    """Return a histogram's samples; buckets: cumulative, the last infinite."""
    samples = [Sample(number, {**labels, "le": _number(bound)}, "_bucket") for bound, number in buckets]
    return [*samples, Sample(total, labels, "_sum"), Sample(buckets[-1][1], labels, "_count")]


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
