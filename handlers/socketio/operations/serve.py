"""A whole `main()`: listen, serve until a signal, drain, end.

Each step is a public function of `operations` as well, for a `main()` that needs another order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from os import PathLike
from pathlib import Path
from socket import socket
from typing import Any, NoReturn

from tornado.web import Application

from .. import UNREAD_TIMEOUT, Hub, Server, start_clock
from .arguments import check_flag, check_numbers, check_objects, check_texts, refuse_unknown
from .errors import exit_with
from .shutdown import drain as drain_sessions
from .shutdown import shutdown_event
from .snapshot_file import load_snapshot, save_snapshot
from .sockets import listening_socket, listening_sockets
from .systemd import SystemdNotifier
from .tls import read_certificate, renew_at_hangup

MAX_BODY_SIZE = 1 << 16
"""Bytes of a request's body, unless the application allows more; POSTs of polling clients have `max_payload`."""


async def serve(
    app: Application,
    hub: Hub,
    port: int,
    *,
    address: str | None = "",
    drain: float = 10,
    state: str | PathLike[str] | None = "",
    trust_proxy: bool = False,
    certfile: str | PathLike[str] | None = "",
    keyfile: str | PathLike[str] | None = "",
    max_body_size: int = MAX_BODY_SIZE,
    lifespan: AbstractAsyncContextManager[Any] | None = None,
    **unknown: NoReturn,
) -> None:
    """Serve an application and its hub until SIGINT or SIGTERM.

    Prints the port when it listens. The first signal drains, the second ends the process; cancelling drains, too.
    systemd may hand over the sockets, and is told when the server is ready, alive and stopping.

    app: has the rules of `routes(hub)`.
    port: TCP port, not used for sockets of systemd; 0: any free port.
    address: IP address or host name to listen on; "" or None: all interfaces.
    drain: seconds to disconnect clients gracefully and to wait for running handlers.
    state: file that carries recoverable sessions over a restart; "" or None: none.
    trust_proxy: trust X-Forwarded-For and -Proto; `routes` has an option of the same name.
    certfile, keyfile: PEM files, read again on SIGHUP. Without certfile, no TLS; without keyfile, certfile has the key.
    max_body_size: bytes of a request's body; POSTs of polling clients have the hub's `max_payload` instead.
    lifespan: entered before the first connection is accepted, left after the last handler, before `state` is saved.

    Raises TypeError or ValueError for arguments that cannot be. Ends the process with status 1 and one line on stderr
    if a port, file or variable of the environment cannot be used.
    """
    refuse_unknown(serve, unknown)
    check_objects(app, hub, lifespan)
    check_numbers(port, drain, max_body_size)
    check_texts(address=address, state=state, certfile=certfile, keyfile=keyfile)
    check_flag("trust_proxy", trust_proxy)
    snapshot, files = _snapshot_file(hub, state or ""), (str(certfile or ""), str(keyfile or ""))
    tls = read_certificate(*files)
    notifier = SystemdNotifier(lambda: len(hub.sessions))
    stop = shutdown_event()
    # Don't drop a client for unread data before its ping has timed out.
    unread = max(UNREAD_TIMEOUT, hub.ping_interval + hub.ping_timeout)
    server = Server(app, xheaders=trust_proxy, ssl_options=tls, unread=unread, max_body_size=max_body_size)
    if tls:
        renew_at_hangup(server, *files)
    hub.adopt_settings(app.settings)
    hub.draining = False  # It may have been served before.
    with _listening(port, address or "") as sockets, _carried_over(hub, snapshot):
        async with lifespan or nullcontext():
            server.add_sockets(sockets)
            try:
                await _announce(sockets, notifier, stop)
            finally:
                await drain_sessions(server, hub, drain, may_return=snapshot is not None)


@contextmanager
def _listening(port: int, address: str) -> Iterator[list[socket]]:
    """Return listening sockets, and close them in the end; exit on error."""
    sockets: list[socket] = [listening_socket(each) for each in listening_sockets(port, address)]
    try:
        yield sockets
    finally:
        for each in sockets:
            each.close()


async def _announce(sockets: Sequence[socket], notifier: SystemdNotifier, stop: asyncio.Event) -> None:
    """Announce the start, wait for the signal, announce the stop."""
    notifier.ready()
    print(f"Listening on port {sockets[0].getsockname()[1]}...", flush=True)
    try:
        await stop.wait()
    finally:
        stop.set()  # After a cancellation, too, the next signal ends the process.
        notifier.stopping()


def _snapshot_file(hub: Hub, state: str | PathLike[str]) -> Path | None:
    """Return the snapshot's file, None without one; exit on error."""
    path = Path(state)
    if not str(state):
        return None
    if not path.parent.is_dir():
        exit_with(f"state={path}: there is no folder {path.parent}: create it")
    if path.is_dir():
        exit_with(f"state must be a file, got the folder {path}")
    if not hub.recovery.window:
        exit_with(f"state={path} needs recovery: leave out state, or give the hub a recovery greater than 0")
    return path


@contextmanager
def _carried_over(hub: Hub, snapshot: Path | None) -> Iterator[None]:
    """Start the hub, restore its snapshot, and save the next one.

    It is saved last, because messages that are sent after it would be lost.
    """
    if snapshot is None:
        start_clock(hub)
        yield
    else:
        load_snapshot(hub, snapshot)
        try:
            yield
        finally:
            save_snapshot(hub, snapshot)
