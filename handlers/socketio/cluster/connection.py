"""The connections of a node to Redis.

One task reads the stream, one writes what waits, one hears what is published, one gives signs of life. If any of them
fails, all connections are closed, the node is alone, and all are opened again: then the stream is read to its end
before anything is written again, so that nothing is written twice.

The package's own retries are off, because an entry whose connection broke may be in the stream already.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from ..engineio.errors import attempt
from .channels import Channels
from .cluster import Cluster
from .emitted import Emitted
from .errors import ClusterError, MalformedError
from .redis_address import RedisAddress
from .redis_client import error_types, make_client
from .sessions import PREFIX, Written
from .stream_place import StreamState, offset_of_id

logger = logging.getLogger(__name__)

BATCH = 500
"""Entries in one reading or one writing."""
BLOCK = 1000
"""Milliseconds for which one reading waits."""
TIMEOUT = 2.0
"""Seconds within which Redis has to answer anything else."""
BEAT = 0.5
"""Seconds between two signs of life."""
STALL_CHECK = 0.1
STALLED = 2
"""In how many checks in a row an entry has to be unread: after the first, a loop that was busy has read."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds before Redis is tried again: the first time, and at most."""
OLDEST = (6, 2)
"""The oldest version of Redis that has GETDEL."""


class Connection:
    """Reads the stream for a node, and writes what the node sends."""

    def __init__(self, address: RedisAddress, prefix: str, length: int, emitters: bool = False) -> None:
        self.cluster: Cluster
        self._address = address
        self._prefix = prefix
        self._length = length
        self._emitters = emitters
        self._emitted: Emitted | None = None
        self._channels = Channels(prefix)
        self._unwritten = asyncio.Event()
        self._asking = asyncio.Lock()
        """One command at a time on the connection for questions."""
        self._clients: list[Any] = []
        self._task: asyncio.Task[None] | None = None
        self._works: set[asyncio.Future[None]] = set()
        self._errors = error_types()

    def serve(self, cluster: Cluster) -> None:
        """Connect a node to Redis."""
        self.cluster = cluster
        cluster.sessions.fetch = self._fetch_session
        if self._emitters:
            self._emitted = Emitted(cluster, self._prefix)

    def wake(self) -> None:
        """Let what waits be written in the next turn of the loop."""
        self._unwritten.set()

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
            self._refuse(error)
            self.cluster.lost(self._describe(error))
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what waits, and close all connections."""
        if self._task is not None:
            with suppress(*self._errors):
                await self._write_rest()
            while not self._task.done():
                self._task.cancel()
                await asyncio.wait([self._task], timeout=STALL_CHECK)
            self._task = None
        await self._end_works()

    # -- connecting

    def _client(self, **options: Any) -> Any:
        client = make_client(self._address, **options)
        self._clients.append(client)
        return client

    async def _check(self) -> None:
        """Raise ClusterError if this Redis cannot carry a cluster."""
        client = self._client(socket_timeout=TIMEOUT)
        await client.ping()
        hello = await client.execute_command("HELLO")
        fields = dict(zip(hello[::2], hello[1::2], strict=False)) if isinstance(hello, list) else hello
        version = str(fields.get(b"version") or fields.get("version") or b"0", "ascii")
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
            raise ClusterError(f"--redis={self._address.shown}: Redis {version} is too old: install 6.2 or later")
        raw: bytes = await client.type(self._prefix)
        kind = str(raw, "ascii")
        if kind not in ("stream", "none"):
            raise ClusterError(
                f"--redis={self._address.shown}: the key {self._prefix!r} is a {kind} and no stream: "
                "delete it, or choose another --redis-prefix"
            )
        channel = self._channels.of_name(self.cluster.name)
        if self.cluster.name and (await self._count([channel]))[channel]:
            raise ClusterError(f"--node={self.cluster.name}: a node of this name is running: choose another name")

    def _refuse(self, error: BaseException) -> None:
        """Raise ClusterError for what will not be better later."""
        from redis import exceptions as known

        for cause in (error, error.__cause__, error.__context__):
            temporary = isinstance(cause, (known.ReadOnlyError, known.OutOfMemoryError))
            if isinstance(cause, (known.AuthenticationError, known.ResponseError)) and not temporary:
                raise ClusterError(f"--redis={self._address.shown}: {self._describe(cause)}") from None

    async def _open(self) -> None:
        """Open the connections, and read the stream to its end."""
        self._reader = self._client(socket_timeout=TIMEOUT + BLOCK / 1000)
        self._writer = self._client(socket_timeout=TIMEOUT)
        self._asker = self._client(socket_timeout=TIMEOUT)
        self._pubsub = self._client(socket_timeout=TIMEOUT).pubsub()
        if self._emitted is not None:
            await self._pubsub.psubscribe(*self._emitted.patterns)
            await self._pubsub.get_message(timeout=TIMEOUT)  # raises if this user may not
        await self._channels.begin(self._pubsub, self.cluster.uid, self.cluster.name, self.cluster.hub.served)
        first_time = not self.cluster.place
        state = await self._stream_state()
        self.cluster.connected(state)
        if first_time:
            await self._load_journal(state)
        while True:
            read = await self._asker.xread({self._prefix: self._place}, BATCH)
            if not read:
                break
            self.cluster.receive_all(read[0][1])
            await asyncio.sleep(0)
        self.cluster.caught_up()

    async def _close(self) -> None:
        clients, self._clients = self._clients, []
        for client in clients:
            with suppress(*self._errors, RuntimeError):
                await client.aclose()

    async def _stream_state(self) -> StreamState:
        from redis.exceptions import ResponseError

        try:
            info = await self._asker.xinfo_stream(self._prefix)
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
            return StreamState(0, 0)
        first = info["first-entry"]
        last = offset_of_id(info["last-generated-id"])
        return StreamState(offset_of_id(first[0]) if first else last, last)

    async def _load_journal(self, state: StreamState) -> None:
        """Read recent events, for clients that come from other nodes."""
        oldest = max(0, (state.last >> 64) - int(self.cluster.hub.recovery.window * 1000))
        start = f"{oldest}"
        self.cluster.journal.complete_after = max(state.first - 1, oldest << 64)
        while state.last:
            entries = await self._asker.xrange(self._prefix, start, _id_of(state.last), BATCH)
            for id_, fields in entries:
                self.cluster.remember(id_, fields)
            if len(entries) < BATCH:
                break
            start = f"({_id_of(offset_of_id(entries[-1][0]))}"

    # -- running

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        opened = self.cluster.away_since is None
        while True:
            read = self.cluster.read
            try:
                if not opened:
                    await self._open()
                opened = False
                await self._work()
            except self._errors as error:
                self.cluster.lost(self._describe(error))
            except Exception as error:
                logger.exception("the connection to Redis failed")
                self.cluster.lost(self._describe(error))
            await self._end_works()
            pause = FIRST_PAUSE if self.cluster.read > read else min(LONGEST_PAUSE, 2 * pause)
            await asyncio.sleep(pause * random.uniform(0.5, 1))

    async def _work(self) -> None:
        """Do all works until one fails, and raise its error."""
        works: list[Callable[[], Awaitable[None]]] = [self._read, self._write, self._hear, self._beat, self._watch]
        self._works = {asyncio.ensure_future(work()) for work in works}
        done, _ = await asyncio.wait(self._works, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise asyncio.TimeoutError("nothing is published any more")

    async def _end_works(self) -> None:
        """End the works, after the connections that they wait on."""
        await self._close()
        while self._works:
            # A cancellation may be lost in a command that ends at the same moment.
            for task in self._works:
                task.cancel()
            done, self._works = await asyncio.wait(self._works, timeout=STALL_CHECK)
            for task in done:
                if not task.cancelled():
                    task.exception()

    async def _read(self) -> None:
        while True:
            read = await self._reader.xread({self._prefix: self._place}, BATCH, BLOCK)
            if read:
                self.cluster.receive_all(read[0][1])
                if len(read[0][1]) == BATCH:
                    await asyncio.sleep(0)

    async def _write(self) -> None:
        while True:
            await self._unwritten.wait()
            self._unwritten.clear()
            if not self._channels.has(self.cluster.hub.namespaces):
                await self._channels.hear(self.cluster.hub.served)
            await self._write_rest()

    async def _write_rest(self) -> None:
        unwritten = self.cluster.take_unwritten()
        if self.cluster.away_since is None:
            await self._write_sessions(self.cluster.sessions.take())
        for start in range(0, len(unwritten), BATCH):
            pipeline = self._writer.pipeline(transaction=False)
            for fields in unwritten[start : start + BATCH]:
                pipeline.xadd(self._prefix, dict(fields), maxlen=self._length, approximate=True)
            await pipeline.execute()
        unpublished = self.cluster.questions.take_unpublished()
        for start in range(0, len(unpublished), BATCH):
            nodes = self.cluster.roster.presence.nodes
            await self._channels.publish(self._writer, unpublished[start : start + BATCH], nodes)

    async def _write_sessions(self, written: Sequence[Written]) -> None:
        for start in range(0, len(written), BATCH):
            pipeline = self._writer.pipeline(transaction=False)
            for key, value, milliseconds in written[start : start + BATCH]:
                if value is None:
                    pipeline.delete(key)
                else:
                    pipeline.set(key, value, px=milliseconds)
            await pipeline.execute()

    async def _fetch_session(self, pid: str) -> bytes | None:
        """Take a record out of Redis; None if that fails."""
        try:
            async with self._asking:
                raw: bytes | None = await self._asker.getdel(PREFIX + pid)
        except self._errors as error:
            logger.warning("a session cannot be read: %s", self._describe(error))
            return None
        return raw

    async def _hear(self) -> None:
        pubsub = self._pubsub
        try:
            async for message in pubsub.listen():
                if message["type"] == "message":
                    self._hear_message(message["channel"], message["data"])
                elif message["type"] == "pmessage" and self._emitted is not None:
                    self._emitted.hear(message["channel"], message["data"])
        finally:
            # The package opens its connection again, whatever the number of retries.
            await pubsub.aclose()

    def _hear_message(self, channel: bytes, data: bytes) -> None:
        if channel == self._channels.beats.encode():
            self._hear_beat(data)
        else:
            attempt(self.cluster.questions.hear, data)

    def _hear_beat(self, data: bytes) -> None:
        try:
            self.cluster.roster.hear(data)
        except MalformedError as error:
            self.cluster.drop(error)

    async def _beat(self) -> None:
        cluster = self.cluster
        while True:
            channels = {self._channels.of_server(uid): uid for uid in cluster.roster.presence.nodes}
            async with self._asking:
                await self._asker.publish(self._channels.beats, cluster.roster.beat())
                counted = await self._count(list(channels)) if channels else {}
            cluster.roster.check({channels[channel]: number for channel, number in counted.items()})
            await self._channels.hear(cluster.hub.served)
            if window := cluster.hub.recovery.window:
                cluster.renew_sessions(BEAT / window)
                self.wake()
            await asyncio.sleep(BEAT)

    async def _watch(self) -> None:
        stalled = 0
        while stalled < STALLED:
            await asyncio.sleep(STALL_CHECK)
            stalled = stalled + 1 if self.cluster.is_stalled else 0
        raise asyncio.TimeoutError("what was written a second ago cannot be read")

    async def _count(self, channels: list[str]) -> dict[str, int]:
        """Return the number of subscribers of channels."""
        client = self._clients[-1] if len(self._clients) == 1 else self._asker
        return {str(channel, "utf-8"): number for channel, number in await client.pubsub_numsub(*channels)}

    # -- names

    @property
    def _place(self) -> str:
        return _id_of(self.cluster.place)

    def _describe(self, error: BaseException) -> str:
        return self._address.hide(str(error)) or type(error).__name__


def _id_of(offset: int) -> str:
    return f"{offset >> 64}-{offset >> 32 & 0xFFFFFFFF}"
