"""What the service manager is told, where one asks: that the server listens, how many clients it has, that it ends.

Each is a datagram of assignments to the socket that $NOTIFY_SOCKET names. Without the variable nothing is told. With
$WATCHDOG_USEC the event loop itself says that it still turns; when it does not, systemd restarts the server.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping

from .. import RepeatingTimer
from .errors import exit_with

STATUS_PERIOD = 2.0
"""Seconds from one look at the number of clients to the next."""

logger = logging.getLogger(__name__)


class SystemdNotifier:
    """Tells the service manager how the server is.

    count: returns the number of clients.
    environ: the environment; a variable with a value that cannot be ends the process.
    """

    def __init__(self, count: Callable[[], int], environ: Mapping[str, str] = os.environ) -> None:
        self._count = count
        self._address = _read_address(environ)
        self._patience = _read_patience(environ)
        self._untold: dict[str, str] = {}
        """Assignments that wait for the manager to take them."""
        self._counted = 0
        self._warned = False

    def ready(self) -> None:
        """Say that the server listens and, from now on, how it is. To be called where the event loop runs."""
        if not self._address:
            return
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._counted = self._count()
        self._tell(READY="1", STATUS=self._status())
        RepeatingTimer(self._look, STATUS_PERIOD).start()
        if self._patience:
            RepeatingTimer(lambda: self._tell(WATCHDOG="1"), self._patience / 2).start()

    def stopping(self) -> None:
        """Say that the server ends."""
        if self._address:
            self._tell(STOPPING="1")

    def _look(self) -> None:
        count = self._count()
        if count != self._counted:
            self._counted = count
            self._tell(STATUS=self._status())
        elif self._untold:
            self._tell()

    def _status(self) -> str:
        return f"{self._counted} client{'' if self._counted == 1 else 's'}"

    def _tell(self, **assignments: str) -> None:
        """Send what has not been told; what the manager does not take now, it is told the next time."""
        self._untold.update(assignments)
        message = "\n".join(f"{name}={value}" for name, value in self._untold.items())
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError as error:
            if not self._warned:
                logger.warning("the service manager does not take messages at %r: %s", self._address, error)
            self._warned = True
        else:
            self._untold.clear()
            self._warned = False


def _read_address(environ: Mapping[str, str]) -> str:
    """Return the address of the manager's socket, "" where there is none."""
    path = environ.get("NOTIFY_SOCKET", "")
    if path and path[0] not in "/@":
        exit_with(f"NOTIFY_SOCKET={path!r} in the environment: an absolute path, or @ and a name, is due")
    return "\0" + path[1:] if path.startswith("@") else path


def _read_patience(environ: Mapping[str, str]) -> float:
    """Return the seconds within which the manager wants to hear from this process, 0 where it does not."""
    microseconds = environ.get("WATCHDOG_USEC")
    if microseconds is None or environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0
    if not microseconds.isdecimal() or int(microseconds) == 0:
        exit_with(f"WATCHDOG_USEC={microseconds!r} in the environment: microseconds, a whole number above 0, are due")
    return int(microseconds) / 1_000_000
