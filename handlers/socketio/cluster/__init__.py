"""A hub on several nodes over Redis, and emitters outside of it.

    node = await join_cluster(hub, "redis://localhost:6379/0")
    Emitter("redis://localhost:6379/0").to("room").emit("news", {"msg": "hi"})

It needs the packages of `tornado-socketio[redis]`, which are imported when a hub joins or an emitter is made.
"""

from .emitter import AsyncEmitter, Emitter
from .errors import ClusterError, MissingPackageError
from .join import ClusterNode, join_cluster

__all__ = ["AsyncEmitter", "ClusterError", "ClusterNode", "Emitter", "MissingPackageError", "join_cluster"]
