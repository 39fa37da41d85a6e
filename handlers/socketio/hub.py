"""The hub: an engine with namespaces and their handlers."""

from __future__ import annotations

import re
from asyncio import Future, Task
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakValueDictionary

from .audience import Audience, ThreadsafeHub
from .background import Background, T
from .backplane import Backplane
from .client import Client
from .connection import Connection
from .counters import HubCounters
from .declarations import check_handlers, name_of, refuse_unknown
from .engineio.declared import MILLISECONDS, check_flag, check_heartbeat
from .engineio.delivery import Loop
from .engineio.engine import Engine
from .engineio.errors import Forbidden, RequestRefused, UnsupportedVersion, attempt
from .engineio.heartbeat import Deadlines
from .engineio.reasons import CloseReason
from .engineio.session import Session
from .errors import Refused
from .events import EventTable
from .failures import Failures
from .handler import SocketIOHandler
from .hints import add_foreign, check_timeout
from .home import Home
from .json_codec import Default, check_default
from .namespace import Namespace, event_message, packets
from .notices import Notices
from .older_clients import OlderConnection
from .questions import Acks, plain_arguments
from .recovery.recovery import Recovery
from .recovery.snapshot import restore, snapshot
from .serial_queue import SerialQueue
from .watch import MethodWatch, StuckMethods

if TYPE_CHECKING:
    from .event_stream import EventStream

INVALID_NAMESPACE = "Invalid namespace"
"""What a client is told that asks for one that is not declared, as by Node's server."""
ATTACHMENTS = 30.0
"""Seconds within which all attachments of a message have to come."""


class Hub(Engine):
    r"""All Socket.IO clients of one server.

    handlers: handler classes by the name of their namespace, `{"/": BoardHandler}`, or by a regular expression that the
        whole name has to match, `{re.compile(r"/game-(\d+)"): GameHandler}`. The first that fits is taken.
    connect_timeout: seconds within which a connection has to join a namespace.
    recovery: seconds within which a client that asks for recovery may come back and receive missed events; 0: off.
    presence_grace: seconds that such a client may be away without having left, as far as others are told.
    recovery_skips_authenticate: whether a client that comes back is admitted without `authenticate`.
    json_default: called with a value that has no JSON form, such as a datetime, returns one that has, as that of
        `json.dumps`.
    The other options are those of `Engine`. Raises TypeError or ValueError for invalid ones.
    """

    counters_kind = HubCounters
    counters: HubCounters

    def __init__(
        self,
        handlers: Mapping[Any, type[SocketIOHandler]],
        *,
        ping_interval: float = 25,
        ping_timeout: float = 20,
        max_payload: int = 1_000_000,
        upgrade_timeout: float = 10,
        max_backlog: int = 1 << 20,
        rate: float = 1000,
        max_clients: int = 0,
        max_per_address: int = 0,
        handshake_rate: float = 0,
        compress: int = 0,
        allow_eio3: bool = False,
        connect_timeout: float = 45,
        recovery: float = 120,
        presence_grace: float = 0,
        recovery_skips_authenticate: bool = False,
        json_default: Default | None = None,
        **unknown: NoReturn,
    ) -> None:
        refuse_unknown(type(self), unknown)
        check_handlers(handlers, SocketIOHandler)
        check_heartbeat("connect_timeout", connect_timeout)
        check_heartbeat("recovery", recovery, zero=True, plausible=30 * MILLISECONDS)  # half a minute, or eight hours
        check_heartbeat("presence_grace", presence_grace, zero=True)
        check_flag("recovery_skips_authenticate", recovery_skips_authenticate)
        self.background = Background(self)
        """What was spawned, by clients and by the hub."""
        self.backplane = Backplane()
        """What actions go through; that of a cluster replaces it."""
        self.home = Home()
        """The process, thread and loop of the hub."""
        self._handlers: dict[str | re.Pattern[str], type[SocketIOHandler]] = {**handlers}
        self._connect_timeout = connect_timeout
        self._recovery_window = recovery
        self.presence_grace = presence_grace
        self.json_default = check_default(json_default)
        self.recovery_skips_authenticate = recovery_skips_authenticate
        self._events = {handler: EventTable(handler) for handler in self._handlers.values()}
        self.settings: dict[str, Any] = {}
        """What handlers share, as an Application's settings are for Tornado's own; they have it as `self.settings`."""
        super().__init__(
            self._accept,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            max_payload=max_payload,
            upgrade_timeout=upgrade_timeout,
            max_backlog=max_backlog,
            rate=rate,
            max_clients=max_clients,
            max_per_address=max_per_address,
            handshake_rate=handshake_rate,
            compress=compress,
            allow_eio3=allow_eio3,
        )

    def declare(self, name: str, handler: type[SocketIOHandler]) -> None:
        """Add a namespace; its name goes before all expressions.

        Raises TypeError or ValueError for an invalid name or class, and for a name that is declared already.
        """
        check_handlers({name: handler}, SocketIOHandler)
        if name in self._handlers:
            raise ValueError(f"the hub has a namespace {name!r:.80} already: declare it under another name")
        self._handlers = {name: handler, **self._handlers}
        self._events[handler] = EventTable(handler)
        self.watches.insert(0, MethodWatch(name, self.notices))

    def start(self, loop: Loop, offset: int = 0) -> None:
        """Serve on this loop, from nothing, by the thread that calls."""
        self.background.closed = False
        super().start(loop, offset)
        self.home.settle()

    def _reset(self) -> None:
        super()._reset()
        self.joining: Deadlines[Session] = Deadlines(self._connect_timeout)
        self.assembling: Deadlines[Session] = Deadlines(ATTACHMENTS)
        """Those who have announced attachments that have not come yet."""
        self.recovery: Recovery[Client] = Recovery(self._recovery_window, self.presence_grace)
        self.namespaces: dict[str, Namespace] = {}
        self._by_name: WeakValueDictionary[str, Namespace] = WeakValueDictionary()
        """All live namespaces, including those not yet joined."""
        self.streams: Deadlines[EventStream] = Deadlines(self.ping_interval)
        """Event streams, each until its next heartbeat."""
        self.notices = Notices(self.now)
        """Warnings about mistakes of the application."""
        self.failures = Failures(lambda: 0.0 if self.loop is None else self.now())
        """The log of what the application's methods raise."""
        self.watches = [MethodWatch(name_of(declared), self.notices) for declared in self._handlers]
        """What measures the methods of each declared namespace."""
        self._stuck = StuckMethods(self.notices)

    @property
    def running(self) -> dict[Future[None], SerialQueue]:
        """Tasks of running handlers, each with the queue that waits for it."""
        return self._stuck.running

    @property
    def debug(self) -> bool:
        """Whether clients are sent error details: the setting `debug`."""
        return bool(self.settings.get("debug"))

    def spawn(self, work: Coroutine[Any, Any, T]) -> Task[T]:
        """Run a coroutine in the background, at most until `close`.

        What it raises is logged. Raises RuntimeError, and closes the coroutine, if the hub was closed.
        """
        return self.background.spawn(work)

    def of(self, namespace: str) -> Audience[Any]:
        """Return the audience of all clients of a namespace.

        For code outside its handlers. Raises KeyError for a namespace that is not declared.
        """
        return Audience(self.namespaces.get(namespace) or self._declared(namespace))

    @property
    def threadsafe(self) -> ThreadsafeHub:
        """The same for other threads: `hub.threadsafe.of("/").emit("news", …)`."""
        return ThreadsafeHub(self._declared)

    def namespace(self, name: str) -> Namespace:
        """Return a namespace, created if new; raise Refused if not declared."""
        namespace = self._find(name)
        if namespace is None:
            raise Refused(INVALID_NAMESPACE)
        return namespace

    def live(self, name: str) -> Namespace | None:
        """Return a namespace that is in use, or declared by name."""
        return self._find(name) if name in self._by_name or name in self._handlers else None

    def online(self, namespace: str) -> int:
        """Return how many clients are online, on all nodes."""
        return self.backplane.online(self._declared(namespace))

    def present(self, namespace: str) -> dict[str, Any]:
        """Return what each client online shows, by id, on all nodes."""
        return dict(self.backplane.present(self._declared(namespace)))

    @property
    def served(self) -> set[str]:
        """Names of the namespaces that are declared by name, or in use."""
        return {name for name in self._handlers if isinstance(name, str)} | self.namespaces.keys()

    def emit_to_nodes(self, namespace: str, event: str, *args: Any) -> None:
        """Send an event to the other nodes.

        Each calls `node_event` of its handler class. Alone, a hub has no other nodes. Raises TypeError or ValueError,
        and sends nothing, if the arguments cannot be encoded; KeyError for a namespace that is not declared.
        """
        self.home.check()
        self.backplane.questions.emit_to_nodes(self._declared(namespace), self._plain(event, args))

    async def call_nodes(self, namespace: str, event: str, *args: Any, timeout: float = 5) -> Acks:
        """Send the other nodes an event, and return their answers by name.

        timeout: seconds within which they have to answer. `missing` has the names of those that did not answer. Raises
        what `emit_to_nodes` raises.
        """
        self.home.check()
        found = self._declared(namespace)
        check_timeout(self.notices, found.handler, timeout, "call_nodes")
        return await self.backplane.questions.call_nodes(found, self._plain(event, args), timeout)

    def _plain(self, event: str, args: Sequence[Any]) -> list[Any]:
        return plain_arguments(packets(event_message("/", event, args), self.json_default))

    def join(self, name: str) -> Namespace:
        """Return a namespace that a client requests.

        Raises Refused, and warns, if it is not declared.
        """
        namespace = self._find(name)
        if namespace is None:
            self.notices.warn_of_client(("namespace", name), lambda: f"a client asks for {self._describe_lack(name)}")
            raise Refused(self._describe_lack(name) if self.debug else INVALID_NAMESPACE)
        return namespace

    def note_refusal(self, address: str, refusal: RequestRefused) -> None:
        """Log and count a refused request; warn of what misfits."""
        super().note_refusal(address, refusal)
        if isinstance(refusal, (Forbidden, UnsupportedVersion)):
            self.notices.warn_of_client(refusal.hint, lambda: f"a client cannot connect: {refusal.hint}")

    def prune(self, namespace: Namespace) -> None:
        """Drop an idle namespace, unless it is declared by name."""
        if namespace.match is not None and namespace.idle and self.namespaces.get(namespace.name) is namespace:
            del self.namespaces[namespace.name]

    def beat(self) -> None:
        """Look after everybody's deadlines."""
        super().beat()
        now = self.now()
        for session in self.joining.due(now, self.late):
            session.fault = f"joined no namespace within {self._connect_timeout:g} s"
            attempt(session.close, "forced close")
        for session in self.assembling.due(now, self.late):
            session.fault = f"the attachments it had announced did not come within {ATTACHMENTS:g} s"
            attempt(session.close, "parse error")
        for stream in self.streams.due(now):
            self.streams.begin(stream, now)
            attempt(stream.beat)
        self._stuck.beat(now)
        if not self.draining:
            # No client can reconnect while the server shuts down.
            self.recovery.beat(now, self.delivery.offset, self.late)

    def close_idle(self, number: int, reason: CloseReason = "server shutting down") -> None:
        """Close at most so many sessions, of those without a running handler.

        Polling sessions come first: their next request may need a new connection, which is no longer accepted.
        """
        sessions = sorted(self.sessions.values(), key=lambda session: session.transport.name != "polling")
        idle = [each for each in sessions if not (isinstance(each.listener, Connection) and each.listener.busy)]
        for session in idle[:number]:
            attempt(session.close, reason)

    def close(self, reason: CloseReason = "server shutting down") -> None:
        """End all sessions and streams, and what was spawned."""
        super().close(reason)
        self.background.close()
        for stream in self.streams:
            attempt(stream.close, reason)

    def expect_attachments(self, session: Session) -> None:
        """Wait for the rest of a message, for a limited time."""
        if session not in self.assembling:
            self.assembling.begin(session, self.now())

    # -- from one server to the next

    def snapshot(self, taken_at: float) -> dict[str, Any]:
        """Return the recoverable sessions as JSON values, after all are closed.

        taken_at: seconds since the epoch. An attribute that has no JSON form is logged and left out.
        """
        return snapshot(self, taken_at)

    def restore(self, data: Any, now: float) -> int:
        """Restore the sessions of a snapshot; return their number.

        now: seconds since the epoch. Of a snapshot older than clients may be away, nothing but the stamp is taken.
        Raises ValueError, and changes nothing, where `data` is no snapshot.
        """
        return restore(self, data, now)

    def _accept(self, session: Session) -> Connection:
        self.background.closed = False
        self.joining.begin(session, self.now())
        if session.handshake.revision == 4:
            return Connection(self, session)
        connection = OlderConnection(self, session)
        self.delivery.loop.call_soon(connection.begin)  # when the session has its listener
        return connection

    def _declared(self, name: str) -> Namespace:
        namespace = self._find(name)
        if namespace is None:
            raise KeyError(self._describe_lack(name))
        return namespace

    def _describe_lack(self, name: str) -> str:
        hint = f": write {'/' + name!r}" if self._find(f"/{name}") else ""
        return f"no namespace {name!r:.80}: this hub has {', '.join(map(name_of, self._handlers))}{hint}"

    def _find(self, name: str) -> Namespace | None:
        if name in self._by_name:
            return self._by_name[name]
        for (declared, handler), watch in zip(self._handlers.items(), self.watches, strict=True):
            match = None if isinstance(declared, str) else declared.fullmatch(name)
            if match or name == declared:
                namespace = Namespace(name, handler, self._events[handler], match, self, watch)
                self._by_name[name] = namespace
                if match is None:
                    self.namespaces[name] = namespace
                return namespace
        return None


add_foreign(Hub)
