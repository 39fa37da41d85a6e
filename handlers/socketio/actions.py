"""Actions: what an audience is sent, or what is done with it.

An audience makes an action, the hub's backplane takes it, and `perform` lets it happen to the clients of this node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from .engineio.codec.packet import Packet
from .errors import Refused

if TYPE_CHECKING:
    from .client import Client
    from .namespace import Namespace


class ActionKind(IntEnum):
    """What is done; the numbers are those of Node's cluster adapter."""

    EMIT = 3
    ENTER = 4
    LEAVE = 5
    DISCONNECT = 6


EMIT = ActionKind.EMIT
"""A module constant for the hot path, as in `message`."""


class Action(NamedTuple):
    """What is to be done with which clients."""

    kind: ActionKind
    namespace: str
    rooms: tuple[str, ...] = ()
    """Names of rooms, or ids of clients; none: everyone."""
    excepted: tuple[str, ...] = ()
    packets: Sequence[Packet] = ()
    """EMIT: the event, encoded once."""
    event: str = ""
    """EMIT: its name."""
    volatile: bool = False
    keep: int = 0
    """EMIT: how many of this event the room keeps for later clients."""
    names: tuple[str, ...] = ()
    """ENTER, LEAVE: the rooms to enter or leave."""
    close: bool = False
    """DISCONNECT: whether the connections are closed, with all namespaces."""
    elsewhere: bool = False
    """Whether only nodes other than the sender perform it: their client of this id has moved."""


def perform(namespace: Namespace, action: Action, speaker: Client | None = None) -> None:
    """Perform an action on the clients of this node.

    speaker: hears an event after the others. Raises Refused for a client in too many rooms, after all others entered.
    """
    if action.kind is EMIT:
        namespace.publish(action, None if speaker is None else speaker.session)
        return
    step = _step(action)
    targets = list(namespace.targets(action.rooms, action.excepted))
    refusals = [_find_refusal(step, client) for client in targets]
    for refusal in refusals:
        if refusal is not None:
            raise refusal


def _step(action: Action) -> Callable[[Client], None]:
    if action.kind is ActionKind.DISCONNECT:
        return lambda client: client.send_away(action.close)

    def move(client: Client) -> None:
        for name in action.names:
            (client.enter if action.kind is ActionKind.ENTER else client.leave)(name)

    return move


def _find_refusal(step: Callable[[Client], None], client: Client) -> Refused | None:
    try:
        step(client)
    except Refused as refusal:
        return refusal
    return None
