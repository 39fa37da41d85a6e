"""Emitters: what is no server tells the clients of a cluster.

    Emitter("redis://localhost:6379/0").to("room").emit("news", {"msg": "hi"})

For cron jobs, Celery, Django and scripts: it connects to Redis alone, and receives nothing.
"""

from __future__ import annotations

import re
import secrets
from copy import copy
from typing import Any, NoReturn, TypeVar

from ..actions import EMIT, Action, ActionKind
from ..declarations import check_name
from ..hints import EMITTER_KEYWORDS, check_keep, check_room, refuse_keywords
from ..json_codec import Default, check_default
from ..namespace import event_message, packets
from .binary_values import msgpack
from .classic_format import EMITTER, encode_message
from .errors import ClusterError
from .redis_address import ADAPTERS, read_address
from .redis_client import error_types, make_blocking_pool, make_pool
from .stream_format import encode_entry

E = TypeVar("E", bound="EmitterBase")
TIMEOUT = 2.0
"""Seconds within which Redis has to answer."""


class EmitterBase:
    """What both emitters share: whom they tell, and how that is written."""

    def __init__(
        self,
        redis: str,
        *,
        adapter: str = "streams",
        prefix: str = "socket.io",
        length: int = 100_000,
        json_default: Default | None = None,
    ) -> None:
        if adapter not in ADAPTERS:
            raise ValueError(f"adapter must be {' or '.join(map(repr, ADAPTERS))}, got {adapter!r:.40}")
        if type(length) is not int or length < 1:
            raise ValueError(f"length must be a whole number greater than 0, got {length!r:.40}")
        self._address = read_address(redis, "redis")
        self._default = check_default(json_default)
        msgpack()
        self._errors = error_types()
        self._prefix, self._length = prefix, length
        self._uid = secrets.token_hex(8) if adapter == "streams" else EMITTER
        self._namespace = "/"
        self._rooms: tuple[str, ...] | None = None
        """None: everyone; (): nobody."""
        self._excepted: tuple[str, ...] = ()
        self._volatile = False
        self._client = self._connect()

    def _connect(self) -> Any:
        """Return a client of Redis, which connects when it is used."""
        raise NotImplementedError

    # -- narrowing

    def of(self: E, namespace: str) -> E:
        """Clients of this namespace.

        Raises TypeError or ValueError for a name that no namespace can have.
        """
        check_name(namespace)
        narrowed = copy(self)
        narrowed._namespace = namespace
        return narrowed

    def to(self: E, *rooms: str) -> E:
        """Only clients in these rooms, and in those of earlier calls.

        rooms: names of rooms, or ids of clients; none: nobody, unless an earlier call named some.
        """
        narrowed = copy(self)
        narrowed._rooms = (self._rooms or ()) + tuple(map(check_room, rooms))
        return narrowed

    def except_(self: E, *rooms: str) -> E:
        """Without the clients in these rooms (names, or ids of clients)."""
        narrowed = copy(self)
        narrowed._excepted += tuple(map(check_room, rooms))
        return narrowed

    @property
    def volatile(self: E) -> E:
        """Only clients that can receive at once."""
        narrowed = copy(self)
        narrowed._volatile = True
        return narrowed

    # -- what is written

    def _event(self, event: str, args: tuple[Any, ...], keep: int, unknown: dict[str, NoReturn]) -> Action:
        if unknown:
            refuse_keywords("emit", unknown, EMITTER_KEYWORDS)
        if keep != 0:
            check_keep(keep, not self._excepted and (self._rooms is None or len(self._rooms) == 1))
        encoded = packets(event_message(self._namespace, event, args), self._default)
        return self._action(EMIT)._replace(packets=encoded, event=event, volatile=self._volatile, keep=keep)

    def _action(self, kind: ActionKind) -> Action:
        return Action(kind, self._namespace, self._rooms or (), self._excepted)

    def _move(self, kind: ActionKind, room: str) -> Action:
        return self._action(kind)._replace(names=(check_room(room),))

    def _command(self, action: Action) -> list[str | bytes | int] | None:
        """Return the command of Redis that tells an action.

        None for nobody: in the format an action without rooms is for everyone.
        """
        if self._rooms == ():
            return None
        if self._uid == EMITTER:
            return ["PUBLISH", *encode_message(action, self._uid, self._prefix)]
        fields = encode_entry(action, self._uid)
        pairs = [text for pair in fields.items() for text in pair]
        return ["XADD", self._prefix, "MAXLEN", "~", self._length, "*", *pairs]

    def _failed(self, error: BaseException) -> ClusterError:
        described = f"redis={self._address.shown}: {self._address.hide(str(error)) or type(error).__name__}"
        if re.search("unauthenticated|uthentication required", described):
            return ClusterError(f"{described}: Redis wants a password: redis://user:password@host, or @FILE")
        if "WRONGTYPE" in described:
            return ClusterError(f"{described}: {self._prefix!r} is the key of no stream: choose another prefix")
        if type(error).__name__ in ("TimeoutError", "ConnectionError"):
            described += ": Redis cannot be reached, or does not answer, and the clients may not have been told"
        return ClusterError(described)


class Emitter(EmitterBase):
    """Tells the clients of a cluster; threads may share it.

    redis: a URL, or `@FILE` that has one. adapter: "streams", or "classic" for servers that use
    `@socket.io/redis-adapter`. prefix: that of the cluster. length: entries that the stream keeps, about.
    json_default: as of `Hub`. Raises ClusterError for a malformed URL, MissingPackageError; neither waits for Redis.

    It is all clients of the namespace "/", until it is narrowed; narrowing returns a new emitter on the same
    connections. Its methods wait until Redis has what they write, two seconds at most, and raise ClusterError if it
    has not, or may not have. Nothing is written twice.
    """

    def _connect(self) -> Any:
        return make_blocking_pool(self._address, socket_timeout=TIMEOUT)

    def emit(self, event: str, *args: Any, keep: int = 0, **unknown: NoReturn) -> None:
        """Send an event, as `Audience.emit` does.

        Raises TypeError or ValueError, and sends nothing, if the arguments cannot be encoded.
        """
        self._write(self._event(event, args, keep, unknown))

    def enter(self, room: str) -> None:
        """Add all clients to a room."""
        self._write(self._move(ActionKind.ENTER, room))

    def leave(self, room: str) -> None:
        """Remove all clients from a room."""
        self._write(self._move(ActionKind.LEAVE, room))

    def disconnect(self, close: bool = False) -> None:
        """Disconnect all clients from the namespace.

        close: close their connections, with all namespaces.
        """
        self._write(self._action(ActionKind.DISCONNECT)._replace(close=bool(close)))

    def close(self) -> None:
        """Close the connections to Redis; `with` does, too."""
        self._client.close()

    def __enter__(self: E) -> E:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, action: Action) -> None:
        command = self._command(action)
        if command is None:
            return
        try:
            self._client.execute_command(*command)
        except self._errors as error:
            raise self._failed(error) from None  # it may show the password


class AsyncEmitter(EmitterBase):
    """An `Emitter` whose methods are awaited, for one loop."""

    def _connect(self) -> Any:
        return make_pool(self._address, socket_timeout=TIMEOUT)

    async def emit(self, event: str, *args: Any, keep: int = 0, **unknown: NoReturn) -> None:
        """Send an event, as `Audience.emit` does.

        Raises TypeError or ValueError, and sends nothing, if the arguments cannot be encoded.
        """
        await self._write(self._event(event, args, keep, unknown))

    async def enter(self, room: str) -> None:
        """Add all clients to a room."""
        await self._write(self._move(ActionKind.ENTER, room))

    async def leave(self, room: str) -> None:
        """Remove all clients from a room."""
        await self._write(self._move(ActionKind.LEAVE, room))

    async def disconnect(self, close: bool = False) -> None:
        """Disconnect all clients from the namespace.

        close: close their connections, with all namespaces.
        """
        await self._write(self._action(ActionKind.DISCONNECT)._replace(close=bool(close)))

    async def close(self) -> None:
        """Close the connections to Redis; `async with` does, too."""
        await self._client.aclose()

    async def __aenter__(self: E) -> E:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _write(self, action: Action) -> None:
        command = self._command(action)
        if command is None:
            return
        try:
            await self._client.execute_command(*command)
        except self._errors as error:
            raise self._failed(error) from None  # it may show the password
