"""Sending a client away is final: nothing can be recovered.

Whatever the client asks for, and however it was sent away.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from raw_client import serve
from tornado.web import Application

from handlers.socketio import Hub, Refused, SocketIOHandler, routes
from handlers.socketio.testing import TestClient, connect

pytestmark = pytest.mark.gen_test


class RoomHandler(SocketIOHandler):
    """Tells what happens to its clients, and lets in whom it may."""

    remembered = ("user",)
    banned: frozenset[str] = frozenset()

    def authenticate(self, auth: dict[str, Any]) -> bool:
        self.settings.setdefault("asked", []).append((auth.get("user"), self.recovered))
        self.user = auth.get("user")
        return self.user not in self.settings.get("banned", ())

    def on_connect(self) -> None:
        self.settings.setdefault("log", []).append(("came", self.user, self.recovered))

    def on_disconnect(self, reason: str) -> None:
        self.settings.setdefault("log", []).append(("went", self.user, reason))

    def on_leave_by(self, close: bool) -> None:
        self.disconnect(close)


class OtherHandler(RoomHandler): ...


def rooms(**options: Any) -> Hub:
    return Hub({"/": RoomHandler, "/other": OtherHandler}, **options)


WAYS: dict[str, Callable[[Hub, TestClient], None]] = {
    "by its handler": lambda hub, client: hub.of("/").to(client.id).clients[0].disconnect(),
    "by its handler, with its connection": lambda hub, client: hub.of("/").to(client.id).clients[0].disconnect(True),
    "by an audience": lambda hub, client: hub.of("/").to(client.id).disconnect(),
    "by an audience, with its connection": lambda hub, client: hub.of("/").to(client.id).disconnect(close=True),
    "with all": lambda hub, _: hub.of("/").disconnect(),
    "with all and their connections": lambda hub, _: hub.of("/").disconnect(True),
    "from a thread": lambda hub, client: hub.threadsafe.of("/").to(client.id).disconnect(),
    "from a thread, with its connection": lambda hub, client: hub.threadsafe.of("/").to(client.id).disconnect(True),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_that_was_sent_away_is_told_and_comes_back_as_a_newcomer_only(way: str) -> None:
    hub = rooms()
    ann = await connect(hub, auth={"user": "Ann"}, recovery=True)
    id_ = ann.id
    hub.of("/").to(id_).enter("lobby")
    WAYS[way](hub, ann)
    await ann.receive("disconnect")
    await asyncio.sleep(0)
    assert (ann.closed == "forced close") is ("connection" in way)
    assert hub.settings["log"][1:] == [("went", "Ann", "server namespace disconnect")]
    assert len(hub.recovery) == 0
    hub.of("/").emit("said", 1)
    await ann.connect()
    assert ann.id != id_
    assert not ann.recovered
    assert ann.received == []
    assert hub.of("/").rooms == frozenset()
    assert hub.settings["asked"] == [("Ann", False), ("Ann", False)]


@pytest.mark.parametrize("way", [way for way in WAYS if "handler" not in way])
@pytest.mark.parametrize("grace", [0, 60])
async def test_a_client_that_is_away_is_sent_away_too(way: str, grace: float) -> None:
    hub = rooms(presence_grace=grace)
    ann = await connect(hub, auth={"user": "Ann"}, recovery=True)
    id_ = ann.id
    ann.drop()
    WAYS[way](hub, ann)
    await asyncio.sleep(0)
    assert len(hub.recovery) == 0
    assert [what for what, *_ in hub.settings["log"]] == ["came", "went"]
    await ann.connect()
    assert (ann.recovered, ann.id == id_) == (False, False)
    assert [what for what, *_ in hub.settings["log"]] == ["came", "went", "came"]


async def test_with_its_connection_a_client_is_sent_away_from_all_its_namespaces() -> None:
    hub = rooms()
    application = Application(routes(hub), hub=hub)
    for transport in ("websocket", "polling"):
        async with serve(application) as server:
            client = await server.open(transport)
            await client.send('40{"user":"Ann","recovery":true}', '40/other,{"user":"Ann","recovery":true}')
            await client.next()
            await client.next()
            assert len(hub.recovery) == 2
            hub.of("/other").disconnect(True)
            assert {await client.next(), await client.next()} == {"41", "41/other,"}
            await client.ended()
            assert len(hub.recovery) == 0


async def test_with_its_connection_a_client_that_is_away_is_forgotten_in_all_its_namespaces() -> None:
    hub = rooms()
    application = Application(routes(hub), hub=hub)
    async with serve(application) as server:
        client = await server.websocket()
        pids = []
        for namespace in ("", "/other,"):
            await client.send(f'40{namespace}{{"user":"Ann","recovery":true}}')
            pids.append(json.loads((await client.next())[2:].removeprefix("/other,"))["pid"])
        client.close()
        while hub.sessions:
            await asyncio.sleep(0.01)
        data = hub.snapshot(1.0)
        hub.of("/").disconnect(True)
        assert len(hub.recovery) == 0
        following = rooms()
        following.start(asyncio.get_running_loop())
        assert following.restore(data, 1.0) == 2
        following.of("/other").disconnect(True)
        assert len(following.recovery) == 0
        again = await server.websocket()
        await again.send(f'40{{"user":"Ann","pid":"{pids[0]}"}}')
        assert json.loads((await again.next())[2:])["pid"] not in pids


async def test_a_client_is_asked_again_when_it_comes_back() -> None:
    hub = rooms()
    ann = await connect(hub, auth={"user": "Ann"}, recovery=True)
    ann.drop()
    hub.of("/").emit("said", 1)
    await ann.connect()
    assert ann.recovered
    assert await ann.receive("said") == 1
    assert hub.settings["asked"] == [("Ann", False), ("Ann", True)]


async def test_unless_the_hub_says_that_it_need_not() -> None:
    hub = rooms(recovery_skips_authenticate=True)
    ann = await connect(hub, auth={"user": "Ann"}, recovery=True)
    ann.drop()
    await ann.connect()
    assert ann.recovered
    assert hub.settings["asked"] == [("Ann", False)]


@pytest.mark.parametrize("grace", [0, 60])
async def test_a_client_that_is_refused_when_it_comes_back_has_left_for_good(grace: float) -> None:
    hub = rooms(presence_grace=grace)
    ann = await connect(hub, auth={"user": "Ann"}, recovery=True)
    ann.drop()
    hub.settings["banned"] = ["Ann"]
    with pytest.raises(Refused, match=r"^Forbidden$"):
        await ann.connect()
    assert len(hub.recovery) == 0
    assert [what for what, *_ in hub.settings["log"]] == ["came", "went"]
    hub.settings["banned"] = []
    await ann.connect()
    assert not ann.recovered


# -- the hooks


@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("grace", [0, 60])
async def test_a_client_with_a_handler_in_flight_that_is_away_leaves_when_it_has_ended(
    close: bool, grace: float
) -> None:
    class BusyHandler(RoomHandler):
        async def on_wait(self) -> None:
            await gate.wait()
            self.settings["log"].append("waited")

    gate = asyncio.Event()
    hub = Hub({"/": BusyHandler}, presence_grace=grace)
    ann = await connect(hub, auth={"user": "Ann"}, recovery=True)
    ann.emit("wait")
    ann.drop()
    hub.of("/").disconnect(close)
    assert not hub.of("/").clients
    gate.set()
    await asyncio.wait(hub.running)
    assert hub.settings["log"][1:] == [
        "waited",
        ("went", "Ann", "server namespace disconnect" if grace else "transport close"),
    ]


@pytest.mark.parametrize("close", [False, True])
async def test_a_hook_may_send_its_client_away_so_that_it_cannot_come_back(close: bool) -> None:
    class StrictHandler(RoomHandler):
        async def on_disconnecting(self, reason: str) -> None:
            await asyncio.sleep(0)
            self.disconnect(close)

    hub = Hub({"/": StrictHandler})
    ann = await connect(hub, auth={"user": "Ann"}, recovery=True)
    ann.drop()
    await asyncio.wait(hub.running)
    await asyncio.sleep(0)
    assert hub.settings["log"][1:] == [("went", "Ann", "transport close")]
    assert len(hub.recovery) == 0


async def test_events_that_wait_for_their_turn_are_dropped_with_their_client() -> None:
    class BusyHandler(RoomHandler):
        async def on_wait(self) -> None:
            await asyncio.sleep(0)
            self.disconnect()

        def on_any(self, event: str, *args: Any) -> None:
            reached.append(event)

    reached: list[str] = []
    hub = Hub({"/": BusyHandler})
    ann = await connect(hub, auth={"user": "Ann"}, recovery=True)
    for event in ("wait", "one", "two"):
        ann.emit(event)
    await ann.receive("disconnect")
    while hub.running:
        await asyncio.wait(hub.running)
    assert reached == []
    assert hub.settings["log"][1:] == [("went", "Ann", "server namespace disconnect")]


async def test_a_hook_that_sends_others_away_meets_no_client_twice() -> None:
    class LoyalHandler(RoomHandler):
        async def on_disconnect(self, reason: str) -> None:
            super().on_disconnect(reason)
            hub.of("/").disconnect(True)

    hub = Hub({"/": LoyalHandler, "/other": OtherHandler})
    async with serve(Application(routes(hub), hub=hub)) as server:
        clients = [await server.websocket() for _ in range(3)]
        for client in clients:
            await client.send('40{"recovery":true}', '40/other,{"recovery":true}')
            await client.next()
            await client.next()
        clients[0].close()
        while hub.sessions or hub.running:
            await asyncio.sleep(0.001)
        assert len(hub.recovery) == 0
        went = [reason for what, _, reason in hub.settings["log"] if what == "went"]
        assert sorted(went) == ["server namespace disconnect"] * 4 + ["transport close"] * 2


# -- what a client that is sent away still hears


@pytest.mark.parametrize("compress", [0, 1])
async def test_a_client_that_reads_slowly_hears_that_it_is_sent_away(compress: int) -> None:
    hub = rooms(max_backlog=1 << 24, compress=compress)
    async with serve(Application(routes(hub), hub=hub)) as server:
        client = await server.websocket()
        await client.send("40")
        await client.next()
        client.stop_reading(for_good=False)
        (session,) = hub.sessions.values()
        said = 0
        while not session.lagging:
            hub.of("/").emit("said", "x" * 200_000)
            said += 1
            await asyncio.sleep(0.001)
        hub.of("/").emit("last")
        hub.of("/").disconnect(True)
        client.read_on()
        heard = [str(await client.next())[:9] for _ in range(said + 2)]
        assert heard == ['42["said"'] * said + ['42["last"', "41"]
        assert await client.ended() == 1000


async def test_a_client_in_the_midst_of_its_upgrade_hears_it_by_the_websocket() -> None:
    hub = rooms()
    async with serve(Application(routes(hub), hub=hub)) as server:
        client = await server.poll()
        await client.send("40")
        await client.next()
        socket = await server.websocket(client.sid)
        await socket.send("2probe")
        assert await socket.next() == "3probe"
        hub.of("/").emit("last")
        hub.of("/").disconnect(True)
        assert (await client.post('42["crossing"]')).text == "ok"
        await socket.send("5")
        assert [await socket.next(), await socket.next()] == ['42["last"]', "41"]
        assert await socket.ended() == 1000
        await client.forgotten()


async def test_a_client_in_the_midst_of_its_upgrade_that_polls_once_more_hears_it_there_and_once() -> None:
    hub = rooms()
    async with serve(Application(routes(hub), hub=hub)) as server:
        client = await server.poll()
        await client.send("40")
        await client.next()
        socket = await server.websocket(client.sid)
        await socket.send("2probe")
        assert await socket.next() == "3probe"
        hub.of("/").disconnect(True)
        assert await client.get() == ["41"]
        await socket.send("5")
        assert await socket.ended() == 1000
        await client.forgotten()


async def test_what_a_polling_client_posts_before_it_has_heard_is_no_error() -> None:
    hub = rooms()
    async with serve(Application(routes(hub), hub=hub)) as server:
        client = await server.poll()
        await client.send("40")
        await client.next()
        for held in (False, True):
            poll = await client.hold() if held else None
            hub.of("/").disconnect(True)
            for _ in range(2):
                assert (await client.post('42["crossing"]')).text == "ok"
            answer = await poll.answer() if poll else None
            assert (answer.packets if answer else await client.get()) == ["41"]
            assert (await client.post('42["crossing"]')).text == "ok"
            assert await client.get() == ["1"]
            await client.forgotten()
            assert (await client.post('42["late"]')).json["code"] == 1
            client = await server.poll()
            await client.send("40")
            await client.next()
        assert ("came", None, False) in hub.settings["log"]


async def test_a_body_that_is_too_large_is_refused_to_the_last() -> None:
    hub = rooms(max_payload=1000)
    async with serve(Application(routes(hub), hub=hub)) as server:
        client = await server.poll()
        await client.send("40")
        await client.next()
        hub.of("/").disconnect(True)
        assert (await client.post('42["' + "x" * 1000 + '"]')).status == 413
        assert await client.get() == ["41"]


# -- while `authenticate` runs


class SlowHandler(SocketIOHandler):
    """Takes its time to let clients in."""

    gate: asyncio.Event
    reached: list[Any]

    async def authenticate(self, auth: dict[str, Any]) -> bool:
        await self.gate.wait()
        return auth.get("good", True)

    def on_did(self, what: str) -> None:
        self.reached.append(what)


def slow() -> Hub:
    SlowHandler.gate, SlowHandler.reached = asyncio.Event(), []
    SlowHandler.gate.set()
    return Hub({"/": SlowHandler})


async def returning(hub: Hub, **auth: Any) -> tuple[TestClient, asyncio.Future[None]]:
    """A client that asks to come back, with `authenticate` still running."""
    ann = await connect(hub, recovery=True)
    ann.drop()
    hub.of("/").emit("said", 1)
    SlowHandler.gate.clear()
    ann._auth = {**ann._auth, **auth}
    coming = asyncio.ensure_future(ann.connect())
    await asyncio.sleep(0)
    hub.of("/").emit("said", 2)
    return ann, coming


async def test_what_was_missed_comes_after_the_verdict_in_order_and_once() -> None:
    hub = slow()
    ann, coming = await returning(hub)
    ann.emit("did", "early")
    assert (ann.received, SlowHandler.reached) == ([], [])
    SlowHandler.gate.set()
    await coming
    ann.emit("did", "late")
    hub.of("/").emit("said", 3)
    assert [await ann.receive() for _ in range(3)] == [1, 2, 3]
    assert ann.received == []
    assert SlowHandler.reached == ["early", "late"]


async def test_before_a_verdict_that_refuses_no_method_is_reached() -> None:
    hub = slow()
    ann, coming = await returning(hub, good=False)
    ann.emit("did", "early")
    SlowHandler.gate.set()
    with pytest.raises(Refused):
        await coming
    assert SlowHandler.reached == []
    assert ann.received == []


async def test_a_connection_that_dies_before_the_verdict_leaves_the_client_as_it_was() -> None:
    hub = slow()
    ann, coming = await returning(hub)
    coming.cancel()
    ann.drop()
    assert len(hub.recovery) == 1
    SlowHandler.gate.set()
    await ann.connect()
    assert ann.recovered
    assert [await ann.receive() for _ in range(2)] == [1, 2]


async def test_a_client_that_is_sent_away_before_the_verdict_is_refused() -> None:
    hub = slow()
    _, coming = await returning(hub)
    hub.of("/").disconnect()
    with pytest.raises(Refused, match="Forbidden"):
        await coming
    SlowHandler.gate.set()
    await asyncio.sleep(0)
    assert len(hub.recovery) == 0
    assert not hub.of("/").clients


async def test_another_connection_that_comes_with_the_pid_takes_its_place() -> None:
    hub = slow()
    ann, coming = await returning(hub)
    twin = TestClient(hub, "/", ann._auth, ann._handshake)
    twin._place = dict(ann._place)
    comes = asyncio.ensure_future(twin.connect())
    await asyncio.sleep(0)
    assert ann.closed == "transport close"
    SlowHandler.gate.set()
    await comes
    assert twin.recovered
    coming.cancel()
    assert [await twin.receive() for _ in range(2)] == [1, 2]
    assert len(hub.of("/").clients) == 1


async def test_a_handler_in_flight_does_not_keep_its_client_from_coming_back() -> None:
    class BusyHandler(SocketIOHandler):
        async def on_wait(self) -> None:
            await gate.wait()

    gate = asyncio.Event()
    hub = Hub({"/": BusyHandler})
    ann = await connect(hub, recovery=True)
    ann.emit("wait")
    ann.drop()
    await ann.connect()
    assert ann.recovered
    gate.set()


# -- what a client cannot read


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_client_that_closes_twice_at_the_same_offset_is_a_newcomer(transport: str) -> None:
    hub = rooms()
    async with serve(Application(routes(hub), hub=hub)) as server:

        async def come(auth: dict[str, Any]) -> tuple[Any, dict[str, Any], list[str]]:
            client = await server.open(transport)
            await client.send("40" + json.dumps(auth))
            heard = []
            while not (packet := await client.next()).startswith("40"):
                heard.append(packet)
            return client, json.loads(packet[2:]), heard

        async def close(client: Any) -> None:
            sessions = len(hub.sessions)
            if transport == "polling":
                await client.post("1")
            else:
                client.send_frame(8, (1000).to_bytes(2, "big"))
            while len(hub.sessions) == sessions:
                await asyncio.sleep(0.001)

        client, first, _ = await come({"recovery": True})
        hub.of("/").emit("good")
        offset = json.loads((await client.next())[2:])[-1]
        hub.of("/").emit("poison")
        await client.next()
        await close(client)
        place = {"pid": first["pid"], "offset": offset}
        client, answer, heard = await come(place)
        assert answer["sid"] == first["sid"]
        assert len(heard) == 1
        await close(client)
        client, answer, heard = await come(place)
        assert answer["sid"] != first["sid"]
        assert heard == []


async def test_a_client_whose_connection_is_cut_again_and_again_misses_nothing() -> None:
    hub = rooms()
    ann = await connect(hub, auth={"user": "Ann"}, recovery=True)
    hub.of("/").emit("said", 1)
    await ann.receive("said")
    heard = dict(ann._place)
    hub.of("/").emit("said", 2)
    for _ in range(4):
        ann.drop()
        ann._place = dict(heard)
        await ann.connect()
        assert ann.recovered
        assert await ann.receive("said") == 2
