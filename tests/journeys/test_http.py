"""Requests left unfinished, and a server without file descriptors."""

from __future__ import annotations

import asyncio
import resource
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE
from raw_client import (
    JOURNEY,
    io_loop,  # noqa: F401 (a fixture)
    serve,
)
from tornado.web import Application, RequestHandler
from tornado.websocket import websocket_connect

from handlers.socketio.engineio import http_server

ROOT = Path(__file__).parents[2]
SHORT = 0.1

pytestmark = JOURNEY


class EchoHandler(RequestHandler):
    def get(self) -> None:
        self.write("got")

    def post(self) -> None:
        self.write(self.request.body)


APPLICATION = Application([("/", EchoHandler)])
SLOW_POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"


@pytest.mark.parametrize("head", [b"", b"GET / HTTP/1.1\r\nHost:"])
async def test_a_head_that_does_not_come_or_does_not_end_closes_the_connection(head: bytes) -> None:
    async with serve(APPLICATION, kind=http_server.Server, head=SHORT) as server:
        line = await server.connect()
        line.write(head)
        await line.ended()


async def test_an_idle_connection_is_closed_after_its_own_time() -> None:
    async with serve(APPLICATION, kind=http_server.Server, head=60, idle=SHORT) as server:
        line = await server.send("GET", "/")
        assert (await line.answer()).text == "got"
        await line.ended()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel keeps the time, and this one does not")
async def test_an_answer_that_is_not_read_closes_the_connection() -> None:
    ended = asyncio.Event()

    class EndlessHandler(RequestHandler):
        async def get(self) -> None:
            self.write(bytes(50_000_000))
            await self.flush()

        def on_connection_close(self) -> None:
            ended.set()

    async with serve(Application([("/", EndlessHandler)]), kind=http_server.Server, unread=SHORT) as server:
        line = await server.send("GET", "/")
        line.stop_reading()
        await asyncio.wait_for(ended.wait(), PATIENCE)


async def test_a_body_that_does_not_come_is_answered_408() -> None:
    async with serve(APPLICATION, kind=http_server.Server, body=SHORT) as server:
        line = await server.connect()
        line.write(SLOW_POST + b"abc")
        assert (await line.answer()).status == 408
        await line.ended()


async def test_a_body_that_comes_slowly_is_waited_for_as_long_as_it_comes() -> None:
    async with serve(APPLICATION, kind=http_server.Server, body=1) as server:
        line = await server.connect()
        line.write(SLOW_POST)
        for _ in range(10):
            await asyncio.sleep(0.15)
            line.write(b"x")
        assert (await line.answer()).text == "xxxxxxxxxx"


async def test_a_body_is_not_collected_beyond_what_a_page_may_need() -> None:
    async with serve(APPLICATION, kind=http_server.Server) as server:
        largest = b"x" * http_server.BODY_SIZE
        assert (await server.request("POST", "/", body=largest)).body == largest
        line = await server.send("POST", "/", {"Content-Length": str(http_server.BODY_SIZE + 1)})
        assert (await line.answer()).status == 400
        await line.ended()
        line = await server.send("POST", "/", {"Transfer-Encoding": "chunked"})
        line.write(b"%x\r\n" % (http_server.BODY_SIZE + 1))
        assert (await line.answer()).status == 400
        await line.ended()


async def test_others_are_served_while_somebody_is_waited_for() -> None:
    async with serve(APPLICATION, kind=http_server.Server) as server:
        slow = await server.connect()
        slow.write(SLOW_POST)
        assert (await server.request("GET", "/")).text == "got"
        slow.close()


FILES = 40
"""Descriptors that the server may have."""


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))


@pytest.fixture
def board() -> Any:
    """The server with few descriptors."""
    command = [sys.executable, "server.py", "--port=0", "--address=127.0.0.1"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limit_files
    ) as process:
        yield process
        process.kill()


async def test_a_server_without_descriptors_serves_who_is_in_logs_once_and_accepts_again(
    board: subprocess.Popen[str],
) -> None:
    assert board.stdout is not None
    assert board.stderr is not None
    port = int(board.stdout.readline().split()[-1].rstrip("."))
    inside = await websocket_connect(f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket")
    await inside.write_message("40")
    with ExitStack() as dialled:
        for _ in range(2 * FILES):
            dialled.enter_context(socket.create_connection(("127.0.0.1", port)))
        while "cannot accept connections: Too many open files" not in board.stderr.readline():
            pass
        await inside.write_message('42["private","still here"]')
        while "still here" not in board.stderr.readline():
            pass
    late = await websocket_connect(f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket")
    assert str(await late.read_message()).startswith("0{")
    board.terminate()
    rest = board.stderr.read()
    assert "cannot accept" not in rest
    assert "Traceback" not in rest
    late.close()
    inside.close()
