"""What an author writes and calls, tested by the test kit.

The code is real, without sockets.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import threading
from typing import Any

import pytest
from effort import amount
from inside import connect

from handlers.socketio import CallTimeout, Disconnected, Hub, Refused, SocketIOHandler, event
from handlers.socketio.message import Kind, Message, encode

pytestmark = pytest.mark.gen_test


class ChatHandler(SocketIOHandler):
    """Does what its events say."""

    log: list[Any]

    async def authenticate(self, auth: dict[str, Any]) -> None:
        if auth.get("name") == "Mallory":
            raise Refused("Not you", {"code": 7})
        if auth.get("name") == "bug":
            raise KeyError("bug")

    def on_connect(self) -> None:
        self.log = []

    def before_event(self, event: str, args: list[Any]) -> None:
        if event == "forbidden":
            raise Refused("Forbidden here", {"args": args})

    def on_any(self, event: str, *args: Any) -> Any:
        return ["any", event, *args]

    def on_forbidden(self) -> None:
        raise AssertionError("unreachable")

    def on_join(self, room: str) -> None:
        self.enter(room)

    @event("part")
    def on_leave_room(self, room: str) -> None:
        self.leave(room)

    def on_rooms(self) -> list[str]:
        return sorted(self.rooms)

    def on_tell(self, rooms: list[str], *args: Any) -> None:
        self.to(*rooms).emit("told", *args)

    def on_tell_others(self, rooms: list[str], *args: Any) -> None:
        (self.others.to(*rooms) if rooms else self.others).emit("told", *args)

    def on_tell_all_but(self, rooms: list[str], *args: Any) -> None:
        self.except_(*rooms).emit("told", *args)

    def on_keep(self, *args: Any) -> None:
        self.broadcast("kept", *args, keep=2)

    def on_two(self) -> tuple[int, int]:
        return 1, 2

    async def on_slow(self, name: str) -> str:
        self.log.append(f"{name} begins")
        await asyncio.sleep(0)
        self.log.append(f"{name} ends")
        return name

    def on_quick(self, name: str) -> list[str]:
        self.log.append(name)
        return self.log

    def on_fail(self) -> None:
        raise RuntimeError("a bug of the application")

    async def on_fail_later(self) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("a bug of the application")

    def on_say_nan(self) -> None:
        self.broadcast("told", float("nan"))

    def on_kick(self) -> None:
        self.disconnect()

    def on_cut(self) -> None:
        self.disconnect(close=True)


class PresenceHandler(SocketIOHandler):
    """Tells what happens to each client."""

    events: list[str]
    gate: asyncio.Event
    done: asyncio.Event

    async def on_connect(self) -> None:
        type(self).events.append("connect begins")
        await self.gate.wait()
        type(self).events.append(f"connect ends, {self.online} online")

    def on_disconnecting(self, reason: str) -> None:
        type(self).events.append(f"disconnecting from {sorted(self.rooms)}, {self.online} online")

    def on_disconnect(self, reason: str) -> None:
        type(self).events.append(f"disconnect: {reason}")
        self.done.set()

    def on_join(self, room: str) -> None:
        self.enter(room)


def chat(**options: Any) -> Hub:
    return Hub({"/": ChatHandler}, **options)


def presence() -> Hub:
    PresenceHandler.events, PresenceHandler.gate, PresenceHandler.done = [], asyncio.Event(), asyncio.Event()
    return Hub({"/": PresenceHandler}, recovery=0)


def the(hub: Hub, client: Any) -> Any:
    """The handler of a client."""
    return hub.namespaces["/"].clients[client.id].handler


# -- rooms and audiences


async def test_a_client_that_is_in_a_room_hears_what_is_said_there() -> None:
    hub = chat()
    ann, bob, eve = [await connect(hub) for _ in range(3)]
    await ann.call("join", "lobby")
    await bob.call("join", "lobby")
    eve.emit("tell", ["lobby"], "hello")
    assert await ann.receive() == await bob.receive() == "hello"
    assert await eve.call("rooms") == []
    assert eve.received == []


async def test_several_rooms_reach_nobody_twice() -> None:
    hub = chat()
    ann, bob = [await connect(hub) for _ in range(2)]
    for room in ("a", "b", "c"):
        await ann.call("join", room)
    await bob.call("join", "c")
    await bob.call("tell", ["a", "b", "c", ann.id], "once")
    assert await ann.receive() == await bob.receive() == "once"
    await bob.call("tell", ["c"], "next")
    assert await ann.receive() == "next"


async def test_each_client_is_a_room() -> None:
    hub = chat()
    ann, bob = [await connect(hub) for _ in range(2)]
    await bob.call("tell", [ann.id], "psst")
    assert await ann.receive() == "psst"
    assert bob.received == []


async def test_others_are_all_but_the_speaker() -> None:
    hub = chat()
    ann, bob, eve = [await connect(hub) for _ in range(3)]
    await ann.call("tell_others", [], "to others")
    assert await bob.receive() == await eve.receive() == "to others"
    await bob.call("join", "lobby")
    await ann.call("join", "lobby")
    await ann.call("tell_others", ["lobby"], "to others in the lobby")
    assert await bob.receive() == "to others in the lobby"
    assert ann.received == eve.received == []


async def test_rooms_and_clients_can_be_excepted() -> None:
    hub = chat()
    ann, bob, eve = [await connect(hub) for _ in range(3)]
    await bob.call("join", "lobby")
    await ann.call("tell_all_but", ["lobby", eve.id], "to few")
    assert await ann.receive() == "to few"
    assert bob.received == eve.received == []


async def test_a_client_that_left_a_room_keeps_what_was_said_before() -> None:
    hub = chat()
    ann = await connect(hub)
    await ann.call("join", "lobby")
    hub.of("/").to("lobby").emit("told", "before")
    the(hub, ann).leave("lobby")
    hub.of("/").to("lobby").emit("told", "after")
    the(hub, ann).emit("told", "to you")
    assert await ann.receive() == "before"
    assert await ann.receive() == "to you"


async def test_a_room_ends_with_its_last_client() -> None:
    hub = chat()
    ann, bob = [await connect(hub) for _ in range(2)]
    await ann.call("join", "lobby")
    await bob.call("join", "lobby")
    assert hub.of("/").rooms == {"lobby"}
    await ann.call("part", "lobby")
    bob.drop()
    assert hub.of("/").rooms == frozenset()


async def test_newcomers_are_sent_what_is_kept() -> None:
    hub = chat()
    ann = await connect(hub)
    for number in range(4):
        await ann.call("keep", number)
    bob = await connect(hub)
    assert bob.received == [] or bob.received[0][0] == "kept"
    assert [await bob.receive("kept"), await bob.receive("kept")] == [2, 3]
    await ann.call("join", "lobby")
    hub.of("/").to("lobby").emit("topic", "tea", keep=1)
    await bob.call("join", "lobby")
    assert await bob.receive("topic") == "tea"
    with pytest.raises(ValueError, match="keep"):
        hub.of("/").to("a", "b").emit("topic", "tea", keep=1)


async def test_too_many_rooms_and_too_long_names_are_refused_in_words() -> None:
    class FewRooms(ChatHandler):
        max_rooms = 2

    ann = await connect(Hub({"/": FewRooms}))
    for room in ("a", "b", "a"):
        assert await ann.call("join", room) is None
    assert await ann.call("join", "c") == {"message": "One can be in 2 rooms at most"}
    assert "200 characters" in (await ann.call("join", "x" * 201))["message"]
    assert await ann.call("rooms") == ["a", "b"]


# -- acknowledgements


async def test_what_a_method_returns_acknowledges_the_event() -> None:
    ann = await connect(chat())
    assert await ann.call("two") == (1, 2)
    assert await ann.call("slow", "x") == "x"
    assert await ann.call("join", "lobby") is None


async def test_a_client_answers_a_call() -> None:
    hub = chat()
    ann = await connect(hub)
    ann.answer("sum", lambda a, b: a + b)
    assert await the(hub, ann).call("sum", 1, 2) == 3


async def test_a_call_ends_with_its_deadline_or_its_client() -> None:
    hub = chat()
    ann = await connect(hub)
    handler, client = the(hub, ann), hub.namespaces["/"].clients[ann.id]
    with pytest.raises(CallTimeout, match=r"within 0\.01 s"):
        await handler.call("unanswered", timeout=0.01)
    call = asyncio.ensure_future(handler.call("unanswered"))
    await ann.receive("unanswered")
    ann.drop()
    with pytest.raises(Disconnected):
        await call
    with pytest.raises(Disconnected):
        await handler.call("unanswered")
    assert not client._acks


async def test_a_call_to_many_gives_the_answers_that_came_and_names_the_rest() -> None:
    hub = chat()
    ann, bob, eve = [await connect(hub) for _ in range(3)]
    ann.answer("who", lambda: "Ann")
    bob.answer("who", lambda: "Bob")
    everyone = hub.of("/")
    answers = await everyone.call("who", timeout=0.05)
    assert answers == {ann.id: "Ann", bob.id: "Bob"}
    assert answers.missing == [eve.id]
    assert not any(client._acks for client in hub.namespaces["/"].clients.values())
    assert await everyone.to("nobody").call("who", timeout=1) == {}


async def test_an_answer_that_nobody_waits_for_is_ignored() -> None:
    ann = await connect(chat())
    ann.brings('3999["late"]')
    assert await ann.call("two") == (1, 2)


# -- hooks


async def test_a_refused_client_is_told_why() -> None:
    with pytest.raises(Refused) as refusal:
        await connect(chat(), auth={"name": "Mallory"})
    assert (refusal.value.message, refusal.value.data) == ("Not you", {"code": 7})


async def test_a_bug_in_authenticate_refuses_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Refused, match="Internal error"):
        await connect(chat(), auth={"name": "bug"})
    assert "authenticate failed" in caplog.text


async def test_who_joins_again_before_it_was_refused_is_another_client() -> None:
    refused = asyncio.Event()

    class SlowDoorHandler(SocketIOHandler):
        async def authenticate(self, auth: dict[str, Any]) -> None:
            if auth["name"] == "Mallory":
                refused.set()
                raise Refused("Not you")
            await refused.wait()

    hub = Hub({"/": SlowDoorHandler}, recovery=0)
    refused.set()
    client = await connect(hub, auth={"name": "Ann"})
    client.disconnect()
    refused.clear()
    client.brings('0{"name":"Mallory"}')
    client.disconnect()
    client.brings('0{"name":"Ann"}')
    await refused.wait()
    while not hub.of("/").clients:
        await asyncio.sleep(0)
    client.drop()
    assert hub.of("/").clients == []
    assert hub.namespaces["/"].clients == {}


async def test_an_event_may_be_refused_before_it_is_answered() -> None:
    ann = await connect(chat())
    assert await ann.call("forbidden") == {"message": "Forbidden here", "data": {"args": []}}


async def test_events_without_a_method_go_to_on_any() -> None:
    ann = await connect(chat())
    assert await ann.call("whatever", 1, 2) == ["any", "whatever", 1, 2]


async def test_an_unknown_event_is_ignored_and_counted() -> None:
    hub = presence()
    PresenceHandler.gate.set()
    ann = await connect(hub)
    ann.emit("whatever", 1)
    await ann.call("join", "lobby")
    assert hub.counters.unknown_events == 1


async def test_handlers_of_one_client_run_one_after_the_other() -> None:
    hub = chat()
    ann = await connect(hub)
    ann.emit("slow", "a")
    ann.emit("quick", "b")
    ann.emit("slow", "c")
    assert await ann.call("quick", "d") == ["a begins", "a ends", "b", "c begins", "c ends", "d"]


async def test_hooks_run_in_order_with_the_rooms_still_set() -> None:
    hub = presence()
    PresenceHandler.gate.set()
    ann = await connect(hub)
    assert await ann.call("join", "lobby") is None
    ann.drop()
    await PresenceHandler.done.wait()
    assert PresenceHandler.events == [
        "connect begins",
        "connect ends, 1 online",
        "disconnecting from ['lobby'], 0 online",
        "disconnect: transport close",
    ]


async def test_a_client_that_leaves_while_it_is_greeted_leaves_after_that() -> None:
    hub = presence()
    ann = await connect(hub)
    ann.drop()
    assert hub.of("/").clients == []
    PresenceHandler.gate.set()
    await PresenceHandler.done.wait()
    assert PresenceHandler.events == [
        "connect begins",
        "connect ends, 0 online",
        "disconnecting from [], 0 online",
        "disconnect: transport close",
    ]


@pytest.mark.parametrize("event_name", ["fail", "fail_later"])
async def test_a_bug_in_a_handler_is_logged_and_harms_nobody(event_name: str, caplog: pytest.LogCaptureFixture) -> None:
    hub = chat()
    ann, bob = [await connect(hub) for _ in range(2)]
    ann.emit(event_name)
    assert await ann.call("two") == await bob.call("two") == (1, 2)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert event_name in record.getMessage()
    assert ann.id in record.getMessage()


async def test_what_cannot_be_encoded_is_sent_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    hub = chat()
    ann, bob = [await connect(hub) for _ in range(2)]
    ann.emit("say_nan")
    assert await bob.call("two") == (1, 2)
    assert bob.received == []
    assert "args[0]" in caplog.text
    with pytest.raises(ValueError, match=r"args\[0\]\['a'\]\[1\]"):
        hub.of("/").emit("told", {"a": [1, float("inf")]})
    with pytest.raises(TypeError, match=r"args\[1\]\['x'\].*object"):
        hub.of("/").emit("told", 1, {"x": object()})


async def test_a_client_is_sent_away_from_the_namespace_or_altogether() -> None:
    hub = chat()
    ann, bob = [await connect(hub) for _ in range(2)]
    ann.emit("kick")
    await ann.receive("disconnect")
    assert ann.closed is None
    bob.emit("cut")
    assert bob.closed == "forced close"
    assert hub.of("/").clients == []


async def test_names_of_the_protocol_cannot_be_emitted() -> None:
    hub = chat()
    ann = await connect(hub)
    with pytest.raises(ValueError, match="choose another name"):
        the(hub, ann).emit("disconnect")


# -- namespaces


class RoomHandler(SocketIOHandler):
    def on_where(self) -> Any:
        assert self.match is not None
        return [self.namespace, self.match[1]]


async def test_namespaces_are_declared_by_name_or_expression() -> None:
    hub = Hub({"/": ChatHandler, re.compile(r"/game-(\d+)"): RoomHandler})
    ann, bob = await connect(hub, "/game-7"), await connect(hub, "/game-8")
    assert await ann.call("where") == ["/game-7", "7"]
    hub.of("/game-7").emit("told", "you")
    assert await ann.receive() == "you"
    assert await bob.call("where") == ["/game-8", "8"]
    assert bob.received == []
    for unknown in ("/game-", "/game-7x", "/other"):
        with pytest.raises(Refused, match="Invalid namespace"):
            await connect(hub, unknown)
        with pytest.raises(KeyError, match="no namespace"):
            hub.of(unknown)
    ann.drop()
    bob.drop()
    assert "/game-7" not in hub.namespaces
    assert "/game-8" not in hub.namespaces


async def test_a_connection_joins_a_hundred_namespaces_at_most() -> None:
    hub = Hub({re.compile(r"/(\d*)"): RoomHandler})
    ann = await connect(hub, "/")
    for number in range(99):
        ann.brings(*encode(Message(Kind.CONNECT, f"/{number}")))
    ann.brings(*encode(Message(Kind.CONNECT, "/100")))
    await ann._until(lambda: ann._refusal is not None, "a refusal", 1)
    assert ann._refusal == {"message": "A connection can join 100 namespaces at most"}
    with pytest.raises(Refused, match="200 characters"):
        await connect(hub, "/" + "1" * 201)


# -- from outside


async def test_many_are_managed_from_outside() -> None:
    hub = chat()
    ann, bob, eve = [await connect(hub) for _ in range(3)]
    everyone = hub.of("/")
    assert {client.id for client in everyone.clients} == {ann.id, bob.id, eve.id}
    everyone.except_(eve.id).enter("lobby")
    assert {client.id for client in everyone.to("lobby").clients} == {ann.id, bob.id}
    everyone.to(ann.id).leave("lobby")
    everyone.to("lobby").disconnect()
    await bob.receive("disconnect")
    assert len(everyone.clients) == 2
    everyone.disconnect(close=True)
    assert (ann.closed, eve.closed) == ("forced close", "forced close")


async def test_all_others_enter_a_room_where_one_is_in_too_many() -> None:
    class FewRooms(ChatHandler):
        max_rooms = 1

    hub = Hub({"/": FewRooms})
    ann, bob, eve = [await connect(hub) for _ in range(3)]
    await bob.call("join", "lobby")
    with pytest.raises(Refused, match="1 rooms at most"):
        hub.of("/").enter("hall")
    assert {client.id for client in hub.of("/").to("hall").clients} == {ann.id, eve.id}


async def test_another_thread_may_speak() -> None:
    hub = chat()
    ann = await connect(hub)
    errors: list[Exception] = []

    def speak() -> None:
        hub.threadsafe.of("/").to(ann.id).emit("told", "from afar")
        hub.threadsafe.of("/").enter("lobby")
        try:
            hub.threadsafe.of("/").emit("told", float("nan"))
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=speak)
    thread.start()
    thread.join()
    assert await ann.receive() == "from afar"
    assert await ann.call("rooms") == ["lobby"]
    assert len(errors) == 1


async def test_no_rooms_are_nobody_not_everyone() -> None:
    hub = Hub({"/": ChatHandler})
    ann = await connect(hub)
    nobody = hub.of("/").to(*[])
    nobody.emit("told", "a secret")
    nobody.volatile.others.except_("x").emit("told", "a secret")
    nobody.enter("cellar")
    nobody.disconnect()
    hub.threadsafe.of("/").to().emit("told", "a secret")
    await ann.call("tell", [], "a secret")
    assert (nobody.clients, nobody.get(ann.id), await nobody.call("who", timeout=1)) == ([], None, {})
    assert await ann.call("rooms") == []
    hub.of("/").to().to(ann.id).emit("told", "this")
    assert await ann.receive() == "this"


async def test_everyone_is_who_hears_a_broadcast() -> None:
    class Crowd(ChatHandler):
        def on_crowd(self) -> list[str]:
            return [one.id for one in self.everyone.clients]

    hub = Hub({"/": Crowd})
    ann, bob = await connect(hub), await connect(hub)
    assert await ann.call("crowd") == [ann.id, bob.id]


async def test_before_anybody_has_come_there_is_nobody_to_speak_to() -> None:
    hub = chat()
    hub.of("/").emit("told", "nobody")
    hub.threadsafe.of("/").emit("told", "nobody")
    assert hub.of("/").clients == []


# -- leaving nothing behind


async def test_a_silent_client_is_found_out() -> None:
    hub = chat()
    ann, bob = [await connect(hub) for _ in range(2)]
    bob.silent = True
    assert hub.loop is not None
    await hub.loop.advance(46)  # type: ignore[attr-defined]
    assert (ann.closed, bob.closed) == (None, "ping timeout")


async def visit(hub: Hub, number: int) -> None:
    """Come, enter a room, be called, leave: in words or without."""
    client = await connect(hub)
    client.brings('2["join","lobby"]')
    asking = asyncio.ensure_future(the(hub, client).call("unanswered"))
    await client.receive("unanswered")
    if number % 2:
        client.disconnect()
    client.drop()
    with pytest.raises(Disconnected):
        await asking


@pytest.mark.slow
@pytest.mark.gen_test
async def test_nothing_is_left_of_many_visits() -> None:
    hub = chat(recovery=0)
    for number in range(500):
        await visit(hub, number)
    gc.collect()
    before = len(gc.get_objects())
    for number in range(amount(1000, thorough=3500)):
        await visit(hub, number)
    gc.collect()
    assert len(gc.get_objects()) - before < 500
    namespace = hub.namespaces["/"]
    tables = (namespace.clients, namespace.known, namespace.rooms, namespace._members, namespace.everyone.readers)
    assert not any(tables)
    assert not hub.sessions
    assert not hub.joining
    assert not hub._heartbeat
    assert not len(hub.recovery)
