"""The connections of a node to Redis.

One task writes what waits, one hears what is published, one gives signs of life. If any of them fails, all connections
are closed, the node is alone, and all are opened again.

The package's own retries are off, because Redis may have what was written when a connection broke.
"""

from __future__ import annotations

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from ..engineio.errors import attempt
from .channels import Channels
from .errors import ClusterError, MalformedError
from .lasting import refuse_lasting
from .node import Node
from .redis_address import RedisAddress
from .redis_client import error_types, make_client
from .sentinels import check_sentinels

logger = logging.getLogger(__name__)

T = TypeVar("T")

BATCH = 500
"""Commands in one writing, or entries in one reading."""
TIMEOUT = 2.0
"""Seconds within which Redis has to answer."""
BEAT = 0.5
"""Seconds between two signs of life."""
END_CHECK = 0.1
"""Seconds after which a task that was cancelled is cancelled again."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds before Redis is tried again: the first time, and at most."""
OLDEST = (6, 2)
"""The oldest version of Redis that has GETDEL."""


class Connection(ABC):
    """Publishes what a node sends, and hears the other nodes.

    channels: those of the cluster's format. unwritten: set while there is something to write. patterns: of further
    channels to hear.
    """

    def __init__(
        self,
        node: Node,
        address: RedisAddress,
        channels: Channels,
        unwritten: asyncio.Event,
        patterns: Sequence[str] = (),
    ) -> None:
        self._node = node
        self._address = address
        self._channels = channels
        self._unwritten = unwritten
        self._patterns = patterns
        self._asking = asyncio.Lock()
        """One command at a time on the connection for questions."""
        self._clients: list[Any] = []
        self._task: asyncio.Task[None] | None = None
        self._works: set[asyncio.Future[None]] = set()
        self._errors = error_types()

    async def start(self) -> None:
        """Connect, and go on in the background.

        Raises ClusterError if Redis refuses this node. If Redis cannot be reached, the node is alone until it can.
        """
        try:
            await self._check()
            await self._open()
        except (TypeError, ValueError) as error:  # of the package, for values in the URL's query
            await self._close()
            raise ClusterError(f"--redis={self._address.shown}: {self._describe(error)}") from None
        except self._errors as error:
            await self._close()
            refuse_lasting(error, self._address)
            self._node.lost(self._describe(error))
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what waits, and close all connections."""
        if self._task is not None:
            with suppress(*self._errors):
                await self._write_rest()
            while not self._task.done():
                self._task.cancel()
                await asyncio.wait([self._task], timeout=END_CHECK)
            self._task = None
        await self._end_works()

    # -- connecting

    def _client(self, **options: Any) -> Any:
        client = make_client(self._address, **options)
        self._clients.append(client)
        return client

    async def _check(self) -> None:
        """Raise ClusterError if this Redis cannot carry a cluster."""
        await check_sentinels(self._address)
        client = self._client(socket_timeout=TIMEOUT)
        await client.ping()
        version = await self._version(client)
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
            raise ClusterError(f"--redis={self._address.shown}: Redis {version} is too old: install 6.2 or later")
        raw: bytes = await client.type(self._channels.prefix)
        await self._check_prefix(str(raw, "ascii"))
        channel = self._channels.of_name(self._node.name)
        if self._node.name and (await self._count([channel]))[channel]:
            raise ClusterError(f"--node={self._node.name}: a node of this name is running: choose another name")

    async def _version(self, client: Any) -> str:
        from redis.exceptions import ResponseError

        try:
            hello = await client.execute_command("HELLO")
        except ResponseError as error:
            if not str(error).startswith("unknown command"):
                raise
            return "5"  # or before
        fields = dict(zip(hello[::2], hello[1::2], strict=False)) if isinstance(hello, list) else hello
        return str(fields.get(b"version") or fields.get("version") or b"0", "ascii")

    @abstractmethod
    async def _check_prefix(self, kind: str) -> None:
        """Raise ClusterError if a cluster of another kind has this prefix.

        kind: type of the key of this name.
        """

    async def _open(self) -> None:
        """Open the connections, and do what comes before anything is written."""
        self._writer = self._client(socket_timeout=TIMEOUT)
        self._asker = self._client(socket_timeout=TIMEOUT)
        self._pubsub = self._client(socket_timeout=TIMEOUT).pubsub()
        if self._patterns:
            await self._pubsub.psubscribe(*self._patterns)
            await self._pubsub.get_message(timeout=TIMEOUT)  # raises if this user may not
        await self._channels.begin(self._pubsub, self._node.uid, self._node.name, self._node.hub.served)

    async def _close(self) -> None:
        clients, self._clients = self._clients, []
        for client in clients:
            with suppress(*self._errors, RuntimeError):
                await client.aclose()

    # -- running

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        opened = self._node.away_since is None
        while True:
            read = self._node.read
            try:
                if not opened:
                    await self._open()
                opened = False
                await self._work()
            except self._errors as error:
                self._node.lost(self._describe(error))
            except Exception as error:
                logger.exception("the connection to Redis failed")
                self._node.lost(self._describe(error))
            await self._end_works()
            pause = FIRST_PAUSE if self._node.read > read else min(LONGEST_PAUSE, 2 * pause)
            await asyncio.sleep(pause * random.uniform(0.5, 1))

    async def _work(self) -> None:
        """Do all works until one fails, and raise its error."""
        self._works = {asyncio.ensure_future(work()) for work in self._list_works()}
        done, _ = await asyncio.wait(self._works, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise asyncio.TimeoutError("nothing is published any more")

    def _list_works(self) -> list[Callable[[], Awaitable[None]]]:
        return [self._write, self._hear, self._beat]

    async def _end_works(self) -> None:
        """End the works, after the connections that they wait on."""
        await self._close()
        while self._works:
            # A cancellation may be lost in a command that ends at the same moment.
            for task in self._works:
                task.cancel()
            done, self._works = await asyncio.wait(self._works, timeout=END_CHECK)
            for task in done:
                if not task.cancelled():
                    task.exception()

    async def _write(self) -> None:
        while True:
            await self._unwritten.wait()
            self._unwritten.clear()
            if not self._channels.has(self._node.hub.namespaces):
                await self._channels.hear(self._node.hub.served)
            await self._write_rest()

    @abstractmethod
    async def _write_rest(self) -> None:
        """Write everything that waits."""

    async def _write_all(self, items: Sequence[T], add: Callable[[Any, T], object]) -> None:
        """Write items in batches.

        add: adds the command of an item to a pipeline.
        """
        for start in range(0, len(items), BATCH):
            pipeline = self._writer.pipeline(transaction=False)
            for item in items[start : start + BATCH]:
                add(pipeline, item)
            await pipeline.execute()

    async def _publish_questions(self) -> None:
        unpublished = self._node.questions.take_unpublished()
        for start in range(0, len(unpublished), BATCH):
            nodes = self._node.roster.presence.nodes
            await self._channels.publish(self._writer, unpublished[start : start + BATCH], nodes)

    async def _hear(self) -> None:
        pubsub, beats = self._pubsub, self._channels.beats.encode()
        try:
            async for message in pubsub.listen():
                channel, data = message["channel"], message["data"]
                if message["type"] == "pmessage":
                    attempt(self._hear_by_pattern, channel, data)
                elif channel == beats and message["type"] == "message":
                    self._hear_beat(data)
                elif message["type"] == "message":
                    attempt(self._hear_message, channel, data)
        finally:
            # The package opens its connection again, whatever the number of retries.
            await pubsub.aclose()

    @abstractmethod
    def _hear_message(self, channel: bytes, data: bytes) -> None:
        """Handle what was published on a channel."""

    @abstractmethod
    def _hear_by_pattern(self, channel: bytes, data: bytes) -> None:
        """Handle what was published on a channel that a pattern matches."""

    def _hear_beat(self, data: bytes) -> None:
        try:
            self._node.roster.hear(data)
        except MalformedError as error:
            self._node.drop(error)

    async def _beat(self) -> None:
        while True:
            await self._beat_once()
            await asyncio.sleep(BEAT)

    async def _beat_once(self) -> None:
        node = self._node
        channels = {self._channels.of_server(uid): uid for uid in node.roster.presence.nodes}
        async with self._asking:
            await self._asker.publish(self._channels.beats, node.roster.beat())
            counted = await self._count(list(channels)) if channels else {}
        node.roster.check({channels[channel]: number for channel, number in counted.items()})
        await self._channels.hear(node.hub.served)

    async def _count(self, channels: list[str]) -> dict[str, int]:
        """Return the number of subscribers of channels."""
        client = self._clients[-1] if len(self._clients) == 1 else self._asker
        return {str(channel, "utf-8"): number for channel, number in await client.pubsub_numsub(*channels)}

    # -- names

    def _describe(self, error: BaseException) -> str:
        return self._address.hide(str(error)) or type(error).__name__
