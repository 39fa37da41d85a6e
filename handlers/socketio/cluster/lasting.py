"""Errors of Redis at a start that no waiting mends."""

from __future__ import annotations

import ssl

from .errors import ClusterError
from .redis_address import RedisAddress

CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""Errors of TLS that mean a broken connection."""


def refuse_lasting(error: BaseException, address: RedisAddress) -> None:
    """Raise ClusterError for an error that will not be better later."""
    for cause in (error, error.__cause__, error.__context__):
        if cause is not None and _is_lasting(cause):
            raise ClusterError(f"--redis={address.shown}: {_explain(cause, address)}") from None
        if isinstance(cause, FileNotFoundError) and address.url.startswith("rediss:"):
            raise ClusterError(f"--redis={address.shown}: a file that its ssl_… names is missing") from None


def _is_lasting(error: BaseException) -> bool:
    from redis import exceptions as known

    if isinstance(error, ssl.SSLError):
        return not isinstance(error, CUT)
    if isinstance(error, (known.ReadOnlyError, known.OutOfMemoryError)):
        return False
    # The package raises the base class for values in the URL's query.
    return isinstance(error, (known.AuthenticationError, known.ResponseError)) or type(error) is known.RedisError


def _explain(error: BaseException, address: RedisAddress) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        said = f"the certificate of Redis is refused: {error.verify_message.rstrip('.')}"
        return f"{said}: write the name in the certificate, and ?ssl_ca_certs=/ca.pem for a CA of your own"
    described = address.hide(str(error)) or type(error).__name__
    return f"TLS with Redis fails: {described}" if isinstance(error, ssl.SSLError) else described
