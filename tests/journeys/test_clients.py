"""The server and its client, tested with foreign clients and servers.

The checks in `js/checks.mjs` run with the official JavaScript clients against this server, and with this project's
client against this server and Node's. Then python-socketio's client, and then all at once: order.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
import socketio
from conftest import JS, PATIENCE, board
from effort import amount
from engineio.payload import Payload
from inside import session_of
from tornado.ioloop import IOLoop
from tornado.web import Application

from handlers.socketio import Disconnected, Hub, SocketIOHandler, routes

pytestmark = pytest.mark.gen_test

# ---- JavaScript clients

NEED_A_SERVER = {"official.test.mjs", "protocols.test.mjs", "client.test.mjs", "features.test.mjs", "older.test.mjs"}
OWN_TESTS = sorted({path.name for path in JS.glob("*.test.mjs")} - NEED_A_SERVER)


@cache
def can_force_exit(node: str) -> bool:
    """Whether this Node.js can end while timers still wait.

    Those of clients that have left would keep it for as long as a ping may take.
    """
    help_text = subprocess.run([node, "--help"], capture_output=True, text=True, check=True).stdout
    return "--test-force-exit" in help_text


def pass_in_node(node: str, *files: str, server_url: str | None = None, at_once: int = 8, tries: int = 1) -> None:
    """Run test files of tests/js; fail with Node's own report.

    All tests that ran must have passed.
    """
    env = {name: value for name, value in os.environ.items() if name != "SERVER_URL"}
    env["CONCURRENCY"] = str(at_once)
    if server_url:
        env["SERVER_URL"] = server_url
    command = [node, "--test", "--test-reporter=spec", *files]
    if can_force_exit(node):
        command.insert(2, "--test-force-exit")
    for _ in range(tries):
        run = subprocess.run(
            command, cwd=JS, env=env, capture_output=True, text=True, timeout=4 * PATIENCE, check=False
        )
        passed = re.search(r"^ℹ pass (\d+)$", run.stdout, re.MULTILINE)
        if not run.returncode:
            break
    if run.returncode or not passed or int(passed[1]) == 0:
        report = run.stdout[run.stdout.find("✖") :][-20_000:]
        pytest.fail(f"{' '.join(command)}\n{report}\n{run.stderr}", pytrace=False)


def test_official_clients_pass_every_check(node, peer):
    pass_in_node(node, "official.test.mjs", server_url=peer.url)


def test_official_clients_pass_every_check_under_hasty_heartbeats(node, hasty_peer):
    # A machine that stands still for 200 ms ends connections here, and with them checks that know nothing of it.
    pass_in_node(node, "official.test.mjs", server_url=hasty_peer.url, at_once=1, tries=3)


def test_official_clients_pass_with_subprotocols_and_base64(node, peer):
    pass_in_node(node, "protocols.test.mjs", server_url=peer.url)


def test_our_client_passes_every_check_against_this_server(node, peer):
    pass_in_node(node, "client.test.mjs", server_url=peer.url)


def test_our_client_passes_every_check_against_nodes_server(node):
    pass_in_node(node, "client.test.mjs")


@pytest.mark.parametrize("file", OWN_TESTS)
def test_our_client_passes_its_own_tests(node, file):
    pass_in_node(node, file)


# ---- Python's client

ALL_TRANSPORTS = [
    pytest.param(None, id="polling-then-websocket"),
    pytest.param(["websocket"], id="websocket"),
    pytest.param(["polling"], id="polling"),
]
every_transport = pytest.mark.parametrize("transports", ALL_TRANSPORTS)

JSON = ["", 'é 漢 🙂 \x00 \x1e "', 0, -1.5, True, None, [], {}, {"deep": [{"a": [1, None]}]}]
NESTED_BYTES = {"deep": [{"bytes": bytes(range(256)), "text": "between"}], "empty": b"", "more": [b"\x1e", b"b"]}


class Client(socketio.AsyncClient):
    """python-socketio's, with words for what is expected of it."""

    def heard(self, event: str, namespace: str = "/") -> asyncio.Future[tuple[Any, ...]]:
        """Return the arguments of the next event, to be awaited."""
        arguments = asyncio.get_running_loop().create_future()

        async def listener(*args: Any) -> None:
            if not arguments.done():
                arguments.set_result(args)

        self.on(event, listener, namespace=namespace)
        return asyncio.ensure_future(asyncio.wait_for(arguments, PATIENCE))


@pytest.fixture
def connect(io_loop: IOLoop) -> Iterator[Callable[..., Any]]:
    """Connects a Client, which leaves when the test ends."""
    clients: list[Client] = []

    async def connect(url: str, transports: list[str] | None = None, client: Client | None = None, **kwargs) -> Client:
        client = client or new_client()
        clients.append(client)
        await client.connect(url, transports=transports, **kwargs)
        return client

    yield connect
    for client in clients:
        io_loop.run_sync(client.shutdown)


def new_client() -> Client:
    return Client(reconnection_delay=0.05, randomization_factor=0, handle_sigint=False)


@every_transport
async def test_a_python_client_carries_its_session_over_the_transport_asked_for(peer, connect, transports):
    client = await connect(peer.url, transports)
    assert client.transport() == (transports or ["websocket"])[0]
    assert (await client.call("whoami"))["id"] == client.get_sid()


@every_transport
async def test_a_python_client_says_and_hears_events(peer, connect, transports):
    client = await connect(peer.url, transports)
    said = client.heard("said")
    await client.emit("say", tuple(JSON))
    assert list(await said) == JSON


@every_transport
async def test_a_python_client_hears_events_in_order(peer, connect, transports, monkeypatch):
    monkeypatch.setattr(Payload, "max_decode_packets", 2000)  # from any server it takes 16 a poll unless told otherwise
    client = await connect(peer.url, transports)
    numbers = []
    client.on("burst", numbers.append)
    await client.emit("burst", 1000)
    assert await client.call("echo", "done") == "done"
    assert numbers == list(range(1000))


@every_transport
async def test_a_python_client_is_answered(peer, connect, transports):
    client = await connect(peer.url, transports)
    assert await client.call("echo", tuple(JSON)) == tuple(JSON)
    assert await client.call("echo", "alone") == "alone"
    assert await client.call("echo") is None


@every_transport
async def test_a_python_client_answers(peer, connect, transports):
    client = await connect(peer.url, transports)
    client.on("question", lambda what: (what, "yes", {"n": 1}))
    answer = client.heard("answer")
    await client.emit("ask", "is it?")
    assert await answer == ("is it?", "yes", {"n": 1})


@every_transport
async def test_a_python_client_sends_and_gets_bytes(peer, connect, transports):
    client = await connect(peer.url, transports)
    assert await client.call("echo", (NESTED_BYTES, b"alone")) == (NESTED_BYTES, b"alone")
    said = client.heard("said")
    await client.emit("say", NESTED_BYTES)
    assert await said == (NESTED_BYTES,)


@every_transport
async def test_a_python_client_answers_with_bytes(peer, connect, transports):
    client = await connect(peer.url, transports)
    client.on("question", lambda what: [what, b"answer"])
    answer = client.heard("answer")
    await client.emit("ask", b"question")
    assert await answer == ([b"question", b"answer"],)


@every_transport
async def test_namespaces_of_a_python_client_share_a_connection_and_part_one_by_one(peer, connect, transports):
    client = await connect(peer.url, transports, namespaces=["/", "/custom"])
    assert client.get_sid("/") != client.get_sid("/custom")
    assert (await client.call("whoami"))["id"] == client.get_sid("/")
    assert await client.call("echo", NESTED_BYTES, namespace="/custom") == NESTED_BYTES
    await client.send("nobody answers this", namespace="/custom")
    parted = client.heard("disconnect", "/custom")
    await client.emit("kick")
    assert await client.call("echo", "still here", namespace="/custom") == "still here"
    await client.disconnect()
    await parted


@every_transport
async def test_a_python_client_is_refused_an_unknown_namespace(peer, connect, transports):
    client = new_client()
    refusal = client.heard("connect_error", "/nowhere")
    with pytest.raises(socketio.exceptions.ConnectionError):
        await connect(peer.url, transports, client, namespaces=["/nowhere"])
    assert await refusal == ({"message": "Invalid namespace"},)


@every_transport
async def test_a_python_client_is_refused_with_data_and_let_in_with_the_right_token(peer, connect, transports):
    client = new_client()
    refusal = client.heard("connect_error", "/refuse")
    with pytest.raises(socketio.exceptions.ConnectionError):
        await connect(peer.url, transports, client, namespaces=["/refuse"], auth={"token": "guess"})
    assert await refusal == ({"message": "Not allowed", "data": {"code": 7}},)
    admitted = await connect(peer.url, transports, namespaces=["/refuse"], auth={"token": "secret"})
    assert (await admitted.call("whoami", namespace="/refuse"))["auth"] == {"token": "secret"}


@pytest.mark.parametrize("transports", ALL_TRANSPORTS[:2])
async def test_a_python_client_comes_back_when_its_connection_was_cut(peer, connect, transports):
    client = await connect(peer.url, transports)
    first_sid = client.get_sid()
    back = client.heard("connect")
    await client.emit("cut")
    await back
    assert client.get_sid() != first_sid
    assert await client.call("echo", "back") == "back"


@pytest.mark.parametrize("server", ["peer", "nodes_peer"])
async def test_a_python_client_that_polls_takes_a_cut_for_the_last_word(request, connect, server):
    client = await connect(request.getfixturevalue(server).url, ["polling"])
    gone = client.heard("disconnect")
    await client.emit("cut")
    assert await gone == (client.reason.SERVER_DISCONNECT,)
    assert not client.connected


@every_transport
async def test_a_python_client_stays_away_when_it_was_sent_away(peer, connect, transports):
    client = await connect(peer.url, transports)
    gone = client.heard("disconnect")
    await client.emit("kick")
    assert await gone == (client.reason.SERVER_DISCONNECT,)
    await asyncio.wait_for(client.wait(), PATIENCE)
    assert not client.connected


@pytest.mark.parametrize("kill", [pytest.param(False, id="terminated"), pytest.param(True, id="killed")])
@every_transport
async def test_a_python_client_comes_back_when_the_server_was_restarted(start, connect, transports, kill):
    server = start(board())
    client = new_client()
    greeting = client.heard("private")
    await connect(server.url, transports, client)
    assert await greeting == ({"msg": "Welcome you are the 1 person here"},)
    greeting = client.heard("private")
    await asyncio.to_thread(server.stop, kill)
    await asyncio.to_thread(server.start)
    assert await greeting == ({"msg": "Welcome you are the 1 person here"},)


@every_transport
async def test_a_python_client_lives_through_hasty_heartbeats(hasty_peer, connect, transports):
    client = await connect(hasty_peer.url, transports)
    sid = client.get_sid()
    pings = asyncio.Semaphore(0)
    answer_ping = client.eio._send_packet

    async def count_pong(packet: Any) -> None:
        await answer_ping(packet)
        if packet.packet_type == 3:
            pings.release()

    client.eio._send_packet = count_pong
    for _ in range(5):
        await asyncio.wait_for(pings.acquire(), PATIENCE)
    assert await client.call("echo", "alive") == "alive"
    assert client.get_sid() == sid


# ---- Order

CLIENTS, UPGRADING, UPGRADING_MIDSTREAM = 48, 36, 30


class Stream:
    """Numbered events to all and to each, without a pause.

    Clients connect and upgrade meanwhile.

    events: how many the clients hear together, at least.
    ahead: rounds that a listener may be behind.
    """

    def __init__(self, events: int, ahead: int) -> None:
        self.events = events
        self.ahead = ahead
        self.listeners: list[Listener] = []
        self.said_to_all = 0
        self.deliveries = 0
        self.late = False
        """Whether a client has left because it answered a ping too late."""
        self.begun = asyncio.Event()
        self.choose = random.Random(1)

    @property
    def told_enough(self) -> bool:
        upgraded = [each for each in self.listeners if each.auth["upgrades"] and each.carrier == "websocket"]
        return len(self.listeners) == CLIENTS and len(upgraded) == UPGRADING and self.deliveries >= self.events

    async def run(self) -> None:
        """Send until enough is sent, never far ahead of the slowest listener."""
        await self.begun.wait()
        marks: deque[asyncio.Future[list[Any]]] = deque()
        rounds_to_go = 5  # for the last that has upgraded
        with suppress(Disconnected):  # the clients tell why
            while rounds_to_go:
                self.tell()
                marks.append(asyncio.gather(*(each.call("mark", timeout=PATIENCE) for each in self.listeners)))
                if len(marks) == self.ahead:
                    await marks.popleft()
                rounds_to_go -= self.told_enough
        await asyncio.gather(*marks, return_exceptions=True)
        for each in self.listeners:
            each.emit("end", self.said_to_all, each.said)

    def tell(self) -> None:
        """Say something to all, and something else to some, and so on."""
        for _ in range(3):
            for _ in range(self.choose.randint(0, 2)):
                self.said_to_all += 1
                self.deliveries += len(self.listeners)
                self.listeners[0].broadcast("to all", self.said_to_all)
            for each in self.listeners:
                for _ in range(self.choose.randint(0, 2)):
                    each.said += 1
                    self.deliveries += 1
                    each.emit("to you", each.said, self.said_to_all)


class Listener(SocketIOHandler):
    stream: Stream

    def on_connect(self) -> None:
        self.said = 0
        self.emit("start", self.stream.said_to_all)
        self.stream.listeners.append(self)
        self.stream.begun.set()

    def on_disconnect(self, reason: str) -> None:
        self.stream.late |= reason == "ping timeout"

    @property
    def carrier(self) -> str:
        return session_of(self).transport.name


async def tell(node: str, serve: Callable[[Application], str], stream: Stream, **heartbeats: float) -> dict[str, Any]:
    """Send a stream to the clients of js/order.mjs; return their report."""
    hub = Hub({"/": type("StreamListener", (Listener,), {"stream": stream})}, **heartbeats)
    url = serve(Application(routes(hub), hub=hub))
    clients = await asyncio.create_subprocess_exec(node, JS / "order.mjs", url, stdout=subprocess.PIPE)
    try:
        (output, _), _ = await asyncio.wait_for(asyncio.gather(clients.communicate(), stream.run()), 2 * PATIENCE)
    finally:
        if clients.returncode is None:
            clients.kill()
            await clients.wait()
    return json.loads(output)


def expect_all_heard(report: dict[str, Any], stream: Stream) -> None:
    assert report["faults"] == []
    assert report["clients"] == CLIENTS
    assert report["upgradedMidstream"] >= UPGRADING_MIDSTREAM
    assert report["events"] == stream.deliveries >= stream.events


async def test_all_hear_everything_once_and_in_order_while_others_connect_and_upgrade(node, serve):
    stream = Stream(events=amount(15_000, thorough=50_000), ahead=4)
    expect_all_heard(await tell(node, serve, stream), stream)


async def test_all_hear_everything_once_and_in_order_under_hasty_heartbeats(node, serve):
    # Where the machine is so busy that a ping goes unanswered for 200 ms, the client is rightly sent away:
    # repeat with more time to answer. Any other failure ends the test at once.
    for timeout in (0.2, 0.2, 0.4, 0.8, 3.2):
        stream = Stream(events=amount(6_000, thorough=20_000), ahead=1)
        report = await tell(node, serve, stream, ping_interval=0.3, ping_timeout=timeout)
        if not (stream.late or "ping timeout" in str(report["faults"])) or "expected" in str(report["faults"]):
            break
    expect_all_heard(report, stream)
