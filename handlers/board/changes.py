"""Changed posts, each sent at most once a tick."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .post import Post


class Changes:
    """Sends a changed post at once, its next changes each tick.

    tick: seconds.
    """

    def __init__(self, send: Callable[[Post], object], tick: float = 0.25) -> None:
        self._send = send
        self._tick = tick
        self._sent: set[int] = set()
        """Ids of posts sent in this tick."""
        self._waiting: dict[int, Post] = {}

    def add(self, post: Post) -> None:
        """Send a post now, or at the end of the tick."""
        if post.id not in self._sent:
            self._send_now(post)
        elif post.revision > self._waiting.get(post.id, post._replace(revision=-1)).revision:
            self._waiting[post.id] = post

    def _send_now(self, post: Post) -> None:
        if not self._sent:
            asyncio.get_running_loop().call_later(self._tick, self._end_tick)
        self._sent.add(post.id)
        self._send(post)

    def _end_tick(self) -> None:
        self._sent, waiting, self._waiting = set(), self._waiting, {}
        for post in waiting.values():
            self._send_now(post)
