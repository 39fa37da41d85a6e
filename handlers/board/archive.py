"""Posts in an SQLite file. Every call may wait for the disk and may raise sqlite3.Error; see `history` for both."""

from __future__ import annotations

import sqlite3
import weakref
from typing import Any, NamedTuple

PATIENCE = 1.0
"""Seconds to wait for another process that has locked the file."""


class Post(NamedTuple):
    """What somebody has posted. `id` rises with each post; `at` is in milliseconds since 1970; `name` may be empty."""

    id: int
    text: str
    name: str
    at: int
    key: str | None = None
    """What the client calls it, so that it is kept once though it is sent again."""

    @property
    def public(self) -> dict[str, Any]:
        """What everyone is sent of it."""
        return {"id": self.id, "text": self.text, "name": self.name, "at": self.at}


class Archive:
    """The newest `keep` posts, in the file at `path` (`:memory:`: in no file). Opening it makes sure it can be written.

    Source: SQLite, "Write-Ahead Logging": readers do not stop the writer, and a killed process loses nothing.
    """

    def __init__(self, path: str, keep: int) -> None:
        self._keep = keep
        self._database = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        self.close = weakref.finalize(self, self._database.close)
        self._execute("PRAGMA journal_mode = WAL")
        self._execute("PRAGMA synchronous = NORMAL")
        self._check()
        self._execute("BEGIN IMMEDIATE")
        self._execute(
            "CREATE TABLE IF NOT EXISTS posts"
            " (id INTEGER PRIMARY KEY, text TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, key TEXT UNIQUE)"
        )
        self._trim()
        self._execute("COMMIT")

    def add(self, post: Post) -> tuple[Post, bool]:
        """Keep a post, under a higher id if need be. Return it as kept and True; for a known key, what that names."""
        for known in self._select("WHERE key = ?", post.key):
            return known, False
        self._execute("BEGIN IMMEDIATE")
        ((last,),) = self._execute("SELECT ifnull(max(id), 0) FROM posts")
        post = post._replace(id=max(post.id, last + 1))
        self._execute("INSERT INTO posts (id, text, name, at, key) VALUES (?, ?, ?, ?, ?)", *post)
        self.count += 1
        if self.count > self._keep:
            self._trim()
        self._execute("COMMIT")
        return post, True

    def newest(self, number: int) -> list[Post]:
        """Return so many of the newest, oldest first."""
        return self._select("ORDER BY id DESC LIMIT ?", number)[::-1]

    def before(self, id_: int, number: int) -> list[Post]:
        """Return so many of those before the one of this id, oldest first."""
        return self._select("WHERE id < ? ORDER BY id DESC LIMIT ?", id_, number)[::-1]

    def _check(self) -> None:
        ((verdict,),) = self._execute("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"database is damaged: {verdict}")

    def _trim(self) -> None:
        ((count,),) = self._execute("SELECT count(*) FROM posts")
        surplus = max(0, count - self._keep)
        self._execute("DELETE FROM posts WHERE id IN (SELECT id FROM posts ORDER BY id LIMIT ?)", surplus)
        self.count = count - surplus
        """How many there are."""

    def _select(self, condition: str, *values: Any) -> list[Post]:
        rows = self._execute(f"SELECT id, text, name, at, key FROM posts {condition}", *values)
        return [Post(*row) for row in rows]

    def _execute(self, statement: str, *values: Any) -> list[Any]:
        return self._database.execute(statement, values).fetchall()
