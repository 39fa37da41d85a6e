"""Background tasks end with their client or hub; failures are logged."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from inspect import CORO_CLOSED, getcoroutinestate
from typing import Any

import pytest

from handlers.socketio import Disconnected, Hub, Refused, SocketIOHandler
from handlers.socketio.operations.shutdown import close_sessions
from handlers.socketio.testing import TestClient, connect

pytestmark = pytest.mark.gen_test


class Player(SocketIOHandler):
    """Does something in the background."""

    ended: list[str]

    def __init__(self) -> None:
        self.ended = []
        if self.auth.get("early"):
            self.settings["task"] = self.spawn(self.tick())

    def authenticate(self, auth: dict[str, Any]) -> bool:
        return not auth.get("refuse")

    def on_begin(self) -> None:
        self.settings["task"] = self.spawn(self.tick())

    def on_fail(self) -> None:
        self.spawn(self.fail())

    def on_ask(self) -> None:
        self.spawn(self.ask())

    async def ask(self) -> None:
        while True:
            await self.call("how are you")

    def on_kick(self) -> None:
        self.spawn(self.kick())

    def on_disconnect(self, reason: str) -> None:
        self.settings["left"].append(reason)
        if self.auth.get("late"):
            self.spawn(self.tick())

    async def tick(self) -> None:
        number = 0
        while True:
            self.emit("tick", number)
            number += 1
            await asyncio.sleep(0)

    async def fail(self) -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError("in the background")

    async def kick(self) -> None:
        self.emit("bye")
        self.disconnect()
        await asyncio.Event().wait()


def make_hub(**options: Any) -> Hub:
    hub = Hub({"/": Player}, **options)
    hub.settings["left"] = []
    return hub


async def turn(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_it_runs_beside_the_events_of_its_client() -> None:
    client = await connect(make_hub())
    await client.call("begin")
    assert [await client.receive("tick") for _ in range(3)] == [0, 1, 2]
    client.disconnect()


@pytest.mark.parametrize("leave", [TestClient.disconnect, TestClient.drop])
async def test_it_is_cancelled_when_its_client_has_left(leave: Any) -> None:
    hub = make_hub()
    client = await connect(hub)
    await client.call("begin")
    leave(client)
    await turn()
    assert hub.settings["task"].cancelled()


async def test_it_is_cancelled_when_its_client_is_sent_away_also_by_itself() -> None:
    hub = make_hub()
    client = await connect(hub)
    client.emit("kick")
    assert await client.receive("bye") == ()
    await client.settled()
    assert hub.settings["left"] == ["server namespace disconnect"]
    assert not [task for task in asyncio.all_tasks() if "spawn" in task.get_name()]


async def test_it_is_cancelled_when_its_client_is_refused() -> None:
    hub = make_hub()
    with pytest.raises(Refused):
        await connect(hub, auth={"early": True, "refuse": True})
    await turn()
    assert hub.settings["task"].cancelled()


async def test_what_was_spawned_before_the_admission_goes_on_behind_it() -> None:
    client = await connect(make_hub(), auth={"early": True})
    assert [await client.receive("tick") for _ in range(3)] == [0, 1, 2]
    client.disconnect()


async def test_a_client_that_may_come_back_is_over_when_the_application_was_told() -> None:
    hub = make_hub()
    client = await connect(hub, recovery=True)
    await client.call("begin")
    client.drop()
    await turn()
    assert hub.settings["task"].cancelled()
    await client.connect()
    assert client.recovered
    await client.call("begin")
    assert not hub.settings["task"].done()
    client.disconnect()


async def test_it_goes_on_while_a_client_is_away_of_which_nobody_is_told() -> None:
    hub = make_hub(presence_grace=5)
    client = await connect(hub, recovery=True)
    await client.call("begin")
    client.drop()
    await turn()
    assert not hub.settings["task"].done()
    await hub.loop.advance(10)  # type: ignore[union-attr]
    await turn()
    assert hub.settings["task"].cancelled()
    assert hub.settings["left"] == ["transport close"]


async def test_what_it_raises_is_logged_once_with_class_and_name(caplog: pytest.LogCaptureFixture) -> None:
    hub = make_hub()
    client = await connect(hub, raises=False)
    client.emit("fail")
    await turn()
    gc.collect()
    (record,) = caplog.records
    assert record.getMessage() == f"Player.spawn(fail) failed for <Player {client.id} in />"
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_what_it_raises_is_raised_in_a_test() -> None:
    client = await connect(make_hub())
    client.emit("fail")
    with pytest.raises(ZeroDivisionError, match="in the background"):
        await client.receive("never")


@pytest.mark.parametrize("leave", [TestClient.disconnect, TestClient.drop])
async def test_that_its_client_has_left_is_no_failure_of_it(leave: Any, caplog: pytest.LogCaptureFixture) -> None:
    client = await connect(make_hub())
    client.emit("ask")
    await turn()
    leave(client)
    await turn()
    gc.collect()
    assert caplog.records == []
    assert not [task for task in asyncio.all_tasks() if "spawn" in task.get_name()]


async def test_a_client_that_has_left_can_spawn_nothing() -> None:
    hub = make_hub()
    client = await connect(hub, auth={"late": True})
    (player,) = hub.of("/").clients
    with pytest.raises(
        Disconnected, match=r"has left: what is to run without it is spawned by the hub, hub\.spawn\(…\)"
    ):
        client.disconnect()  # in its on_disconnect
    work = player.tick()
    with pytest.raises(Disconnected):
        player.spawn(work)
    assert work.cr_frame is None  # closed, so that Python does not warn of it


# -- the hub's own


async def test_a_hub_spawns_before_it_serves_and_cancels_when_it_is_closed() -> None:
    hub = make_hub()
    done: list[str] = []

    async def publish() -> None:
        try:
            while True:
                hub.of("/").emit("time")
                await asyncio.sleep(0)
        finally:
            done.append("cancelled")

    hub.start(asyncio.get_running_loop())
    task = hub.spawn(publish())
    client = await connect(hub)
    assert await client.receive("time") == ()
    await client.call("begin")
    hub.close()
    await turn()
    assert task.cancelled()
    assert hub.settings["task"].cancelled()
    assert done == ["cancelled"]


async def test_a_hub_that_is_drained_cancels_it_too() -> None:
    hub = make_hub()
    client = await connect(hub)
    await client.call("begin")
    task = hub.spawn(asyncio.Event().wait())
    await close_sessions(hub, seconds=1)
    await turn()
    assert task.cancelled()
    assert hub.settings["task"].cancelled()
    assert client.closed == "server shutting down"


async def test_a_task_from_before_the_start_goes_on() -> None:
    hub, began = make_hub(), asyncio.Event()
    task = hub.spawn(began.wait())
    client = await connect(hub)
    began.set()
    assert await task is True
    client.disconnect()


def test_a_hub_spawns_nothing_before_a_loop_runs() -> None:
    work = asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="no event loop runs yet: call spawn in `async def main"):
        Hub({"/": Player}).spawn(work)
    assert getcoroutinestate(work) == CORO_CLOSED


async def test_a_closed_hub_spawns_nothing_until_it_is_started_again() -> None:
    hub = make_hub()
    await connect(hub)
    hub.close()
    work = asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="the hub is closed: nothing can be spawned"):
        hub.spawn(work)
    assert work.cr_frame is None
    hub.start(asyncio.get_running_loop())
    await hub.spawn(asyncio.sleep(0))


async def test_a_hub_that_was_closed_and_serves_on_spawns_again() -> None:
    hub = make_hub()
    await connect(hub)
    hub.close("forced close")
    client = await connect(hub)
    await client.call("begin")
    assert await client.receive("tick") == 0
    await hub.spawn(asyncio.sleep(0))
    client.disconnect()


async def test_what_a_hub_s_work_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def refresh() -> None:
        raise ZeroDivisionError("on purpose")

    make_hub().spawn(refresh())
    await turn()
    (record,) = caplog.records
    assert record.getMessage() == "Hub.spawn(refresh) failed"


async def test_two_hubs_end_only_their_own() -> None:
    one, other = make_hub(), make_hub()
    tasks = [hub.spawn(asyncio.Event().wait()) for hub in (one, other)]
    one.close()
    await turn()
    assert [task.done() for task in tasks] == [True, False]
    other.close()


async def test_another_thread_spawns_nothing() -> None:
    hub = make_hub()
    await connect(hub)
    work = asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="in another thread"):
        await asyncio.to_thread(hub.spawn, work)
    assert work.cr_frame is None


async def nothing() -> None: ...


@pytest.mark.parametrize("work", [nothing, None, print, 7, asyncio.Event()])
async def test_only_a_coroutine_is_spawned(work: Any) -> None:
    with pytest.raises(TypeError, match=r"^spawn needs a coroutine, got .*: write spawn\(self\.work\(\)\)"):
        make_hub().spawn(work)


async def test_what_was_spawned_leaves_nothing_behind() -> None:
    hub = make_hub()
    work: list[Coroutine[Any, Any, None]] = [nothing(), nothing()]
    await asyncio.gather(*map(hub.spawn, work))
    await turn()
    assert not hub.background._tasks
