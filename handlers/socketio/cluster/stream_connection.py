"""The connections of a node whose cluster has a stream.

One task more reads the stream. When all connections are opened again, it is read to its end before anything is written
again, so that nothing is written twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from .channels import Channels, ClassicChannels
from .cluster import Cluster
from .connection import BATCH, BEAT, TIMEOUT, Connection
from .emitted import Emitted
from .errors import ClusterError
from .redis_address import RedisAddress
from .sessions import PREFIX, Written
from .stream_place import StreamState, offset_of_id

logger = logging.getLogger(__name__)

BLOCK = 1000
"""Milliseconds for which one reading waits."""
STALL_CHECK = 0.1
STALLED = 2
"""In how many checks in a row an entry has to be unread: after the first, a loop that was busy has read."""


class StreamConnection(Connection):
    """Reads the stream for a node, and writes what the node sends.

    length: entries that the stream keeps, about. emitters: whether emitters of the classic adapter are heard, too.
    """

    def __init__(
        self,
        cluster: Cluster,
        address: RedisAddress,
        unwritten: asyncio.Event,
        *,
        prefix: str,
        length: int,
        emitters: bool,
    ) -> None:
        self._emitted = Emitted(cluster, prefix)
        patterns = self._emitted.patterns if emitters else ()
        super().__init__(cluster, address, Channels(prefix), unwritten, patterns)
        self._cluster = cluster
        self._prefix = prefix
        self._length = length
        cluster.sessions.fetch = self._fetch_session

    async def _check_prefix(self, kind: str) -> None:
        if kind not in ("stream", "none"):
            raise ClusterError(
                f"--redis={self._address.shown}: the key {self._prefix!r} is a {kind} and no stream: "
                "delete it, or choose another --redis-prefix"
            )
        requests = ClassicChannels(self._prefix).of_server("")
        if (await self._count([requests]))[requests]:
            # Servers of Node's with that adapter end when they read a message of this one.
            raise ClusterError(
                f"--redis={self._address.shown}: servers with the classic adapter have the prefix {self._prefix!r}: "
                "choose another --redis-prefix, or --redis-adapter=classic"
            )

    async def _open(self) -> None:
        """Open the connections, and read the stream to its end."""
        await super()._open()
        self._reader = self._client(socket_timeout=TIMEOUT + BLOCK / 1000)
        first_time = not self._cluster.place
        state = await self._stream_state()
        self._cluster.connected(state)
        if first_time:
            await self._load_journal(state)
        while True:
            read = await self._asker.xread({self._prefix: self._place}, BATCH)
            if not read:
                break
            self._cluster.receive_all(read[0][1])
            await asyncio.sleep(0)
        self._cluster.caught_up()

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
        # What an empty stream had before, after FLUSHALL, nobody knows: all that is older than now is missing.
        last = (state.last >> 64) - int(self._cluster.hub.recovery.window * 1000) if state.last else time.time() * 1000
        oldest = max(0, int(last))
        start = f"{oldest}"
        self._cluster.journal.complete_after = max(state.first - 1, oldest << 64)
        while state.last:
            entries = await self._asker.xrange(self._prefix, start, _id_of(state.last), BATCH)
            for id_, fields in entries:
                self._cluster.remember(id_, fields)
            if len(entries) < BATCH:
                break
            start = f"({_id_of(offset_of_id(entries[-1][0]))}"

    # -- running

    def _list_works(self) -> list[Callable[[], Awaitable[None]]]:
        return [*super()._list_works(), self._read, self._watch]

    async def _read(self) -> None:
        while True:
            read = await self._reader.xread({self._prefix: self._place}, BATCH, BLOCK)
            if read:
                self._cluster.receive_all(read[0][1])
                if len(read[0][1]) == BATCH:
                    await asyncio.sleep(0)

    async def _write_rest(self) -> None:
        unwritten = self._cluster.take_unwritten()
        if self._cluster.away_since is None:
            await self._write_all(self._cluster.sessions.take(), _add_session)
        await self._write_all(unwritten, self._add_entry)
        await self._publish_questions()

    def _add_entry(self, pipeline: Any, fields: Mapping[str, str]) -> None:
        pipeline.xadd(self._prefix, dict(fields), maxlen=self._length, approximate=True)

    async def _fetch_session(self, pid: str) -> bytes | None:
        """Take a record out of Redis; None if that fails."""
        try:
            async with self._asking:
                raw: bytes | None = await self._asker.getdel(PREFIX + pid)
        except self._errors as error:
            logger.warning("a session cannot be read: %s", self._describe(error))
            return None
        return raw

    def _hear_message(self, _: bytes, data: bytes) -> None:
        self._cluster.questions.hear(data)

    def _hear_by_pattern(self, channel: bytes, data: bytes) -> None:
        self._emitted.hear(channel, data)

    async def _beat_once(self) -> None:
        await super()._beat_once()
        if window := self._cluster.hub.recovery.window:
            self._cluster.renew_sessions(BEAT / window)
            self._unwritten.set()

    async def _watch(self) -> None:
        stalled = 0
        while stalled < STALLED:
            await asyncio.sleep(STALL_CHECK)
            stalled = stalled + 1 if self._cluster.is_stalled else 0
        raise asyncio.TimeoutError("what was written a second ago cannot be read")

    @property
    def _place(self) -> str:
        return _id_of(self._cluster.place)


def _add_session(pipeline: Any, written: Written) -> None:
    key, value, milliseconds = written
    if value is None:
        pipeline.delete(key)
    else:
        pipeline.set(key, value, px=milliseconds)


def _id_of(offset: int) -> str:
    return f"{offset >> 64}-{offset >> 32 & 0xFFFFFFFF}"
