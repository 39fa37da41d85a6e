"""A password of Redis is shown to nobody, whatever goes wrong."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Server
from redis_server import RedisServer
from tornado.httpclient import AsyncHTTPClient

pytestmark = pytest.mark.slow


def shown_by_ps(server: Server) -> str:
    return subprocess.check_output(["ps", "-ww", "-o", "args=", "-p", str(server.pid)], text=True)


async def health(server: Server) -> str:
    return (await AsyncHTTPClient().fetch(f"{server.url}/healthz")).body.decode()


async def told(trouble: str, *servers: Server) -> None:
    """Wait until these servers say what is wrong with Redis."""
    for server in servers:
        while trouble not in await health(server):
            await asyncio.sleep(0.02)


@pytest.mark.gen_test
async def test_a_password_is_in_no_log_line_and_not_in_ps(start: Callable[[Server], Server], tmp_path: Path) -> None:
    redis, board = RedisServer(tmp_path), [sys.executable, "server.py", "--port={port}", "--database=:memory:"]
    redis.start("--requirepass", "sesame")
    (tmp_path / "url").write_text(f"unix://:sesame@{redis.path}")
    quiet = [
        start(Server(*board, "--logging=debug", f"--redis=@{tmp_path / 'url'}")),
        start(Server(*board, "--logging=debug", REDIS_URL=f"unix://:sesame@{redis.path}")),
    ]
    loud = start(Server(*board, f"--redis=unix://:sesame@{redis.path}"))
    try:
        with redis.client(password="sesame") as operator:
            operator.config_set("requirepass", "another")
            operator.execute_command("CLIENT", "KILL", "TYPE", "normal")
        await told("invalid username-password pair", *quiet, loud)
        redis.kill()
        redis.start("--rename-command", "AUTH", "")
        await told("unknown command 'AUTH'", *quiet, loud)
        for server in (*quiet, loud):
            assert "sesame" not in await health(server) + "".join(server.lines)
            assert ("`ps` shows its password" in "".join(server.lines)) == (server is loud)
        assert ["sesame" in shown_by_ps(server) for server in (*quiet, loud)] == [False, False, True]
    finally:
        redis.kill()
