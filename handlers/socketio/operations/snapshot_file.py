"""The file in which a server leaves what its clients may come back for, and in which the next one finds it.

It serves once: whoever came back since has heard what is not in it. So it is set aside before it is read, and removed
when it has been taken up; what cannot be taken up stays aside, for a person to look at.
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
"""Bytes that the file may have."""

logger = logging.getLogger(__name__)


def load_snapshot(hub: Hub, path: Path) -> None:
    """Start a hub, and have it go on where another ended, if its file is there; log what was found."""
    start_clock(hub)
    aside = path.with_name(path.name + ".damaged")
    try:
        path.replace(aside)
    except FileNotFoundError:
        return
    except OSError as error:
        logger.error("--state=%s cannot be set aside, and is not read: %s", path, error.strerror)
        return
    try:
        count = hub.restore(_read(aside), time.time())
    except (OSError, ValueError) as error:
        logger.warning("--state=%s is nothing that this server left: %s. It is now %s", path, error, aside)
        return
    aside.unlink()
    logger.info("%d clients may come back, by --state=%s", count, path)


def save_snapshot(hub: Hub, path: Path) -> None:
    """Save what those need who may come back; log an error where that fails: they will be newcomers."""
    try:
        data = json.dumps(hub.snapshot(time.time()), allow_nan=False, separators=(",", ":")).encode("ascii")
        if len(data) > MAX_SIZE:
            raise OSError(None, f"{len(data)} bytes, where {MAX_SIZE} are the most")
        _replace(path, data)
    except OSError as error:
        logger.error("--state=%s is not saved, and all clients will be newcomers: %s", path, error.strerror)
    else:
        logger.info("saved %d bytes to --state=%s", len(data), path)


def _read(path: Path) -> Any:
    """Return what a file says; raise OSError or ValueError where that is no JSON."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is no file")
    if found.st_size > MAX_SIZE:
        raise ValueError(f"it has {found.st_size} bytes, where {MAX_SIZE} are the most")
    try:
        return json.loads(path.read_bytes(), parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it nests too deep") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _replace(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read; if that fails, the old one is as it was."""
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
    """Have the name of a new file outlast a power cut, too."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
