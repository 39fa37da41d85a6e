"""A hub on several nodes, which share a stream in Redis.

    node = await join_cluster(hub, "redis://localhost:6379/0")

It needs the packages of `tornado-socketio[redis]`, which are imported when a hub joins.
"""

from .errors import ClusterError, MissingPackageError
from .join import ClusterNode, join_cluster

__all__ = ["ClusterError", "ClusterNode", "MissingPackageError", "join_cluster"]
