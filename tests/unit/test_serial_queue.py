from __future__ import annotations

import asyncio

from handlers.socketio.serial_queue import SerialQueue


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.running: dict[asyncio.Future[None], SerialQueue] = {}
        self.turns = SerialQueue(self.running)

    def quick(self, name: str) -> None:
        self.lines.append(name)

    async def slow(self, name: str, until: asyncio.Event) -> None:
        self.lines.append(f"{name} begins")
        await until.wait()
        self.lines.append(f"{name} ends")

    def nested(self, name: str) -> None:
        self.lines.append(f"{name} begins")
        self.turns.take(self.quick, f"inside {name}")
        self.lines.append(f"{name} ends")


def test_a_job_that_need_not_wait_runs_at_once() -> None:
    log = Log()
    log.turns.take(log.quick, "a")
    assert log.lines == ["a"]


def test_a_job_begun_in_another_waits_for_its_end() -> None:
    log = Log()
    log.turns.take(log.nested, "a")
    assert log.lines == ["a begins", "a ends", "inside a"]


def test_jobs_run_one_after_the_other_in_order() -> None:
    async def scenario() -> list[str]:
        log, first, second = Log(), asyncio.Event(), asyncio.Event()
        done = asyncio.Event()
        log.turns.take(log.slow, "a", first)
        log.turns.take(log.quick, "b")
        log.turns.take(log.slow, "c", second)
        log.turns.take(lambda: done.set())
        second.set()
        await asyncio.sleep(0)
        assert log.lines == ["a begins"]
        first.set()
        await done.wait()
        return log.lines

    assert asyncio.run(scenario()) == ["a begins", "a ends", "b", "c begins", "c ends"]
