"""From long-polling to WebSocket, with nothing lost on the way.

Source: Engine.IO protocol, revision 4, "Upgrade".
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import conformance_server
import pytest
from raw_client import (
    CLOSE,
    JOURNEY,
    PONG,
    Polling,
    Server,
    WebSocket,
    address,
    echo,
    io_loop,  # noqa: F401 (a fixture)
    join,
    reason_of,
    serve,
    witnessed,
)

pytestmark = JOURNEY


async def joined(server: Server) -> Polling:
    client = await server.poll()
    await join(client)
    return client


async def probing(server: Server, client: Polling) -> WebSocket:
    """Return a WebSocket that has probed for the session."""
    socket = await server.websocket(client.sid)
    await socket.send("2probe")
    assert await socket.next() == "3probe"
    return socket


async def upgraded(server: Server) -> tuple[Polling, WebSocket]:
    client = await joined(server)
    socket = await probing(server, client)
    await socket.send("5")
    await echo(socket)
    return client, socket


async def assert_polling_goes_on(client: Polling) -> None:
    """Check that the session is as before the upgrade.

    Its polls are held, not released.
    """
    held = await client.hold()
    await client.post('42["say","on polling"]')
    assert (await held.answer()).packets == ['42["said","on polling"]']


# -- the dance


async def test_a_session_goes_on_over_the_WebSocket_after_probe_and_upgrade() -> None:
    async with serve(conformance_server.make_app()) as server:
        _, socket = await upgraded(server)
        await socket.send('42["burst",2]')
        assert [await socket.next(), await socket.next()] == ['42["burst",0]', '42["burst",1]']


async def test_the_client_is_the_same_behind_the_upgrade() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await server.poll()
        sid = await join(client)
        socket = await probing(server, client)
        await socket.send("5", '420["whoami"]')
        assert await socket.next() == f'430[{{"id":"{sid}","auth":{{}}}}]'


async def test_a_held_GET_is_released_with_6_at_once_by_the_probe() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        held = await client.hold()
        await probing(server, client)
        assert (await held.answer()).packets == ["6"]


async def test_every_GET_that_comes_while_upgrading_is_released_at_once() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        await probing(server, client)
        assert [await client.get() for _ in range(5)] == [["6"]] * 5


async def test_a_GET_is_held_while_the_candidate_has_not_probed() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        await server.websocket(client.sid)
        await assert_polling_goes_on(client)


async def test_until_the_5_packets_flow_on_polling() -> None:
    async with serve(conformance_server.make_app()) as server:
        client, other = await joined(server), await joined(server)
        socket = await probing(server, client)
        await echo(client)
        await other.send('42["shout",1]')
        assert await client.get() == ['42["shout",1]']
        await socket.send("5")
        await echo(socket)


async def test_on_the_5_what_is_unread_goes_out_on_the_WebSocket() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        socket = await probing(server, client)
        await client.post('42["burst",3]')
        await socket.send("5")
        assert [await socket.next() for _ in range(3)] == ['42["burst",0]', '42["burst",1]', '42["burst",2]']


async def test_nothing_is_lost_repeated_or_reordered_by_an_upgrade_in_a_burst() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        await client.post(*(f'42["say",{n}]' for n in range(100)))
        socket = await probing(server, client)
        heard = await client.get()
        await client.post(*(f'42["say",{n}]' for n in range(100, 200)))
        await socket.send("5", *(f'42["say",{n}]' for n in range(200, 300)))
        heard += [str(await socket.next()) for _ in range(300 - len(heard))]
    assert heard == [f'42["said",{n}]' for n in range(300)]


async def test_a_5_without_a_probe_upgrades_too_and_releases_the_held_GET() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        held = await client.hold()
        socket = await server.websocket(client.sid)
        await socket.send("5")
        assert (await held.answer()).packets == ["6"]
        await echo(socket)


async def test_a_second_probe_is_answered_as_the_first() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        socket = await probing(server, client)
        await socket.send("2probe")
        assert await socket.next() == "3probe"
        await socket.send("5")
        await echo(socket)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_poll_behind_the_upgrade_is_refused_and_the_session_lives(method: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client, socket = await upgraded(server)
        answer = await server.request(method, address(sid=client.sid))
        assert (answer.status, answer.json["code"]) == (400, 3)
        await echo(socket)


async def test_the_heartbeat_goes_on_over_the_WebSocket() -> None:
    async with serve(conformance_server.make_app(ping_interval=0.3, ping_timeout=0.2)) as server:
        _, socket = await upgraded(server)
        for _ in range(3):
            assert await socket.next() == "2"
            await socket.send("3")


async def test_a_ping_of_polling_may_be_answered_over_the_WebSocket() -> None:
    async with serve(conformance_server.make_app(ping_interval=0.3, ping_timeout=0.2)) as server:
        client = await joined(server)
        assert await client.get() == ["2"]
        socket = await probing(server, client)
        await socket.send("5", "3")
        assert await socket.next() == "2"


# -- an upgrade that comes to nothing


@pytest.mark.parametrize(
    "packet", ["2", "2abc", "2probes", "3probe", "40", "1", "0", "6", "abc", "", b"2probe", "bMnByb2Jl", "b!"]
)
async def test_a_first_packet_that_is_no_probe_closes_that_WebSocket_alone(packet: str | bytes) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        socket = await server.websocket(client.sid)
        await socket.send(packet)
        await socket.ended()
        await assert_polling_goes_on(client)


@pytest.mark.parametrize("probed", [True, False])
async def test_without_a_5_within_upgradeTimeout_the_WebSocket_is_closed_alone(probed: bool) -> None:
    async with serve(conformance_server.make_app(upgrade_timeout=0.2)) as server:
        client = await joined(server)
        begun = time.monotonic()
        socket = await (probing(server, client) if probed else server.websocket(client.sid))
        await socket.ended()
        assert time.monotonic() - begun > 0.18
        await assert_polling_goes_on(client)


async def test_an_upgrade_in_time_is_not_undone_by_upgradeTimeout() -> None:
    async with serve(conformance_server.make_app(upgrade_timeout=0.2, ping_interval=0.4)) as server:
        _, socket = await upgraded(server)
        assert await socket.next() == "2"
        await echo(socket)


def close(socket: WebSocket) -> None:
    socket.send_frame(CLOSE)


async def try_again(server: Server, client: Polling) -> WebSocket:
    """Propose another candidate once the server knows the first has ended."""
    while True:
        socket = await server.handshake(sid=client.sid)
        answer = await socket.answer()
        if answer.status == 101:
            return socket
        assert answer.json["code"] == 3


ENDS: dict[str, Callable[[WebSocket], None]] = {"a close frame": close, "FIN": WebSocket.close, "RST": WebSocket.reset}


@pytest.mark.parametrize("end", ENDS)
async def test_a_candidate_that_dies_leaves_the_session_on_polling_and_free_to_try_again(end: str) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        socket = await probing(server, client)
        ENDS[end](socket)
        again = await try_again(server, client)
        await assert_polling_goes_on(client)
        await again.send("2probe", "5")
        assert await again.next() == "3probe"
        await echo(again)


# -- one candidate


@pytest.mark.parametrize("probed", [True, False])
async def test_a_second_WebSocket_while_upgrading_is_closed_and_the_first_goes_on(probed: bool) -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        socket = await (probing(server, client) if probed else server.websocket(client.sid))
        await (await server.websocket(client.sid)).ended()
        await socket.send("5")
        await echo(socket)


async def test_a_second_WebSocket_for_an_upgraded_session_is_closed_and_the_first_goes_on() -> None:
    async with serve(conformance_server.make_app()) as server:
        client, socket = await upgraded(server)
        await (await server.websocket(client.sid)).ended()
        await echo(socket)


async def test_a_second_WebSocket_for_a_session_that_began_on_one_is_closed_and_the_first_goes_on() -> None:
    async with serve(conformance_server.make_app()) as server:
        socket = await server.websocket()
        await join(socket)
        await (await server.websocket(socket.sid)).ended()
        await echo(socket)


async def shout(socket: WebSocket) -> None:
    for _ in range(300):
        await socket.send("2probe")


async def send_nothing_readable(socket: WebSocket) -> None:
    await socket.send("abc")


async def send_no_probe(socket: WebSocket) -> None:
    await socket.send("42[")


async def send_binary(socket: WebSocket) -> None:
    await socket.send(b"abc")


async def say_that_it_upgrades(socket: WebSocket) -> None:
    await socket.send("2probe", "5", '42["cut"]')


async def violate_the_RFC(socket: WebSocket) -> None:
    socket.send_frame(3)


async def hang_up(socket: WebSocket) -> None:
    socket.reset()


INTRUSIONS = [shout, send_nothing_readable, send_no_probe, send_binary, say_that_it_upgrades, violate_the_RFC, hang_up]


@pytest.mark.parametrize("upgrade", ["not probed", "probed", "done"])
@pytest.mark.parametrize("intrude", INTRUSIONS)
async def test_whatever_a_second_WebSocket_sends_the_first_goes_on(
    intrude: Callable[[WebSocket], Awaitable[None]], upgrade: str
) -> None:
    application, reasons = witnessed(rate=20)
    async with serve(application) as server:
        client = await joined(server)
        socket = await server.websocket(client.sid)
        if upgrade != "not probed":
            await socket.send("2probe")
            assert await socket.next() == "3probe"
        if upgrade == "done":
            await socket.send("5")
            await echo(socket)
        second = await server.websocket(client.sid)
        await intrude(second)
        await second.ended()
        if upgrade != "done":
            assert (await client.post("3")).text == "ok"
            await socket.send("5")
        for word in "abc":
            await echo(socket, word)
        assert reasons.empty()


# -- the end of a session that is upgrading


async def client_closes(client: Polling) -> None:
    assert (await client.post("1")).text == "ok"


async def client_sends_what_it_may_not(client: Polling) -> None:
    assert (await client.post("abc")).status == 400


async def server_closes(client: Polling) -> None:
    await client.post('42["cut"]')
    await client.ended()


async def client_aborts_a_POST(client: Polling) -> None:
    (await client.begin_post(b'42["say"', announced=100)).reset()


CLOSINGS: dict[str, tuple[Callable[[Polling], Awaitable[None]], str]] = {
    "the client closes": (client_closes, "transport close"),
    "the client sends what it may not": (client_sends_what_it_may_not, "parse error"),
    "the client aborts a POST": (client_aborts_a_POST, "transport close"),
    "the server closes": (server_closes, "forced close"),
}


@pytest.mark.parametrize("probed", [True, False])
@pytest.mark.parametrize("closing", CLOSINGS)
async def test_an_upgrade_ends_with_its_session_when(closing: str, probed: bool) -> None:
    act, reason = CLOSINGS[closing]
    application, reasons = witnessed()
    async with serve(application) as server:
        client = await joined(server)
        socket = await (probing(server, client) if probed else server.websocket(client.sid))
        await act(client)
        if probed and closing == "the server closes":
            # The client polls no more: it hears from its candidate when it says that it has upgraded.
            await socket.send("5")
        await socket.ended()
        assert await reason_of(reasons) == reason
        answer = await (await server.handshake(sid=client.sid)).answer()
        assert (answer.status, answer.json["code"]) == (400, 1)
        assert reasons.empty()


async def test_a_GET_aborted_while_the_candidate_has_not_probed_ends_both() -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        client = await joined(server)
        socket = await server.websocket(client.sid)
        (await client.hold()).reset()
        await socket.ended()
        assert await reason_of(reasons) == "transport close"


async def test_a_client_gone_silent_while_upgrading_is_gone_with_both_its_transports() -> None:
    application, reasons = witnessed(ping_interval=0.3, ping_timeout=0.2)
    async with serve(application) as server:
        client = await joined(server)
        socket = await probing(server, client)
        await socket.ended()
        assert await reason_of(reasons) == "ping timeout"


async def test_the_old_polls_connection_may_break_off_behind_the_upgrade() -> None:
    async with serve(conformance_server.make_app()) as server:
        client = await joined(server)
        held = await client.hold()
        socket = await probing(server, client)
        await socket.send("5")
        await held.answer()
        held.reset()
        socket.send_frame(9, b"still?")
        assert await socket.frame() == (PONG, b"still?")
        await echo(socket)


async def test_a_connection_that_breaks_off_behind_the_upgrade_ends_the_client() -> None:
    application, reasons = witnessed()
    async with serve(application) as server:
        _, socket = await upgraded(server)
        socket.reset()
        assert await reason_of(reasons) == "transport error"
