"""The options of the command line, and what is said of a value that cannot be."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tornado.options import Error, define, options, parse_command_line

from .socketio.operations import FORMATS, LOOPBACK, Addresses, configure_logging, exit_with

STATE = Path(os.environ.get("STATE_DIRECTORY", "").partition(":")[0])
"""Where files are kept that are to outlive the process: as systemd says, or the current directory."""

define("port", default=3000, type=int, help="TCP port to listen on; 0 takes any that is free")
define("address", default="", type=str, help="IP address or host name to listen on; empty: all interfaces")
define("ping_interval", default=25.0, type=float, help="seconds between a client's pong and the next ping")
define("ping_timeout", default=20.0, type=float, help="seconds a client has to answer a ping before it is gone")
define("max_payload", default=1_000_000, type=int, help="bytes of one packet, or of one POST of a polling client")
define("upgrade_timeout", default=10.0, type=float, help="seconds a client has to complete its upgrade to WebSocket")
define("connect_timeout", default=45.0, type=float, help="seconds a connection has to join a namespace")
define("recovery", default=120.0, type=float, help="seconds a client may be away and still get what it missed; 0: off")
define("presence_grace", default=0.0, type=float, help="seconds a client may be away without having gone home")
define("drain", default=10.0, type=float, help="seconds within which clients are parted with when the server ends")
define("state", default="", type=str, help="file in which the next server finds those who may come back; empty: none")
define("database", default=str(STATE / "board.sqlite3"), type=str, help="file that keeps the posts; :memory: for none")
define("keep", default=10_000, type=int, help="posts that are kept")
define("max_backlog", default=1 << 20, type=int, help="bytes kept for clients that read too slowly, in each room")
define("rate", default=1000.0, type=float, help="packets a second that one client may send; 0: any number")
define("max_clients", default=0, type=int, help="how many clients may be in; 0: any number")
define("max_per_address", default=0, type=int, help="how many clients of one address may be in; 0: any number")
define("handshake_rate", default=0.0, type=float, help="handshakes a second of one address; 0: any number")
define("compress", default=0, type=int, help="bytes from which on messages to WebSockets are compressed; 0: none is")
define("origins", default=[], type=str, multiple=True, help="pages' origins let in besides the host's own; * for any")
define("trust_proxy", default=False, help="believe X-Forwarded-For, -Proto and -Host: behind a proxy that sets them")
define(
    "admin_addresses",
    default=list(LOOPBACK),
    type=str,
    multiple=True,
    help="addresses and networks that may ask for /status, /healthz and /metrics; separated by commas",
)
define("log_format", default="text", type=str, help="how the log is written: text or json, one object a line")
define("certfile", default="", type=str, help="PEM file of a certificate, to serve TLS with; SIGHUP reads it again")
define("keyfile", default="", type=str, help="PEM file of the certificate's key; empty: certfile holds it, too")
define("debug", default=False, help="reload on changes of the code, show tracebacks in the browser")

POSITIVE = ("ping_interval", "ping_timeout", "max_payload", "upgrade_timeout", "connect_timeout", "max_backlog", "keep")

NOT_NEGATIVE = (
    "rate", "max_clients", "max_per_address", "handshake_rate", "compress", "recovery", "presence_grace", "drain",
)  # fmt: skip


def read_options() -> None:
    """Read the command line, or end with what is wrong with it."""
    for argument in sys.argv[1:]:
        name = argument.removeprefix("--").partition("=")[0]
        if not argument.startswith("--") or name not in options:
            exit_with(f"{argument!r} is no option (see --help)")
        try:
            parse_command_line([sys.argv[0], argument], final=False)
        except (Error, ValueError) as error:
            exit_with(f"{argument!r} cannot be: {error} (see --help)")
    try:
        options.run_parse_callbacks()
    except (AttributeError, OSError) as error:
        exit_with(f"--logging={options.logging}, --log-file-prefix={options.log_file_prefix}: {error} (see --help)")
    for name in POSITIVE:
        value = getattr(options, name)
        if not 0 < value < float("inf"):
            exit_with(f"--{name.replace('_', '-')}={value:g}: a number above 0 is due")
    for name in NOT_NEGATIVE:
        value = getattr(options, name)
        if not 0 <= value < float("inf"):
            exit_with(f"--{name.replace('_', '-')}={value:g}: 0 or a number above is due")
    if not 0 <= options.port <= 65535:
        exit_with(f"--port={options.port}: a number from 0 to 65535 is due")
    _check_words()
    _check_state()
    _check_database()
    _check_certificate()
    configure_logging(options.log_format)


def _check_words() -> None:
    if options.log_format not in FORMATS:
        exit_with(f"--log-format={options.log_format}: {' or '.join(FORMATS)} is due")
    try:
        Addresses(options.admin_addresses)
    except ValueError as error:
        exit_with(f"--admin-addresses={','.join(options.admin_addresses)}: {error}")


def _check_database() -> None:
    path = options.database
    if path == ":memory:":
        return
    if not path or Path(path).is_dir():
        exit_with(f"--database={path}: the name of a file is due, or :memory:")
    if not Path(path).parent.is_dir():
        exit_with(f"--database={path}: there is no folder {Path(path).parent}")


def _check_certificate() -> None:
    if options.keyfile and not options.certfile:
        exit_with(f"--keyfile={options.keyfile} without --certfile: the certificate is due, too")


def _check_state() -> None:
    path = Path(options.state)
    if not options.state:
        return
    if not path.parent.is_dir():
        exit_with(f"--state={path}: there is no folder {path.parent}")
    if path.is_dir():
        exit_with(f"--state={path} is a folder: the name of a file is due")
    if not options.recovery:
        exit_with(f"--state={path} is of no use with --recovery=0: nobody may come back")
