"""Audiences: whom one can speak to in a namespace.

A message to one whole room goes into that room's log. Anything finer is resolved when it is said: the one entry,
encoded once, goes into the room of one of each client who is meant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .engineio.codec.packet import Packet
from .engineio.room import Room
from .errors import Refused
from .namespace import Namespace, event_message, packets

if TYPE_CHECKING:
    from .client import Client

A = TypeVar("A", bound="Audience")


class Acks(dict[str, Any]):
    """What clients answered, by their ids; `missing` has the ids of those who did not."""

    def __init__(self, answers: dict[str, Any], missing: list[str]) -> None:
        super().__init__(answers)
        self.missing = missing


class Audience:
    """Who is spoken to: everyone in a namespace until it is narrowed. Narrowing returns a new audience.

    A client that is meant twice hears it once.
    """

    __slots__ = ("_excepted", "_namespace", "_rooms", "_speaker", "_volatile")

    def __init__(self, namespace: Namespace, speaker: str = "") -> None:
        self._namespace = namespace
        self._speaker = speaker
        self._rooms: tuple[str, ...] = ()
        self._excepted: tuple[str, ...] = ()
        self._volatile = False

    # -- narrowing

    def to(self: A, *rooms: str) -> A:
        """Only clients in one of these rooms (names, or ids of clients), besides those of earlier calls."""
        narrowed = self._copy()
        narrowed._rooms += rooms
        return narrowed

    def except_(self: A, *rooms: str) -> A:
        """Not the clients in these rooms (names, or ids of clients)."""
        narrowed = self._copy()
        narrowed._excepted += rooms
        return narrowed

    @property
    def others(self: A) -> A:
        """Not the client that speaks; for audiences of a handler."""
        return self.except_(self._speaker)

    @property
    def volatile(self: A) -> A:
        """Only clients that can take it at once: who is slow, away or between two polls misses it."""
        narrowed = self._copy()
        narrowed._volatile = True
        return narrowed

    def _copy(self: A) -> A:
        copy = type(self)(self._namespace, self._speaker)
        copy._rooms, copy._excepted, copy._volatile = self._rooms, self._excepted, self._volatile
        return copy

    # -- speaking

    def emit(self, event: str, *args: Any, keep: int = 0) -> None:
        """Send them an event. Raises TypeError or ValueError, and sends nothing, where it cannot be encoded.

        keep: have the room remember the last `keep` of this event, for whoever enters later; everyone, or one room.
        """
        said = packets(event_message(self._namespace.name, event, args))
        self._perform(lambda: self._say(event, said, keep))

    def _say(self, event: str, said: Sequence[Packet], keep: int) -> None:
        rooms = self._resolve()
        if keep:
            self._namespace.keep(self._keeper(), event, said, keep)
        self._namespace.hub.delivery.publish(rooms, said, volatile=self._volatile, replayable=not self._volatile)

    async def call(self, event: str, *args: Any, timeout: float = 20) -> Acks:
        """Send them an event and return their acknowledgements, as many as come within `timeout` seconds.

        Raises TypeError or ValueError, and sends nothing, where it cannot be encoded.
        """
        namespace = self._namespace
        namespace.hub.check_thread()
        id_ = namespace.next_call()
        said = packets(event_message(namespace.name, event, args, id_))
        calls = {client: client.create_ack(id_) for client in self._online() if client.connected}
        namespace.hub.delivery.publish([client.room for client in calls], said)
        try:
            if calls:
                await asyncio.wait(calls.values(), timeout=timeout)
        finally:
            for client in calls:
                client.drop_ack(id_)
        answers = {c.id: answer.result() for c, answer in calls.items() if answer.done() and not answer.exception()}
        return Acks(answers, [client.id for client in calls if client.id not in answers])

    # -- managing

    @property
    def clients(self) -> list[Any]:
        """The handlers of those of them that are online, which includes those in their grace time."""
        return [client.handler for client in self._online()]

    @property
    def rooms(self) -> frozenset[str]:
        """Names of the rooms of the namespace."""
        return frozenset(self._namespace.rooms)

    def enter(self, room: str) -> None:
        """Let them into a room. Raises Refused, when all others are in it, where some are in too many."""
        self._perform(lambda: self._each(lambda client: client.enter(room)))

    def leave(self, room: str) -> None:
        """Let them out of a room."""
        self._perform(lambda: self._each(lambda client: client.leave(room)))

    def disconnect(self, close: bool = False) -> None:
        """Send them away from the namespace or, with `close`, from all, and end their connections.

        Those that are away are meant, too. Nobody can come back by recovery, only as a newcomer.
        """
        self._perform(lambda: self._each(lambda client: client.send_away(close)))

    def _each(self, action: Callable[[Client], None]) -> None:
        refusals = [_find_refusal(action, client) for client in list(self._meant())]
        for refusal in refusals:
            if refusal is not None:
                raise refusal

    # -- resolving

    def _perform(self, action: Callable[[], object]) -> None:
        self._namespace.hub.check_thread()
        action()

    def _resolve(self) -> list[Room]:
        room = self._whole_room()
        return [client.room for client in self._meant()] if room is None else [room]

    def _whole_room(self) -> Room | None:
        if self._excepted or len(self._rooms) > 1 or not self._namespace.known.keys().isdisjoint(self._rooms):
            return None
        return self._namespace.rooms.get(self._rooms[0]) if self._rooms else self._namespace.everyone

    def _keeper(self) -> Room:
        if self._excepted or len(self._rooms) > 1:
            raise ValueError("keep=… is for everyone, or for one room: others could not be told who enters it")
        return self._namespace.room(self._rooms[0]) if self._rooms else self._namespace.everyone

    def _online(self) -> list[Client]:
        online = self._namespace.clients
        if not self._rooms and not self._excepted:
            return list(online.values())
        return [client for client in self._meant() if client.id in online]

    def _meant(self) -> Iterable[Client]:
        namespace = self._namespace
        if not self._rooms:
            meant = dict.fromkeys(namespace.known.values())
        else:
            meant = {client: None for name in self._rooms for client in namespace.members(name)}
        for name in self._excepted:
            for client in namespace.members(name):
                meant.pop(client, None)
        return meant


def _find_refusal(action: Callable[[Client], None], client: Client) -> Refused | None:
    try:
        action(client)
    except Refused as refusal:
        return refusal
    return None


class ThreadsafeAudience(Audience):
    """The same for another thread: what it is asked for happens on the server's own, soon; encoding fails here.

    `call`, `clients` and `rooms` are for the server's own thread.
    """

    __slots__ = ()

    def _perform(self, action: Callable[[], object]) -> None:
        self._namespace.hub.call_soon_threadsafe(action)
