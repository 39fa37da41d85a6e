"""What `authenticate` may return, and do before the client is admitted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from inside import connect

from handlers.socketio import Disconnected, Hub, Refused, SocketIOHandler

pytestmark = pytest.mark.gen_test


def asks(verdict: Callable[[Any], Any]) -> Hub:
    """A hub whose `authenticate` does this."""

    class DoorHandler(SocketIOHandler):
        def authenticate(self, auth: dict[str, Any]) -> Any:
            return verdict(self)

        def on_ping(self) -> str:
            return "pong"

    return Hub({"/": DoorHandler})


def later(verdict: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def wait(handler: Any) -> Any:
        await asyncio.sleep(0)
        return verdict(handler)

    return wait


def at_once(verdict: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return verdict


both = pytest.mark.parametrize("when", [at_once, later])


@both
@pytest.mark.parametrize("value", [None, True])
async def test_None_and_True_admit(when: Any, value: Any) -> None:
    client = await connect(asks(when(lambda _: value)))
    assert await client.call("ping") == "pong"


@both
async def test_False_refuses(when: Any, caplog: pytest.LogCaptureFixture) -> None:
    hub = asks(when(lambda _: False))
    with pytest.raises(Refused, match=r"^Forbidden$"):
        await connect(hub)
    assert not hub.of("/").clients
    assert caplog.records == []


@both
@pytest.mark.parametrize("value", [0, 1, "", "no", [], {"user": 1}, (True,), object(), b"", 0.0])
async def test_any_other_value_refuses_and_is_logged(when: Any, value: Any, caplog: pytest.LogCaptureFixture) -> None:
    hub = asks(when(lambda _: value))
    with pytest.raises(Refused, match=r"^Internal error$"):
        await connect(hub)
    assert not hub.of("/").clients
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert str(record.exc_info[1]).startswith(
        f"DoorHandler.authenticate returned a {type(value).__name__}: return None"
    )


def do_things(handler: Any) -> None:
    handler.enter("lobby")
    handler.enter("kitchen")
    handler.leave("kitchen")
    handler.emit("first", 1)
    handler.emit("second", b"2")
    handler.broadcast("to others", handler.online)
    assert handler.rooms == {"lobby"}


@both
async def test_what_is_done_in_authenticate_takes_effect_when_the_client_is_admitted(when: Any) -> None:
    hub = asks(when(do_things))
    hub.of("/").emit("kept", 0, keep=1)
    client = await connect(hub)
    assert [await client.receive() for _ in range(3)] == [0, 1, b"2"]
    assert hub.of("/").to("lobby").clients == hub.of("/").clients
    assert hub.of("/").rooms == {"lobby"}
    hub.of("/").to("lobby").emit("said")
    await client.receive("said")


@both
async def test_what_is_done_in_authenticate_is_dropped_when_the_client_is_refused(when: Any) -> None:
    def do_and_refuse(handler: Any) -> bool:
        do_things(handler)
        return False

    hub = asks(when(do_and_refuse))
    with pytest.raises(Refused):
        await connect(hub)
    assert hub.of("/").rooms == frozenset()


@both
async def test_limits_and_errors_hold_in_authenticate_too(when: Any) -> None:
    tried = []

    def overdo(handler: Any) -> None:
        with pytest.raises(Refused):
            handler.enter("x" * 201)
        with pytest.raises(TypeError):
            handler.emit("bad", {1})
        with pytest.raises(ValueError, match="choose another name"):
            handler.emit("connect")
        tried.append(handler.id)

    client = await connect(asks(when(overdo)))
    assert tried == [client.id]
    assert client.received == []


async def test_a_call_in_authenticate_says_that_the_client_is_not_admitted_yet() -> None:
    async def ask(handler: Any) -> None:
        with pytest.raises(Disconnected, match="is not admitted yet: nobody can answer 'who'"):
            await handler.call("who")

    await connect(asks(ask))


@both
async def test_a_client_that_is_sent_away_in_authenticate_is_refused(when: Any) -> None:
    hub = asks(when(lambda handler: handler.disconnect()))
    with pytest.raises(Refused, match=r"^Forbidden$"):
        await connect(hub)
    assert not hub.of("/").clients


async def test_events_of_a_client_that_is_refused_reach_no_method() -> None:
    reached = []
    gate = asyncio.Event()

    class DoorHandler(SocketIOHandler):
        async def authenticate(self, auth: dict[str, Any]) -> bool:
            await gate.wait()
            return False

        def on_secret(self) -> None:
            reached.append(self.id)

    hub = Hub({"/": DoorHandler})
    connecting = asyncio.ensure_future(connect(hub))
    await asyncio.sleep(0)
    (session,) = hub.sessions.values()
    session.listener.on_message('2["secret"]')
    gate.set()
    with pytest.raises(Refused):
        await connecting
    assert reached == []


@both
async def test_Refused_in_on_connect_sends_the_client_away_and_says_where_it_belongs(
    when: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class LateHandler(SocketIOHandler):
        def on_connect(self) -> Any:
            def refuse(_: Any) -> None:
                raise Refused("Too late", {"code": 7})

            return when(refuse)(self)

        def on_disconnect(self, reason: str) -> None:
            reasons.append(reason)

    reasons: list[str] = []
    hub = Hub({"/": LateHandler})
    client = await connect(hub, recovery=True)
    await client.receive("disconnect")
    assert reasons == ["server namespace disconnect"]
    assert not hub.of("/").clients
    assert len(hub.recovery) == 0
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "LateHandler.on_connect refused" in record.getMessage()
    assert "Raise Refused in authenticate, so that the client hears why: Too late" in record.getMessage()
