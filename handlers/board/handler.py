"""The events of the board.

Each client receives `news`, `private` and `post`. A client that has sent `here` also receives `here` (the people
online) and `typing`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from ..socketio import Hub, RateLimit, SocketIOHandler
from ..socketio.operations import Addresses
from .board import READERS, Board
from .history import History, Unavailable
from .people import fold, free_name, names_of_others, people_of, person_id
from .post import Post
from .validation import (
    InvalidInput,
    flag_of,
    id_of,
    key_of,
    name_of,
    one_object,
    person_of,
    place_of,
    reaction_of,
    secret_of,
    text_of,
)

logger = logging.getLogger(__name__)


def check_limit(limit: RateLimit, what: str) -> None:
    """Count one use; raise InvalidInput beyond the limit."""
    if wait := limit.take(time.monotonic()):
        allowed = f"The limit is {limit.times} {what} in {limit.seconds:g} seconds"
        raise InvalidInput(f"{allowed}: wait for {math.ceil(wait)} s", wait=wait)


def present(shown: dict[str, Any], clients: list[BoardHandler]) -> dict[str, Any]:
    """Return what each client shows, by id.

    Clients that were restored after a restart have not shown it yet.
    shown: what the clients of all nodes show. clients: those of this node.
    """
    return {**shown, **{client.id: client.shows for client in clients}}


class BoardHandler(SocketIOHandler):
    """A client of the board."""

    remembered = ("name", "wanted", "person")

    def __init__(self) -> None:
        self.name = self.wanted = ""
        """The name as it is shown, and as it was asked for."""
        self.person = ""
        """The public id of the client's person; "" until the client has sent `here`."""
        self.naming = RateLimit(10, 10)
        self.posting = RateLimit(5, 10)
        self.changing = RateLimit(20, 10)
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
            board.presence.changed(lambda: board.state(present(hub.present(namespace), everyone.clients)))

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
        """`here` `{name?, secret?}`: be present, receive `here` and `typing` from now on.

        All clients that send one secret are one person, and keep its name: others get a number behind it.
        Answers `{online, people, more, trouble, you}`.
        """
        wanted, secret = name_of(here.get("name", "")), secret_of(here.get("secret"))
        person = person_id(self.id if secret is None else secret)
        if (wanted, person) != (self.wanted, self.person):
            check_limit(self.naming, "names")
        self.wanted, self.person = wanted, person
        taken = self._taken
        self._show(free_name(wanted, taken))  # at once, so that nobody takes it meanwhile
        self._show(await self.board.history.name_for(person, wanted, taken, keep=secret is not None))
        self._changed()
        self.enter(READERS)
        you = {"id": person, "name": self.name, "moderator": self.is_moderator}
        return {**self.board.presence.answer(self._state()), "you": you}

    @one_object
    async def on_post(self, post: dict[str, Any]) -> dict[str, Any]:
        """`post` `{text, name?, key?}`: all clients receive the post.

        Answers `{id}`. A post with a known key is not posted twice. Beyond five posts in ten seconds the answer is
        `{error, wait}`, wait in seconds.
        """
        text, key = text_of(post.get("text")), key_of(post.get("key"))
        wanted = self.wanted if post.get("name") is None else name_of(post["name"])
        check_limit(self.posting, "posts")
        name = self.name if fold(wanted) == fold(self.wanted) else await self._free_name(wanted)
        kept, is_new = await self.board.history.add(text, name, key, self._person)
        if kept.text != text and not kept.revision:
            raise InvalidInput("This key names another post: choose another key")
        if is_new:
            self.broadcast("post", kept.public())
        self._changed()
        return {"id": kept.id}

    @one_object
    async def on_history(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """`history` `{before?, after?, around?}`: return the newest posts, or others.

        Answers `{posts, more}`; posts are oldest first, more is whether there are older ones. After or around an id the
        answer also has `later`, whether there are newer ones.
        """
        place = place_of(wanted)
        try:
            page = await self.board.history.page(**place)
        except Unavailable as error:
            raise InvalidInput(f"Older posts cannot be read at the moment: {error}") from error
        self._changed()
        answer = {"posts": [post.public(self._person) for post in page.posts], "more": page.more}
        return answer | ({"later": page.later} if place.keys() & {"after", "around"} else {})

    @one_object
    async def on_edit(self, edit: dict[str, Any]) -> dict[str, Any]:
        """`edit` `{id, text, key?}`: change an own post; all clients receive `change`.

        key: that of the post, for a client that is not the person who wrote it. Answers `{id}`.
        """
        text, own = text_of(edit.get("text")), self._own(edit)
        return await self._change(edit, lambda post: own(post).with_text(text))

    @one_object
    async def on_delete(self, unwanted: dict[str, Any]) -> dict[str, Any]:
        """`delete` `{id, key?}`: delete an own post; all clients receive `change`.

        A moderator may delete any post. Answers `{id}`.
        """
        own = self._own(unwanted)
        if self.is_moderator:
            logger.info("%s deletes the post %r", self.id, unwanted.get("id"))
            return await self._change(unwanted, Post.deleted)
        return await self._change(unwanted, lambda post: own(post).deleted())

    @one_object
    async def on_send_away(self, unwanted: dict[str, Any]) -> dict[str, Any]:
        """`send_away` `{person}`: a moderator disconnects all clients of a person.

        They do not come back by themselves. Answers `{clients}`, their number.
        """
        person = person_of(unwanted.get("person"))
        if not self.is_moderator:
            raise InvalidInput("Only from an address in --admin-addresses somebody can be sent away")
        if person == self._person:
            raise InvalidInput("This person is you: leave by closing the page")
        shown = present(self.present, self.everyone.clients)
        clients = [id_ for id_, shows in shown.items() if isinstance(shows, dict) and shows.get("person") == person]
        logger.info("%s sends away the person %s: %s", self.id, person, ", ".join(clients))
        self.to(*clients).disconnect(close=True)
        return {"clients": len(clients)}

    @one_object
    async def on_react(self, reaction: dict[str, Any]) -> dict[str, Any]:
        """`react` `{id, reaction, on?}`: react to a post, or not any more.

        All clients receive `change`. Answers `{id}`.
        """
        name, on = reaction_of(reaction.get("reaction")), flag_of("on", reaction.get("on"))
        return await self._change(reaction, lambda post: post.with_reaction(name, self._person, on))

    @one_object
    async def on_typing(self, _: dict[str, Any]) -> dict[str, Any]:
        """`typing`: the other clients receive `typing` `{id, name}`, those of the person.

        It is dropped beyond one a second of this client, or twenty a second of all.
        """
        now = time.monotonic()
        if not self.typing.take(now) and not self.board.typing.take(now):
            self.to(READERS).others.volatile.emit("typing", {"id": self._person, "name": self.name})
        return {}

    def _own(self, named: dict[str, Any]) -> Callable[[Post], Post]:
        """Return what passes own posts, and refuses others."""
        person, key = self._person, key_of(named.get("key"))

        def own(post: Post) -> Post:
            if not post.is_by(person, key):
                raise InvalidInput("This post is not yours: only who wrote it can change it")
            return post

        return own

    async def _change(self, named: dict[str, Any], change: Callable[[Post], Post]) -> dict[str, Any]:
        id_ = id_of(named.get("id"))
        check_limit(self.changing, "changes")
        try:
            changed = await self.board.history.change(id_, change)
        except Unavailable as error:
            raise InvalidInput(f"Posts cannot be changed at the moment: {error}") from error
        if changed is None:
            raise InvalidInput("There is no such post: it may have been deleted")
        self.board.changes.add(changed)
        return {"id": id_}

    @property
    def board(self) -> Board:
        """The state that this client shares with the others."""
        board = self.settings.get("board")
        if not isinstance(board, Board):
            board = self.settings["board"] = Board(self.settings.get("history") or History(), self.everyone)
        return board

    @property
    def is_moderator(self) -> bool:
        """Whether the client may delete any post, and send people away."""
        moderators = self.settings.get("moderators")
        return isinstance(moderators, Addresses) and moderators.denied_address(self.request) is None

    @property
    def shows(self) -> dict[str, str] | None:
        """What all nodes see of this client; None before `here`."""
        return {"person": self.person, "name": self.name} if self.person else None

    @property
    def _person(self) -> str:
        return self.person or person_id(self.id)

    @property
    def _taken(self) -> frozenset[str]:
        return names_of_others(people_of(present(self.present, self.everyone.clients)), self._person)

    async def _free_name(self, wanted: str) -> str:
        return await self.board.history.name_for(self._person, wanted, self._taken, keep=False)

    def _show(self, name: str) -> None:
        self.name = name
        if self.shown != self.shows:
            self.shown = self.shows

    def _changed(self) -> None:
        self.board.presence.changed(self._state)

    def _state(self) -> dict[str, Any]:
        return self.board.state(present(self.present, self.everyone.clients))
