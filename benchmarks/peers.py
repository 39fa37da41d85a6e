"""The servers that are compared.

How each is installed and how it is started.

All that is installed goes into `.peers/`, which git ignores. Our own server runs on the same Python and Tornado as the
peers that are written in Python.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from errors import RunError
from workloads import Workload

HERE = Path(__file__).parent
SOURCES = HERE / "peers"
TARGET = HERE / ".peers"
PYTHON = TARGET / "venv" / "bin" / "python"
MODULES = TARGET / "node_modules"
LOAD = TARGET / "load"
LIMIT = TARGET / "limit"
LIBRARIES = {
    "tls": (["-DWITH_TLS", "-lssl", "-lcrypto"], "libssl-dev"),
    "deflate": (["-DWITH_DEFLATE", "-lz"], "zlib1g-dev"),
}
"""What the load generator is linked with, and the package that has it, by the option that needs it."""
COMPRESSED_FROM = "256"
"""Bytes of the smallest message that is compressed."""
CERTIFICATE, KEY = TARGET / "certificate.pem", TARGET / "key.pem"

Install = Callable[[], object]


@dataclass(frozen=True)
class Peer:
    """A server.

    name: what `--peers` takes. title: what the table says.
    installs: what it needs. environment: that of its process.
    cannot: the needs of workloads that it does not meet.
    options: those of `load/` for its clients.
    variant: whether it is our own server in another way, which runs only some workloads.
    cluster: whether it is two nodes with a Redis, which run only the workloads for these.
    """

    name: str
    title: str
    command: tuple[str, ...]
    installs: tuple[Install, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    cannot: frozenset[str] = frozenset()
    options: Mapping[str, str] = field(default_factory=dict)
    variant: bool = False
    cluster: bool = False

    def takes(self, workload: Workload) -> bool:
        """Whether it runs this workload."""
        if (workload.needs == "redis") is not self.cluster:
            return False
        return workload.needs not in self.cannot and (workload.variants or not self.variant)


# -- what is installed


def install_python() -> None:
    """Make the virtual environment of the servers that are written in Python."""
    requirements = SOURCES / "requirements.txt"
    if _up_to_date(TARGET / "venv.installed", [requirements]):
        return
    _call("the Python peers", [sys.executable, "-m", "venv", str(PYTHON.parents[1])])
    pip = [str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(requirements)]
    _call("the Python peers", pip)
    (TARGET / "venv.installed").touch()


def install_node() -> None:
    """Install Node's socket.io, and Bun with its engine."""
    package = SOURCES / "package.json"
    if _up_to_date(TARGET / "node.installed", [package]):
        return
    shutil.copy(package, TARGET)
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(TARGET)]
    _call("Node's socket.io (it needs Node.js 18 or later, with npm)", npm)
    (TARGET / "node.installed").touch()


def install_limit() -> None:
    """Compile the C loop."""
    source = SOURCES / "limit.c"
    if not _up_to_date(LIMIT, [source]):
        _call("the C loop", ["gcc", "-O2", "-o", str(LIMIT), str(source)])


def install_certificate() -> None:
    """Make a certificate that nobody has signed."""
    if _up_to_date(CERTIFICATE, []):
        return
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"]
    files = ["-keyout", str(KEY), "-out", str(CERTIFICATE)]
    _call("the certificate", ["openssl", "req", "-x509", *curve, *files, "-subj", "/CN=localhost"])


def find_redis() -> str:
    """Return the path of redis-server; raise RunError if it is missing."""
    linked = Path(sys.prefix) / "bin" / "redis-server"
    path = shutil.which("redis-server") or (str(linked) if linked.exists() else None)
    if path is None:
        raise RunError("there is no redis-server: apt-get install redis-server, or name workloads without it by --only")
    return path


def install_load(option: str = "") -> None:
    """Compile the load generator, with what one of its options needs."""
    binary = load_binary([option])
    sources = sorted((HERE / "load").glob("*.[ch]"))
    if _up_to_date(binary, sources):
        return
    flags, headers = LIBRARIES.get(option, ([], ""))
    what = "the load generator" + (f" (for this it needs headers: {headers})" if headers else "")
    _call(what, ["gcc", "-O2", "-o", str(binary), *(str(s) for s in sources if s.suffix == ".c"), *flags])


def load_binary(options: Iterable[str]) -> Path:
    """Return where the load generator is that can do these."""
    return LOAD.with_name("-".join(["load", *(option for option in options if option in LIBRARIES)]))


def install(peers: Iterable[Peer]) -> None:
    """Install what these servers need, and what drives them."""
    TARGET.mkdir(exist_ok=True)
    install_load()
    for peer in peers:
        for step in peer.installs:
            step()


def _up_to_date(product: Path, sources: list[Path]) -> bool:
    return product.exists() and all(product.stat().st_mtime >= source.stat().st_mtime for source in sources)


def _call(what: str, command: list[str]) -> None:
    sys.stderr.write(f"installing {what} …\n")
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise RunError(f"cannot install {what}: there is no {command[0]}") from None
    if done.returncode:
        raise RunError(f"cannot install {what}: {' '.join(command)}\n{done.stdout}{done.stderr}".rstrip())


# -- the table

OURS = (str(PYTHON), str(HERE / "ours.py"))
PYSIO = (str(PYTHON), str(SOURCES / "pysio_app.py"))
NODE = ("node", str(SOURCES / "node_socketio.js"))


def _cluster(name: str, title: str, command: tuple[str, ...], install: Install, adapter: str) -> Peer:
    """Two nodes; modules are where Node's servers look for them."""
    environment = {"ADAPTER": adapter, "NODE_PATH": str(MODULES)}
    return Peer(f"{name}-{adapter}", title, command, (find_redis, install), environment, cluster=True)


PEERS = [
    Peer("ours", "ours", OURS, (install_python,)),
    Peer(
        "node",
        "Node socket.io",
        NODE,
        (install_node,),
        environment={"NODE_PATH": str(MODULES)},
    ),
    Peer(
        "bun",
        "Bun socket.io",
        (str(MODULES / ".bin" / "bun"), "run", str(SOURCES / "bun_socketio.mjs")),
        (install_node,),
        environment={"NODE_PATH": str(MODULES)},
    ),
    Peer("pysio-uvicorn", "python-socketio, uvicorn", PYSIO, (install_python,), environment={"KIND": "uvicorn"}),
    Peer("pysio-tornado", "python-socketio, Tornado", PYSIO, (install_python,), environment={"KIND": "tornado"}),
    Peer(
        "tornado",
        "Tornado `write_message`",
        (str(PYTHON), str(SOURCES / "tornado_plain.py")),
        (install_python,),
        cannot=frozenset({"polling"}),
    ),
    Peer(
        "limit",
        "C loop",
        (str(LIMIT),),
        (install_limit,),
        cannot=frozenset({"polling", "rooms", "heartbeat", "backlog"}),
    ),
    Peer(
        "recovery",
        "ours, recovery asked for",
        OURS,
        (install_python,),
        environment={"RECOVERY": "120"},
        options={"auth": '{"recovery":true}'},
        variant=True,
    ),
    Peer(
        "tls",
        "ours, TLS",
        OURS,
        (install_python, install_certificate, lambda: install_load("tls")),
        environment={"TLS_CERT": str(CERTIFICATE), "TLS_KEY": str(KEY)},
        options={"tls": "1"},
        variant=True,
    ),
    Peer(
        "deflate",
        "ours, permessage-deflate",
        OURS,
        (install_python, lambda: install_load("deflate")),
        environment={"COMPRESS": COMPRESSED_FROM},
        cannot=frozenset({"polling"}),
        options={"deflate": COMPRESSED_FROM},
        variant=True,
    ),
    Peer(
        "rooms",
        "ours, each client in 100 rooms more",
        OURS,
        (install_python,),
        environment={"ROOMS": "100"},
        variant=True,
    ),
    _cluster("ours", "ours, streams", OURS, install_python, "streams"),
    _cluster("ours", "ours, classic", OURS, install_python, "classic"),
    _cluster("node", "Node, redis-streams-adapter", NODE, install_node, "streams"),
    _cluster("node", "Node, redis-adapter", NODE, install_node, "classic"),
]
BASES = ("ours", "ours-streams")
"""With which the others are compared: alone, and in a cluster."""


def choose(names: str) -> list[Peer]:
    """Return the servers of these names, or all; those of BASES always."""
    wanted = [name for name in names.split(",") if name]
    known = [peer.name for peer in PEERS]
    for name in wanted:
        if name not in known:
            raise RunError(f"no peer {name!r}: there are {', '.join(known)}")
    return [peer for peer in PEERS if not wanted or peer.name in (*BASES, *wanted)]
