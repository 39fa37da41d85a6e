"""A Redis with a replica, and a sentinel that promotes it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import PATIENCE
from redis import Redis
from redis.exceptions import RedisError
from redis_server import RedisServer, find_redis
from service_helpers import free_port

PASSWORD, SENTINEL_PASSWORD = "sesame", "apricot"
MONITOR = """
port {port}
bind 127.0.0.1
requirepass {sentinel_password}
sentinel monitor main 127.0.0.1 {master} 1
sentinel auth-pass main {password}
sentinel down-after-milliseconds main 1000
"""


class Replicas:
    """A master, its replica and one sentinel, which knows them as `main`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.servers = [self._server(name) for name in ("one", "other")]
        self.ports = [free_port(), free_port()]
        self.sentinel_port = free_port()
        self._sentinel: subprocess.Popen[bytes] | None = None

    def _server(self, name: str) -> RedisServer:
        (self._folder / name).mkdir()
        return RedisServer(self._folder / name)

    @property
    def url(self) -> str:
        sentinels = f"127.0.0.1:{free_port()},127.0.0.1:{self.sentinel_port}"  # nobody listens at the first one
        return f"redis+sentinel://:{PASSWORD}@{sentinels}/1/main?sentinel_password={SENTINEL_PASSWORD}"

    def start(self) -> None:
        """Start all three, and wait until the sentinel knows the replica."""
        replicated = ("--replicaof", "127.0.0.1", str(self.ports[0]))
        for server, port, options in zip(self.servers, self.ports, ((), replicated), strict=True):
            passwords = ("--requirepass", PASSWORD, "--masterauth", PASSWORD, "--repl-diskless-sync-delay", "0")
            server.start("--port", str(port), "--bind", "127.0.0.1", *passwords, *options)
        _wait_for(self._replica_is_there)
        self._start_sentinel()

    def _start_sentinel(self) -> None:
        settings = self._folder / "sentinel.conf"
        passwords = {"password": PASSWORD, "sentinel_password": SENTINEL_PASSWORD}
        settings.write_text(MONITOR.format(port=self.sentinel_port, master=self.ports[0], **passwords))
        command = [find_redis(), str(settings), "--sentinel"]
        self._sentinel = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL)
        _wait_for(lambda: bool(self.master["num-slaves"] == 1))

    def _replica_is_there(self) -> bool:
        with self.servers[1].client(password=PASSWORD) as client:
            return bool(client.info("replication")["master_link_status"] == "up")

    @property
    def master(self) -> dict[str, Any]:
        """What the sentinel says of the master."""
        with Redis(port=self.sentinel_port, password=SENTINEL_PASSWORD) as sentinel:
            state: dict[str, Any] = sentinel.sentinel_masters()["main"]
        return state

    def stop(self) -> None:
        if self._sentinel is not None:
            self._sentinel.kill()
            self._sentinel.wait(PATIENCE)
        for server in self.servers:
            server.kill()


def _wait_for(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not _answered(holds):
        assert time.monotonic() < until, "the replica does not follow, or the sentinel does not see it"
        time.sleep(0.02)


def _answered(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except RedisError:
        return False
