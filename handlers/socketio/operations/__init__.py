"""Tools to run a hub in production.

Sockets, signals, logs, metrics, status page.

An application imports these names from here. These modules use only the public names of the library.
"""

from .addresses import LOOPBACK, Addresses
from .admin import admin
from .errors import exit_with
from .logs import FORMATS, configure_logging, log_request
from .serve import serve
from .shutdown import drain, shutdown_event
from .snapshot_file import load_snapshot, save_snapshot
from .sockets import listening_socket, listening_sockets
from .static_files import GuardedHandler, StaticHandler
from .systemd import SystemdNotifier
from .tls import read_certificate, renew_certificate

__all__ = [
    "FORMATS",
    "LOOPBACK",
    "Addresses",
    "GuardedHandler",
    "StaticHandler",
    "SystemdNotifier",
    "admin",
    "configure_logging",
    "drain",
    "exit_with",
    "listening_socket",
    "listening_sockets",
    "load_snapshot",
    "log_request",
    "read_certificate",
    "renew_certificate",
    "save_snapshot",
    "serve",
    "shutdown_event",
]
