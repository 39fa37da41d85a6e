"""Headers of the page and its files; no path leaves `static/`."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from raw_client import (
    JOURNEY,
    Answer,
    Server,
    io_loop,  # noqa: F401 (a fixture)
    serve,
)
from tornado.web import Application

import server as board
from handlers.socketio.operations.static_files import HEADERS

pytestmark = JOURNEY

SCRIPTS = ("/socket.io/socket.io.js", "/socket.io/socket.io.esm.js")


def assert_guarded(answer: Answer) -> None:
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


# -- the page


class Inline(HTMLParser):
    """Finds what the policy would keep a browser from running."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag
        self.found += [f"{tag} {name}" for name, _ in attrs if name == "style" or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        if self._open in ("script", "style") and data.strip():
            self.found.append(self._open)

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


async def test_the_page_allows_no_script_but_its_own() -> None:
    async with serve(board.make_app()) as server:
        answer = await server.request("GET", "/")
    policy = dict(directive.split(" ", 1) for directive in answer.headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'self'",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert_guarded(answer)
    assert answer.headers["Cache-Control"] == "no-cache"


async def test_nothing_in_the_pages_needs_what_the_policy_forbids() -> None:
    for page in (Path(board.HERE) / "templates").glob("*.html"):
        assert Inline(page.read_text()).found == [], page
    assert Inline('<p onclick="x()" style="y"><script>z()</script>').found == ["p onclick", "p style", "script"]
    for style in (Path(board.HERE) / "static").glob("*.css"):
        assert not re.search(r"url\((?!['\"]?/static)|@import", style.read_text()), style


async def test_a_page_that_is_not_there_and_files_are_guarded_alike() -> None:
    async with serve(board.make_app()) as server:
        for path in ("/static/board.css", "/static/nothing.css", *SCRIPTS):
            answer = await server.request("GET", path)
            assert answer.status == (404 if "nothing" in path else 200)
            assert_guarded(answer)
            if path not in SCRIPTS:
                assert answer.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


# -- how long files are kept


async def test_a_file_with_its_version_is_kept_for_a_year() -> None:
    async with serve(board.make_app()) as server:
        page = (await server.request("GET", "/")).text
        versioned = re.findall(r'"(static/[^"]+\?v=[^"]+)"', page)
        assert len(versioned) >= 3
        for path in versioned:
            answer = await server.request("GET", f"/{path}")
            assert answer.status == 200
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert "Expires" not in answer.headers


@pytest.mark.parametrize("query", ["", "?v=", "?v=0123456789abcdef", "?w=1"])
async def test_a_file_without_its_version_is_asked_for_again(query: str) -> None:
    async with serve(board.make_app()) as server:
        answer = await server.request("GET", f"/static/board.css{query}")
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")
        again = await server.request("GET", "/static/board.css", {"If-None-Match": answer.headers["Etag"]})
        assert (again.status, again.body) == (304, b"")


# -- no path out


@pytest.fixture
def application(tmp_path: Path) -> Application:
    """The board with its own static files, and a secret beside them."""
    static = tmp_path / "static"
    (static / "inner").mkdir(parents=True)
    (tmp_path / "static-other").mkdir()
    for secret in (tmp_path / "secret.txt", tmp_path / "static-other" / "secret.txt"):
        secret.write_text("secret")
    (static / "open.txt").write_text("open")
    (static / "leads-in.txt").symlink_to(static / "open.txt")
    (static / "leads-out.txt").symlink_to(tmp_path / "secret.txt")
    (static / "inner" / "leads-out").symlink_to(tmp_path)
    (static / "circle.txt").symlink_to(static / "circle.txt")
    (static / "nowhere.txt").symlink_to(tmp_path / "nowhere.txt")
    return board.make_app(static_path=static)


OUT = {
    "up": "/static/../secret.txt",
    "up, and back": "/static/../static/../secret.txt",
    "up, escaped": "/static/%2e%2e/secret.txt",
    "up, with an escaped slash": "/static/..%2fsecret.txt",
    "up, escaped twice": "/static/%252e%252e%252fsecret.txt",
    "up with a backslash": "/static/..%5csecret.txt",
    "to a neighbour of a similar name": "/static/../static-other/secret.txt",
    "from the root": "/static/{outside}/secret.txt",
    "from the root, escaped": "/static/%2f{outside}/secret.txt",
    "by a link": "/static/leads-out.txt",
    "by a link to a directory": "/static/inner/leads-out/secret.txt",
    "by a link of a version": "/static/leads-out.txt?v=1",
    "behind a null byte": "/static/../secret.txt%00.css",
    "to a null byte": "/static/%00",
    "in a circle": "/static/circle.txt",
    "to nowhere": "/static/nowhere.txt",
    "to a directory": "/static/inner",
    "to the directory itself": "/static/",
    "to a name that is too long": "/static/" + "x" * 5000,
    "through a file": "/static/open.txt/../../secret.txt",
}


@pytest.mark.parametrize("way", OUT)
async def test_no_path_leads_out(way: str, application: Application, tmp_path: Path) -> None:
    async with serve(application) as server:
        answer = await ask_for(server, OUT[way].format(outside=tmp_path))
        assert answer.status == 404
        assert b"secret" not in answer.body.replace(b"secret.txt", b"")


async def test_what_is_inside_is_there_by_a_link_too(application: Application) -> None:
    async with serve(application) as server:
        for path in ("/static/open.txt", "/static/leads-in.txt", "/static/inner/../open.txt"):
            answer = await ask_for(server, path)
            assert (answer.status, answer.text) == (200, "open")


async def test_static_files_may_be_behind_a_link_themselves(application: Application, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "static")
    settings: dict[str, Any] = {"static_path": tmp_path / "link"}
    async with serve(board.make_app(**settings)) as server:
        assert (await ask_for(server, "/static/open.txt")).text == "open"
        assert (await ask_for(server, "/static/leads-out.txt")).status == 404


async def ask_for(server: Server, path: str) -> Answer:
    """Send the path unchanged; a polite client would resolve it."""
    return await server.request("GET", path)
