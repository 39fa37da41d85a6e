"""What runs when an event comes, and what becomes of what it returns or raises."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, ClassVar

from .errors import Disconnected, Refused
from .events import Answer, answers
from .message import ACK, Message
from .packet import make
from .turns import Turns

logger = logging.getLogger(__name__)


class Dispatch(ABC):
    """One client's events, answered one after the other; and the answers it owes."""

    _answers: ClassVar[dict[str, Answer]] = {}
    _examines: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._answers = answers(cls)
        cls._examines = cls.before_event is not Dispatch.before_event

    def __init__(self, running: set[asyncio.Future[None]]) -> None:
        self._turns = Turns(running)
        self._calls: dict[int, asyncio.Future[Any]] = {}

    # -- hooks

    def before_event(self, event: str, args: list[Any]) -> Awaitable[None] | None:
        """Override to look at each event before it is answered; raise `Refused` where it may not be."""

    def on_any(self, event: str, *args: Any) -> Any:
        """Override to answer events for which there is no method."""

    # -- what the client is

    @property
    def busy(self) -> bool:
        """Whether one of its handlers has not ended yet."""
        return self._turns.busy

    @property
    @abstractmethod
    def namespace(self) -> str:
        """The name of its namespace."""

    @abstractmethod
    def _say(self, message: Message) -> None:
        """Send the client a message."""

    @abstractmethod
    def _count_unknown_event(self) -> None:
        """Count an event for which there is no method."""

    # -- events

    def _receive(self, args: list[Any], id_: int | None) -> None:
        event = str(args[0])
        answer = self._answers.get(event)
        if answer is None:
            self._count_unknown_event()
            logger.debug("%r sent %.80r, for which there is no method", self, event)
            if type(self).on_any is Dispatch.on_any:
                return
            answer, args = Answer(type(self).on_any), [event, *args]
        elif not answer.fits(len(args) - 1):
            logger.debug("%r sent %.80r with %d arguments; it takes %s", self, event, len(args) - 1, answer.arity)
            return
        if self._examines:
            self._turns.take(self._examine, event, answer, args[1:], id_)
        else:
            self._turns.take(self._run, answer, args[1:], id_)

    def _examine(self, event: str, answer: Answer, args: list[Any], id_: int | None) -> Awaitable[None] | None:
        try:
            verdict = self.before_event(event, args)
        except Exception as error:
            self._fail(type(self).before_event, error, id_)
            return None
        if isawaitable(verdict):
            return self._examine_longer(verdict, answer, args, id_)
        return self._run(answer, args, id_)

    async def _examine_longer(self, verdict: Awaitable[None], answer: Answer, args: list[Any], id_: int | None) -> None:
        try:
            await verdict
        except Exception as error:
            self._fail(type(self).before_event, error, id_)
            return
        rest = self._run(answer, args, id_)
        if rest is not None:
            await rest

    def _run(self, answer: Answer, args: list[Any], id_: int | None) -> Awaitable[None] | None:
        try:
            result = answer.function(self, *args)
            if hasattr(result, "__await__"):
                return self._finish(answer, result, id_)
            self._acknowledge(id_, result)
        except Exception as error:
            self._fail(answer.function, error, id_)
        return None

    async def _finish(self, answer: Answer, result: Awaitable[Any], id_: int | None) -> None:
        try:
            self._acknowledge(id_, await result)
        except Exception as error:
            self._fail(answer.function, error, id_)

    def _fail(self, function: Callable[..., Any], error: Exception, id_: int | None) -> None:
        if not isinstance(error, Refused):
            logger.error("%s failed for %r", function.__qualname__, self, exc_info=error)
            return
        logger.debug("%s refused %r: %s", function.__qualname__, self, error)
        try:
            self._acknowledge(id_, error.payload)
        except Exception as unspeakable:
            self._fail(function, unspeakable, id_)

    def _acknowledge(self, id_: int | None, result: Any) -> None:
        if id_ is None:
            return
        arguments = [] if result is None else list(result) if isinstance(result, tuple) else [result]
        self._say(make(Message, (ACK, self.namespace, arguments, id_)))

    # -- acknowledgements

    def _expect(self, id_: int) -> asyncio.Future[Any]:
        answer = self._calls[id_] = asyncio.get_running_loop().create_future()
        return answer

    def _expect_no_more(self, id_: int) -> None:
        self._calls.pop(id_, None)

    def _answer(self, id_: int | None, args: list[Any]) -> None:
        answer = None if id_ is None else self._calls.pop(id_, None)
        if answer is not None and not answer.done():
            answer.set_result(args[0] if len(args) == 1 else tuple(args) or None)

    def _expect_nothing(self, error: Disconnected) -> None:
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(error)
