"""A Redis of the tests' own, without a port or a file."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError


class RedisServer:
    """`redis-server`, which can be stopped, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "redis.sock"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def client(self, **options: Any) -> Redis:
        return Redis(unix_socket_path=str(self.path), **options)

    def start(self, *options: str) -> None:
        """Start, and wait until it answers."""
        unsaved = ["--save", "", "--appendonly", "no"]
        command = [find_redis(), "--port", "0", "--unixsocket", str(self.path), *unsaved, *options]
        self._process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE
        while not self._answers():
            assert time.monotonic() < until, f"{command} does not answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                client.ping()
        except RedisError as error:
            return isinstance(error, AuthenticationError)  # it answers that it wants a password
        return True

    def kill(self) -> None:
        """End it as a crash does."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(PATIENCE)

    def pause(self) -> None:
        """Let the server hang."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


def find_redis() -> str:
    """Return the path of redis-server: the machine's, or what tests/support/install-tools has linked."""
    linked = Path(sys.prefix) / "bin" / "redis-server"
    path = shutil.which("redis-server") or (str(linked) if linked.exists() else None)
    if path is None:
        pytest.fail("redis-server is missing: on Debian and Ubuntu `make test` installs it")
    return path
