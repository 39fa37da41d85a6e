"""The tables of the board's database, and their versions.

`PRAGMA user_version` has the version. Each migration leads from one version to the next, and keeps statements of older
servers working, so that nodes of two versions can share a file.
"""

from __future__ import annotations

import sqlite3

MIGRATIONS = (
    "CREATE TABLE IF NOT EXISTS posts (id INTEGER PRIMARY KEY, text TEXT NOT NULL, name TEXT NOT NULL,"
    " at INTEGER NOT NULL, key TEXT UNIQUE)",  # the file had no version then
    "ALTER TABLE posts ADD COLUMN person TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE names (folded TEXT PRIMARY KEY, name TEXT NOT NULL,"
    " person TEXT NOT NULL UNIQUE, at INTEGER NOT NULL)",
    "ALTER TABLE posts ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE posts ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE posts ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE posts ADD COLUMN reactions TEXT NOT NULL DEFAULT '{}'",
)


class NewerDatabase(sqlite3.DatabaseError):
    """The file was written by a newer version of the server."""


def migrate(database: sqlite3.Connection) -> None:
    """Bring the tables to the newest version, inside a transaction.

    Raises NewerDatabase, and changes nothing, for a version that this server does not know.
    """
    ((version,),) = database.execute("PRAGMA user_version")
    if version > len(MIGRATIONS):
        known = f"the database has version {version}, and this server knows versions up to {len(MIGRATIONS)}"
        raise NewerDatabase(f"{known}: install a newer server, or name another file")
    for migration in MIGRATIONS[version:]:
        for statement in migration.split(";"):
            database.execute(statement)
    if version < len(MIGRATIONS):
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
