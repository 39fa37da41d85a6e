"""The message board: `python server.py --port=3000`.

This module holds the application and starts and stops the process. In a test, let `get_app` of AsyncHTTPTestCase
return `make_app()`.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

from tornado.options import options
from tornado.web import Application

from handlers.board.handler import BoardHandler
from handlers.board.history import History
from handlers.board.page import HomeHandler
from handlers.options import read_options
from handlers.socketio import UNREAD_TIMEOUT, Hub, Server, SocketIOHandler, event_stream, routes
from handlers.socketio.operations import (
    LoopLag,
    StaticHandler,
    Status,
    StatusNamespace,
    SystemdNotifier,
    admin,
    drain,
    listening_socket,
    listening_sockets,
    load_snapshot,
    log_request,
    read_certificate,
    renew_certificate,
    save_snapshot,
    shutdown_event,
)

HERE = Path(__file__).parent

NAMESPACES: dict[str, type[SocketIOHandler]] = {"/": BoardHandler, "/status": StatusNamespace}
PAGES = [(r"/", HomeHandler)]


def make_app(hub: Hub | None = None, **settings: Any) -> Application:
    """Return the board as a Tornado application.

    settings: settings of the application; they override those made from the command line.
    history: one of them, the store of posts; by default they are kept in memory.
    """
    history = settings.setdefault("history", History())
    hub = hub or Hub(
        NAMESPACES,
        ping_interval=options.ping_interval,
        ping_timeout=options.ping_timeout,
        max_payload=options.max_payload,
        upgrade_timeout=options.upgrade_timeout,
        connect_timeout=options.connect_timeout,
        max_backlog=options.max_backlog,
        rate=options.rate,
        max_clients=options.max_clients,
        max_per_address=options.max_per_address,
        handshake_rate=options.handshake_rate,
        compress=options.compress,
        recovery=options.recovery,
        presence_grace=options.presence_grace,
    )
    lag = LoopLag()
    status = Status(hub, lag, options.admin_addresses)
    defaults: dict[str, Any] = {
        "template_path": HERE / "templates",
        "static_path": HERE / "static",
        "static_handler_class": StaticHandler,
        "log_function": log_request,
        "debug": options.debug,
        "hub": hub,
        "lag": lag,
        "status": status,
        "trouble": [history.check],
    }
    access: dict[str, Any] = {"origins": options.origins, "trust_proxy": options.trust_proxy}
    rules = [
        *PAGES,
        *admin(hub, options.admin_addresses),
        *status.rules(),
        *routes(hub, **access),
        *event_stream(hub, **access),
    ]
    return Application(rules, **{**defaults, **settings})


async def main() -> None:
    """Serve until SIGINT or SIGTERM; restore and save sessions.

    The snapshot is saved last, because messages that are sent after it would be lost.
    """
    shutdown = shutdown_event()
    history = History(options.database, options.keep)
    application = make_app(history=history)
    hub = application.settings["hub"]
    application.settings["lag"].start()
    application.settings["status"].start()
    files = (options.certfile, options.keyfile)
    tls = read_certificate(*files)
    sockets = [listening_socket(listening) for listening in listening_sockets(options.port, options.address)]
    notifier = SystemdNotifier(lambda: len(hub.sessions))
    # Don't drop a client for unread data before its ping has timed out.
    unread = max(UNREAD_TIMEOUT, options.ping_interval + options.ping_timeout)
    server = Server(application, xheaders=options.trust_proxy, ssl_options=tls, unread=unread)
    if options.state:
        load_snapshot(hub, Path(options.state))
    await history.open()
    server.add_sockets(sockets)
    if tls:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, renew_certificate, server, *files)
    notifier.ready()
    print(f"Listening on port {sockets[0].getsockname()[1]}...", flush=True)
    await shutdown.wait()

    notifier.stopping()
    await drain(server, hub, options.drain, may_return=bool(options.state))
    await history.close()
    if options.state:
        save_snapshot(hub, Path(options.state))


if __name__ == "__main__":
    read_options()
    asyncio.run(main())
