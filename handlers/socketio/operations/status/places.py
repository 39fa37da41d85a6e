"""The namespaces and the rooms that have the most clients."""

from __future__ import annotations

from heapq import nlargest
from typing import Any

from ... import Hub

MAX_SHOWN = 10
"""Namespaces, and rooms, that are shown."""


def largest(hub: Hub, hidden: str) -> dict[str, Any]:
    """Return `{namespaces, rooms, namespace_count, room_count}`, the largest first.

    hidden: a namespace to leave out.
    """
    shown = [namespace for namespace in hub.namespaces.values() if namespace.name != hidden]
    namespaces = nlargest(MAX_SHOWN, shown, key=lambda namespace: len(namespace.clients))
    sizes = ((count, namespace, name) for namespace in shown for name, count in namespace.room_sizes())
    rooms = nlargest(MAX_SHOWN, sizes, key=lambda size: size[0])
    return {
        "namespace_count": len(shown),
        "room_count": sum(len(namespace.rooms) for namespace in shown),
        "namespaces": [{"name": one.name, "clients": len(one.clients), "rooms": len(one.rooms)} for one in namespaces],
        "rooms": [
            {"namespace": namespace.name, "name": name, "clients": count, "kept": namespace.rooms[name].size}
            for count, namespace, name in rooms
        ],
    }
