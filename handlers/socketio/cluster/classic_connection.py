"""The connections of a node in a cluster of the classic adapter."""

from __future__ import annotations

import asyncio

from .channels import ClassicChannels
from .classic import ClassicNode
from .connection import Connection
from .emitted import patterns
from .errors import ClusterError
from .redis_address import RedisAddress


class ClassicConnection(Connection):
    """Publishes what a node sends, and hears what is published."""

    def __init__(self, node: ClassicNode, address: RedisAddress, unwritten: asyncio.Event, prefix: str) -> None:
        events, _ = patterns(prefix)
        super().__init__(node, address, ClassicChannels(prefix), unwritten, [events])
        self._classic = node

    async def _check_prefix(self, kind: str) -> None:
        if kind == "stream":
            raise ClusterError(
                f"--redis={self._address.shown}: {self._channels.prefix!r} is the stream of another cluster: "
                "delete it, choose another --redis-prefix, or leave out --redis-adapter=classic"
            )

    async def _open(self) -> None:
        await super()._open()
        self._classic.reached()

    async def _write_rest(self) -> None:
        await self._write_all(self._classic.take_unpublished(), lambda pipeline, message: pipeline.publish(*message))
        await self._publish_questions()

    def _hear_message(self, channel: bytes, data: bytes) -> None:
        self._classic.hear(channel, data)

    _hear_by_pattern = _hear_message
