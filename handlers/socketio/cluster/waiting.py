"""Requests that wait for answers of other servers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from typing import Any

from .request_format import Kind


class Request:
    """A request that each server answers once.

    answered_by: the type of the answers.
    """

    def __init__(self, answered_by: Kind) -> None:
        self.id = secrets.token_hex(8)
        self.answered_by = answered_by
        self.answers: dict[str, Any] = {}
        """By uid of the server."""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Settled when nothing more is to come."""
        self._nodes: set[str] | None = None
        self._others = 0
        self._lost: set[str] = set()

    def published(self, nodes: Iterable[str], others: int) -> None:
        """Learn which nodes have received it, and how many other servers."""
        self._nodes, self._others = set(nodes), others
        self._check()

    def answer(self, uid: str, answer: Any) -> None:
        """Take the answer of a server; its first counts."""
        if uid not in self.answers:
            self.answers[uid] = answer
            self._check()

    def lose(self, uid: str) -> None:
        """Expect nothing more of a node."""
        self._lost.add(uid)
        self._check()

    @property
    def silent(self) -> set[str]:
        """Nodes that have received it, and have not answered."""
        return (self._nodes or set()) - self.answers.keys()

    @property
    def silent_others(self) -> int:
        """How many other servers have not answered."""
        return max(0, self._others - len(self.answers.keys() - (self._nodes or set())))

    @property
    def _is_complete(self) -> bool:
        return self._nodes is not None and self._lost.issuperset(self.silent) and not self.silent_others

    def _check(self) -> None:
        if self._is_complete and not self.done.done():
            self.done.set_result(None)


class CallRequest(Request):
    """A request that clients answer.

    Each server says how many it asks, and then publishes each acknowledgement.
    """

    def __init__(self) -> None:
        super().__init__(Kind.CLIENT_COUNT)
        self.acks: dict[str, Any] = {}
        """By id of the client; of Node's servers by uid and number."""
        self._unanswered: dict[str, dict[str, None]] = {}

    def answer(self, uid: str, answer: Any) -> None:
        """Learn which clients a server asks."""
        self._unanswered.setdefault(uid, dict.fromkeys(answer))
        super().answer(uid, answer)

    def acknowledge(self, uid: str, key: object, value: Any) -> None:
        """Take an acknowledgement, of a client that was asked.

        key: id of the client; None: one of its server.
        """
        unanswered = self._unanswered.get(uid, {})
        if key is None and unanswered:
            key = next(iter(unanswered))
        if isinstance(key, str) and key in unanswered:
            del unanswered[key]
            self.acks[key] = value
            self._check()

    @property
    def unanswered(self) -> list[str]:
        """Clients that were asked, and have not answered."""
        return [key for keys in self._unanswered.values() for key in keys]

    @property
    def _is_complete(self) -> bool:
        waits = any(keys for uid, keys in self._unanswered.items() if uid not in self._lost)
        return not waits and super()._is_complete
