"""The words of tests that run the board like a service manager.

With an environment, and with sockets.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from conftest import PATIENCE, ROOT, Server

WITH_PID = 'exec env LISTEN_PID=$$ "$0" "$@"'
"""A shell that becomes the server, told its own process id, which only then is known."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Run a server."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


def complaint(*command: str, handed: Sequence[int] = (), **env: str) -> str:
    """Run a command that fails to start; return its one line."""
    run = subprocess.run(
        command or (sys.executable, "server.py", "--port=0"),
        cwd=ROOT,
        env={**os.environ, **env},
        pass_fds=handed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert run.returncode > 0
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith("server.py: ")
    return line
