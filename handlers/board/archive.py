"""Posts and names in an SQLite file.

Each call may block on the disk and raise sqlite3.Error; `history` handles both.
"""

from __future__ import annotations

import json
import sqlite3
import time
import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .people import fold, numbered
from .post import Post
from .schema import migrate

LOCK_TIMEOUT = 1.0
"""Seconds to wait for another process that has locked the file."""
DAY = 24 * 3600
NAME_KEPT = 90 * DAY
"""Seconds until a name that its person does not use is free again."""


COLUMNS = ", ".join(Post._fields)


def write_row(post: Post) -> tuple[Any, ...]:
    """Return a post as values of its columns."""
    return (*post[:-1], json.dumps(post.reactions, ensure_ascii=False))


def read_row(row: Sequence[Any]) -> Post:
    """Return the post of a row."""
    post = Post(*row)
    return post._replace(gone=bool(post.gone), reactions=json.loads(row[-1]))


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
        with self._transaction():
            migrate(self._database)
            self._trim()

    def has_changed(self) -> bool:
        """Return whether another process has written since the last call."""
        ((version,),) = self._execute("PRAGMA data_version")
        changed, self._version = version != self._version, version
        if changed:
            self._count()
        return bool(changed)

    def add(self, post: Post) -> tuple[Post, bool]:
        """Add a post and return `(post, is_new)`.

        Its id is raised if it is not the highest. For a key that is known the result is the older post and False.
        """
        for known in self._select("WHERE key = ?", post.key):
            return known, False
        with self._transaction():
            ((last,),) = self._execute("SELECT ifnull(max(id), 0) FROM posts")
            post = post._replace(id=max(post.id, last + 1))
            self._write("INSERT", post)
            self.count += 1
            if self.count > self._keep:
                self._trim()
        return post, True

    def change(self, id_: int, change: Callable[[Post], Post]) -> Post | None:
        """Replace a post by what a function makes of it.

        None: there is no such post. The result has the next revision, unless nothing has changed.
        """
        with self._transaction():
            for post in self._select("WHERE id = ? AND NOT gone", id_):
                changed = change(post)
                if changed != post:
                    changed = changed._replace(revision=post.revision + 1)
                    self._write("REPLACE", changed)
                    self.count -= changed.gone
                return changed
        return None

    def newest(self, number: int) -> list[Post]:
        """Return the newest posts, at most `number`, oldest first."""
        return self._select("WHERE NOT gone ORDER BY id DESC LIMIT ?", number)[::-1]

    def before(self, id_: int, number: int) -> list[Post]:
        """Return the newest posts before an id, at most `number`, oldest first."""
        return self._select("WHERE id < ? AND NOT gone ORDER BY id DESC LIMIT ?", id_, number)[::-1]

    def after(self, id_: int, number: int) -> list[Post]:
        """Return the oldest posts after an id, at most `number`, oldest first."""
        return self._select("WHERE id > ? AND NOT gone ORDER BY id LIMIT ?", id_, number)

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
        with self._transaction():
            now = int(time.time())
            self._execute("DELETE FROM names WHERE at < ? AND person != ?", now - NAME_KEPT, person)
            form = self.free_name(name, person, taken) if name else ""
            self._execute("DELETE FROM names WHERE person = ?", person)
            if form:
                self._execute("INSERT INTO names VALUES (?, ?, ?, ?)", fold(form), form, person, now)
        return form

    def _check(self) -> None:
        ((verdict,),) = self._execute("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"database is damaged: {verdict}")

    def _trim(self) -> None:
        ((count,),) = self._execute("SELECT count(*) FROM posts")
        surplus = max(0, count - self._keep)
        self._execute("DELETE FROM posts WHERE id IN (SELECT id FROM posts ORDER BY id LIMIT ?)", surplus)
        self._count()

    def _write(self, verb: str, post: Post) -> None:
        row = write_row(post)
        self._execute(f"{verb} INTO posts ({COLUMNS}) VALUES ({', '.join('?' * len(row))})", *row)

    def _count(self) -> None:
        ((self.count,),) = self._execute("SELECT count(*) FROM posts WHERE NOT gone")
        """Number of posts in the file."""

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._database.in_transaction:  # SQLite ends it by itself on some errors
                self._execute("ROLLBACK")
            raise
        self._execute("COMMIT")

    def _select(self, condition: str, *values: Any) -> list[Post]:
        return [read_row(row) for row in self._execute(f"SELECT {COLUMNS} FROM posts {condition}", *values)]

    def _execute(self, statement: str, *values: Any) -> list[Any]:
        return self._database.execute(statement, values).fetchall()
