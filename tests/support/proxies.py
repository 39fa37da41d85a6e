"""Proxies with the configurations of deploy/.

What a machine decides is replaced (names, ports, certificates, directories); the rest runs as it stands.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from conftest import PATIENCE, ROOT, find_tool
from service_helpers import free_port

DEPLOY = ROOT / "deploy"


def certify(directory: Path) -> ssl.SSLContext:
    """Write a certificate and its key; return what trusts them."""
    authority, trust = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trust)
    leaf = authority.issue_cert("127.0.0.1")
    leaf.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    leaf.private_key_pem.write_to_path(directory / "key.pem")
    leaf.private_key_and_cert_chain_pem.write_to_path(directory / "both.pem")
    return trust


def nginx(directory: Path, port: int, upstream: int) -> list[str]:
    """Write the configuration; return the command that starts nginx with it."""
    return start_nginx(directory, port, site("nginx.conf", upstream))


def nginx_path(directory: Path, port: int, upstream: int) -> list[str]:
    """Write the configuration below a path; return the command."""
    return start_nginx(directory, port, site("nginx-path.conf", upstream))


def nginx_cluster(directory: Path, port: int, nodes: Sequence[int]) -> list[str]:
    """Write both files, before several nodes; return the command."""
    proxy_pass = {"proxy_pass http://127.0.0.1:3000;": "proxy_pass http://$message_board;"}
    board = replaced((DEPLOY / "nginx.conf").read_text(), proxy_pass)
    return start_nginx(directory, port, to_nodes("nginx-cluster.conf", nodes) + board)


def start_nginx(directory: Path, port: int, text: str) -> list[str]:
    text = re.sub(r"/etc/letsencrypt/live/[^/]+/fullchain.pem", f"{directory}/cert.pem", text)
    text = re.sub(r"/etc/letsencrypt/live/[^/]+/privkey.pem", f"{directory}/key.pem", text)
    text = text.replace("    listen 80;\n    listen [::]:80;\n", f"    listen 127.0.0.1:{free_port()};\n")
    text = replaced(text, {"    listen 443 ssl;\n    listen [::]:443 ssl;\n": f"    listen 127.0.0.1:{port} ssl;\n"})
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {directory}/{kind};\n" for kind in kinds)
    user = "user root;\n" if os.getuid() == 0 else ""
    (directory / "nginx.conf").write_text(
        f"{user}daemon off;\npid {directory}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{places}{text}}}\n"
    )
    return [find_tool("nginx"), "-p", str(directory), "-e", "stderr", "-c", "nginx.conf"]


def caddy(directory: Path, port: int, upstream: int) -> list[str]:
    """Write the configuration; return the command that starts Caddy with it."""
    return start_caddy(directory, port, site("Caddyfile", upstream))


def caddy_cluster(directory: Path, port: int, nodes: Sequence[int]) -> list[str]:
    """The same before several nodes."""
    return start_caddy(directory, port, to_nodes("Caddyfile-cluster", nodes))


def start_caddy(directory: Path, port: int, text: str) -> list[str]:
    globals_ = f"{{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system {directory}\n}}\n"
    here = f"https://127.0.0.1:{port} {{\n\tbind 127.0.0.1\n\ttls {directory}/cert.pem {directory}/key.pem\n"
    (directory / "Caddyfile").write_text(globals_ + replaced(text, {"board.example.org {\n": here}))
    return [find_tool("caddy"), "run", "--config", str(directory / "Caddyfile"), "--adapter", "caddyfile"]


def haproxy_cluster(directory: Path, port: int, nodes: Sequence[int]) -> list[str]:
    """Write the configuration; return the command that starts HAProxy with it."""
    replacements = {
        "    bind :80\n": f"    bind 127.0.0.1:{free_port()}\n",
        "bind :443": f"bind 127.0.0.1:{port}",
        "/etc/haproxy/board.example.org.pem": f"{directory}/both.pem",
    }
    (directory / "haproxy.cfg").write_text(replaced(to_nodes("haproxy-cluster.cfg", nodes), replacements))
    return [find_tool("haproxy"), "-db", "-f", str(directory / "haproxy.cfg")]


def site(name: str, upstream: int) -> str:
    """Return a configuration for a board that listens on this port."""
    return replaced((DEPLOY / name).read_text(), {"127.0.0.1:3000": f"127.0.0.1:{upstream}"})


def to_nodes(name: str, nodes: Sequence[int]) -> str:
    """Return a configuration for nodes that listen on these ports."""
    ports = {f"127.0.0.1:300{number}": f"127.0.0.1:{port}" for number, port in enumerate(nodes, 1)}
    return replaced((DEPLOY / name).read_text(), ports)


def replaced(text: str, replacements: dict[str, str]) -> str:
    for old, new in replacements.items():
        assert old in text
        text = text.replace(old, new)
    return text


@contextmanager
def proxy(command: list[str], directory: Path, port: int) -> Iterator[None]:
    """Run a proxy that listens on a port."""
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory)
        try:
            if not is_reachable(port):
                pytest.fail((directory / "log").read_text())
            yield
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()


def is_reachable(port: int) -> bool:
    """Wait until somebody listens on a port; return whether that has happened."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return True
        time.sleep(0.01)
    return False
