"""The value of `--redis`, and that no message shows its password."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.socketio.cluster.errors import ClusterError
from handlers.socketio.cluster.redis_address import hide_password, read_address

GOOD = [
    "redis://:{}@host",
    "redis://user:{}@host:6379/0",
    "rediss://user:{}@host/1?ssl_ca_certs=/ca.pem",
    "unix://:{}@/run/redis.sock?db=2",
    "redis://host?password={}",
    "redis+sentinel://:{}@host1,host2/0/main",
    "redis+sentinel://host/main?password={}",
    "redis+sentinel://host/main?sentinel_password={}",
]
MISTAKEN = [
    ":{}@host",
    "http://:{}@host",
    "redis://:{}@host:port",
    "redis://:{}@host/board",
    "redis://:{}@",
    "redis://user:{}@host?timeout=1",
    "redis://host?password={}&db=x",
    "redis://host?db=x&password={}",
    "redis://[:{}@host",
    "redis+sentinel://:{}@host",
    "redis+sentinel://:{}@host:x/main",
    "redis+sentinel://:{}@host:65536/main",
    "redis+sentinel://:{}@host:0/main",
    "redis+sentinel://:{}@host,/main",
    "redis+sentinel://:{}@::1/main",
    "redis+sentinel://:{}@host/0/main/0",
    "redis+sentinel://:{}@host/main?timeout=1",
    "redis+sentinel://host/main?sentinel_password={}&db=x",
    "redis://:{}@host?ssl_cert_reqs=none",
]


@pytest.mark.parametrize(
    ("password", "meant"), [("sesame", "sesame"), ("p%40s%2Fsame", "p@s/same"), ("a:same", "a:same")]
)
@pytest.mark.parametrize("form", GOOD)
def test_what_is_shown_of_an_address_has_no_password(form: str, password: str, meant: str) -> None:
    address = read_address(form.format(password))
    assert address.shown == hide_password(form.format(password))
    assert "same" not in address.shown + address.hide(f"AUTH {meant} failed")


@pytest.mark.parametrize(
    "password", ["p/sesame", "1/sesame", "p?sesame", "1?sesame", "1#sesame", "p@sesame", "sesame[", "℀sesame"]
)
@pytest.mark.parametrize("form", MISTAKEN)
def test_a_mistake_is_told_without_the_password(form: str, password: str) -> None:
    with pytest.raises(ClusterError) as refused:
        read_address(form.format(password))
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize("password", ["1/sesame", "p?sesame", "1#sesame", "p/s@sesame"])
def test_a_password_that_is_not_encoded_is_told_how_to_be(password: str) -> None:
    with pytest.raises(ClusterError, match="%2F") as refused:
        read_address(f"redis://user:{password}@host/0")
    assert "sesame" not in str(refused.value)


def test_what_redis_repeats_of_a_command_is_not_shown() -> None:
    address = read_address("redis://:sesame@host")
    said = "unknown command 'AUTH', with args beginning with: 'ses', "
    assert address.hide(said) == "unknown command 'AUTH'"


@pytest.mark.parametrize(
    "content", [b"", b"  \n", b"redis://host\nredis://:sesame@host", b"redis://:ses same@host", b"\xff"]
)
def test_a_file_without_exactly_one_url_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "url").write_bytes(content)
    with pytest.raises(ClusterError, match=r"the file (must hold one URL|cannot be read)") as refused:
        read_address(f"@{tmp_path / 'url'}")
    assert "ses" not in str(refused.value)
    with pytest.raises(ClusterError, match="the file cannot be read"):
        read_address(f"@{tmp_path}")


def test_a_file_may_end_with_a_line_end(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://:sesame@host/0\n")
    assert read_address(f"@{tmp_path / 'url'}").url == "redis://:sesame@host/0"


def test_an_address_of_sentinels_has_all_that_a_client_needs() -> None:
    address = read_address(
        "redis+sentinel://ann:p%40s@one,two:1,[::1],[fe80::1]:2/3/ma%20in?sentinel_username=bob&sentinel_password=a%2Fb"
    )
    assert address.sentinels == (("one", 26379), ("two", 1), ("::1", 26379), ("fe80::1", 2))
    assert (address.service, address.database) == ("ma in", 3)
    assert (address.username, address.password) == ("ann", "p@s")
    assert (address.sentinel_username, address.sentinel_password) == ("bob", "a/b")
    queried = read_address("redis+sentinel://one/main?username=ann&password=p%40s&db=3")
    assert (queried.username, queried.password, queried.database) == ("ann", "p@s", 3)


def test_the_settings_of_sentinels_that_do_not_answer_are_not_shown() -> None:
    said = "No master found for 'main' : <redis.asyncio.client.Redis(host=127.0.0.1,password=x)> - refused"
    assert read_address("redis+sentinel://one/main").hide(said) == "No master found for 'main'"
