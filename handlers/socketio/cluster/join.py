"""Joining a cluster: `await join_cluster(hub, "redis://localhost")`."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import TYPE_CHECKING

from ..engineio.endpoint import start_clock
from .binary_values import msgpack
from .classic import ClassicNode
from .classic_connection import ClassicConnection
from .cluster import Cluster
from .connection import Connection
from .errors import ClusterError
from .node import Node
from .redis_address import ADAPTERS, read_address
from .stream_connection import StreamConnection

if TYPE_CHECKING:
    from ..hub import Hub

NAME = re.compile(r"[A-Za-z0-9]{1,8}")


class ClusterNode:
    """This node of a cluster."""

    def __init__(self, hub: Hub, cluster: Node, connection: Connection) -> None:
        self._hub = hub
        self._connection = connection
        self.cluster = cluster

    async def leave(self) -> None:
        """Leave the cluster, after all sessions were closed."""
        self.cluster.roster.end()
        await self._connection.stop()


async def join_cluster(
    hub: Hub,
    redis: str,
    *,
    node: str = "",
    prefix: str = "socket.io",
    length: int = 100_000,
    emitters: bool = False,
    adapter: str = "streams",
) -> ClusterNode:
    """Make a hub a node of the cluster that shares a Redis.

    Call it before the first client comes.


    redis: a URL, or `@FILE` that has one. node: a name, with which all session ids begin, for proxies.
    prefix: key of the stream, and beginning of all channels. length: entries that the stream keeps, about.
    emitters: listen to emitters of the classic adapter, too. adapter: "streams"; or "classic", for a cluster of servers
    with `@socket.io/redis-adapter`, which has no log.
    Raises ClusterError, or MissingPackageError, which say what to do.
    """
    if node and not NAME.fullmatch(node):
        raise ClusterError(f"--node must be 1 to 8 letters and digits, got {node!r:.40}")
    if adapter not in ADAPTERS:
        raise ClusterError(f"--redis-adapter must be {' or '.join(ADAPTERS)}, got {adapter!r:.40}")
    address = read_address(redis)
    msgpack()
    start_clock(hub)
    name, unwritten = node or secrets.token_hex(3), asyncio.Event()
    cluster: Node
    connection: Connection
    if adapter == "classic":
        cluster = classic = ClassicNode(hub, name, prefix, unwritten.set)
        connection = ClassicConnection(classic, address, unwritten, prefix)
    else:
        cluster = streams = Cluster(hub, name, unwritten.set)
        connection = StreamConnection(streams, address, unwritten, prefix=prefix, length=length, emitters=emitters)
    hub.backplane = cluster
    hub.sid_prefix = f"{node}." if node else ""
    await connection.start()
    return ClusterNode(hub, cluster, connection)
