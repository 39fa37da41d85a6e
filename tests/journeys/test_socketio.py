"""Namespaces, events and acknowledgements, over both transports. Source: Socket.IO protocol, revision 5."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

import conformance_server
import pytest
from inside import hub_of
from raw_client import (
    JOURNEY,
    echo,
    io_loop,  # noqa: F401 (a fixture)
    join,
    reason_of,
    serve,
    witnessed,
)
from tornado.web import Application

from handlers.socketio import Hub, Refused, SocketIOHandler, event, routes

pytestmark = JOURNEY

both = pytest.mark.parametrize("transport", ["polling", "websocket"])
PLACEHOLDER = '{"_placeholder":true,"num":0}'


def application(handler: type[SocketIOHandler], **options: Any) -> Application:
    return Application(routes(Hub({"/": handler}, **options)))


# -- CONNECT


@both
@pytest.mark.parametrize("packet", ["40", "40{}", '40{"token":1}', "40/custom,", "40/custom", '40/custom,{"a":[]}'])
async def test_CONNECT_is_answered_with_a_sid(packet: str, transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await client.send(packet)
        answer = await client.next()
    prefix = "40/custom," if "custom" in packet else "40"
    assert re.fullmatch(re.escape(prefix) + r'\{"sid":"[\w-]{20}"\}', answer)


async def test_the_sids_of_namespaces_differ_from_each_other_and_from_the_engines() -> None:
    async with serve(conformance_server.make_app()) as server:
        clients = [await server.poll(), await server.poll()]
        sids = [await join(client, name) for client in clients for name in ("/", "/custom")]
    assert len({*sids, *(client.sid for client in clients)}) == 6


@both
async def test_auth_reaches_the_application(transport: str) -> None:
    auth = {"token": "é", "list": [1, {"a": None}]}
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        sid = await join(client, auth=auth)
        await client.send('420["whoami"]')
        assert json.loads((await client.next()).removeprefix("430")) == [{"id": sid, "auth": auth}]


@both
async def test_the_answer_to_CONNECT_goes_out_before_what_the_handler_says(transport: str) -> None:
    class Greeter(SocketIOHandler):
        def on_connect(self) -> None:
            self.broadcast("all", 1)
            self.emit("you", 2)

    async with serve(application(Greeter)) as server:
        client = await server.open(transport)
        await join(client)
        assert [await client.next(), await client.next()] == ['42["all",1]', '42["you",2]']


@both
async def test_a_refusal_carries_message_and_data_and_leaves_the_connection_open(transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await client.send('40/refuse,{"token":"wrong"}')
        assert await client.next() == '44/refuse,{"message":"Not allowed","data":{"code":7}}'
        await join(client, "/refuse", {"token": "secret"})
        await join(client)
        await echo(client)


async def test_a_refusal_without_data_is_an_object_too_even_when_it_comes_late() -> None:
    class Late(SocketIOHandler):
        async def authenticate(self, auth: dict[str, Any]) -> None:
            await asyncio.sleep(0)
            raise Refused("Come back later")

    async with serve(application(Late)) as server:
        socket = await server.websocket()
        await socket.send("40")
        assert await socket.next() == '44{"message":"Come back later"}'


@both
async def test_an_unknown_namespace_is_refused_and_the_connection_stays_open(transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await client.send("40/nowhere,")
        assert await client.next() == '44/nowhere,{"message":"Invalid namespace"}'
        await join(client)
        await echo(client)


@both
async def test_without_a_CONNECT_within_connectTimeout_the_connection_closes(transport: str) -> None:
    async with serve(conformance_server.make_app(connect_timeout=0.2)) as server:
        opened, client = time.monotonic(), await server.open(transport)
        await client.ended()
        assert time.monotonic() - opened > 0.18


async def test_a_client_that_has_joined_is_not_bound_by_connectTimeout() -> None:
    async with serve(conformance_server.make_app(connect_timeout=0.1, ping_interval=0.3)) as server:
        socket = await server.websocket()
        await join(socket, "/custom")
        assert await socket.next() == "2"
        await join(socket)


# -- events and acknowledgements


@both
async def test_an_event_reaches_its_handler_with_all_its_arguments(transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await join(client)
        await client.send('42["say",1,"two",[3],{"four":null},true]')
        assert await client.next() == '42["said",1,"two",[3],{"four":null},true]'


@both
@pytest.mark.parametrize("id_", ["0", "1", "12", "999999999999999999"])
async def test_an_event_with_an_id_is_acknowledged_with_it(id_: str, transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await join(client)
        await join(client, "/custom")
        await client.send(f'42{id_}["echo",1,2]', f'42/custom,{id_}["echo"]')
        assert [await client.next(), await client.next()] == [f"43{id_}[1,2]", f"43/custom,{id_}[]"]


@both
@pytest.mark.parametrize(("answer", "said"), [('["yes"]', '"yes"'), ("[1,2]", "1,2"), ("[]", "null")])
async def test_the_server_is_told_what_a_client_acknowledges(answer: str, said: str, transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await join(client)
        await client.send('42["ask","why?"]')
        question = re.fullmatch(r'42(\d+)\["question","why\?"\]', await client.next())
        assert question
        await client.send(f"43{question[1]}{answer}")
        assert await client.next() == f'42["answer",{said}]'


@both
@pytest.mark.parametrize("packets", [["439[1]"], ["430[]"], ["43999999999999999999[1]"], ['461-12["x"]', b"x"]])
async def test_an_acknowledgement_of_an_unknown_id_is_ignored(packets: Any, transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await join(client)
        await client.send(*packets)
        await echo(client)


@both
async def test_an_acknowledgement_counts_once(transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await join(client)
        await client.send('42["ask"]')
        await client.next()
        await client.send("431[1]", "431[2]")
        assert await client.next() == '42["answer",1]'
        await echo(client)


@both
@pytest.mark.parametrize("name", ['"nobody answers this"', '"on_say"', '"_part"', '"__init__"', "7", "-1.5", '""'])
async def test_an_event_that_nobody_answers_is_harmless(name: str, transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await join(client)
        await client.send(f"42[{name},1]", f"425[{name}]")
        assert await client.next() == f'435[{{"message":"Unknown event: {json.loads(name)}"}}]'
        await echo(client)


async def test_a_numeric_event_name_is_legal() -> None:
    class Counter(SocketIOHandler):
        @event("1")
        def on_one(self) -> str:
            return "one"

    async with serve(application(Counter)) as server:
        socket = await server.websocket()
        await join(socket)
        await socket.send("420[1]")
        assert await socket.next() == '430["one"]'


async def test_each_namespace_hears_its_own_events_alone() -> None:
    async with serve(conformance_server.make_app()) as server:
        one, other = await server.websocket(), await server.websocket()
        await join(one, "/custom")
        await join(one)
        await join(other, "/custom")
        await one.send('42["shout",1]', '42/custom,0["echo",2]')
        assert [await one.next(), await one.next()] == ['42["shout",1]', "43/custom,0[2]"]
        await other.send('42/custom,1["echo"]')
        assert await other.next() == "43/custom,1[]"


@both
async def test_JSON_goes_out_compact_and_as_it_was_said(transport: str) -> None:
    word = '["echo",{"a":[1,2.5,-3e2,true,null],"ключ":"日本 🎈 \\u0000 \\"\\\\ \\ud800"}]'
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await join(client)
        await client.send('420["echo",{"a": [1, 2.5, -3e2, true, null], "ключ": "日本 🎈 \\u0000 \\"\\\\"}]')
        assert await client.next() == '430[{"a":[1,2.5,-300.0,true,null],"ключ":"日本 🎈 \\u0000 \\"\\\\"}]'
        await client.send(f"420{word}")
        assert json.loads((await client.next())[3:])[0] == json.loads(word)[1]


async def test_what_has_no_JSON_form_is_not_sent_and_harms_nobody() -> None:
    class Broken(SocketIOHandler):
        def on_break(self) -> None:
            self.broadcast("broken", float("nan"))

        def on_ping(self) -> str:
            return "pong"

    async with serve(application(Broken), expect="on_break failed") as server:
        socket = await server.websocket()
        await join(socket)
        await socket.send('42["break"]', '420["ping"]')
        assert await socket.next() == '430["pong"]'


# -- binary


@both
async def test_a_binary_event_and_its_acknowledgement_carry_attachments(transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await join(client)
        await client.send(f'451-["say",{{"deep":[{PLACEHOLDER}]}}]', b"\x01")
        assert [await client.next() for _ in range(2)] == [f'451-["said",{{"deep":[{PLACEHOLDER}]}}]', b"\x01"]
        await client.send(f'452-7["echo",{PLACEHOLDER.replace("0", "1")},{PLACEHOLDER}]', b"zero", b"one")
        expected = [f"462-7[{PLACEHOLDER},{PLACEHOLDER.replace('0', '1')}]", b"one", b"zero"]
        assert [await client.next() for _ in range(3)] == expected


@both
async def test_a_client_acknowledges_with_attachments(transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await join(client, "/")
        await client.send('42["ask","for bytes"]')
        assert await client.next() == '421["question","for bytes"]'
        await client.send(f"461-1[{PLACEHOLDER}]", b"\x00")
        assert [await client.next() for _ in range(2)] == [f'451-["answer",{PLACEHOLDER}]', b"\x00"]


@both
async def test_a_binary_event_in_a_namespace_names_it_behind_the_number_of_attachments(transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await join(client, "/custom")
        await client.send(f'451-/custom,3["echo",{PLACEHOLDER}]', b"x")
        assert [await client.next() for _ in range(2)] == [f"461-/custom,3[{PLACEHOLDER}]", b"x"]


@both
async def test_ten_attachments_are_allowed(transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        await join(client)
        placeholders = ",".join(PLACEHOLDER.replace("0", str(n)) for n in range(10))
        await client.send(f'4510-0["echo",{placeholders}]', *([b"x"] * 10))
        assert [await client.next() for _ in range(11)] == [f"4610-0[{placeholders}]", *[b"x"] * 10]


# -- parting


@both
async def test_a_client_leaves_one_namespace_and_stays_in_another_and_may_come_back(transport: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.open(transport)
        first = await join(client, "/custom")
        await join(client)
        await client.send("41/custom,")
        await echo(client)
        assert await join(client, "/custom") != first


@both
async def test_41_twice_and_what_follows_it_are_harmless_and_leave_once(transport: str) -> None:
    app, reasons = witnessed()
    async with serve(app) as server:
        client = await server.open(transport)
        await join(client, "/custom")
        await join(client)
        await client.send("41", "41", '42["say",1]', "431[]", "41")
        await client.send('42/custom,1["echo"]')
        assert await client.next() == "43/custom,1[]"
        assert await reason_of(reasons) == "client namespace disconnect"
        assert reasons.empty()


@both
async def test_a_server_that_sends_a_client_away_says_41_and_what_the_client_had_on_its_way_is_harmless(
    transport: str,
) -> None:
    app, reasons = witnessed()
    async with serve(app) as server:
        client = await server.open(transport)
        await join(client)
        await client.send('42["kick"]', '42["say","late"]', '421["echo"]', "431[]", "41")
        assert await client.next() == "41"
        await join(client)
        await echo(client)
        assert await reason_of(reasons) == "server namespace disconnect"
        assert reasons.empty()


@both
async def test_a_server_that_shuts_down_closes_the_connections_and_sends_no_41(transport: str) -> None:
    app, reasons = witnessed()
    async with serve(app) as server:
        client = await server.open(transport)
        await join(client)
        held = await client.hold() if transport == "polling" else None
        hub_of(app).close()
        if held is None:
            assert await client.ended() == 1001
        else:
            # No 1 either: python-socketio's client would not come back.
            assert (await held.answer()).packets == ["6"]
            await client.forgotten()
        assert await reason_of(reasons) == "server shutting down"


@both
async def test_a_server_that_ends_the_connection_sends_no_41(transport: str) -> None:
    app, reasons = witnessed()
    async with serve(app) as server:
        client = await server.open(transport)
        await join(client)
        await client.send('42["cut"]')
        await client.ended()
        assert await reason_of(reasons) == "forced close"


@both
async def test_a_client_that_is_sent_away_with_its_connection_is_sent_41_first(transport: str) -> None:
    app, reasons = witnessed()
    async with serve(app) as server:
        client = await server.open(transport)
        await join(client)
        await client.send('42["banish"]')
        assert await client.next() == "41"
        await client.ended()
        assert await reason_of(reasons) == "server namespace disconnect"


async def test_all_namespaces_of_a_connection_end_with_it_for_the_same_reason() -> None:
    app, reasons = witnessed()
    async with serve(app) as server:
        socket = await server.websocket()
        await join(socket, "/custom")
        await join(socket)
        socket.reset()
        assert await reason_of(reasons) == "transport error"
        assert not any(namespace.clients for namespace in hub_of(app).namespaces.values())
