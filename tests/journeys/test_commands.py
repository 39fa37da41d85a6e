"""What `server.py` does instead of serving: --version, --check-health, --backup."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from conftest import PATIENCE, ROOT, Server
from raw_client import (
    JOURNEY,
    io_loop,  # noqa: F401 (a fixture)
    join,
    serve,
)
from raw_client import Server as Clients
from service_helpers import complaint, free_port, running
from tornado.options import options
from tornado.web import Application, RequestHandler

import handlers.options  # noqa: F401 (defines them)
from handlers import commands
from handlers.board.archive import Post, SQLiteFile
from handlers.socketio import __version__


def run(*arguments: str) -> str:
    """Run a command that succeeds; return what it prints."""
    command = (sys.executable, "server.py", *arguments)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refused(*arguments: str) -> str:
    """Run a command that fails; return its line."""
    return complaint(sys.executable, "server.py", *arguments)


def test_the_versions_are_those_that_run() -> None:
    said = run("--version")
    python = ".".join(map(str, sys.version_info[:3]))
    assert re.fullmatch(rf"message board {re.escape(__version__)}, Tornado [\d.]+, Python {python}\S*\n", said)


# -- health


@pytest.mark.parametrize("address", ["127.0.0.1", "", "0.0.0.0", "::"])
def test_a_server_that_accepts_clients_is_healthy(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    options = (f"--address={address}", "--database=:memory:")
    with running(Server(sys.executable, "server.py", "--port={port}", *options)) as server:
        said = json.loads(run("--check-health", f"--port={server.port}", *options))
        assert said == {"status": "ok", "clients": 0, "trouble": []}


def test_no_server_is_not() -> None:
    port = free_port()
    assert f"no answer from http://127.0.0.1:{port}/healthz" in refused("--check-health", f"--port={port}")


def test_one_that_may_not_say_is_told_how() -> None:
    options = ("--database=:memory:", "--admin-addresses=")
    with running(Server(sys.executable, "server.py", "--port={port}", *options)) as server:
        line = refused("--check-health", f"--port={server.port}")
    assert line.endswith("answers 403: let --admin-addresses contain it")


class Draining(RequestHandler):
    def get(self) -> None:
        self.set_status(503)


@JOURNEY
async def test_one_that_drains_is_not() -> None:
    async with serve(Application([("/healthz", Draining)]), expect="503 GET") as server:
        line = await asyncio.to_thread(refused, "--check-health", f"--port={server.port}")
    assert line.endswith("/healthz answers 503")


def test_one_that_says_nothing_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "ANSWER_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = patch.multiple(options.mockable(), port=silent.getsockname()[1], address="127.0.0.1")
        with asked, pytest.raises(SystemExit, match=r"no answer from .*timed out"):
            commands.check_health()


# -- backup


def texts(path: Path) -> list[str]:
    """Return the posts of a file."""
    file = SQLiteFile(str(path), 10_000)
    found = [post.text for post in file.newest(10_000)]
    file.close()
    return found


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "board.sqlite3"


@pytest.fixture
def written(database: Path) -> Iterator[SQLiteFile]:
    """An open database; its posts are in the log alone."""
    os.close(os.open(database, os.O_CREAT, 0o600))
    file = SQLiteFile(str(database), 10_000)
    for number in range(3):
        file.add(Post(0, f"post {number}", "Ann", number))
    yield file
    file.close()


@JOURNEY
async def test_a_copy_is_made_beside_a_running_server_and_restored(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite3"
    with running(Server(sys.executable, "server.py", "--port={port}", f"--database={database}")) as server:
        clients = Clients(server.port)
        client = await clients.websocket()
        await join(client)
        await client.send('421["post",{"text":"kept"}]')
        while not str(await client.next()).startswith("431"):
            pass
        assert await asyncio.to_thread(run, f"--database={database}", f"--backup={copy}") == ""
        await client.send('422["post",{"text":"too late"}]')
        while not str(await client.next()).startswith("432"):
            pass
        await clients.hang_up()
    assert texts(database) == ["kept", "too late"]
    assert texts(copy) == ["kept"]


def test_the_copy_is_one_file_as_readable_as_the_database(written: SQLiteFile, database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    before = os.umask(0)
    try:
        commands.backup(str(database), str(copy))
    finally:
        os.umask(before)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith("copy")} == {"copy"}
    with sqlite3.connect(copy) as alone:
        assert alone.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert alone.execute("SELECT count(*) FROM posts").fetchone() == (3,)
    alone.close()
    written.add(Post(0, "goes on", "", 4))


def test_a_newer_copy_replaces_an_older_one(written: SQLiteFile, database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    commands.backup(str(database), str(copy))
    written.add(Post(0, "new", "", 4))
    commands.backup(str(database), str(copy))
    assert texts(copy) == ["post 0", "post 1", "post 2", "new"]


def test_a_writer_that_has_begun_is_not_waited_for(written: SQLiteFile, database: Path, tmp_path: Path) -> None:
    writer = sqlite3.connect(database, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM posts")
    commands.backup(str(database), str(tmp_path / "copy"))
    writer.close()
    assert len(texts(tmp_path / "copy")) == 3


def damage(database: Path, _: Path) -> None:
    database.write_bytes(b"no database at all" * 100)


def put_a_folder_there(_: Path, copy: Path) -> None:
    copy.unlink()
    copy.mkdir()


@pytest.mark.parametrize("spoil", [damage, put_a_folder_there])
def test_a_copy_that_fails_leaves_the_last_one_and_says_why(
    spoil: Callable[[Path, Path], None], written: SQLiteFile, database: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    commands.backup(str(database), str(copy))
    written.close()
    spoil(database, copy)
    with pytest.raises(SystemExit, match=f"--backup={copy} failed: "):
        commands.backup(str(database), str(copy))
    assert not (tmp_path / "copy.incomplete").exists()
    assert copy.is_dir() or len(texts(copy)) == 3


def test_what_cannot_be_copied_is_said(written: SQLiteFile, database: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(database)
    for source, target, hint in (
        (":memory:", "copy", "posts in memory are in no file"),
        (str(tmp_path / "absent"), "copy", "there is no database"),
        (str(database), str(database), "is the database itself"),
        (str(database), str(link), "is the database itself"),
        (str(database), str(tmp_path / "no" / "copy"), "failed: "),
    ):
        with pytest.raises(SystemExit, match=hint):
            commands.backup(source, target)
    assert len(texts(database)) == 3
    assert not (tmp_path / "absent").exists()
