"""The options of the command line, and the checks of their values."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tornado.options import Error, define, options, parse_command_line

from .board.base_path import read_base_path
from .socketio import Origins
from .socketio.operations import FORMATS, LOOPBACK, Addresses, configure_logging, exit_with

STATE = Path(os.environ.get("STATE_DIRECTORY", "").partition(":")[0])
"""Folder of files that outlive the process: systemd's StateDirectory=, or the current directory."""

define("port", default=3000, type=int, help="TCP port to listen on; 0: any free port")
define("base_path", default="", type=str, help="path below which a proxy serves the board, as /board; empty: none")
define("address", default="", type=str, help="IP address or host name to listen on; empty: all interfaces")
define("ping_interval", default=25.0, type=float, help="seconds between a client's pong and the next ping")
define("ping_timeout", default=20.0, type=float, help="seconds a client has to answer a ping")
define("max_payload", default=1_000_000, type=int, help="bytes of one packet, or of one POST of a polling client")
define("upgrade_timeout", default=10.0, type=float, help="seconds a client has to complete its upgrade to WebSocket")
define("connect_timeout", default=45.0, type=float, help="seconds a connection has to join a namespace")
define("recovery", default=120.0, type=float, help="seconds a client may be away and still get missed events; 0: off")
define("presence_grace", default=0.0, type=float, help="seconds to wait before a client that is away counts as gone")
define("drain", default=10.0, type=float, help="seconds to disconnect clients gracefully at shutdown")
define("state", default="", type=str, help="file that carries recoverable sessions over a restart; empty: none")
define("database", default=str(STATE / "board.sqlite3"), type=str, help="SQLite file for the posts; :memory: for none")
define("keep", default=10_000, type=int, help="number of posts to keep; older ones are deleted")
define("max_backlog", default=1 << 20, type=int, help="bytes each room keeps for clients that read too slowly")
define("rate", default=1000.0, type=float, help="packets a second that one client may send; 0: no limit")
define("max_clients", default=0, type=int, help="maximum number of clients; 0: no limit")
define("max_per_address", default=0, type=int, help="maximum number of clients from one address; 0: no limit")
define("handshake_rate", default=0.0, type=float, help="handshakes a second from one address; 0: no limit")
define("compress", default=0, type=int, help="compress WebSocket messages of at least so many bytes; 0: never")
define("eio3", default=False, help="serve clients of Socket.IO 1 and 2 (Engine.IO 3), too")
define("origins", default=[], type=str, multiple=True, help="origins of other hosts' pages to allow; *: all")
define("trust_proxy", default=False, help="trust X-Forwarded-For, -Proto and -Host; only behind a proxy that sets them")
define(
    "admin_addresses",
    default=list(LOOPBACK),
    type=str,
    multiple=True,
    help="addresses and networks that may open /status, /healthz and /metrics; separated by commas",
)
define("log_format", default="text", type=str, help="format of the log: text, or json (one object a line)")
define("certfile", default="", type=str, help="PEM file of the TLS certificate; SIGHUP reads it again; empty: no TLS")
define("keyfile", default="", type=str, help="PEM file of the certificate's key; empty: certfile holds the key")
define("redis", default="", type=str, help="URL of a Redis that several nodes share, or @FILE; empty: REDIS_URL")
define("redis_prefix", default="socket.io", type=str, help="key of the stream in Redis, and beginning of all channels")
define("redis_length", default=100_000, type=int, help="number of entries that the stream in Redis keeps, about")
define("redis_adapter", default="streams", type=str, help="format in Redis: streams, or classic (it has no log)")
define("redis_emitters", default=False, help="listen to emitters of Node's classic Redis adapter, too")
define("node", default="", type=str, help="name of this node, 1 to 8 letters and digits, with which all sids begin")
define("version", default=False, help="print the versions of server, Tornado and Python, and end")
define("check_health", default=False, help="end with 0 if the server with these options accepts clients, else with 1")
define("backup", default="", type=str, help="file to copy the posts into, beside a running server; then end")
define("debug", default=False, help="restart when code changes, show tracebacks in the browser")

HUB = (
    "ping_interval", "ping_timeout", "max_payload", "upgrade_timeout", "connect_timeout", "recovery", "presence_grace",
    "max_backlog", "rate", "max_clients", "max_per_address", "handshake_rate", "compress",
)  # fmt: skip
"""Options that are parameters of `Hub`."""
ACCESS = ("origins", "trust_proxy")
"""Options that are parameters of `routes` and `event_stream`."""
SERVE = ("port", "address", "drain", "state", "trust_proxy", "certfile", "keyfile")
"""Options that are parameters of `serve`."""

POSITIVE = (
    "ping_interval", "ping_timeout", "max_payload", "upgrade_timeout", "connect_timeout", "max_backlog", "keep",
    "redis_length",
)  # fmt: skip

NOT_NEGATIVE = (
    "rate", "max_clients", "max_per_address", "handshake_rate", "compress", "recovery", "presence_grace", "drain",
)  # fmt: skip


def chosen(names: Iterable[str]) -> dict[str, Any]:
    """Return the values of these options, by name."""
    return {name: getattr(options, name) for name in names}


def read_options() -> None:
    """Read and check the command line; exit with a message on error."""
    for argument in sys.argv[1:]:
        name = argument.removeprefix("--").partition("=")[0]
        if not argument.startswith("--") or name not in options:
            exit_with(f"unknown option {argument!r}: see --help")
        try:
            parse_command_line([sys.argv[0], argument], final=False)
        except (Error, ValueError) as error:
            exit_with(f"invalid value {argument!r}: {error}: see --help")
    try:
        options.run_parse_callbacks()
    except (AttributeError, OSError) as error:
        exit_with(f"--logging={options.logging}, --log-file-prefix={options.log_file_prefix}: {error}: see --help")
    for name in POSITIVE:
        value = getattr(options, name)
        if not 0 < value < float("inf"):
            exit_with(f"--{name.replace('_', '-')} must be greater than 0, got {value:g}")
    for name in NOT_NEGATIVE:
        value = getattr(options, name)
        if not 0 <= value < float("inf"):
            exit_with(f"--{name.replace('_', '-')} must be 0 or greater, got {value:g}")
    if not 0 <= options.port <= 65535:
        exit_with(f"--port must be from 0 to 65535, got {options.port}")
    _check_base_path()
    _check_words()
    _check_origins()
    _check_database()
    configure_logging(options.log_format)


def _check_base_path() -> None:
    try:
        read_base_path(options.base_path)
    except ValueError as error:
        exit_with(f"--base-path={options.base_path} {error}")


def _check_words() -> None:
    if options.log_format not in FORMATS:
        exit_with(f"--log-format must be {' or '.join(FORMATS)}, got {options.log_format}")
    try:
        Addresses(options.admin_addresses)
    except ValueError as error:
        exit_with(f"--admin-addresses must be addresses or networks, got {','.join(options.admin_addresses)}: {error}")


def _check_origins() -> None:
    try:
        Origins(options.origins)
    except ValueError as error:
        exit_with(f"--origins={','.join(options.origins)}: {error}")


def _check_database() -> None:
    path = options.database
    if path == ":memory:":
        return
    if not path or Path(path).is_dir():
        exit_with(f"--database must be a file, or :memory:, got {path or 'nothing'}")
    if not Path(path).parent.is_dir():
        exit_with(f"--database={path}: there is no folder {Path(path).parent}: create it")
