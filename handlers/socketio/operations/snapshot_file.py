"""The snapshot file: it carries recoverable sessions over a restart.

It is valid once, because clients that reconnect since then have received messages that are not in it. So it is renamed
before it is read, and removed when it is restored; a file that cannot be restored stays, for a person to look at.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import time
from pathlib import Path
from typing import Any, NoReturn

from .. import Hub, start_clock

MAX_SIZE = 64 << 20
"""Maximum size of the file in bytes."""

logger = logging.getLogger(__name__)


def load_snapshot(hub: Hub, path: Path) -> None:
    """Start the hub and restore the snapshot, if there is one.

    Log the result.
    """
    start_clock(hub)
    aside = path.with_name(path.name + ".damaged")
    try:
        path.replace(aside)
    except FileNotFoundError:
        return
    except OSError as error:
        logger.error("snapshot %s not restored: it cannot be moved to %s: %s", path, aside, error.strerror)
        return
    try:
        count = hub.restore(_read(aside), time.time())
    except (OSError, ValueError) as error:
        logger.warning("%s is not a valid snapshot (%s); moved to %s", path, error, aside)
        return
    aside.unlink()
    logger.info("restored %d recoverable sessions from %s", count, path)


def save_snapshot(hub: Hub, path: Path) -> None:
    """Save the recoverable sessions; log an error if that fails."""
    try:
        data = json.dumps(hub.snapshot(time.time()), allow_nan=False, separators=(",", ":")).encode("ascii")
        if len(data) > MAX_SIZE:
            raise OSError(None, f"{len(data)} bytes; at most {MAX_SIZE} are allowed")
        _replace(path, data)
    except OSError as error:
        logger.error("snapshot %s not saved: %s: no session can be recovered", path, error.strerror)
    else:
        logger.info("saved snapshot %s, %d bytes", path, len(data))


def _read(path: Path) -> Any:
    """Return the JSON value in a file; raise OSError or ValueError."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("not a regular file")
    if found.st_size > MAX_SIZE:
        raise ValueError(f"{found.st_size} bytes; at most {MAX_SIZE} are allowed")
    try:
        return json.loads(path.read_bytes(), parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _replace(path: Path, data: bytes) -> None:
    """Replace a file atomically; only its owner can read the new one."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """Flush a folder, so that a new name survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
