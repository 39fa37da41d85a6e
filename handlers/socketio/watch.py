"""Measures the application's methods: duration, failures, blocking, hanging.

It is measured where they are called, and costs less than a microsecond a call.
"""

from __future__ import annotations

from asyncio import Future, Task, current_task
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from itertools import accumulate
from time import perf_counter
from types import GeneratorType
from typing import Any

from .methods import EventMethod
from .notices import Notices
from .serial_queue import SerialQueue

HELD = 0.25
"""Seconds for which a method may hold the loop without a warning."""
STUCK = 30.0
"""Seconds after which a method is named that has not ended, while events wait behind it."""
LOOK = 5.0
"""Seconds from one look at the methods that have not ended to the next."""
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of a histogram's buckets, seconds; the last bucket has none."""
QUICK = BOUNDS[0]


class MethodTimes:
    """Calls, failures and durations of one method, waiting included."""

    __slots__ = ("_buckets", "errors", "quick", "seconds")

    def __init__(self) -> None:
        self.quick = 0
        """How often it took no longer than the first of BOUNDS, which most methods do."""
        self.seconds = 0.0
        self.errors = 0
        self._buckets = [0] * (len(BOUNDS) + 1)

    def add(self, seconds: float) -> None:
        """Count a call."""
        self._buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    @property
    def buckets(self) -> list[tuple[float, int]]:
        """Cumulative counts: (upper bound in seconds, calls); the last is infinite."""
        counts = accumulate([self.quick + self._buckets[0], *self._buckets[1:]])
        return list(zip((*BOUNDS, float("inf")), counts, strict=True))

    @property
    def calls(self) -> int:
        """Number of calls that have ended."""
        return self.buckets[-1][1]

    @property
    def mean(self) -> float:
        """Mean seconds of a call; 0 without calls."""
        return self.seconds / self.calls if self.calls else 0.0

    def within(self, share: float) -> float | None:
        """Return the bound that this share of calls kept; None: unknown."""
        *bounded, (_, calls) = self.buckets
        return next((bound for bound, number in bounded if number >= share * calls), None)


class MethodWatch:
    """The methods of one declared namespace of one hub."""

    def __init__(self, namespace: str, notices: Notices) -> None:
        self.namespace = namespace
        """As it was declared: its name, or the regular expression."""
        self.times: dict[str, MethodTimes] = {}
        """By the name of the method."""
        self.events: dict[str, MethodTimes] = {}
        """The same by event, or by the name of the hook."""
        self._notices = notices

    def ran(self, method: EventMethod, seconds: float) -> None:
        """Count a call that held the loop all the time."""
        times = self.times.get(method.name) or self.add(method)
        if seconds <= QUICK:  # as nearly always
            times.quick += 1
            times.seconds += seconds
        else:
            times.add(seconds)
            if seconds > HELD:
                self.held(method, seconds)

    def ended(self, method: EventMethod, seconds: float) -> None:
        """Count a call, with the time for which it waited."""
        (self.times.get(method.name) or self.add(method)).add(seconds)

    def failed(self, method: EventMethod) -> None:
        """Count a failure."""
        (self.times.get(method.name) or self.add(method)).errors += 1

    def add(self, method: EventMethod) -> MethodTimes:
        """Return the times of a method that has none yet."""
        times = self.times[method.name] = self.events.setdefault(method.label, MethodTimes())
        return times

    def held(self, method: EventMethod, seconds: float) -> None:
        """Warn of a method that has held the loop for too long."""
        self._notices.warn(
            (method.name, "held"),
            f"{method.name} held the event loop for {seconds:.2f} s, and all other clients waited meanwhile: "
            "await what it waits for, or run it by `await asyncio.to_thread(…)`",
        )


class Watched:
    """Awaitable of a method that measures each step between two waits."""

    __slots__ = ("_awaited", "_method", "_watch")

    def __init__(self, watch: MethodWatch, method: EventMethod, awaited: Awaitable[Any]) -> None:
        self._watch = watch
        self._method = method
        self._awaited = awaited

    def __await__(self) -> Generator[Any, None, Any]:
        task = current_task()
        if task is not None:
            task.set_name(self._method.name)  # StuckMethods reads it
        # A generator of `types.coroutine` can be awaited, and is its own steps.
        steps: Any = self._awaited if isinstance(self._awaited, GeneratorType) else self._awaited.__await__()
        resume: Callable[[], Any] = steps.__next__
        while True:
            start = perf_counter()
            try:
                waits_for = resume()
            except StopIteration as end:
                return end.value
            finally:
                seconds = perf_counter() - start
                if seconds > HELD:
                    self._watch.held(self._method, seconds)
            try:
                yield waits_for
                resume = steps.__next__
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:
                resume = partial(steps.throw, error)


class StuckMethods:
    """Finds methods that run long while events of their client wait."""

    def __init__(self, notices: Notices) -> None:
        self.running: dict[Future[None], SerialQueue] = {}
        """What finishes the methods that have not ended, and the queue that each holds up."""
        self._notices = notices
        self._since: dict[Future[None], float] = {}
        self._next_look = float("-inf")

    def beat(self, now: float) -> None:
        """Look at them, every LOOK seconds."""
        if now < self._next_look:
            return
        self._next_look = now + LOOK
        self._since = {task: self._since.get(task, now) for task in self.running}
        for task, since in self._since.items():
            waiting = self.running[task].waiting
            if waiting and now - since >= STUCK and isinstance(task, Task):
                self._warn(task.get_name(), now - since, waiting)

    def _warn(self, name: str, seconds: float, waiting: int) -> None:
        self._notices.warn(
            (name, "stuck"),
            f"{name} has not ended for {seconds:.0f} s, and {waiting} events or hooks of its client wait behind it: "
            "those of one client run one after the other, so that one which waits for a later one never ends. "
            "Let it return, and what takes long run by itself, in an asyncio task",
        )
