"""The snapshot's file: it serves once.

Whatever is wrong with it, the next server starts.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
from pathlib import Path
from typing import NoReturn

import pytest

from handlers.socketio import Hub, SocketIOHandler
from handlers.socketio.operations import snapshot_file
from handlers.socketio.testing import connect

pytestmark = pytest.mark.gen_test


def hub() -> Hub:
    return Hub({"/": SocketIOHandler})


async def ended() -> Hub:
    """A server that has ended, with one client that may come back."""
    ended = hub()
    await connect(ended, recovery=True)
    ended.close()
    return ended


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def levels(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records if record.name == snapshot_file.__name__]


async def test_the_next_server_takes_up_what_was_left_once(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text("an older one")
    os.umask(os.umask(0))
    snapshot_file.save_snapshot(await ended(), path)
    assert files(tmp_path) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    following = hub()
    snapshot_file.load_snapshot(following, path)
    assert len(following.recovery) == 1
    assert files(tmp_path) == []
    another = hub()
    snapshot_file.load_snapshot(another, path)
    assert len(another.recovery) == 0


DAMAGED = {
    "empty": b"",
    "cut off": b'{"format":',
    "something else": b'{"name": "message-board", "version": "1.0"}',
    "no text": bytes(range(256)),
    "nested too deep": b"[" * 200_000,
    "not a number": b'{"format": NaN}',
    "a list": b"[]",
}


@pytest.mark.parametrize("damage", DAMAGED)
async def test_a_file_that_is_damaged_or_of_somebody_else_is_set_aside(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state"
    path.write_bytes(DAMAGED[damage])
    following = hub()
    snapshot_file.load_snapshot(following, path)
    aside = tmp_path / "state.damaged"
    assert files(tmp_path) == [aside]
    assert aside.read_bytes() == DAMAGED[damage]
    assert levels(caplog) == ["WARNING"]
    assert str(aside) in caplog.text
    await connect(following)


async def test_what_is_no_file_is_not_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state"
    os.mkfifo(path)
    snapshot_file.load_snapshot(hub(), path)
    assert levels(caplog) == ["WARNING"]
    assert "not a regular file" in caplog.text


async def test_a_file_that_is_too_large_is_neither_read_nor_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_file, "MAX_SIZE", 100)
    path = tmp_path / "state"
    path.write_text("[" + " " * 100 + "]")
    snapshot_file.load_snapshot(hub(), path)
    assert "102 bytes; at most 100 are allowed" in caplog.text
    snapshot_file.save_snapshot(await ended(), path)
    assert levels(caplog) == ["WARNING", "ERROR"]
    assert "bytes; at most 100 are allowed" in caplog.records[-1].getMessage()
    assert not path.exists()


async def test_on_a_full_disk_an_error_is_logged_and_nothing_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    path = tmp_path / "state"
    path.write_text("as it was")
    snapshot_file.save_snapshot(await ended(), path)
    assert levels(caplog) == ["ERROR"]
    assert f"snapshot {path} not saved" in caplog.text
    assert "No space left on device" in caplog.text
    assert [file.read_text() for file in files(tmp_path)] == ["as it was"]


async def test_what_a_server_left_that_was_ended_while_it_wrote_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "state"
    (tmp_path / "state.new").write_text("half of it")
    snapshot_file.save_snapshot(await ended(), path)
    assert files(tmp_path) == [path]
    json.loads(path.read_bytes())


async def test_nothing_is_written_through_a_link_of_somebody_else(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    (tmp_path / "state.new").symlink_to(victim)
    snapshot_file.save_snapshot(await ended(), tmp_path / "state")
    assert victim.read_text() == "as it was"


async def test_a_file_that_cannot_be_set_aside_is_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state"
    snapshot_file.save_snapshot(await ended(), path)
    (tmp_path / "state.damaged").mkdir()
    following = hub()
    with caplog.at_level(logging.ERROR):
        snapshot_file.load_snapshot(following, path)
    assert levels(caplog) == ["ERROR"]
    assert len(following.recovery) == 0
