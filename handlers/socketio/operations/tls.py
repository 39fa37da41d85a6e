"""TLS: the server's certificate and key, renewed without a restart.

A certificate is loaded into a new context, and the server gets the context only when all of it is valid: a renewal
that fails half way leaves the old certificate in use.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
from pathlib import Path
from typing import NoReturn
from weakref import WeakKeyDictionary

from tornado.httpserver import HTTPServer

from .errors import exit_with

logger = logging.getLogger(__name__)


_renewed: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakKeyDictionary[HTTPServer, tuple[str, str]]] = (
    WeakKeyDictionary()
)
"""The files of each loop's servers, because a loop has one handler of a signal."""


class CertificateError(ValueError):
    """A certificate cannot be used.

    The message says why and names the parameter.
    """


def read_certificate(certfile: str, keyfile: str) -> ssl.SSLContext | None:
    """Return the context for HTTPServer, None without a certificate; exit on error."""
    if keyfile and not certfile:
        exit_with(f"keyfile={keyfile} needs a certificate: give certfile, too")
    if not certfile:
        return None
    try:
        return load(certfile, keyfile)
    except CertificateError as error:
        exit_with(str(error))


def renew_certificate(server: HTTPServer, certfile: str, keyfile: str) -> None:
    """Use the files' new certificate for new connections.

    Keep the old on error.
    """
    try:
        server.ssl_options = load(certfile, keyfile)
    except CertificateError as error:
        logger.error("certificate not renewed, the old one stays in use: %s", error)
    else:
        logger.info("loaded the new certificate from %s", certfile)


def renew_at_hangup(server: HTTPServer, certfile: str, keyfile: str) -> None:
    """Renew the certificates of all such servers at SIGHUP."""
    loop = asyncio.get_running_loop()
    servers = _renewed.setdefault(loop, WeakKeyDictionary())
    servers[server] = (certfile, keyfile)

    def renew_all() -> None:
        for each, files in list(servers.items()):
            renew_certificate(each, *files)

    loop.add_signal_handler(signal.SIGHUP, renew_all)


def load(certfile: str, keyfile: str) -> ssl.SSLContext:
    """Return a context with a certificate and its key.

    Both are PEM files; keyfile is "" if certfile holds the key, too. Raises CertificateError.
    """
    files = f"certfile={certfile}" + (f", keyfile={keyfile}" if keyfile else "")
    if "BEGIN CERTIFICATE" not in _read("certfile", certfile):
        raise CertificateError(f"certfile must be a PEM file with a certificate, got {certfile}, which has none")
    if "PRIVATE KEY" not in (_read("keyfile", keyfile) if keyfile else _read("certfile", certfile)):
        raise CertificateError(f"{files}: there is no private key in PEM: keyfile must name its file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certfile, keyfile or None, password=_refuse_to_enter)
    except _Locked:
        raise CertificateError(f"{files}: the key must have no passphrase: remove it, as `openssl pkey` does") from None
    except OSError as error:
        mismatch = getattr(error, "reason", None) == "KEY_VALUES_MISMATCH"
        reason = "the key does not belong to the certificate" if mismatch else f"OpenSSL cannot read them: {error}"
        raise CertificateError(f"{files}: {reason}") from None
    return context


def _read(name: str, path: str) -> str:
    try:
        return Path(path).read_text("latin-1")
    except OSError as error:
        raise CertificateError(f"{name}={path}: {error.strerror}") from None


class _Locked(Exception):
    """OpenSSL asks for the passphrase of a key."""


def _refuse_to_enter() -> NoReturn:
    raise _Locked
