"""The message board: `python server.py --port=3000`.

This module holds the application and starts and stops the process. In a test, let `get_app` of AsyncHTTPTestCase
return `make_app()`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tornado.options import options
from tornado.web import Application

from handlers.board.base_path import BelowPath, read_base_path
from handlers.board.handler import BoardHandler
from handlers.board.history import History
from handlers.board.page import HomeHandler
from handlers.board.schema import NewerDatabase
from handlers.commands import run_command
from handlers.options import ACCESS, HUB, SERVE, chosen, read_options
from handlers.socketio import Hub, Origins, SocketIOHandler, event_stream, routes
from handlers.socketio.cluster import ClusterError, MissingPackageError, join_cluster
from handlers.socketio.operations import Addresses, StaticHandler, admin, exit_with, log_request, serve

logger = logging.getLogger(__name__)

HERE = Path(__file__).parent

NAMESPACES: dict[str, type[SocketIOHandler]] = {"/": BoardHandler}
PAGES: list[Any] = [
    (r"/", HomeHandler),
    (r"/(worker\.js)", StaticHandler, {"path": HERE / "static"}),  # here, because its scope is the folder it is in
]


def make_app(hub: Hub | None = None, **settings: Any) -> Application:
    """Return the board as a Tornado application.

    settings: settings of the application; they override those made from the command line.
    history: one of them, the store of posts; by default they are kept in memory.
    """
    history = settings.setdefault("history", History())
    hub = hub or Hub(NAMESPACES, **chosen(HUB), allow_eio3=options.eio3)
    defaults: dict[str, Any] = {
        "template_path": HERE / "templates",
        "static_path": HERE / "static",
        "static_handler_class": StaticHandler,
        "log_function": log_request,
        "debug": options.debug,
        "hub": hub,
        "moderators": Addresses(options.admin_addresses),
    }
    access = {**chosen(ACCESS), "origins": Origins(options.origins, "--origins")}
    rules = [
        *PAGES,
        *admin(hub, options.admin_addresses, checks=[history.check]),
        *routes(hub, **access),
        *event_stream(hub, **access),
    ]
    return BelowPath(rules, read_base_path(options.base_path), **{**defaults, **settings})


@asynccontextmanager
async def lifespan(hub: Hub, history: History) -> AsyncIterator[None]:
    """Keep the history open, and the hub in its cluster."""
    redis = options.redis or os.environ.get("REDIS_URL", "")
    names = {"node": options.node, "prefix": options.redis_prefix, "length": options.redis_length}
    formats = {"emitters": options.redis_emitters, "adapter": options.redis_adapter}
    if options.redis_emitters and not redis:
        exit_with("--redis-emitters needs --redis=redis://host:6379/0, where the emitters publish")
    try:
        await history.open()  # before the cluster, which a server that does not start must not join
        node = await join_cluster(hub, redis, **names, **formats) if redis else None
    except NewerDatabase as error:
        exit_with(f"--database={options.database}: {error}")
    except (ClusterError, MissingPackageError) as error:
        exit_with(str(error))
    if re.match("[^@].*(@|password=)", options.redis):
        logger.warning("--redis: `ps` shows its password to all users of this machine: use --redis=@FILE or REDIS_URL")
    try:
        yield
    finally:
        await history.close()
        if node is not None:
            await node.leave()


async def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    history = History(options.database, options.keep)
    app = make_app(history=history)
    hub = app.settings["hub"]
    await serve(app, hub, lifespan=lifespan(hub, history), **chosen(SERVE))


if __name__ == "__main__":
    read_options()
    if not run_command():
        asyncio.run(main())
