"""What a server holds, from outside."""

from __future__ import annotations

import re
from pathlib import Path

import raw_client
from conftest import Server

from .ledger import State


async def look(server: Server) -> State:
    """Look at what the server holds."""
    answer = await raw_client.Server(server.port).request("GET", "/metrics")
    samples = [line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#")]
    process = Path(f"/proc/{server.pid}")
    resident = re.search(r"VmRSS:\s+(\d+) kB", (process / "status").read_text())
    assert resident
    return State(
        memory=1024 * int(resident[1]),
        descriptors=len(list((process / "fd").iterdir())),
        tables={name: float(number) for name, _, number in samples},
    )
