"""Another network, with one link to it, for tests that cut the link. It takes root, and `ip` of iproute2."""

from __future__ import annotations

import os
import subprocess
from ipaddress import IPv4Address
from subprocess import PIPE
from typing import Any

import pytest
from conftest import find_tool

BLOCKS = 1 << 13
"""How many processes that run tests at a time may have addresses of their own in 198.18.0.0/15, which is for tests."""
NOBODY = "02:00:00:00:00:01"


class Network:
    """A network namespace. What is lost is lost silently, as in a real network.

    A process of its own holds it, and removes the link when this one has ended, in whatever way.

    number: 0 to 3, another one for each network of this process.
    here, there: the addresses of the two ends.
    inside: how a command begins that runs there.
    """

    def __init__(self, number: int) -> None:
        pid = os.getpid()
        first = IPv4Address("198.18.0.0") + 4 * (4 * (pid % BLOCKS) + number)
        self.here, self.there = first + 1, first + 2
        self._near, self._far = f"near{number}-{pid}", f"far{number}-{pid}"

    def open(self) -> None:
        """Make it."""
        hold = f"echo ready; cat; {find_tool('ip')} link del {self._far}"
        command = [find_tool("unshare"), "--net", "sh", "-c", hold]
        self._holder = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True)
        if not self._holder.stdout.readline():
            pytest.fail(f"{self._holder.stderr.read().decode().strip()} (network namespaces take root)")
        self.inside = (find_tool("nsenter"), f"--net=/proc/{self._holder.pid}/ns/net")
        self._ip("link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self._holder.pid)
        self._ip("addr", "add", f"{self.here}/30", "dev", self._near)
        self._ip("addr", "add", f"{self.there}/30", "dev", self._far, inside=True)
        self._ip("link", "set", self._near, "up")
        self._ip("link", "set", self._far, "up", inside=True)

    def close(self) -> None:
        """Remove it."""
        self._holder.communicate()

    def lose(self, way: str) -> None:
        """Lose what is sent `there`, `here`, or `both` ways: it goes to an address on the link that nobody has."""
        to = ("lladdr", NOBODY, "nud", "permanent", "dev")
        if way in ("there", "both"):
            self._ip("neigh", "replace", self.there, *to, self._near)
        if way in ("here", "both"):
            self._ip("neigh", "replace", self.here, *to, self._far, inside=True)

    def heal(self) -> None:
        """Lose nothing any more."""
        self._ip("neigh", "flush", "nud", "permanent", "dev", self._near)
        self._ip("neigh", "flush", "nud", "permanent", "dev", self._far, inside=True)

    def _ip(self, *arguments: Any, inside: bool = False) -> None:
        command = [*(self.inside if inside else ()), find_tool("ip"), *map(str, arguments)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            pytest.fail(f"{' '.join(command)}: {run.stderr.strip()}")
