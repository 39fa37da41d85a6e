"""Notifications to systemd: ready, number of clients, stopping, watchdog.

Each is a datagram of assignments to the socket that $NOTIFY_SOCKET names; without the variable none is sent. With
$WATCHDOG_USEC a timer of the event loop reports that the loop still runs; otherwise systemd restarts the server.

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
"""Seconds between two checks of the number of clients."""

logger = logging.getLogger(__name__)


class SystemdNotifier:
    """Reports the state of the server to systemd.

    count: returns the number of clients.
    environ: the environment; an invalid value of a variable ends the process with a message.
    """

    def __init__(self, count: Callable[[], int], environ: Mapping[str, str] = os.environ) -> None:
        self._count = count
        self._address = _read_address(environ)
        self._watchdog_timeout = _read_watchdog_timeout(environ)
        self._unsent: dict[str, str] = {}
        """Assignments that systemd has not accepted yet."""
        self._counted = 0
        self._warned = False

    def ready(self) -> None:
        """Report that the server listens, and start the timers."""
        if not self._address:
            return
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._counted = self._count()
        self._send(READY="1", STATUS=self._status())
        RepeatingTimer(self._check_count, STATUS_PERIOD).start()
        if self._watchdog_timeout:
            RepeatingTimer(lambda: self._send(WATCHDOG="1"), self._watchdog_timeout / 2).start()

    def stopping(self) -> None:
        """Report that the server shuts down."""
        if self._address:
            self._send(STOPPING="1")

    def _check_count(self) -> None:
        count = self._count()
        if count != self._counted:
            self._counted = count
            self._send(STATUS=self._status())
        elif self._unsent:
            self._send()

    def _status(self) -> str:
        return f"{self._counted} client{'' if self._counted == 1 else 's'}"

    def _send(self, **assignments: str) -> None:
        """Send all unsent assignments.

        Keep them for the next time if that fails.
        """
        self._unsent.update(assignments)
        message = "\n".join(f"{name}={value}" for name, value in self._unsent.items())
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError as error:
            if not self._warned:
                logger.warning("systemd accepts no messages at %r: %s: see NOTIFY_SOCKET", self._address, error)
            self._warned = True
        else:
            self._unsent.clear()
            self._warned = False


def _read_address(environ: Mapping[str, str]) -> str:
    """Return the address of systemd's socket; "" if there is none."""
    path = environ.get("NOTIFY_SOCKET", "")
    if path and path[0] not in "/@":
        exit_with(f"NOTIFY_SOCKET in the environment must be an absolute path, or @ and a name, got {path!r}: unset it")
    return "\0" + path[1:] if path.startswith("@") else path


def _read_watchdog_timeout(environ: Mapping[str, str]) -> float:
    """Return the seconds after which systemd restarts a silent process; 0: never."""
    microseconds = environ.get("WATCHDOG_USEC")
    if microseconds is None or environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0
    if not microseconds.isdecimal() or int(microseconds) == 0:
        exit_with(f"WATCHDOG_USEC in the environment must be microseconds above 0, got {microseconds!r}: unset it")
    return int(microseconds) / 1_000_000
