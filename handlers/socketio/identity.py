"""Identity of a client.

Cookies and arguments of the request that opened its connection.

The methods are those of RequestHandler, so an application's `get_current_user` that uses only these works in both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tornado.web import HTTPError, MissingArgumentError, decode_signed_value

from .engineio.handshake import Handshake

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_NO_DEFAULT: Any = object()


class Identity:
    """Access to the request that opened the client's connection."""

    if TYPE_CHECKING:

        @property
        def request(self) -> Handshake:
            """The request that opened the connection."""

        @property
        def settings(self) -> dict[str, Any]:
            """The settings of the application."""

    def get_current_user(self) -> Any:
        """Override to return the user of the client; None for no user.

        `current_user` calls it once for each connection. It cannot be `async`: to query a database, set
        `self.current_user` in `authenticate`.
        """

    def get_cookie(self, name: str, default: str | None = None) -> str | None:
        """Return the value of a cookie, or the default."""
        cookie = self.request.cookies.get(name)
        return default if cookie is None else cookie.value

    def get_signed_cookie(
        self, name: str, value: str | None = None, max_age_days: float = 31, min_version: int | None = None
    ) -> bytes | None:
        """Return the value of a signed cookie.

        None if absent, forged or too old.

        Raises RuntimeError if the application's settings have no `cookie_secret`.
        """
        secret = self.settings.get("cookie_secret")
        if secret is None:
            raise RuntimeError(
                "get_signed_cookie needs a cookie_secret: write Application([…], cookie_secret=…), "
                "and in a test hub.settings = application.settings"
            )
        value = self.get_cookie(name) if value is None else value
        return decode_signed_value(secret, name, value, max_age_days=max_age_days, min_version=min_version)

    get_secure_cookie = get_signed_cookie  # Tornado's older name

    def get_query_argument(self, name: str, default: Any = _NO_DEFAULT, strip: bool = True) -> Any:
        """Return the last value of a query parameter.

        Without a default, raises MissingArgumentError if there is none; in `authenticate` that refuses the client.
        """
        values = self.get_query_arguments(name, strip)
        if values:
            return values[-1]
        if default is _NO_DEFAULT:
            raise MissingArgumentError(name)
        return default

    def get_query_arguments(self, name: str, strip: bool = True) -> list[str]:
        """Return all values of a query parameter.

        Raises HTTPError 400 for a value that is not UTF-8.
        """
        return [_decode(value, name, strip) for value in self.request.query_arguments.get(name, [])]

    # The request that connects has no body: its arguments are those of its query.
    get_argument = get_query_argument
    get_arguments = get_query_arguments


def _decode(value: bytes, name: str, strip: bool) -> str:
    try:
        text = _CONTROL.sub(" ", value.decode())
    except UnicodeDecodeError:
        raise HTTPError(400, f"Invalid unicode in {name[:40]}: {value[:40]!r}") from None
    return text.strip() if strip else text
