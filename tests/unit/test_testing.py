"""The test kit: a mistake of the application fails the test."""

from __future__ import annotations

import asyncio
import re
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from handlers.socketio import Hub, Refused, SocketIOHandler
from handlers.socketio.testing import TestClient, connect

pytestmark = pytest.mark.gen_test


class Shop(SocketIOHandler):
    """Fails where it is asked to."""

    def __init__(self) -> None:
        self.fail("init")

    def authenticate(self, auth: dict[str, Any]) -> None:
        self.fail("authenticate")

    def on_connect(self) -> None:
        self.fail("connect")

    def on_disconnect(self, reason: str) -> None:
        self.fail("disconnect")

    def fail(self, where: str) -> None:
        if self.auth.get("fail") == where:
            raise ZeroDivisionError(where)

    def on_buy(self, what: str) -> str:
        return f"bought {what}"

    def on_boom(self) -> None:
        raise ZeroDivisionError("boom")

    async def on_boom_later(self) -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError("boom_later")

    def on_give_up(self) -> None:
        pytest.fail("of pytest's own")

    async def on_give_up_later(self) -> None:
        await asyncio.sleep(0)
        pytest.fail("of pytest's own")

    async def on_cancel(self) -> None:
        raise asyncio.CancelledError

    def on_unencodable(self) -> Any:
        return {"a": {1}}

    def on_refuse(self) -> None:
        raise Refused("sold out", {"left": 0})

    async def on_ask(self, question: str) -> Any:
        return await self.call(question, "you")

    async def on_shout(self) -> None:
        self.broadcast("news", "first")
        await asyncio.sleep(0)
        self.broadcast("news", "second")
        await asyncio.sleep(0.02)
        self.broadcast("news", "third")

    async def on_wait(self) -> None:
        await asyncio.Event().wait()

    def on_cookie(self) -> Any:
        return [self.get_cookie("user"), self.request.headers["X-Tenant"], self.request.headers["x-TENANT"]]


async def shop(**auth: Any) -> TestClient:
    return await connect(Hub({"/": Shop}), auth=auth)


# -- what the application raises


@pytest.mark.parametrize("event", ["boom", "boom_later"])
async def test_a_call_raises_what_the_method_raises_with_its_traceback(event: str) -> None:
    client = await shop()
    with pytest.raises(ZeroDivisionError, match=f"^{event}$") as raised:
        await client.call(event)
    assert f"on_{event}" in [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert await client.call("buy", "tea") == "bought tea"


async def test_an_emit_raises_it_at_once() -> None:
    client = await shop()
    with pytest.raises(ZeroDivisionError, match=r"^boom$"):
        client.emit("boom")
    client.emit("buy", "tea")


@pytest.mark.parametrize("wait", [lambda client: client.settled(), lambda client: client.receive("never")])
async def test_what_is_raised_later_is_raised_by_what_is_awaited_next(wait: Callable[[TestClient], Any]) -> None:
    client = await shop()
    client.emit("boom_later")
    with pytest.raises(ZeroDivisionError, match=r"^boom_later$"):
        await wait(client)


@pytest.mark.parametrize("where", ["init", "authenticate", "connect"])
async def test_connect_raises_what_the_hooks_raise(where: str) -> None:
    with pytest.raises(ZeroDivisionError, match=f"^{where}$"):
        await shop(fail=where)


@pytest.mark.parametrize("leave", [TestClient.drop, TestClient.disconnect])
async def test_leaving_raises_what_on_disconnect_raises(leave: Callable[[TestClient], None]) -> None:
    client = await shop(fail="disconnect")
    with pytest.raises(ZeroDivisionError, match=r"^disconnect$"):
        leave(client)


async def test_an_answer_that_cannot_be_encoded_says_so() -> None:
    with pytest.raises(TypeError, match="is of the type set, which has no JSON form"):
        await (await shop()).call("unencodable")


@pytest.mark.parametrize("event", ["give_up", "give_up_later", "ask"])
async def test_what_pytest_raises_in_a_method_fails_the_test(event: str) -> None:
    client = await shop()
    client.answer("question", lambda _: pytest.fail("of pytest's own"))
    with pytest.raises(pytest.fail.Exception, match="of pytest's own"):
        await client.call(event, *(["question"] if event == "ask" else []))


async def test_a_method_that_was_cancelled_is_answered_as_ever() -> None:
    assert await (await shop()).call("cancel") == {"message": "Internal error"}


async def test_only_the_client_concerned_raises_it() -> None:
    hub = Hub({"/": Shop})
    ann, bob = await connect(hub), await connect(hub)
    with pytest.raises(ZeroDivisionError):
        ann.emit("boom")
    await bob.settled()
    assert await bob.call("buy", "tea") == "bought tea"


async def test_a_refusal_is_an_answer() -> None:
    assert await (await shop()).call("refuse") == {"message": "sold out", "data": {"left": 0}}


# -- events that are not there


@pytest.mark.parametrize(
    ("event", "args", "said"),
    [
        ("bye", ["tea"], r"^Shop has no event 'bye'"),
        ("byu", ["tea"], r"^Shop has no event 'byu': did you mean 'buy'\?"),
        ("buy", [], r"^Shop.on_buy takes 1 argument, 0 came with 'buy'$"),
        ("buy", ["tea", 2], r"^Shop.on_buy takes 1 argument, 2 came with 'buy'$"),
    ],
)
async def test_an_event_that_is_not_there_is_said_at_once(event: str, args: list[Any], said: str) -> None:
    client = await shop()
    with pytest.raises(AssertionError, match=said):
        client.emit(event, *args)
    with pytest.raises(AssertionError, match=said):
        await client.call(event, *args)


async def test_who_wants_to_hear_what_a_browser_hears_can() -> None:
    client = await connect(Hub({"/": Shop}), raises=False)
    assert await client.call("boom") == {"message": "Internal error"}
    assert await client.call("byu") == {"message": "Unknown event: byu"}
    client.emit("boom_later")
    await client.settled()
    with pytest.raises(Refused, match=r"^Internal error$"):
        await connect(Hub({"/": Shop}), auth={"fail": "authenticate"}, raises=False)


async def test_an_acknowledgement_that_does_not_come_is_named() -> None:
    client = await shop()
    with pytest.raises(
        AssertionError, match=r"^an acknowledgement of 'wait' did not come within 0.01 s; there is \[\]$"
    ):
        await client.call("wait", timeout=0.01)


# -- answers of the client


async def ask(what: str) -> str:
    await asyncio.sleep(0)
    return f"{what}, later"


@pytest.mark.parametrize(
    ("function", "answer"), [(lambda what: f"{what}, at once", "you, at once"), (ask, "you, later")]
)
async def test_a_client_answers_by_a_function_or_a_coroutine(function: Callable[..., Any], answer: str) -> None:
    client = await shop()
    client.answer("who", function)
    assert await client.call("ask", "who") == answer


@pytest.mark.parametrize("function", [lambda what: what.nothing, lambda: None])
async def test_an_answer_that_fails_fails_the_test(function: Callable[..., Any]) -> None:
    client = await shop()
    client.answer("who", function)
    with pytest.raises((AttributeError, TypeError)):
        await client.call("ask", "who")


# -- the rest


async def test_when_all_is_settled_everybody_has_received_what_was_said() -> None:
    hub = Hub({"/": Shop})
    ann, bob = await connect(hub), await connect(hub)
    ann.emit("shout")
    await ann.settled()
    assert ann.received == bob.received == [("news", "first"), ("news", "second"), ("news", "third")]
    hub.of("/").emit("news", "fourth")
    await bob.settled()
    assert bob.received[-1] == ("news", "fourth")


async def test_what_does_not_settle_is_named() -> None:
    client = await shop()
    client.emit("wait")
    with pytest.raises(AssertionError, match=r"^Shop.on_wait did not end within 0.01 s$"):
        await client.settled(timeout=0.01)


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
async def test_the_case_of_headers_does_not_count(change: Callable[[str], str]) -> None:
    client = await connect(Hub({"/": Shop}), headers={change("cookie"): "user=ann", change("x-tenant"): "one"})
    assert await client.call("cookie") == ["ann", "one", "one"]


# -- mistakes in tests

WRONG: list[tuple[Callable[[Hub], Any], str]] = [
    (lambda _: connect(Shop), "connect needs a Hub, got <class "),  # type: ignore[arg-type]
    (lambda hub: connect(hub, {"token": "x"}), "namespace of connect must be a text such as"),  # type: ignore[arg-type]
    (lambda hub: connect(hub, auth="x"), "auth of connect must be an object such as"),  # type: ignore[arg-type]
    (lambda hub: connect(hub, headers="x"), "headers of connect must be an object such as"),  # type: ignore[arg-type]
    (lambda hub: connect(hub, query={"a": "1"}), "query of connect must be a text such as"),  # type: ignore[arg-type]
    (lambda hub: connect(hub, cookies={"a": "1"}), "write headers={"),  # type: ignore[arg-type]
    (lambda hub: connect(hub, "/x"), "no namespace '/x': this hub has /"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG)
async def test_connect_says_what_to_write_instead(wrong: Callable[[Hub], Any], said: str) -> None:
    with pytest.raises((TypeError, KeyError), match=re.escape(said)):
        await wrong(Hub({"/": Shop}))


async def test_what_a_client_says_may_be_awaited() -> None:
    client = await shop()
    await client.emit("buy", "tea")
    await client.drop()
    await client.connect()
    await client.disconnect()


def test_a_hub_of_a_module_serves_each_test_on_its_own_loop() -> None:
    hub = Hub({"/": Shop})

    async def buy() -> Any:
        return await (await connect(hub)).call("buy", "tea")

    assert [asyncio.run(buy()) for _ in range(3)] == ["bought tea"] * 3
    assert len(hub.sessions) == 1
