"""The events of one client, run one after the other, each answered."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from .dispatch import call
from .engineio.codec.packet import make
from .errors import Refused
from .message import ACK, Message
from .methods import EventMethod
from .serial_queue import Job, SerialQueue

if TYPE_CHECKING:
    from .client import Client

logger = logging.getLogger(__name__)

INTERNAL_ERROR = Refused("Internal error")
"""What a client is told of a failure: nothing about it."""
FORBIDDEN = Refused("Forbidden")
"""What a client is told that `authenticate` or `before_event` refuses without a reason."""

Event = tuple[list[Any], "int | None"]
"""An event: its name and arguments, and the id of the acknowledgement it asks for."""

SENT_AWAY = "server namespace disconnect"
"""Why a client has left that the server sent away."""


class Inbox:
    """Runs a client's event methods, and hooks that must wait for them."""

    __slots__ = ("_client", "_queue")

    def __init__(self, client: Client) -> None:
        self._client = client
        self._queue = SerialQueue(client.namespace.hub.running)

    @property
    def busy(self) -> bool:
        """Whether a handler of the client has not ended yet."""
        return self._queue.busy

    def run(self, job: Job, *args: Any) -> None:
        """Run a job behind the client's handlers."""
        self._queue.take(job, *args)

    def clear(self) -> None:
        """Drop what has not begun."""
        self._queue.clear()

    def receive(self, args: list[Any], id_: int | None) -> None:
        """Handle an event after earlier ones; args: name, then arguments."""
        client = self._client
        if client.returning is not None:
            client.returning.events.append((args, id_))
            return
        events, name, args = client.namespace.events, str(args[0]), args[1:]
        method = events.find(name)
        if method is None:
            client.namespace.hub.counters.unknown_events += 1
            on_any = events.own_hook("on_any")
            if on_any is None:
                self._reject(id_, name, f"Unknown event: {name:.80}", partial(events.describe_unknown, name))
                return
            method = on_any.about(name)
        if not method.min_args <= len(args) <= method.max_args:
            problem = f"{name:.80} takes {method.arity}, and {len(args)} came"
            self._reject(id_, name, problem, partial(method.describe_misfit, name, len(args)))
            return
        before_event = events.own_hook("before_event")
        if before_event is None:
            self._queue.take(self._run, method, args, id_)
        else:
            self._queue.take(self._run_before_event, before_event, name, method, args, id_)

    def receive_all(self, events: Iterable[Event]) -> None:
        """Handle events that came earlier, as long as the client is there."""
        for args, id_ in events:
            if not self._client.left:
                self.receive(args, id_)

    def _reject(self, id_: int | None, name: str, problem: str, describe: Callable[[], str]) -> None:
        """Answer an event without method or fitting arguments; warn the author."""
        hub = self._client.namespace.hub
        logger.debug("%r sent an event that is not handled: %.200r", self._client, problem)
        hub.notices.warn_of_client((self._client.namespace.handler, name[:80]), describe)
        hub.failures.reject(self._client, describe)
        if id_ is not None:
            self._queue.take(self._answer, id_, Refused(describe() if hub.debug else problem).payload)

    def _run_before_event(
        self, hook: EventMethod, name: str, method: EventMethod, args: list[Any], id_: int | None
    ) -> Awaitable[None] | None:
        client = self._client
        if client.left and client.disconnect_reason == SENT_AWAY:  # its waiting events are dropped
            return None
        return call(
            client.namespace.watch, hook, client.handler, [name, args], self._settle_before_event, method, args, id_
        )

    def _settle_before_event(
        self,
        hook: EventMethod,
        result: Any,
        error: BaseException | None,
        method: EventMethod,
        args: list[Any],
        id_: int | None,
    ) -> Awaitable[None] | None:
        if error is None:
            error = find_objection(hook, result)
        if error is not None:
            self._fail(hook._replace(event=method.event), error, id_)
            return None
        return self._run(method, args, id_)

    def _run(self, method: EventMethod, args: list[Any], id_: int | None) -> Awaitable[None] | None:
        client = self._client
        if client.left and client.disconnect_reason == SENT_AWAY:
            return None
        return call(client.namespace.watch, method, client.handler, args, self._settle_event, id_)

    def _settle_event(self, method: EventMethod, result: Any, error: BaseException | None, id_: int | None) -> None:
        if error is not None:
            self._fail(method, error, id_)
        elif id_ is not None:
            try:
                self._answer(id_, result)
            except Exception as unencodable:
                self._fail(method, unencodable, id_)

    def _fail(self, method: EventMethod, error: BaseException, id_: int | None) -> None:
        if isinstance(error, Refused):
            logger.debug("%s refused %r: %s", method.name, self._client, error)
            if id_ is None:
                return
            try:
                self._answer(id_, error.payload)
                return
            except Exception as unencodable:
                error = unencodable
        self._client.log_failure(method, error)
        if id_ is not None:
            self._answer(id_, self._client.describe_failure(method, error).payload)

    def _answer(self, id_: int, result: Any) -> None:
        args = [] if result is None else list(result) if isinstance(result, tuple) else [result]
        self._client.send(make(Message, (ACK, self._client.namespace.name, args, id_)))


def find_objection(hook: EventMethod, verdict: Any) -> Exception | None:
    """Return the reason to refuse, after a hook has returned."""
    if verdict is None or verdict is True:
        return None
    if verdict is False:
        return FORBIDDEN
    return TypeError(
        f"{hook.name} returned a {type(verdict).__name__}: return None or True to admit, "
        "return False or raise Refused to refuse"
    )
