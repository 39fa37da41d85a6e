"""TLS: the server's certificate and its key, which a renewal replaces without a restart.

A certificate is read into a context of its own, and the server takes a context only when all of it was good: a renewal
that went wrong half way leaves the old one as it was.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import NoReturn

from tornado.httpserver import HTTPServer

from .errors import exit_with

logger = logging.getLogger(__name__)


class CertificateError(ValueError):
    """A certificate that cannot be used; the words say why, and which option names it."""


def read_certificate(certfile: str, keyfile: str) -> ssl.SSLContext | None:
    """Return the context for HTTPServer, None without a certificate; or end with what is wrong with it."""
    if not certfile:
        return None
    try:
        return load(certfile, keyfile)
    except CertificateError as error:
        exit_with(str(error))


def renew_certificate(server: HTTPServer, certfile: str, keyfile: str) -> None:
    """Have new connections be shown what the files hold now; where that cannot be, what was shown before."""
    try:
        server.ssl_options = load(certfile, keyfile)
    except CertificateError as error:
        logger.error("the old certificate goes on: %s", error)
    else:
        logger.info("took the new certificate of %s", certfile)


def load(certfile: str, keyfile: str) -> ssl.SSLContext:
    """Return a context with the certificate and its key, PEM files; raise CertificateError where they are none.

    keyfile: "" where certfile holds the key, too.
    """
    files = f"--certfile={certfile}" + (f", --keyfile={keyfile}" if keyfile else "")
    if "BEGIN CERTIFICATE" not in _read("certfile", certfile):
        raise CertificateError(f"--certfile={certfile} holds no certificate in PEM")
    if "PRIVATE KEY" not in (_read("keyfile", keyfile) if keyfile else _read("certfile", certfile)):
        raise CertificateError(f"{files}: no private key in PEM is there; --keyfile names its file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certfile, keyfile or None, password=_refuse_to_enter)
    except _Locked:
        raise CertificateError(f"{files}: the key has a passphrase; a key without one is due") from None
    except OSError as error:
        mismatch = getattr(error, "reason", None) == "KEY_VALUES_MISMATCH"
        reason = "the key is not that of the certificate" if mismatch else f"OpenSSL cannot read them: {error}"
        raise CertificateError(f"{files}: {reason}") from None
    return context


def _read(option: str, path: str) -> str:
    try:
        return Path(path).read_text("latin-1")
    except OSError as error:
        raise CertificateError(f"--{option}={path}: {error.strerror}") from None


class _Locked(Exception):
    """A key wants a passphrase."""


def _refuse_to_enter() -> NoReturn:
    raise _Locked
