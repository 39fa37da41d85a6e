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
        self.unknown: list[str] = []
        """Names of servers that answer without a uid, as Node's do in the classic format."""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Settled when nothing more is to come."""
        self._nodes: set[str] | None = None
        self._others = 0
        self._lost: set[str] = set()

    def published(self, nodes: Iterable[str], others: int) -> None:
        """Learn which nodes have received it, and how many other servers."""
        self._nodes, self._others = set(nodes), others
        self._check()

    def identify(self, uid: str) -> str:
        """Return the uid of an answering server, or a name for it."""
        if not uid:
            uid = f"unknown{len(self.unknown) + 1}"
            self.unknown.append(uid)
        return uid

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
        """Learn which clients a server asks: their ids, or their number."""
        keys = answer if isinstance(answer, list) else [f"{uid}/{number}" for number in range(1, answer + 1)]
        self._unanswered.setdefault(uid, dict.fromkeys(keys))
        super().answer(uid, answer)

    def acknowledge(self, uid: str, key: object, value: Any) -> None:
        """Take an acknowledgement, of a client that was asked.

        uid: "": one of the unknown servers. key: id of the client; None: one of its server.
        """
        for server in [uid] if uid else self.unknown:
            unanswered = self._unanswered.get(server, {})
            found = next(iter(unanswered), None) if key is None else key
            if isinstance(found, str) and found in unanswered:
                del unanswered[found]
                self.acks[found] = value
                self._check()
                return

    @property
    def unanswered(self) -> list[str]:
        """Clients that were asked, and have not answered."""
        return [key for keys in self._unanswered.values() for key in keys]

    @property
    def _is_complete(self) -> bool:
        waits = any(keys for uid, keys in self._unanswered.items() if uid not in self._lost)
        return not waits and super()._is_complete
