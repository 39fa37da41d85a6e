"""What the clients of one board on this node share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..socketio import Audience, RateLimit
from .changes import Changes
from .history import History
from .people import count_people, people_of
from .throttled_state import ThrottledState

READERS = "readers"
"""The room of clients that receive `here` and `typing`."""
MAX_PEOPLE = 50
"""Maximum number of people in `here`; others are only counted."""


class Board:
    """State that the clients of one namespace share.

    everyone: all of them, on all nodes.
    """

    def __init__(self, history: History, everyone: Audience[Any]) -> None:
        self.history = history
        self.typing = RateLimit(20, 1)
        """One limit for all clients; `typing` beyond it is dropped."""
        self.presence = ThrottledState(lambda state: everyone.to(READERS).local.emit("here", state))
        self.changes = Changes(lambda post: everyone.emit("change", post.public()))

    def state(self, present: Mapping[str, Any]) -> dict[str, Any]:
        """Return the data of `here`: `{online, people, more, trouble}`.

        present: what each client shows, by id.
        trouble: why posts are not saved at the moment, or "".
        """
        people = people_of(present)
        online = count_people(present, people)
        listed = [person._asdict() for person in people[:MAX_PEOPLE]]
        return {"online": online, "people": listed, "more": online - len(listed), "trouble": self.history.trouble}
