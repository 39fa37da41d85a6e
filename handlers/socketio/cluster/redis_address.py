"""Where Redis is: the value of `--redis`, checked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from .errors import ClusterError

FORMS = "redis://host:6379/0, rediss://…, unix:///path or redis+sentinel://host,host/0/name"
ADAPTERS = ("streams", "classic")
"""The formats of messages in Redis."""
SENTINEL_PORT = 26379
SENTINEL_FORM = "redis+sentinel://host1:26379,host2:26379/0/name"
_ENCODE = "; in a password, write %2F for /, %3F for ?, %23 for # and %40 for @"
QUERY = re.compile(r"username=.*|password=.*|db=[0-9]{1,3}|ssl_[a-z_]+=.*", re.DOTALL)
"""What the query of a URL may set; all else is decided here."""
SENTINEL_QUERY = re.compile(r"(sentinel_)?(username|password)=.*|db=[0-9]{1,3}", re.DOTALL)


class RedisAddress(NamedTuple):
    """A server, or the sentinels that know it."""

    url: str
    """For redis-py, with the password; of sentinels without path."""
    shown: str
    """The same for logs, without the password."""
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    """What the sentinels call the server."""
    database: int = 0
    username: str = ""
    password: str = ""
    sentinel_username: str = ""
    sentinel_password: str = ""
    """What the sentinels want themselves, if they do."""

    def hide(self, text: str) -> str:
        """Return what Redis or its package says, without the password."""
        # Redis repeats the arguments of a command that it does not know, such as a renamed AUTH.
        text = re.sub(r",? with args beginning with.*", "", text, flags=re.DOTALL)
        # It describes each sentinel that does not answer by all its settings.
        text = re.sub(r" : <.*", "", text, flags=re.DOTALL)
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
        return text

    def _secrets(self) -> set[str]:
        parts = urlsplit(self.url)
        queried = [pair.partition("=")[2] for pair in parts.query.split("&") if "password=" in pair]
        given = [self.password, self.sentinel_password, parts.password or "", *queried]
        return {form for secret in given for form in (secret, unquote(secret)) if form}


def read_address(value: str, option: str = "--redis") -> RedisAddress:
    """Return the address of a URL, or of `@FILE`.

    option: what errors call the value. Raises ClusterError, which does not show the password.
    """
    if value.startswith("@"):
        value = _read_file(value, option)
    shown = hide_password(value)
    if value.startswith("redis+sentinel:"):
        return _read_sentinels(value, shown, option)
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        # The error would show parts of a password.
        raise ClusterError(f"{option}={shown}: the port must be a number: write {FORMS}{_ENCODE}") from None
    if parts.scheme not in ("redis", "rediss", "unix") or (parts.scheme != "unix" and not parts.hostname):
        raise ClusterError(f"{option} must be {FORMS}, got {shown}")
    if parts.scheme != "unix" and not re.fullmatch(r"/?[0-9]{0,3}", parts.path):
        raise ClusterError(f"{option}={shown}: the path must be the number of a database, such as /0{_ENCODE}")
    if parts.scheme == "unix" and len(parts.path) < 2:
        raise ClusterError(f"{option}={shown}: write the path of the socket, unix:///run/redis/redis-server.sock")
    if parts.fragment or not all(QUERY.fullmatch(pair) for pair in parts.query.split("&") if pair):
        raise ClusterError(f"{option}={shown}: the query may set username, password, db and ssl_… only{_ENCODE}")
    _check_tls(parts, shown, option)
    return RedisAddress(value, shown)


def _check_tls(parts: SplitResult, shown: str, option: str) -> None:
    if parts.scheme != "rediss" and any(pair.startswith("ssl_") for pair in parts.query.split("&")):
        raise ClusterError(f"{option}={shown}: ssl_… is for TLS: write rediss://")


def _read_file(value: str, option: str) -> str:
    try:
        url = Path(value[1:]).read_text().strip()
    except (OSError, ValueError) as error:
        raise ClusterError(f"{option}={value}: the file cannot be read: {error}") from None
    if len(url.split()) != 1:
        raise ClusterError(f"{option}={value}: the file must hold one URL: {FORMS}")
    return url


def hide_password(value: str) -> str:
    """Return a URL with three asterisks for its password.

    Also of one with a mistake: all up to the last @ may be part of a password.
    """
    value = re.sub(r"(password=).*", r"\1***", value, flags=re.DOTALL)
    return re.sub(r"^([a-z+]*://|).*@", r"\1***@", value, flags=re.DOTALL)


def _read_sentinels(value: str, shown: str, option: str) -> RedisAddress:
    value, _, query = value.partition("?")
    pairs = [pair for pair in query.split("&") if pair]
    match = re.fullmatch(r"redis\+sentinel://(?:([^:@/]*)(?::([^@/]*))?@)?([^/@]+)/(?:([0-9]{1,3})/)?([^/?#]+)", value)
    hosts = [_read_host(host) for host in match[3].split(",")] if match else []
    if match is None or None in hosts or not all(map(SENTINEL_QUERY.fullmatch, pairs)):
        raise ClusterError(
            f"{option}={shown}: write {SENTINEL_FORM}, and in its query username, password, db, sentinel_username and "
            f"sentinel_password only{_ENCODE}"
        )
    queried = {name: unquote(text) for name, _, text in (pair.partition("=") for pair in pairs)}
    return RedisAddress(
        "",
        shown,
        tuple(host for host in hosts if host is not None),
        unquote(match[5]),
        int(queried.get("db") or match[4] or 0),
        queried.get("username") or unquote(match[1] or ""),
        queried.get("password") or unquote(match[2] or ""),
        queried.get("sentinel_username", ""),
        queried.get("sentinel_password", ""),
    )


def _read_host(text: str) -> tuple[str, int] | None:
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^:\[\]]+))(?::([0-9]{0,5}))?", text)
    port = int(match[3] or SENTINEL_PORT) if match else 0
    return (match[1] or match[2], port) if match and 0 < port <= 65535 else None
