"""The message board: `python server.py --port=3000`.

Options, the application, and the life of the process. In a test, `make_app()` is what AsyncHTTPTestCase's `get_app`
returns.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.options import Error, define, options, parse_command_line
from tornado.web import Application, RequestHandler, StaticFileHandler

from handlers import NAMESPACES, PAGES
from handlers.socketio import Hub, event_stream, routes

HERE = Path(__file__).parent

define("port", default=3000, type=int, help="TCP port to listen on; 0 takes any that is free")
define("address", default="", type=str, help="IP address or host name to listen on; empty: all interfaces")
define("ping_interval", default=25.0, type=float, help="seconds between a client's pong and the next ping")
define("ping_timeout", default=20.0, type=float, help="seconds a client has to answer a ping before it is gone")
define("max_payload", default=1_000_000, type=int, help="bytes of one packet, or of one POST of a polling client")
define("upgrade_timeout", default=10.0, type=float, help="seconds a client has to complete its upgrade to WebSocket")
define("connect_timeout", default=45.0, type=float, help="seconds a connection has to join a namespace")
define("recovery", default=120.0, type=float, help="seconds a client may be away and still get what it missed; 0: off")
define("presence_grace", default=0.0, type=float, help="seconds a client may be away without having gone home")
define("compress", default=0, type=int, help="bytes from which on messages to WebSockets are compressed; 0: none is")
define("origins", default=[], type=str, multiple=True, help="pages' origins let in besides the host's own; * for any")
define("trust_proxy", default=False, help="believe X-Forwarded-For, -Proto and -Host: behind a proxy that sets them")
define("debug", default=False, help="reload on changes of the code, show tracebacks in the browser")

POSITIVE = ("ping_interval", "ping_timeout", "max_payload", "upgrade_timeout", "connect_timeout")

NOT_NEGATIVE = ("compress", "recovery", "presence_grace")


class StaticHandler(StaticFileHandler):
    """Static files; a path that no file system takes is not found."""

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Return the path of a file, or raise HTTPError."""
        try:
            return super().validate_absolute_path(root, absolute_path)
        except ValueError:
            self.send_error(404)
            return None


def log_request(handler: RequestHandler) -> None:
    """Log one request: what the server failed at, loudly; what a client did wrong is the client's affair."""
    level = logging.ERROR if handler.get_status() >= 500 else logging.DEBUG
    logging.getLogger("tornado.access").log(
        level, "%d %s %.1f ms", handler.get_status(), handler._request_summary(), 1000 * handler.request.request_time()
    )


def make_app(hub: Hub | None = None, **settings: Any) -> Application:
    """Return the board as a Tornado application. Arguments go before the options of the command line."""
    hub = hub or Hub(
        NAMESPACES,
        ping_interval=options.ping_interval,
        ping_timeout=options.ping_timeout,
        max_payload=options.max_payload,
        upgrade_timeout=options.upgrade_timeout,
        connect_timeout=options.connect_timeout,
        compress=options.compress,
        recovery=options.recovery,
        presence_grace=options.presence_grace,
    )
    defaults: dict[str, Any] = {
        "template_path": HERE / "templates",
        "static_path": HERE / "static",
        "static_handler_class": StaticHandler,
        "log_function": log_request,
        "debug": options.debug,
        "hub": hub,
    }
    access: dict[str, Any] = {"origins": options.origins, "trust_proxy": options.trust_proxy}
    return Application([*PAGES, *routes(hub, **access), *event_stream(hub, **access)], **{**defaults, **settings})


def fail(message: str) -> NoReturn:
    """End with one clear line."""
    sys.exit(f"server.py: {message}")


def read_options() -> None:
    """Read the command line, or end with what is wrong with it."""
    for argument in sys.argv[1:]:
        name = argument.removeprefix("--").partition("=")[0]
        if not argument.startswith("--") or name not in options:
            fail(f"{argument!r} is no option (see --help)")
        try:
            parse_command_line([sys.argv[0], argument], final=False)
        except (Error, ValueError) as error:
            fail(f"{argument!r} cannot be: {error} (see --help)")
    try:
        options.run_parse_callbacks()
    except (AttributeError, OSError) as error:
        fail(f"--logging={options.logging}, --log-file-prefix={options.log_file_prefix}: {error} (see --help)")
    for name in POSITIVE:
        value = getattr(options, name)
        if not 0 < value < float("inf"):
            fail(f"--{name.replace('_', '-')}={value:g}: a number above 0 is due")
    for name in NOT_NEGATIVE:
        value = getattr(options, name)
        if not 0 <= value < float("inf"):
            fail(f"--{name.replace('_', '-')}={value:g}: 0 or a number above is due")
    if not 0 <= options.port <= 65535:
        fail(f"--port={options.port}: a number from 0 to 65535 is due")


def bind() -> list[Any]:
    """Return the listening sockets, or end with what stands against them."""
    try:
        return bind_sockets(options.port, options.address, backlog=4096)
    except OSError as error:
        reason = {
            errno.EADDRINUSE: "is in use: stop the other server, or choose another with --port",
            errno.EACCES: "is not allowed: choose one above 1023 with --port",
        }.get(error.errno or 0, f"cannot be listened on: {error.strerror or error}; see --address")
        fail(f"port {options.port} {reason}")


async def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    application = make_app()
    sockets = bind()
    server = HTTPServer(application, xheaders=options.trust_proxy)
    server.add_sockets(sockets)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopping.set)
    print(f"Listening on port {sockets[0].getsockname()[1]}...", flush=True)
    await stopping.wait()

    server.stop()
    application.settings["hub"].close()
    await server.close_all_connections()


if __name__ == "__main__":
    read_options()
    asyncio.run(main())
