"""History of the board.

Posts in a database, written by a separate thread.

The thread keeps the disk from blocking the event loop. If the database cannot be used (locked, read-only, full,
damaged), the board goes on: `trouble` says why, the newest posts stay in memory, and every ten seconds the database is
tried again. Posts that are still in memory are written then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from .archive import SQLiteFile
from .people import free_name
from .post import Post
from .schema import NewerDatabase

T = TypeVar("T")

logger = logging.getLogger(__name__)

PAGE = 100
"""Posts in one answer to `history`."""
RETRY = 10.0
"""Seconds until a database that failed is tried again."""


class Page(NamedTuple):
    """Consecutive posts, oldest first."""

    posts: list[Post]
    more: bool
    """Whether there are older ones."""
    later: bool = False
    """Whether there are newer ones."""


class Unavailable(Exception):
    """The database cannot be used; the message says why."""


class History:
    """The newest `keep` posts, in the database at `path`."""

    def __init__(self, path: str = ":memory:", keep: int = 10_000) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="history")
        self._store = PostStore(path, keep)

    @property
    def trouble(self) -> str:
        """Why posts are not saved at the moment; "" if they are."""
        return self._store.trouble

    def check(self) -> str | None:
        """Return the problem as a line for `/healthz`.

        None if posts are saved.
        """
        return f"posts are not saved: {self.trouble}: see --database" if self.trouble else None

    async def open(self) -> None:
        """Open the database before the first post, so that `trouble` is known.

        Raises NewerDatabase if a newer server has written it.
        """
        await self._do(self._store.open)

    async def add(self, text: str, name: str, key: str | None = None, person: str = "") -> tuple[Post, bool]:
        """Add a post and return `(post, is_new)`.

        A known key returns the older post.
        """
        return await self._do(lambda: self._store.add(text, name, key, person))

    async def page(self, before: int | None = None, after: int | None = None, around: int | None = None) -> Page:
        """Return the newest posts, or those before, after or around an id.

        Raises Unavailable for posts at an id if the database cannot be used; the newest are in memory.
        """
        return await self._do(lambda: self._store.page(before, after, around))

    async def change(self, id_: int, change: Callable[[Post], Post]) -> Post | None:
        """Replace a post by what a function makes of it.

        change: called in another thread, maybe twice; what it raises is raised. The result has the next revision,
        unless nothing has changed. None: there is no such post. Raises Unavailable if the database cannot be used.
        """
        return await self._do(lambda: self._store.change(id_, change))

    async def name_for(self, person: str, name: str, taken: Collection[str], keep: bool = True) -> str:
        """Return a name, with a number behind it if another person's.

        taken: names of people online, folded. keep: keep the name for this person, whose earlier one is free again.
        """
        return await self._do(lambda: self._store.name_for(person, name, taken, keep))

    async def close(self) -> None:
        """Close the database; posts that are added later are not saved."""
        await self._do(self._store.close)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def older(file: SQLiteFile, before: int, number: int) -> Page:
    """Return the newest posts before an id."""
    posts = file.before(before, number + 1)
    return Page(posts[-number:], len(posts) > number, later=True)


def later(file: SQLiteFile, after: int, number: int) -> Page:
    """Return the oldest posts after an id."""
    posts = file.after(after, number + 1)
    return Page(posts[:number], more=True, later=len(posts) > number)


def both(first: Page, second: Page) -> Page:
    """Return two consecutive pages as one."""
    return Page(first.posts + second.posts, first.more, second.later)


class PostStore:
    """The work of the thread.

    Newest posts in memory, all in the database.

    clock: returns seconds on a monotonic clock.
    """

    def __init__(self, path: str, keep: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.trouble = ""
        self._path = path
        self._keep = keep
        self._clock = clock
        self._file: SQLiteFile | None = None
        self._newest: deque[Post] = deque(maxlen=min(PAGE, keep))
        self._unwritten: deque[Post] = deque(maxlen=self._newest.maxlen)
        self._retry_at = 0.0

    def open(self) -> None:
        """Open the database, or set `trouble`.

        Raises NewerDatabase.
        """
        try:
            self._use(lambda file: None)
        except Unavailable as error:
            if isinstance(error.__cause__, NewerDatabase):
                raise error.__cause__ from None

    def add(self, text: str, name: str, key: str | None, person: str = "") -> tuple[Post, bool]:
        """Do the work of `History.add`, on the thread."""
        post = self._new(text, name, key)._replace(person=person)
        try:
            post, is_new = self._use(lambda file: file.add(post))
        except Unavailable:
            post, is_new = self._find_in_memory(post)
            if is_new:
                self._unwritten.append(post)
        if is_new:
            self._newest.append(post)
        return post, is_new

    def page(self, before: int | None = None, after: int | None = None, around: int | None = None) -> Page:
        """Do the work of `History.page`, on the thread."""
        if before is not None:
            return self._use(lambda file: older(file, before, PAGE))
        if after is not None:
            return self._use(lambda file: later(file, after, PAGE))
        if around is not None:
            return self._use(lambda file: both(older(file, around + 1, PAGE // 2), later(file, around, PAGE // 2)))
        with contextlib.suppress(Unavailable):
            self._use(lambda file: None)  # reads what other processes have written
        count = 0 if self._file is None else self._file.count
        return Page(list(self._newest), count > len(self._newest))

    def change(self, id_: int, change: Callable[[Post], Post]) -> Post | None:
        """Do the work of `History.change`, on the thread."""
        changed = self._use(lambda file: file.change(id_, change))
        if changed is not None and changed.gone and self._file is not None:
            self._read_newest(self._file)  # an older post has moved up
        elif changed is not None:
            self._replace_newest(changed)
        return changed

    def name_for(self, person: str, name: str, taken: Collection[str], keep: bool) -> str:
        """Do the work of `History.name_for`, on the thread.

        Without a database only `taken` counts.
        """
        try:
            return self._use(lambda file: (file.claim_name if keep else file.free_name)(name, person, taken))
        except Unavailable:
            return free_name(name, taken) if name else ""

    def close(self) -> None:
        """Do the work of `History.close`, on the thread."""
        self._retry_at = float("inf")
        if self._file is not None:
            self._file.close()
            self._file = None

    def _new(self, text: str, name: str, key: str | None) -> Post:
        """Return a post with the time as id: unique without database."""
        now = int(time.time() * 1000)
        last = self._newest[-1].id if self._newest else 0
        return Post(max(now, last + 1), text, name, now, key)

    def _find_in_memory(self, post: Post) -> tuple[Post, bool]:
        for known in self._newest:
            if post.key is not None and post.key == known.key:
                return known, False
        return post, True

    def _use(self, work: Callable[[SQLiteFile], T]) -> T:
        if self._clock() < self._retry_at:
            raise Unavailable(self.trouble)
        try:
            result = work(self._open_file())
        except sqlite3.Error as error:
            self._close_failed(error)
            raise Unavailable(self.trouble) from error
        if self.trouble:
            logger.info("%s can be used again: posts are saved", self._path)
            self.trouble = ""
        return result

    def _open_file(self) -> SQLiteFile:
        if self._file is None:
            self._file = SQLiteFile(self._path, self._keep)
            while self._unwritten:
                self._file.add(self._unwritten[0])
                self._unwritten.popleft()
        if self._file.has_changed():
            self._read_newest(self._file)
        return self._file

    def _read_newest(self, file: SQLiteFile) -> None:
        self._newest.clear()
        self._newest.extend(file.newest(PAGE))

    def _replace_newest(self, changed: Post) -> None:
        for index, post in enumerate(self._newest):
            if post.id == changed.id:
                self._newest[index] = changed

    def _close_failed(self, error: sqlite3.Error) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._retry_at = self._clock() + RETRY
        if self.trouble != str(error):
            self.trouble = str(error)
            logger.error(
                "no history: %s: %s: posts are not saved until it can be used: see --database", self._path, error
            )
