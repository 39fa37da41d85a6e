"""Other networks, with one link to each, which tests can cut.

It needs root, and `ip` of iproute2.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from subprocess import PIPE
from typing import Any

import pytest
from conftest import find_tool

NEW_NETWORK = 0x40000000
"""CLONE_NEWNET of Linux; Python has it from 3.12 on."""
NOBODY = "02:00:00:00:00:01"


@contextmanager
def apart() -> Iterator[None]:
    """Enter a new network namespace.

    Browsers of other tests give up what they load when a link comes or goes.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if libc.unshare(NEW_NETWORK):
        pytest.fail(f"{os.strerror(ctypes.get_errno())} (network namespaces take root)")
    try:
        ip("link", "set", "lo", "up")
        yield
    finally:
        assert libc.setns(home, NEW_NETWORK) == 0
        os.close(home)


def ip(*arguments: Any, inside: tuple[str, ...] = ()) -> None:
    """Change what the network is."""
    command = [*inside, find_tool("ip"), *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.fail(f"{' '.join(command)}: {run.stderr.strip()}")


class Network:
    """A network namespace, which loses packets silently, as real networks do.

    A process of its own holds it, and removes the link when this one has ended, in whatever way.

    number: another one for each network.
    here, there: the addresses of the two ends.
    inside: how a command begins that runs there.
    """

    def __init__(self, number: int) -> None:
        first = IPv4Address("198.18.0.0") + 4 * number  # a block that is for tests
        self.here, self.there = first + 1, first + 2
        self._near, self._far = f"near{number}", f"far{number}"

    def open(self) -> None:
        """Make the namespace and its link."""
        hold = f"echo ready; cat; {find_tool('ip')} link del {self._far}"
        command = [find_tool("unshare"), "--net", "sh", "-c", hold]
        self._holder = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True)
        if not self._holder.stdout.readline():
            pytest.fail(self._holder.stderr.read().decode().strip())
        self.inside = (find_tool("nsenter"), f"--net=/proc/{self._holder.pid}/ns/net")
        ip("link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self._holder.pid)
        ip("addr", "add", f"{self.here}/30", "dev", self._near)
        ip("addr", "add", f"{self.there}/30", "dev", self._far, inside=self.inside)
        ip("link", "set", self._near, "up")
        ip("link", "set", self._far, "up", inside=self.inside)

    def close(self) -> None:
        """Remove the namespace."""
        self._holder.communicate()

    def lose(self, way: str) -> None:
        """Lose what is sent `there`, `here`, or `both` ways.

        It is routed to an address on the link that nobody has.
        """
        to = ("lladdr", NOBODY, "nud", "permanent", "dev")
        if way in ("there", "both"):
            ip("neigh", "replace", self.there, *to, self._near)
        if way in ("here", "both"):
            ip("neigh", "replace", self.here, *to, self._far, inside=self.inside)

    def heal(self) -> None:
        """Lose nothing any more."""
        ip("neigh", "flush", "nud", "permanent", "dev", self._near)
        ip("neigh", "flush", "nud", "permanent", "dev", self._far, inside=self.inside)
