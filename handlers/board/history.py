"""The history of the board: its posts, kept by a thread of their own, so that writing never stops the event loop.

A database that cannot be used (locked, read-only, full, damaged) stops nobody: `trouble` says what is wrong, the newest
posts are held in memory, and every ten seconds the database has another chance. What was posted meanwhile is written
then, as far as it is still held.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from .archive import Archive, Post

T = TypeVar("T")

logger = logging.getLogger(__name__)

PAGE = 100
"""How many posts greet a newcomer, and how many come at once of the older ones."""
RETRY = 10.0
"""Seconds after which a database that failed is tried again."""


class Page(NamedTuple):
    """Posts one after the other, oldest first, and whether there are older ones."""

    posts: list[Post]
    more: bool


class Unavailable(Exception):
    """The database cannot be used; the text says why."""


class History:
    """The newest `keep` posts, in the database at `path`."""

    def __init__(self, path: str = ":memory:", keep: int = 10_000) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="history")
        self._ledger = PostStore(path, keep)

    @property
    def trouble(self) -> str:
        """Why posts are not being kept at the moment; empty where they are."""
        return self._ledger.trouble

    def check(self) -> str | None:
        """The same as a line for a person, None where posts are kept; for `/healthz`."""
        return f"posts are not kept: {self.trouble} (see --database)" if self.trouble else None

    async def open(self) -> None:
        """Open the database now rather than for the first post, so that `trouble` is known."""
        await self._do(self._ledger.open)

    async def add(self, text: str, name: str, key: str | None = None) -> tuple[Post, bool]:
        """Keep a post; return it and True. For a key that is known, return the post that it names and False."""
        return await self._do(lambda: self._ledger.add(text, name, key))

    async def page(self, before: int | None = None) -> Page:
        """Return the newest posts, or the newest of those before an id. Raises Unavailable where they cannot be read.

        The newest can always be read: while there is trouble, those that are in memory.
        """
        return await self._do(lambda: self._ledger.page(before))

    async def close(self) -> None:
        """Close the database; what is added from now on is not kept."""
        await self._do(self._ledger.close)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class PostStore:
    """What the thread does: the newest posts in memory, and all of them in the archive while that can be used."""

    def __init__(self, path: str, keep: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.trouble = ""
        self._path = path
        self._keep = keep
        self._clock = clock
        self._archive: Archive | None = None
        self._newest: deque[Post] = deque(maxlen=min(PAGE, keep))
        self._unwritten: deque[Post] = deque(maxlen=self._newest.maxlen)
        self._retry_at = 0.0

    def open(self) -> None:
        """Open the database, if it can be."""
        with contextlib.suppress(Unavailable):
            self._use(lambda archive: None)

    def add(self, text: str, name: str, key: str | None) -> tuple[Post, bool]:
        """See `History.add`."""
        post = self._new(text, name, key)
        try:
            post, is_new = self._use(lambda archive: archive.add(post))
        except Unavailable:
            post, is_new = self._remembered(post)
            if is_new:
                self._unwritten.append(post)
        if is_new:
            self._newest.append(post)
        return post, is_new

    def page(self, before: int | None) -> Page:
        """See `History.page`."""
        if before is None:
            self.open()
            kept = 0 if self._archive is None else self._archive.count
            return Page(list(self._newest), kept > len(self._newest))
        end = before
        posts = self._use(lambda archive: archive.before(end, PAGE + 1))
        return Page(posts[-PAGE:], len(posts) > PAGE)

    def close(self) -> None:
        """See `History.close`."""
        self._retry_at = float("inf")
        if self._archive is not None:
            self._archive.close()
            self._archive = None

    def _new(self, text: str, name: str, key: str | None) -> Post:
        """Ids go by the clock, so that none comes twice even where nothing was kept."""
        now = int(time.time() * 1000)
        last = self._newest[-1].id if self._newest else 0
        return Post(max(now, last + 1), text, name, now, key)

    def _remembered(self, post: Post) -> tuple[Post, bool]:
        for known in self._newest:
            if post.key is not None and post.key == known.key:
                return known, False
        return post, True

    def _use(self, work: Callable[[Archive], T]) -> T:
        if self._clock() < self._retry_at:
            raise Unavailable(self.trouble)
        try:
            result = work(self._reach())
        except sqlite3.Error as error:
            self._lose(error)
            raise Unavailable(self.trouble) from error
        if self.trouble:
            logger.info("%s can be used again: posts are kept", self._path)
            self.trouble = ""
        return result

    def _reach(self) -> Archive:
        if self._archive is None:
            self._archive = Archive(self._path, self._keep)
            while self._unwritten:
                self._archive.add(self._unwritten[0])
                self._unwritten.popleft()
            self._newest.clear()
            self._newest.extend(self._archive.newest(PAGE))
        return self._archive

    def _lose(self, error: sqlite3.Error) -> None:
        if self._archive is not None:
            self._archive.close()
            self._archive = None
        self._retry_at = self._clock() + RETRY
        if self.trouble != str(error):
            self.trouble = str(error)
            logger.error(
                "no history: %s: %s: posts are not kept until it can be used (see --database)", self._path, error
            )
