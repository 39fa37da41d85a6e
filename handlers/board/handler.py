"""What happens on the board.

A client that asks for nothing hears `news`, `private` and `post`. One that says `here` also hears who is here, and who
is typing.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ..socketio import SocketIOHandler
from .history import History, Unavailable
from .rate_limit import RateLimit, ThrottledState
from .validation import InvalidInput, before_of, key_of, name_of, one_object, text_of

READERS = "readers"
"""The room of those who hear who is here."""
MAX_NAMES = 50
"""How many names are told; of the others, how many they are."""

logger = logging.getLogger(__name__)


class Board:
    """What the clients of one server share."""

    def __init__(self, history: History, say: Callable[[dict[str, Any]], None]) -> None:
        self.history = history
        self.typing = RateLimit(20, 1)
        """For all together: who types beyond that is not shown."""
        self.digest = ThrottledState(say)

    def state(self, people: list[BoardHandler]) -> dict[str, Any]:
        """Return how many are here, who they are, and why history is not kept, where it is not."""
        names = [person.name for person in people if person.name]
        more = max(0, len(names) - MAX_NAMES)
        return {"online": len(people), "names": names[:MAX_NAMES], "more": more, "trouble": self.history.trouble}


class BoardHandler(SocketIOHandler):
    """Everyone on the page hears who comes and goes, and what is posted."""

    remembered = ("name",)

    def __init__(self) -> None:
        self.name = ""
        self.posting = RateLimit(5, 10)
        self.typing = RateLimit(1, 1)

    def on_connect(self) -> None:
        """Tell everyone, then greet the newcomer."""
        self.broadcast("news", {"msg": "One more person is online", "count": self.online})
        self.emit("private", {"msg": f"Welcome you are the {self.online} person here"})
        self._changed()

    def on_private(self, data: Any) -> None:
        """Log what a client has to say."""
        logger.info("private from %s: %.200r", self.id, data)

    def on_disconnect(self, reason: str) -> None:
        """Tell those who are left."""
        self.broadcast("news", {"msg": "Someone went home", "count": self.online})
        self._changed()

    @one_object
    async def on_here(self, here: dict[str, Any]) -> dict[str, Any]:
        """`here` `{name?}`: be here under this name, and hear who else is. Answers `{online, names, more, trouble}`."""
        self.name = name_of(here.get("name", ""))
        self._changed()
        self.enter(READERS)
        return self.board.digest.answer(self.board.state(self.people))

    @one_object
    async def on_post(self, post: dict[str, Any]) -> dict[str, Any]:
        """`post` `{text, name?, key?}`: everyone gets `post` `{id, text, name, at}`. Answers `{id}`.

        What is posted again under the same key is not posted again. Beyond five posts in ten seconds the answer is
        `{error, wait}`, in seconds.
        """
        text, key = text_of(post.get("text")), key_of(post.get("key"))
        name = self.name if post.get("name") is None else name_of(post["name"])
        if wait := self.posting.take(time.monotonic()):
            limit = f"{self.posting.times} posts in {self.posting.seconds:g} seconds are the limit"
            raise InvalidInput(f"{limit}: wait for {math.ceil(wait)} s", wait=wait)
        kept, is_new = await self.board.history.add(text, name, key)
        if kept.text != text:
            raise InvalidInput("This key names another post: choose another key")
        if is_new:
            self.broadcast("post", kept.public)
        self._changed()
        return {"id": kept.id}

    @one_object
    async def on_history(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """`history` `{before?}`: the newest posts, or those before an id. Answers `{posts, more}`, oldest first."""
        before = before_of(wanted.get("before"))
        try:
            page = await self.board.history.page(before)
        except Unavailable as error:
            raise InvalidInput(f"Older posts cannot be read at the moment: {error}") from error
        self._changed()
        return {"posts": [post.public for post in page.posts], "more": page.more}

    @one_object
    async def on_typing(self, _: dict[str, Any]) -> dict[str, Any]:
        """`typing`, now and then while somebody types: the others hear `typing` `{name}`, unless too many type."""
        now = time.monotonic()
        if not self.typing.take(now) and not self.board.typing.take(now):
            self.to(READERS).others.volatile.emit("typing", {"name": self.name})
        return {}

    @property
    def board(self) -> Board:
        """What this client shares with the others."""
        board = self.settings.get("board")
        if not isinstance(board, Board):
            history = self.settings.get("history") or History()
            board = self.settings["board"] = Board(history, partial(self.to(READERS).emit, "here"))
        return board

    @property
    def people(self) -> list[BoardHandler]:
        """Everyone who is online."""
        return self.to().clients

    def _changed(self) -> None:
        self.board.digest.changed(lambda: self.board.state(self.people))
