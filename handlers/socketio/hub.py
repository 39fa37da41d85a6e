"""The hub: the engine with namespaces, to which an application's handlers are attached."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from .connection import Connection
from .engine import Engine
from .handler import SocketIOHandler
from .heartbeat import Deadlines
from .namespace import Audience, Namespace
from .session import Session

logger = logging.getLogger(__name__)


class Hub(Engine):
    """All Socket.IO clients of one server.

    handlers: handler classes by the name of their namespace, `{"/": BoardHandler}`.
    connect_timeout: seconds within which a connection has to join a namespace.
    options: those of `Engine`.
    """

    def __init__(
        self, handlers: Mapping[str, type[SocketIOHandler]], *, connect_timeout: float = 45, **options: Any
    ) -> None:
        self.handlers = handlers
        self.connect_timeout = connect_timeout
        super().__init__(self._accept, **options)

    def _reset(self) -> None:
        super()._reset()
        self.joining: Deadlines[Session] = Deadlines(self.connect_timeout)
        self.namespaces = {name: Namespace(name, handler, self) for name, handler in self.handlers.items()}

    def of(self, namespace: str) -> Audience:
        """Everyone in a namespace, to be spoken to from outside its handlers. Raises KeyError for an unknown one."""
        return self.namespaces[namespace].audience()

    def beat(self) -> None:
        """Look after everybody's deadlines."""
        super().beat()
        for session in self.joining.due(self.now()):
            logger.info("%s joined no namespace within %g s", session.sid, self.connect_timeout)
            session.close("forced close")

    def _accept(self, session: Session) -> Connection:
        self.joining.begin(session, self.now())
        return Connection(self, session)
