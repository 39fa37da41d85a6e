"""The events of the board.

Each client receives `news`, `private` and `post`. A client that has sent `here` also receives `here` (the people
online) and `typing`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..socketio import Hub, RateLimit, SocketIOHandler
from .history import History, Unavailable
from .throttled_state import ThrottledState
from .validation import InvalidInput, before_of, key_of, name_of, one_object, text_of

READERS = "readers"
"""The room of clients that receive `here` and `typing`."""
MAX_NAMES = 50
"""Maximum number of names in `here`; other people are only counted."""

logger = logging.getLogger(__name__)


def shown_name(shown: Any) -> str:
    """Return the name that a client shows; "" if none."""
    name = shown.get("name") if isinstance(shown, dict) else None
    try:
        return name_of(name or "")
    except InvalidInput:
        return ""


class Board:
    """State that all clients of one server share."""

    def __init__(self, history: History, send: Callable[[dict[str, Any]], object]) -> None:
        self.history = history
        self.typing = RateLimit(20, 1)
        """One limit for all clients; `typing` beyond it is dropped."""
        self.presence = ThrottledState(send)

    def state(self, people: list[BoardHandler], present: Mapping[str, Any]) -> dict[str, Any]:
        """Return the data of `here`: `{online, names, more, trouble}`.

        people: clients of this node. present: what all clients show, by id.
        trouble: why posts are not saved at the moment, or "".
        """
        names_by_id = {id_: shown_name(shown) for id_, shown in present.items()}
        names_by_id |= {person.id: person.name for person in people}
        names = [name for name in names_by_id.values() if name]
        more = max(0, len(names) - MAX_NAMES)
        return {"online": len(names_by_id), "names": names[:MAX_NAMES], "more": more, "trouble": self.history.trouble}


class BoardHandler(SocketIOHandler):
    """A client of the board."""

    remembered = ("name",)

    def __init__(self) -> None:
        self.name = ""
        self.posting = RateLimit(5, 10)
        self.typing = RateLimit(1, 1)

    @classmethod
    def clients_lost(cls, hub: Hub, namespace: str, ids: list[str]) -> None:
        """Tell of each client whose node was killed."""
        for _ in ids:
            hub.of(namespace).emit("news", {"msg": "Someone went home", "count": hub.online(namespace)})

    @classmethod
    def others_changed(cls, hub: Hub, namespace: str) -> None:
        """Send `here` if it has changed because of other nodes."""
        board = hub.settings.get("board")
        if isinstance(board, Board):
            everyone = hub.of(namespace)
            board.presence.changed(lambda: board.state(everyone.clients, hub.present(namespace)))

    def on_connect(self) -> None:
        """Announce the client to the others, then greet it."""
        self.broadcast("news", {"msg": "One more person is online", "count": self.online})
        self.emit("private", {"msg": f"Welcome you are the {self.online} person here"})
        self._changed()

    def on_private(self, data: Any) -> None:
        """Log the data of `private`."""
        logger.info("private from %s: %.200r", self.id, data)

    def on_disconnect(self, reason: str) -> None:
        """Tell the other clients."""
        self.broadcast("news", {"msg": "Someone went home", "count": self.online})
        self._changed()

    @one_object
    async def on_here(self, here: dict[str, Any]) -> dict[str, Any]:
        """`here` `{name?}`: set the name, receive `here` and `typing` from now on.

        Answers `{online, names, more, trouble}`.
        """
        self.name = name_of(here.get("name", ""))
        self.shown = {"name": self.name}
        self._changed()
        self.enter(READERS)
        return self.board.presence.answer(self._state())

    @one_object
    async def on_post(self, post: dict[str, Any]) -> dict[str, Any]:
        """`post` `{text, name?, key?}`: all clients receive `post` `{id, text, name, at}`.

        Answers `{id}`. A post with a known key is not posted twice. Beyond five posts in ten seconds the answer is
        `{error, wait}`, wait in seconds.
        """
        text, key = text_of(post.get("text")), key_of(post.get("key"))
        name = self.name if post.get("name") is None else name_of(post["name"])
        if wait := self.posting.take(time.monotonic()):
            limit = f"The limit is {self.posting.times} posts in {self.posting.seconds:g} seconds"
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
        """`history` `{before?}`: return the newest posts, or those before an id.

        Answers `{posts, more}`; posts are oldest first, more is whether there are older ones.
        """
        before = before_of(wanted.get("before"))
        try:
            page = await self.board.history.page(before)
        except Unavailable as error:
            raise InvalidInput(f"Older posts cannot be read at the moment: {error}") from error
        self._changed()
        return {"posts": [post.public for post in page.posts], "more": page.more}

    @one_object
    async def on_typing(self, _: dict[str, Any]) -> dict[str, Any]:
        """`typing`: the other clients receive `typing` `{name}`.

        It is dropped beyond one a second of this client, or twenty a second of all.
        """
        now = time.monotonic()
        if not self.typing.take(now) and not self.board.typing.take(now):
            self.to(READERS).others.volatile.emit("typing", {"name": self.name})
        return {}

    @property
    def board(self) -> Board:
        """The state that this client shares with the others."""
        board = self.settings.get("board")
        if not isinstance(board, Board):
            history = self.settings.get("history") or History()
            board = self.settings["board"] = Board(history, partial(self.to(READERS).local.emit, "here"))
        return board

    @property
    def people(self) -> list[BoardHandler]:
        """All clients of this node that are online."""
        return self.everyone.clients

    def _changed(self) -> None:
        self.board.presence.changed(self._state)

    def _state(self) -> dict[str, Any]:
        return self.board.state(self.people, self.present)
