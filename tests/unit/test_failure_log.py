"""Failures of an application's methods are logged, at a limited rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from inside import connect

from handlers.socketio import Hub, Refused, SocketIOHandler
from handlers.socketio.failures import MAX_A_MINUTE, MAX_KNOWN, Failures
from handlers.socketio.methods import EventMethod
from handlers.socketio.testing import TestClient
from handlers.socketio.testing import connect as connect_in_test

pytestmark = pytest.mark.gen_test


class Fragile(SocketIOHandler):
    """Expects too much of what clients send."""

    def __init__(self) -> None:
        if "init" in self.auth:
            [1, 2][7]

    def authenticate(self, auth: dict[str, Any]) -> Any:
        if "need" in auth:
            auth["token"]
        if "user" in auth:
            auth["user"]["name"]
        if "setting" in auth:
            self.settings["db"]
        if "value" in auth:
            int(auth["value"])
        if "cookie" in auth:
            self.get_signed_cookie("user")
        return {"name": "x"} if "verdict" in auth else None

    def on_read(self, data: Any) -> Any:
        return data["x"] if isinstance(data, dict) else data[0][0]


Lines = Callable[[], list[str]]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """What was logged of failures."""
    return lambda: [record.getMessage() for record in caplog.records if record.name.endswith(".failures")]


async def refused(hub: Hub, **auth: Any) -> None:
    with pytest.raises(Refused, match=r"^Internal error$"):
        await connect(hub, auth=auth)


async def test_who_expects_too_much_of_auth_is_told_what_to_write(
    lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    class Early(SocketIOHandler):
        def __init__(self) -> None:
            self.token = self.auth["token"]

    for handler in (Fragile, Early):
        await refused(Hub({"/": handler}), need=1)
        assert "the client's auth has no 'token': write auth.get('token')" in f"{caplog.records[-1].exc_text}"
    assert [line.partition(" for ")[0] for line in lines()] == ["Fragile.authenticate failed", "Early.__init__ failed"]


@pytest.mark.parametrize("what", ["user", "setting", "value", "cookie", "verdict", "init"])
async def test_other_errors_are_not_about_auth(what: str, caplog: pytest.LogCaptureFixture) -> None:
    await refused(Hub({"/": Fragile}), **{what: None})
    assert "auth.get" not in caplog.text


async def test_strangers_do_not_fill_the_log(lines: Lines, caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub({"/": Fragile})
    for _ in range(50):
        await refused(hub, need=1)
    assert len(lines()) == MAX_A_MINUTE
    assert lines()[-1].endswith("; more of the next 6 s are left out")
    assert hub.watches[0].events["authenticate"].errors == 50
    await refused(hub, user=None)  # another failure is not hidden by it
    assert len(lines()) == MAX_A_MINUTE + 1
    await hub.loop.advance(61)  # type: ignore[union-attr]
    await refused(hub, need=1)
    assert lines()[-1].endswith(f"; {50 - MAX_A_MINUTE} more were left out")
    assert all(record.exc_info for record in caplog.records if record.name.endswith(".failures"))
    await refused(hub, need=1)
    assert "left out" not in lines()[-1]


async def test_nor_do_clients_by_what_they_send(lines: Lines) -> None:
    client = await connect(Hub({"/": Fragile}))
    for data in [{}, 7, [], [7], {}] * 20:
        await client.call("read", data)
    assert len(lines()) == 3 * MAX_A_MINUTE  # a KeyError, a TypeError and an IndexError


async def test_clients_of_another_class_are_heard(lines: Lines) -> None:
    class Heir(Fragile):
        """Fails at the same line."""

    hub = Hub({"/": Fragile, "/heir": Heir})
    for namespace in ("/", "/heir"):
        client = await connect(hub, namespace)
        for _ in range(20):
            await client.call("read", {})
    assert len(lines()) == 2 * MAX_A_MINUTE


def test_what_is_counted_has_an_end(lines: Lines) -> None:
    failures = Failures(lambda: 0.0)
    for number in range(MAX_KNOWN + 1):
        failures.log(EventMethod(f"Board.on_{number}", print), "a client", KeyError())
    assert len(failures._known) == MAX_KNOWN


class Asking(SocketIOHandler):
    """Waits for answers of its client."""

    async def authenticate(self, auth: dict[str, Any]) -> None:
        if "early" in auth:
            await self.call("question")

    async def on_ask(self) -> None:
        await self.call("question")

    async def on_disconnect(self, reason: str) -> None:
        if "late" in self.auth:
            await self.call("question")


@pytest.mark.parametrize("leave", [TestClient.disconnect, TestClient.drop])
async def test_a_client_that_leaves_while_it_is_asked_is_no_failure(
    leave: Callable[[TestClient], None], lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    hub = Hub({"/": Asking})
    for recovery in (False, True, False):
        client = await connect_in_test(hub, recovery=recovery)
        client.emit("ask")
        client.emit("ask")  # comes when the client has left
        leave(client)
        await client.settled()
    assert lines() == []
    assert hub.watches[0].events["ask"].errors == 0
    (line,) = [record.getMessage() for record in caplog.records if record.name.endswith(".notices")]
    assert line.startswith("Asking.on_ask ended, because its client left before it answered")
    assert "catch Disconnected" in line


async def test_to_ask_a_client_that_cannot_answer_is_one(lines: Lines) -> None:
    hub = Hub({"/": Asking})
    await refused(hub, early=True)
    client = await connect(hub, auth={"late": True})
    client.disconnect()
    await client.settled()
    early, late = lines()
    assert early.startswith("Asking.authenticate failed for <Asking ")
    assert late.startswith("Asking.on_disconnect failed for <Asking ")
