"""Three nodes behind nginx, HAProxy and Caddy, as deploy/ configures them.

Requests of one session reach its node, whatever the transport is; new sessions go to all nodes.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import aiohttp
import pytest
from conftest import Server, board
from proxies import caddy_cluster, certify, haproxy_cluster, nginx_cluster, proxy
from redis_server import RedisServer
from service_helpers import free_port
from socketio import AsyncClient

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="`make test` has proxies for Linux only"),
    pytest.mark.gen_test,
]
KINDS = {"nginx": nginx_cluster, "haproxy": haproxy_cluster, "caddy": caddy_cluster}
TRANSPORTS = (["websocket"], ["polling"], ["polling", "websocket"])


class Front(NamedTuple):
    """The nodes behind three proxies."""

    nodes: list[Server]
    trust: ssl.SSLContext
    ports: dict[str, int]
    """By the name of the proxy."""


@pytest.fixture(scope="module")
def front(start: Callable[[Server], Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("front")
    trust, redis, ports = certify(folder), RedisServer(folder), {name: free_port() for name in KINDS}
    redis.start()
    nodes = [start(board("--trust-proxy", f"--redis={redis.url}", f"--node={name}")) for name in "123"]
    with ExitStack() as stack:
        stack.callback(redis.kill)
        for name, configure in KINDS.items():
            command = configure(folder, ports[name], [node.port for node in nodes])
            stack.enter_context(proxy(command, folder, ports[name]))
        yield Front(nodes, trust, ports)


class Client:
    """An official client, with the statuses of its requests."""

    def __init__(self, front: Front, kind: str) -> None:
        self.statuses: list[int] = []
        self._url = f"https://127.0.0.1:{front.ports[kind]}"
        self._front = front
        self.socket = AsyncClient(reconnection_delay=0.05, reconnection_delay_max=0.1)

    async def connect(self, transports: list[str]) -> Client:
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._note)
        connector = aiohttp.TCPConnector(ssl=self._front.trust)
        self._session = aiohttp.ClientSession(connector=connector, trace_configs=[trace])
        self.socket.eio.http = self._session
        self.socket.eio.external_http = True
        await self.socket.connect(self._url, transports=transports)
        return self

    async def _note(self, _: Any, __: Any, ended: aiohttp.TraceRequestEndParams) -> None:
        self.statuses.append(ended.response.status)

    @property
    def node(self) -> str:
        """The name of the node that the session is on."""
        assert self.socket.eio.sid is not None
        return str(self.socket.eio.sid).partition(".")[0]

    async def talk(self, times: int) -> None:
        for number in range(times):
            answer = await self.socket.call("history", {"before": number + 1}, timeout=20)
            assert "posts" in answer

    async def leave(self) -> None:
        await self.socket.disconnect()
        await self._session.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_sessions_stay_on_their_node_and_new_ones_go_to_all(front: Front, kind: str) -> None:
    clients = []
    for transports in TRANSPORTS:
        come = [await Client(front, kind).connect(transports) for _ in range(6)]
        await asyncio.gather(*(client.talk(4) for client in come))
        clients += come
    assert {client.node for client in clients[:6]} == {"1", "2", "3"}
    for client in clients:
        assert set(client.statuses) <= {200, 101}
    assert sum(len(client.statuses) for client in clients[6:12]) > 6 * 8  # they polled all the time
    for client in clients:
        await client.leave()


async def test_each_node_knows_all_nodes(front: Front) -> None:
    """For the page `/status`."""
    for node in front.nodes:
        status, told = AsyncClient(), asyncio.Queue[Any]()
        status.on("now", told.put, namespace="/status")
        await status.connect(node.url, namespaces=["/status"], transports=["websocket"])
        while sorted(known["name"] for known in (await told.get())["nodes"]) != ["1", "2", "3"]:
            pass
        (here, *others) = (await told.get())["nodes"]
        assert here["silent"] is None
        assert all(0 <= other["silent"] < 5 and other["online"] == 0 for other in others)
        await status.disconnect()


async def test_clients_of_a_killed_node_come_back_to_another_and_new_ones_are_served(front: Front) -> None:
    clients = [await Client(front, kind).connect(["polling"]) for kind in KINDS for _ in range(6)]
    doomed = [client for client in clients if client.node == "3"]
    assert doomed
    await asyncio.to_thread(front.nodes[2].stop, kill=True)
    for kind in KINDS:
        newcomers = [await Client(front, kind).connect(["polling"]) for _ in range(3)]
        assert {client.node for client in newcomers} <= {"1", "2"}
        clients += newcomers
    for client in doomed:
        while not client.socket.connected or client.node == "3":
            await asyncio.sleep(0.02)
        await client.talk(1)
    for client in clients:
        if client not in doomed:
            assert set(client.statuses) == {200}
        await client.leave()
