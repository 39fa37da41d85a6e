"""Where the time of one delivery and of one echo goes.

`make profile`.

py-spy looks at our server four hundred times a second while `load/` is at work; what it sees is summed up by what the
server was doing. The kernel says how much of the time was its own. Printed as a table, in microseconds a delivery.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import peers as peer_table
import workloads as workload_table
from errors import RunError
from measure import Cores, Duration, load_command, serving, settle_on
from peers import Peer
from workloads import Workload

NAMES = (
    "fanout-1000-1-16",
    "fanout-1000-8-16",
    "fanout-1000-8-1024",
    "echo-20-4",
    "polling-fanout-200-8-16",
    "rooms-1000",
)
SECONDS = 10
RATE = 400
TICKS = os.sysconf("SC_CLK_TCK")

SOCKET = ("SocketConnection._on_event", "BufferedSocket.send", "BufferedSocket._send_more", "LentConnection._look")
"""The functions that call the kernel for the bytes of a client."""
PARTS = [
    ("socket: send, recv", rf"^({'|'.join(map(re.escape, SOCKET))}) |(write_to_fd|read_from_fd) "),
    ("event loop: epoll, callbacks", r" \((asyncio/|selectors\.py|tornado/(ioloop|platform/asyncio)\.py)"),
    ("Tornado's HTTP", r" \(tornado/"),
    ("JSON and messages", r"/socketio/(message|json_codec)\.py| \(json/"),
    ("frames and packets", r"/engineio/codec/"),
    ("transports", r"/engineio/(websocket|polling)/|/engineio/(endpoint|access|buffered_socket|http_server)\.py"),
    ("rooms, readers, the tick", r"/engineio/"),
    ("namespaces, handlers", r"/socketio/| \((\S*/)?ours\.py"),
]
"""What the function that runs, with its file, says of what the server does; the first that fits."""


def part_of(frame: str) -> str:
    """Return the part that a frame of py-spy belongs to."""
    return next((part for part, pattern in PARTS if re.search(pattern, frame)), "other")


def look(pid: int, folder: Path) -> Counter[str]:
    """Have py-spy look for a while; return how often it saw what."""
    raw = folder / "raw"
    options = [
        "--pid",
        str(pid),
        "--duration",
        str(SECONDS),
        "--rate",
        str(RATE),
        "--format",
        "raw",
        "--output",
        str(raw),
    ]
    try:
        subprocess.run(["py-spy", "record", *options], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise RunError("there is no py-spy: pip install py-spy") from None
    except subprocess.CalledProcessError as error:
        raise RunError(f"py-spy cannot look: {error.stderr.strip()}") from None
    seen: Counter[str] = Counter()
    for line in raw.read_text().splitlines():
        stack, _, times = line.rpartition(" ")
        seen[part_of(stack.rpartition(";")[2])] += int(times)
    return seen


def times_of(pid: int) -> tuple[float, float]:
    """Return the user and system seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def profile(peer: Peer, workload: Workload, cores: Cores) -> str:
    """Return the table of one workload."""
    duration = Duration(seconds=SECONDS + 4, warmup=1, deadline=240)
    with serving(peer, workload, cores.server) as (server, port), TemporaryDirectory() as folder:
        command = load_command(peer, workload, duration, {"port": port, "pid": server.pid})
        load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=settle_on(cores.load))
        time.sleep(2)
        before = times_of(server.pid)
        seen = look(server.pid, Path(folder))
        after = times_of(server.pid)
        said = load.communicate()[0]
        if load.returncode:
            raise RunError(f"{workload.name}: the load ended with {load.returncode}")
    found = re.search(r'"delivered":(\d+).*"cpu":([\d.]+)', said)
    if found is None:
        raise RunError(f"{workload.name}: the load said {said!r}")
    cost = 1e6 * float(found[2]) / int(found[1])
    own, kernel = (b - a for a, b in zip(before, after, strict=True))
    total = seen.total()
    lines = [f"### {workload.title}", "", "| part | share | µs a delivery |", "|---|--:|--:|"]
    lines += [f"| {part} | {times / total:.0%} | {cost * times / total:.2f} |" for part, times in seen.most_common()]
    lines += [f"| **all** | | **{cost:.2f}** |", "", f"Of all, {kernel / (own + kernel):.0%} was the kernel's."]
    return "\n".join(lines)


def main() -> None:
    """Print all tables."""
    (peer,) = (peer for peer in peer_table.PEERS if peer.name == "ours")
    wanted = sys.argv[1:] or NAMES
    try:
        peer_table.install([peer])
        first, second = sorted(os.sched_getaffinity(0))[:2]
        for name in wanted:
            (workload,) = (work for work in workload_table.WORKLOADS if work.name == name)
            sys.stdout.write(profile(peer, workload, Cores(first, second)) + "\n\n")
            sys.stdout.flush()
    except RunError as error:
        sys.exit(f"benchmarks/profile.py: {error}")


if __name__ == "__main__":
    main()
