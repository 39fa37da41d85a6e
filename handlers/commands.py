"""What `server.py` does instead of serving: --version, --check-health and --backup."""

from __future__ import annotations

import platform
import sqlite3
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import tornado
from tornado.options import options

from .socketio import __version__
from .socketio.operations import exit_with

ANSWER_TIMEOUT = 5.0
"""Seconds for a server to answer."""
LOCAL = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where to connect to a server that listens on all interfaces."""


def run_command() -> bool:
    """Do what the options ask for; return whether that is done.

    The result is False if they ask for a server. Exits with 1 and one line on stderr if it fails.
    """
    if options.version:
        print(f"message board {__version__}, Tornado {tornado.version}, Python {platform.python_version()}")
    elif options.check_health:
        check_health()
    elif options.backup:
        backup(options.database, options.backup)
    else:
        return False
    return True


def check_health() -> None:
    """Exit with 1 unless the server on this machine accepts clients."""
    host = LOCAL.get(options.address, options.address)
    scheme = "https" if options.certfile else "http"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{options.port}/healthz"
    try:
        with _opener().open(url, timeout=ANSWER_TIMEOUT) as answer:
            print(answer.read().decode())
    except urllib.error.HTTPError as error:
        hint = ": let --admin-addresses contain it" if error.code == 403 else ""
        exit_with(f"{url} answers {error.code}{hint}")
    except OSError as error:
        exit_with(f"no answer from {url}: {getattr(error, 'reason', error)}")


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens addresses of this machine.

    It uses no proxy, and trusts any certificate.
    """
    context = ssl.create_default_context()
    context.check_hostname = False  # it is for the name of the host, not for 127.0.0.1
    context.verify_mode = ssl.CERT_NONE
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))


def backup(database: str, path: str) -> None:
    """Copy the posts into a file, also while a server writes them.

    The file replaces an older one only when it is complete, and is as readable as the database.
    Source: SQLite, "Online Backup API".
    """
    if database == ":memory:":
        exit_with("--backup needs --database=FILE: posts in memory are in no file")
    if not Path(database).is_file():
        exit_with(f"--backup: there is no database {database}: name it with --database=FILE")
    if Path(path).exists() and Path(path).samefile(database):
        exit_with(f"--backup={path} is the database itself: name another file")
    incomplete = Path(f"{path}.incomplete")
    try:
        incomplete.unlink(missing_ok=True)
        incomplete.touch(Path(database).stat().st_mode & 0o666)
        copy_database(database, str(incomplete))
        incomplete.replace(path)
    except (OSError, sqlite3.Error) as error:
        incomplete.unlink(missing_ok=True)
        exit_with(f"--backup={path} failed: {error}")


def copy_database(source: str, target: str) -> None:
    """Copy an SQLite file into one without a log beside it.

    Raises sqlite3.Error.
    """
    # Not read-only: who reads a database with a write-ahead log may have to make its index.
    live, copy = sqlite3.connect(source), sqlite3.connect(target)
    try:
        live.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        ((verdict,),) = copy.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"the copy is damaged: {verdict}")
    finally:
        live.close()
        copy.close()
