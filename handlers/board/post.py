"""A post as a value, and its changes."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from .validation import InvalidInput

MAX_REACTIONS = 1000
"""Maximum number of people with the same reaction to one post."""


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
    revision: int = 0
    """How often it was changed: a client that hears of two changes keeps the later one."""
    edited: int = 0
    """When its text was changed, in milliseconds since 1970; 0: never."""
    gone: bool = False
    """Whether it was deleted; its id and key are kept."""
    reactions: dict[str, list[str]] = {}  # noqa: RUF012 (never changed in place)
    """Ids of people by reaction."""

    def public(self, person: str = "") -> dict[str, Any]:
        """Return what clients are sent; fields without a value are left out.

        person: id of the one who is sent it; `mine` has this person's reactions.
        """
        if self.gone:
            return {"id": self.id, "revision": self.revision, "gone": True}
        more = {
            "revision": self.revision,
            "edited": self.edited,
            "reactions": {reaction: len(people) for reaction, people in self.reactions.items()},
            "mine": [reaction for reaction, people in self.reactions.items() if person in people],
        }
        shown = {"id": self.id, "text": self.text, "name": self.name, "at": self.at, "person": self.person}
        return shown | {name: value for name, value in more.items() if value}

    def is_by(self, person: str, key: str | None) -> bool:
        """Return whether this person has written it, or the key proves it."""
        return self.person == person or (key is not None and key == self.key)

    def with_text(self, text: str) -> Post:
        """Return it with another text."""
        return self if text == self.text else self._replace(text=text, edited=int(time.time() * 1000))

    def deleted(self) -> Post:
        """Return what is kept of a deleted post."""
        return self._replace(text="", name="", reactions={}, gone=True)

    def with_reaction(self, reaction: str, person: str, on: bool) -> Post:
        """Return it with, or without, a person's reaction.

        Raises InvalidInput beyond the number that is kept.
        """
        people = [other for other in self.reactions.get(reaction, ()) if other != person]
        if on and len(people) >= MAX_REACTIONS:
            raise InvalidInput(f"A post keeps {MAX_REACTIONS:,} of one reaction: choose another")
        reactions = {**self.reactions, reaction: people + [person] * on}
        return self._replace(reactions={name: ids for name, ids in reactions.items() if ids})
