"""Posts and names in an SQLite file.

Each call may block on the disk and raise sqlite3.Error; `history` handles both.
"""

from __future__ import annotations

import sqlite3
import time
import weakref
from collections.abc import Collection
from typing import Any, NamedTuple

from .people import fold, numbered
from .schema import migrate

LOCK_TIMEOUT = 1.0
"""Seconds to wait for another process that has locked the file."""
DAY = 24 * 3600
NAME_KEPT = 90 * DAY
"""Seconds until a name that its person does not use is free again."""


class Post(NamedTuple):
    """One post of the board.

    `id` rises with each post; `at` is in milliseconds since 1970; `name` may be empty.
    """

    id: int
    text: str
    name: str
    at: int
    key: str | None = None
    """The client's name for this post, so that a post that is sent again is kept once."""
    person: str = ""
    """Public id of the person who wrote it; "" in posts of older servers."""

    @property
    def public(self) -> dict[str, Any]:
        """The fields that all clients are sent: `{id, text, name, at, person}`."""
        return {"id": self.id, "text": self.text, "name": self.name, "at": self.at, "person": self.person}


class SQLiteFile:
    """The newest `keep` posts, in the file at `path`.

    `:memory:` stands for no file. The constructor checks that the file can be written.
    Source: SQLite, "Write-Ahead Logging": readers do not stop the writer, and a killed process loses nothing.
    """

    def __init__(self, path: str, keep: int) -> None:
        self._keep = keep
        self._database = sqlite3.connect(path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
        self.close = weakref.finalize(self, self._database.close)
        try:
            self._prepare()
        except sqlite3.Error:
            self.close()
            raise
        self._version: int | None = None

    def _prepare(self) -> None:
        self._execute("PRAGMA journal_mode = WAL")
        self._execute("PRAGMA synchronous = NORMAL")
        self._check()
        self._execute("BEGIN IMMEDIATE")
        migrate(self._database)
        self._trim()
        self._execute("COMMIT")

    def has_changed(self) -> bool:
        """Return whether another process has written since the last call."""
        ((version,),) = self._execute("PRAGMA data_version")
        changed, self._version = version != self._version, version
        if changed:
            ((self.count,),) = self._execute("SELECT count(*) FROM posts")
        return bool(changed)

    def add(self, post: Post) -> tuple[Post, bool]:
        """Add a post and return `(post, is_new)`.

        Its id is raised if it is not the highest. For a key that is known the result is the older post and False.
        """
        for known in self._select("WHERE key = ?", post.key):
            return known, False
        self._execute("BEGIN IMMEDIATE")
        ((last,),) = self._execute("SELECT ifnull(max(id), 0) FROM posts")
        post = post._replace(id=max(post.id, last + 1))
        self._execute("INSERT INTO posts (id, text, name, at, key, person) VALUES (?, ?, ?, ?, ?, ?)", *post)
        self.count += 1
        if self.count > self._keep:
            self._trim()
        self._execute("COMMIT")
        return post, True

    def newest(self, number: int) -> list[Post]:
        """Return the newest posts, at most `number`, oldest first."""
        return self._select("ORDER BY id DESC LIMIT ?", number)[::-1]

    def before(self, id_: int, number: int) -> list[Post]:
        """Return the newest posts before an id, at most `number`, oldest first."""
        return self._select("WHERE id < ? ORDER BY id DESC LIMIT ?", id_, number)[::-1]

    def free_name(self, name: str, person: str, taken: Collection[str]) -> str:
        """Return a name, with a number behind it if another person's.

        taken: more names that others have, folded.
        """
        for form in numbered(name):
            owners = self._execute("SELECT person FROM names WHERE folded = ?", fold(form))
            if owners == [(person,)] or (not owners and fold(form) not in taken):
                break
        return form

    def claim_name(self, name: str, person: str, taken: Collection[str]) -> str:
        """Return a name as `free_name` does, and keep it for this person.

        A person has one name, which is free again when another is claimed, or "".
        """
        self._execute("BEGIN IMMEDIATE")
        now = int(time.time())
        self._execute("DELETE FROM names WHERE at < ? AND person != ?", now - NAME_KEPT, person)
        form = self.free_name(name, person, taken) if name else ""
        self._execute("DELETE FROM names WHERE person = ?", person)
        if form:
            self._execute("INSERT INTO names VALUES (?, ?, ?, ?)", fold(form), form, person, now)
        self._execute("COMMIT")
        return form

    def _check(self) -> None:
        ((verdict,),) = self._execute("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"database is damaged: {verdict}")

    def _trim(self) -> None:
        ((count,),) = self._execute("SELECT count(*) FROM posts")
        surplus = max(0, count - self._keep)
        self._execute("DELETE FROM posts WHERE id IN (SELECT id FROM posts ORDER BY id LIMIT ?)", surplus)
        self.count = count - surplus
        """Number of posts in the file."""

    def _select(self, condition: str, *values: Any) -> list[Post]:
        rows = self._execute(f"SELECT id, text, name, at, key, person FROM posts {condition}", *values)
        return [Post(*row) for row in rows]

    def _execute(self, statement: str, *values: Any) -> list[Any]:
        return self._database.execute(statement, values).fetchall()
