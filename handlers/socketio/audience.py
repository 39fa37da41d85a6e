"""Audiences: sets of clients in a namespace, to send events to.

An event to one whole room is one entry in that room's log. Any finer audience is resolved when the event is sent: the
entry, encoded once, is added to the own room of each client in the audience.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any, Generic, NoReturn, TypeVar

from .actions import EMIT, Action, ActionKind, perform
from .client import Client
from .hints import add_foreign, check_keep, check_room, check_timeout, refuse_keywords
from .namespace import Namespace, event_message, packets
from .questions import ALONE, Acks, FetchedClients, Questions, online_clients

A = TypeVar("A", bound="Audience[Any]")
H = TypeVar("H")
"""The handler class of an audience's clients."""


class Done:
    """Result of `emit`, `enter`, …: may be awaited, as in python-socketio."""

    __slots__ = ()

    def __await__(self) -> Iterator[None]:
        return iter(())


DONE = Done()


class Audience(Generic[H]):
    """A set of clients: all of a namespace, until it is narrowed.

    Narrowing returns a new audience. A client in several of its rooms receives an event once.
    """

    __slots__ = ("_excepted", "_local", "_namespace", "_rooms", "_speaker", "_volatile")

    def __init__(self, namespace: Namespace, speaker: str = "") -> None:
        self._namespace = namespace
        self._speaker = speaker
        self._rooms: tuple[str, ...] | None = None
        """None: everyone; (): nobody."""
        self._excepted: tuple[str, ...] = ()
        self._volatile = False
        self._local = False

    def __bool__(self) -> bool:
        """Return True: an audience of nobody is one, too; see `clients`."""
        return True

    # -- narrowing

    def to(self: A, *rooms: str) -> A:
        """Only clients in these rooms, and in those of earlier calls.

        rooms: names of rooms, or ids of clients; none: nobody, unless an earlier call named some.
        """
        narrowed = self._copy()
        narrowed._rooms = (self._rooms or ()) + tuple(map(check_room, rooms))
        return narrowed

    def except_(self: A, *rooms: str) -> A:
        """Without the clients in these rooms (names, or ids of clients)."""
        narrowed = self._copy()
        narrowed._excepted += tuple(map(check_room, rooms))
        return narrowed

    @property
    def others(self: A) -> A:
        """Without the handler's own client."""
        return self.except_(self._speaker)

    @property
    def volatile(self: A) -> A:
        """Only clients that can receive at once.

        Clients that are slow, away or between two polls miss the event.
        """
        narrowed = self._copy()
        narrowed._volatile = True
        return narrowed

    @property
    def local(self: A) -> A:
        """Only clients of this node, where a hub is in a cluster."""
        narrowed = self._copy()
        narrowed._local = True
        return narrowed

    def _copy(self: A) -> A:
        copy = type(self)(self._namespace, self._speaker)
        copy._rooms, copy._excepted = self._rooms, self._excepted
        copy._volatile, copy._local = self._volatile, self._local
        return copy

    # -- speaking

    def emit(self, event: str, *args: Any, keep: int = 0, **unknown: NoReturn) -> Done:
        """Send an event to all clients of the audience.

        keep: the room keeps the last `keep` of this event for clients that enter later; the audience must be everyone,
        or one room. Raises TypeError or ValueError, and sends nothing, if the arguments cannot be encoded, or kept.
        """
        if unknown:
            refuse_keywords("emit", unknown)
        namespace, rooms = self._namespace, self._rooms or ()
        if keep != 0:
            is_room = len(rooms) == 1 and rooms[0] not in namespace.known
            check_keep(keep, not self._excepted and (self._rooms is None or is_room))
        encoded = packets(event_message(namespace.name, event, args), namespace.hub.json_default)
        self._send(Action(EMIT, namespace.name, rooms, self._excepted, encoded, event, self._volatile, keep))
        return DONE

    async def call(self, event: str, *args: Any, timeout: float = 20) -> Acks:
        """Send an event and return the acknowledgements that come within `timeout` seconds.

        In a cluster the clients of all nodes are asked; `missing` names clients, and nodes, that did not answer.
        Raises TypeError or ValueError, and sends nothing, if the arguments cannot be encoded.
        """
        namespace = self._namespace
        namespace.hub.home.check()
        check_timeout(namespace.hub.notices, namespace.handler, timeout)
        id_ = namespace.next_call()
        encoded = packets(event_message(namespace.name, event, args, id_), namespace.hub.json_default)
        if self._rooms == ():
            return Acks({}, [])
        question = Action(EMIT, namespace.name, self._rooms or (), self._excepted, encoded, event)
        return await self._questions.call(namespace, question, id_, timeout)

    async def fetch(self, timeout: float = 5) -> FetchedClients:
        """Return the clients online, of all nodes that answer.

        timeout: seconds within which they have to answer.
        The answers show what this node did before. Alone, a hub has its own clients at once.
        """
        namespace = self._namespace
        namespace.hub.home.check()
        check_timeout(namespace.hub.notices, namespace.handler, timeout, "fetch")
        if self._rooms == ():
            return FetchedClients([], [])
        return await self._questions.fetch(namespace, self._rooms or (), self._excepted, timeout)

    @property
    def _questions(self) -> Questions:
        return ALONE if self._local else self._namespace.hub.backplane.questions

    # -- managing

    @property
    def clients(self) -> list[H]:
        """The handlers of clients that are online, or in their grace time."""
        self._namespace.hub.home.check()
        return [client.handler for client in self._online()]

    def get(self, id_: str) -> H | None:
        """Return the handler of an online client by id, else None."""
        self._namespace.hub.home.check()
        client = self._namespace.clients.get(id_)
        return client.handler if client is not None and client in self._online() else None

    @property
    def rooms(self) -> frozenset[str]:
        """Names of the rooms of the namespace."""
        self._namespace.hub.home.check()
        return frozenset(self._namespace.rooms)

    def enter(self, room: str, *more: NoReturn) -> Done:
        """Add all clients to a room.

        Raises Refused for a client in too many rooms, after all others were added; in a cluster that is logged.
        """
        self._send(self._action(ActionKind.ENTER)._replace(names=(check_room(room, more),)))
        return DONE

    def leave(self, room: str, *more: NoReturn) -> Done:
        """Remove all clients from a room."""
        self._send(self._action(ActionKind.LEAVE)._replace(names=(check_room(room, more),)))
        return DONE

    def disconnect(self, close: bool = False) -> Done:
        """Disconnect all clients from the namespace.

        close: close their connections, with all namespaces. Clients that are away are included. None of them can
        recover its session.
        """
        self._send(self._action(ActionKind.DISCONNECT)._replace(close=bool(close)))
        return DONE

    def _action(self, kind: ActionKind) -> Action:
        return Action(kind, self._namespace.name, self._rooms or (), self._excepted)

    def _send(self, action: Action) -> None:
        self._namespace.hub.home.check()
        self._send_now(action)

    def _send_now(self, action: Action) -> None:
        if self._rooms == ():
            return  # an action without rooms is for everyone
        if self._local:
            perform(self._namespace, action)
        else:
            self._namespace.hub.backplane.send(self._namespace, action, self._speaker)

    def _online(self) -> list[Client]:
        return [] if self._rooms == () else online_clients(self._namespace, self._rooms or (), self._excepted)


class ThreadsafeAudience(Audience[H]):
    """An audience for other threads: it acts on the server's thread, soon.

    Errors of encoding are raised at once. `call`, `fetch`, `clients`, `get` and `rooms` raise RuntimeError in other
    threads.
    """

    __slots__ = ()

    def call(self, event: str, *args: Any, timeout: float = 20) -> Coroutine[Any, Any, Acks]:
        """Raise RuntimeError at once in a thread that would not run it."""
        self._namespace.hub.home.check()
        return super().call(event, *args, timeout=timeout)

    def fetch(self, timeout: float = 5) -> Coroutine[Any, Any, FetchedClients]:
        """Raise RuntimeError at once in a thread that would not run it."""
        self._namespace.hub.home.check()
        return super().fetch(timeout)

    def _send(self, action: Action) -> None:
        self._namespace.hub.call_soon_threadsafe(partial(self._send_now, action))


class ThreadsafeHub:
    """What other threads may use of a hub.

    find: returns a declared namespace; raises KeyError.
    """

    def __init__(self, find: Callable[[str], Namespace]) -> None:
        self._find = find

    def of(self, namespace: str) -> ThreadsafeAudience[Any]:
        """Everyone in a namespace. Raises KeyError for one not declared."""
        return ThreadsafeAudience(self._find(namespace))


add_foreign(Audience)
add_foreign(ThreadsafeHub)
