"""The process `python server.py --port=3000`, and the board in a test."""

from __future__ import annotations

import errno
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NoReturn

import pytest
from raw_client import (
    JOURNEY,
    UPGRADE,
    Closed,
    Server,
    address,
    io_loop,  # noqa: F401 (a fixture)
    join,
    serve,
)
from tornado.testing import AsyncHTTPTestCase, gen_test
from tornado.web import Application

import server as board
from handlers.socketio.operations import sockets

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "server.py"]
TIME_TO_END = 10


class Process:
    """The server, running; `port` is what it announced."""

    def __init__(self, *arguments: str) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([*COMMAND, *arguments], cwd=ROOT, stdout=pipe, stderr=pipe, text=True)
        assert self._process.stdout is not None
        self.greeting = self._process.stdout.readline()
        announced = re.fullmatch(r"Listening on port (\d+)\.\.\.\n", self.greeting)
        assert announced, self.greeting or self._process.communicate()[1]
        self.port = int(announced[1])
        self.clients = Server(self.port)

    def shutdown_event(self, by: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal."""
        self._process.send_signal(by)

    def ended(self) -> str:
        """Wait for the end; return the log."""
        rest, log = self._process.communicate(timeout=TIME_TO_END)
        assert (self._process.returncode, rest) == (0, ""), log
        assert "Traceback" not in log
        return log

    def kill(self) -> None:
        """Leave nothing behind."""
        self._process.kill()
        self._process.communicate()


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[Process]:
    """Run the server."""
    process = Process(*arguments)
    try:
        yield process
    finally:
        await process.clients.hang_up()
        process.kill()


def complaint(*arguments: str) -> str:
    """Run the server where it cannot run; return its one line."""
    run = subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=TIME_TO_END)
    assert run.returncode > 0
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
    lines = run.stderr.splitlines()
    assert len(lines) == 1, run.stderr
    return lines[0]


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


# -- its life


@JOURNEY
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
async def test_it_announces_the_free_port_it_found_and_ends_well_when_told_to(by: signal.Signals) -> None:
    async with running("--port=0") as process:
        socket.create_connection(("127.0.0.1", process.port)).close()
        process.shutdown_event(by)
        process.ended()


@JOURNEY
async def test_it_listens_on_the_port_it_is_given() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with running(f"--port={port}", "--address=127.0.0.1") as process:
        assert process.port == port
        process.shutdown_event()
        process.ended()


@JOURNEY
async def test_it_disconnects_its_clients_before_it_ends() -> None:
    async with running("--port=0") as process:
        polling = await process.clients.poll()
        await join(polling)
        while "Welcome" not in str(await polling.next()):
            pass
        websocket = await process.clients.websocket()
        await join(websocket)
        while "Welcome" not in str(await websocket.next()):
            pass
        assert "One more" in str(await polling.next())
        held = await polling.hold()
        process.shutdown_event()
        assert (await held.answer()).packets == ["6"]
        assert await closing_code(websocket) == 1001
        process.ended()


async def closing_code(client: Any) -> int | None:
    """Read to the end and return the closing code.

    A packet 41 would keep the client from coming back.
    """
    try:
        while True:
            assert not str(await client.next()).startswith("41")
    except Closed as closed:
        return closed.code


@JOURNEY
async def test_it_ends_while_requests_are_half_way() -> None:
    async with running("--port=0") as process:
        client = await process.clients.poll()
        await client.begin_post(b'42["private"', announced=100)
        half = await process.clients.connect()
        half.write(b"GET / HTTP/1.1\r\n")
        await client.post("3")
        process.shutdown_event()
        process.ended()


# -- what its user got wrong

WRONG: dict[str, tuple[list[str], list[str]]] = {
    "an option it does not have": (["--prot=1"], ["prot", "--help"]),
    "a port that is no number": (["--port=abc"], ["port", "abc"]),
    "an interval that is no number": (["--ping-interval=soon"], ["interval", "soon"]),
    "an option without a value": (["--port"], ["port"]),
    "an argument that is no option": (["3000"], ["3000", "--help"]),
    "an argument behind the options": (["--port=0", "run"], ["run"]),
    "a negative interval": (["--ping-interval=-1"], ["--ping-interval must be greater than 0", "got -1"]),
    "an interval of nothing": (["--ping-interval=0"], ["--ping-interval must be greater than 0", "got 0"]),
    "an interval without end": (["--ping-timeout=inf"], ["--ping-timeout must be greater than 0", "got inf"]),
    "an interval that is not a number at all": (
        ["--ping-timeout=nan"],
        ["--ping-timeout must be greater than 0", "got nan"],
    ),
    "a limit of nothing": (["--max-payload=0"], ["--max-payload must be greater than 0", "got 0"]),
    "a negative upgrade timeout": (["--upgrade-timeout=-1"], ["--upgrade-timeout must be greater than 0", "got -1"]),
    "a negative drain": (["--drain=-1"], ["--drain must be 0 or greater", "got -1"]),
    "a state in no folder": (["--state=/nonexistent/state"], ["state=/nonexistent/state", "no folder"]),
    "a state that is a folder": (["--state=handlers"], ["state must be a file", "handlers"]),
    "a state without recovery": (["--state=state", "--recovery=0"], ["state=state", "recovery"]),
    "a port beyond the last": (["--port=70000"], ["70000", "65535"]),
    "a negative port": (["--port=-1"], ["-1"]),
    "an address that is none": (["--port=0", "--address=999.1.1.1"], ["check the address"]),
    "an address of another machine": (["--port=0", "--address=192.0.2.1"], ["check the address"]),
    "a database in no directory": (["--database=/nonexistent/board"], ["--database", "/nonexistent"]),
    "a database that is a directory": (["--database=."], ["--database must be a file", ":memory:", "got ."]),
    "a database without a name": (["--database="], ["--database must be a file", ":memory:"]),
    "a base path without a slash": (["--base-path=board"], ["--base-path=board must begin with a slash: write /board"]),
    "a base path of the board's own": (["--base-path=/static"], ["--base-path=/static is a path of the board itself"]),
    "a base path with a query": (["--base-path=/a?b"], ["--base-path=/a?b may have letters", "/board"]),
    "a history of nothing": (["--keep=0"], ["--keep must be greater than 0", "got 0"]),
    "a level of logging that is none": (["--logging=loud"], ["loud"]),
    "a format of the log that is none": (["--log-format=xml"], ["--log-format must be text or json", "got xml"]),
    "an administrator's address that is none": (
        ["--admin-addresses=::1,here"],
        ["--admin-addresses must be addresses or networks", "got ::1,here", "'here'"],
    ),
    "a log file that cannot be": (["--log-file-prefix=/nonexistent/log"], ["/nonexistent/log"]),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_it_says_in_one_line_what_is_wrong_with(mistake: str) -> None:
    arguments, words = WRONG[mistake]
    line = complaint(*arguments)
    assert line.startswith("server.py: ")
    assert all(word in line for word in words), line


def test_it_says_in_one_line_that_the_port_is_in_use() -> None:
    with socket.create_server(("", 0)) as listening:
        port = listening.getsockname()[1]
        assert f"port {port} is in use" in complaint(f"--port={port}")


def test_it_says_in_one_line_that_the_port_is_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object, **__: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")  # as the kernel does, but to root

    monkeypatch.setattr(sockets, "bind_sockets", forbid)
    with pytest.raises(SystemExit, match=r"^\S+: port 3000 is not allowed: choose a port above 1023$"):
        sockets.bind(3000, "")


@JOURNEY
async def test_it_runs_without_a_database_and_says_so_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "board.sqlite3"
    file.write_text("This is no database.\n" * 100)
    async with running("--port=0", f"--database={file}") as process:
        health = (await process.clients.request("GET", "/healthz")).json
        assert health["status"] == "trouble"
        assert health["trouble"] == ["posts are not saved: file is not a database: see --database"]
        process.shutdown_event()
        (line,) = [line for line in process.ended().splitlines() if "history" in line]
    assert str(file) in line
    assert "--database" in line


# -- its options


def test_help_names_every_option_with_its_unit_and_default() -> None:
    run = subprocess.run([*COMMAND, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=TIME_TO_END)
    assert run.returncode == 0
    said = " ".join((run.stdout + run.stderr).split())
    for option, unit, default in (
        ("port", "TCP port", "(default 3000)"),
        ("address", "IP address", "empty: all interfaces"),
        ("ping-interval", "seconds", "(default 25.0)"),
        ("ping-timeout", "seconds", "(default 20.0)"),
        ("max-payload", "bytes", "(default 1000000)"),
        ("upgrade-timeout", "seconds", "(default 10.0)"),
        ("connect-timeout", "seconds", "(default 45.0)"),
        ("origins", "origins", "(default [])"),
        ("trust-proxy", "X-Forwarded-", "(default False)"),
        ("admin-addresses", "/metrics", "(default ['127.0.0.0/8', '::1'])"),
        ("log-format", "json", "(default text)"),
        ("database", "file", "board.sqlite3)"),
        ("keep", "posts", "(default 10000)"),
        ("debug", "", "(default False)"),
    ):
        text = re.search(rf" --{option}(?:=\S+)? (.*?)(?= --[a-z]|$)", said)
        assert text, option
        assert unit in text[1]
        assert default in text[1]


@JOURNEY
async def test_options_reach_the_clients() -> None:
    options = ("--ping-interval=0.3", "--ping-timeout=0.2", "--max-payload=4321", "--origins=https://a.example,null")
    async with running("--port=0", *options) as process:
        opening = (await process.clients.poll()).opening
        assert (opening["pingInterval"], opening["pingTimeout"], opening["maxPayload"]) == (300, 200, 4321)
        for origin, status in (("https://a.example", 200), ("null", 200), ("https://b.example", 403)):
            answer = await process.clients.request("GET", address(), {"Origin": origin})
            assert answer.status == status
        process.shutdown_event()
        process.ended()


@JOURNEY
async def test_posts_are_kept_in_the_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}:/nonexistent")
    async with running("--port=0") as process:
        process.shutdown_event()
        process.ended()
    assert names_in(tmp_path) == ["board.sqlite3"]


@JOURNEY
async def test_behind_a_trusted_proxy_the_log_names_the_clients_address() -> None:
    async with running("--port=0", "--trust-proxy") as process:
        headers = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Host": "b.example", "Origin": "https://b.example"}
        assert (await process.clients.request("GET", address(), headers)).status == 200
        process.shutdown_event()
        assert "(192.0.2.7) connected over polling" in process.ended()


@JOURNEY
async def test_what_a_client_says_in_private_is_logged_in_one_line_whatever_it_is() -> None:
    async with running("--port=0") as process:
        client = await process.clients.websocket()
        sid = await join(client)
        forged = "a\nforged" + "x" * 100_000
        await client.send('42["private",{"msg":"Thank you"}]', f'42["private",{json.dumps(forged)}]', "41", "40")
        while not str(await client.next()).startswith("40"):
            pass
        process.shutdown_event()
        lines = [line for line in process.ended().splitlines() if f"private from {sid}" in line]
    assert len(lines) == 2
    assert "Thank you" in lines[0]
    assert "forgedxxx" in lines[1]
    assert len(lines[1]) < 400


# -- the board, imported


class Page(HTMLParser):
    """The title, the headings, and the ids by element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.said: dict[str, str] = {}
        self.ids: dict[str | None, str] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag
        self.ids[dict(attrs).get("id")] = tag

    def handle_data(self, data: str) -> None:
        self.said.setdefault(self._open, data)


class TheBoard(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        return board.make_app()

    def test_the_page_has_its_title_its_heading_and_its_list(self) -> None:
        answer = self.fetch("/")
        page = Page(answer.body.decode())
        self.assertEqual(answer.code, 200)
        self.assertEqual((page.said["title"], page.said["h1"]), ("Message Board", "Message Board"))
        self.assertEqual(page.ids["messages"], "ul")

    def test_all_that_the_page_needs_is_there(self) -> None:
        needed = re.findall(r'<(?:img|link|script)[^>]*(?:src|href)="([^"]+)"', self.fetch("/").body.decode())
        self.assertIn("socket.io/socket.io.js", needed)
        self.assertEqual([self.fetch(f"/{path}").code for path in needed], [200] * len(needed))

    def test_HEAD_of_the_page_sends_nothing(self) -> None:
        answer = self.fetch("/", method="HEAD")
        self.assertEqual((answer.code, answer.body), (200, b""))

    def test_a_path_that_no_file_system_takes_is_not_found(self) -> None:
        for path in ("/static/%00", "/static/a%00b.js", "/static/" + "x" * 5000, "/static/nothing", "/nothing"):
            self.assertEqual(self.fetch(path).code, 404, path[:20])

    def test_files_outside_the_static_ones_are_not_served(self) -> None:
        for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/static//etc/passwd", "/static/"):
            self.assertIn(self.fetch(path).code, (403, 404), path)

    @gen_test
    async def test_both_transports_work_in_a_test_case_of_Tornados(self) -> None:
        server = Server(self.get_http_port())
        polling, websocket = await server.poll(), await server.websocket()
        await join(polling)
        await join(websocket)
        self.assertIn('"count":2', str(await websocket.next()))
        self.assertIn("you are the 2 person", str(await websocket.next()))
        await websocket.send("41")
        heard = [str(await polling.next()) for _ in range(4)]
        self.assertEqual(heard[3], '42["news",{"msg":"Someone went home","count":1}]')
        await server.hang_up()


@JOURNEY
async def test_two_servers_in_one_process_never_mix() -> None:
    async with serve(board.make_app()) as one, serve(board.make_app()) as other:
        here, there = await one.websocket(), await other.websocket()
        for client in (here, there):
            await join(client)
            assert '"count":1' in str(await client.next())
        refused = await other.request("GET", address(transport="websocket", sid=here.sid), UPGRADE)
        assert (refused.status, refused.json["code"]) == (400, 1)
