"""The server with a certificate, and its renewal.

Real processes and connections, on both transports.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from signal import SIGHUP

import conformance_server
import pytest
import trustme
from conftest import Server
from cryptography.hazmat.primitives import serialization
from raw_client import (
    JOURNEY,
    UPGRADE,
    WebSocket,
    address,
    io_loop,  # noqa: F401 (a fixture)
    join,
    serve,
)
from raw_client import Server as Clients
from service_helpers import complaint, running

from handlers.socketio.engineio import http_server
from handlers.socketio.operations.tls import load
from server import make_app

COMMAND = (sys.executable, "server.py", "--address=127.0.0.1", "--port={port}")
START = (sys.executable, "server.py", "--port=0")


class Files:
    """A certificate and its key, as files that a renewal replaces."""

    def __init__(self, directory: Path) -> None:
        self.authority = trustme.CA()
        self.certfile, self.keyfile = directory / "cert.pem", directory / "key.pem"
        self.options = (f"--certfile={self.certfile}", f"--keyfile={self.keyfile}")
        self.trust = ssl.create_default_context()
        self.authority.configure_trust(self.trust)
        self.renew()

    def renew(self) -> None:
        """Put a new certificate in the place of the old one."""
        self.leaf = self.authority.issue_cert("127.0.0.1")
        self.leaf.cert_chain_pems[0].write_to_path(self.certfile)
        self.leaf.private_key_pem.write_to_path(self.keyfile)

    def shown_by(self, port: int) -> bytes:
        """Connect; return the certificate that is shown, in PEM."""
        address = ("127.0.0.1", port)
        with (
            socket.create_connection(address) as plain,
            self.trust.wrap_socket(plain, server_hostname=address[0]) as tls,
        ):
            return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True)).encode()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@JOURNEY
async def test_both_transports_and_the_way_from_one_to_the_other_are_encrypted(files: Files) -> None:
    with running(Server(*COMMAND, *files.options)) as server:
        clients = Clients(server.port, tls=files.trust)
        websocket = await clients.websocket()
        await join(websocket)
        assert "One more" in str(await websocket.next())
        polling = await clients.poll()
        await join(polling)
        probe = await clients.websocket(polling.sid)
        await probe.send("2probe")
        assert await probe.next() == "3probe"
        await probe.send("5", '42["private",{"msg":"' + "x" * 500_000 + '"}]')
        await server.logged(f"private from .*'{'x' * 100}")
        await clients.hang_up()


@JOURNEY
async def test_a_renewed_certificate_is_shown_to_new_connections_and_old_ones_go_on(files: Files) -> None:
    with running(Server(*COMMAND, *files.options)) as server:
        clients = Clients(server.port, tls=files.trust)
        client = await clients.websocket()
        await join(client)
        old = files.certfile.read_bytes()
        assert files.shown_by(server.port) == old
        files.renew()
        assert files.shown_by(server.port) == old
        server.send_signal(SIGHUP)
        await server.logged(f"loaded the new certificate from {files.certfile}")
        assert files.shown_by(server.port) == files.certfile.read_bytes() != old
        await client.send('42["private","still here"]')
        await server.logged("private from .*still here")
        await clients.hang_up()


def of_another(files: Files) -> None:
    files.authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(files.keyfile)


def half_written(files: Files) -> None:
    files.certfile.write_bytes(files.certfile.read_bytes()[:200])


def removed(files: Files) -> None:
    files.keyfile.unlink()


def no_certificate(files: Files) -> None:
    files.certfile.write_text("hello")


def no_key(files: Files) -> None:
    files.keyfile.write_text("hello")


def locked(files: Files) -> None:
    key = serialization.load_pem_private_key(files.keyfile.read_bytes(), None)
    form, encryption = serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    files.keyfile.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))


MISTAKES: dict[Callable[[Files], None], str] = {
    of_another: "the key does not belong to the certificate",
    half_written: "OpenSSL cannot read them",
    removed: "No such file",
    no_certificate: "must be a PEM file with a certificate",
    no_key: "no private key in PEM",
    locked: "must have no passphrase",
}


@pytest.mark.parametrize("spoil", MISTAKES)
def test_it_says_in_one_line_what_is_wrong_with_a_certificate(spoil: Callable[[Files], None], files: Files) -> None:
    spoil(files)
    line = complaint(*START, *files.options)
    assert MISTAKES[spoil] in line
    assert str(files.certfile) in line or str(files.keyfile) in line
    assert "certfile" in line or "keyfile" in line


def test_it_says_in_one_line_that_a_key_alone_is_not_enough(files: Files) -> None:
    assert "give certfile" in complaint(*START, files.options[1])


@JOURNEY
async def test_a_renewal_that_went_wrong_leaves_the_old_certificate(files: Files) -> None:
    old, key = files.certfile.read_bytes(), files.keyfile.read_bytes()
    with running(Server(*COMMAND, *files.options)) as server:
        for spoil, reason in MISTAKES.items():
            files.renew()
            spoil(files)
            server.send_signal(SIGHUP)
            await server.logged(f"the old one stays in use: (cert|key)file.*{reason}")
            assert files.shown_by(server.port) == old
        files.certfile.write_bytes(old)
        files.keyfile.write_bytes(key)
        server.send_signal(SIGHUP)
        await server.logged("loaded the new certificate")
        assert files.shown_by(server.port) == old


def test_one_file_may_hold_both(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(both)
    assert load(str(both), "").minimum_version == ssl.TLSVersion.TLSv1_2


@JOURNEY
@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01"])
async def test_a_handshake_that_does_not_come_or_does_not_end_closes_the_connection(files: Files, begun: bytes) -> None:
    tls = load(str(files.certfile), str(files.keyfile))
    async with serve(make_app(), kind=http_server.Server, head=0.1, ssl_options=tls) as server:
        line = await server.connect()
        line.write(begun)
        await line.ended()


@JOURNEY
@pytest.mark.parametrize("sent", [b"", b"hello", b"\x16\x03\x01"])
async def test_who_is_gone_before_the_server_has_accepted_is_no_error(
    files: Files, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    tls = load(str(files.certfile), str(files.keyfile))
    async with serve(make_app(), kind=http_server.Server, ssl_options=tls) as server:
        for _ in range(3):
            line = socket.create_connection(("127.0.0.1", server.port))
            line.sendall(sent)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST
            line.close()
        clients = Clients(server.port, tls=files.trust)
        await join(await clients.websocket())
        await clients.hang_up()
    assert "Traceback" not in caplog.text


@JOURNEY
async def test_a_slow_reader_gets_all_of_what_is_sent_and_the_rest_of_what_it_sends_is_read(files: Files) -> None:
    tls = load(str(files.certfile), str(files.keyfile))
    app = conformance_server.make_app(max_backlog=100_000_000)
    async with serve(app, ssl_options=tls, chunk_size=1000) as server:
        clients = Clients(server.port, tls=files.trust)
        slow: WebSocket = await clients.connect(WebSocket)
        slow.stop_reading(for_good=False)
        slow.write(clients.head("GET", address(transport="websocket"), UPGRADE))
        word = "x" * 100_000
        await slow.send("40", *[f'42{number}["echo","{word}"]' for number in range(50)])
        other = await clients.websocket()
        await join(other)
        await other.send('420["echo"]')
        assert await other.next() == "430[]"
        slow.read_on()
        assert (await slow.answer()).status == 101
        assert str(await slow.next()).startswith("0{")
        assert str(await slow.next()).startswith("40{")
        for number in range(50):
            assert await slow.next() == f'43{number}["{word}"]'
        await clients.hang_up()


@JOURNEY
async def test_who_speaks_an_old_TLS_or_none_is_refused_and_nobody_else_notices(files: Files) -> None:
    with running(Server(*COMMAND, *files.options)) as server:
        clients = Clients(server.port, tls=files.trust)
        witness = await clients.websocket()
        await join(witness)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old = ssl.create_default_context()
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
            await Clients(server.port, tls=old).connect()
        plain = await Clients(server.port).send("GET", "/")
        await plain.ended()
        await witness.send('42["private","still here"]')
        await server.logged("private from .*still here")
        await clients.hang_up()
    assert "Traceback" not in "".join(server.lines)
