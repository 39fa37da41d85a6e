"""The code of docs/logins.md, over the wire and in the test kit."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from documented import run_page
from inside import connect
from raw_client import (
    JOURNEY,
    UPGRADE,
    Polling,
    Server,
    WebSocket,
    address,
    io_loop,  # noqa: F401 (a fixture)
    serve,
)
from tornado.web import Application, HTTPError, create_signed_value

from handlers.socketio import Hub, Refused, SocketIOHandler, routes
from handlers.socketio.testing import TestClient

pytestmark = JOURNEY

SECRET = "a secret of the tests"
PAGE = run_page("docs/logins.md")
both = pytest.mark.parametrize("transport", ["polling", "websocket"])


def cookie(name: str, clock: Any = None) -> dict[str, str]:
    """The headers of a browser that is logged in."""
    return {"Cookie": "user=" + create_signed_value(SECRET, "user", name, clock=clock).decode()}


class Provider:
    """Knows one person, Ann."""

    async def person_of(self, code: str) -> dict[str, str]:
        return {"code": code, "name": "Ann"}


def make_app() -> Application:
    return PAGE.make_app(cookie_secret=SECRET, provider=Provider(), log_function=lambda _: None)


async def open_session(server: Server, transport: str, headers: dict[str, str]) -> Any:
    """Open a session with these headers."""
    if transport == "websocket":
        socket = await server.handshake(headers)
        assert (await socket.answer()).status == 101
        await socket.next()
        return socket
    answer = await server.request("GET", address(), headers)
    return Polling(server, answer)


@both
async def test_a_cookie_of_the_application_logs_a_socket_in(transport: str) -> None:
    async with serve(make_app()) as server:
        ann = await open_session(server, transport, cookie("Ann"))
        for namespace in ("", "/annex,"):
            await ann.send(f"40{namespace}")
            assert (await ann.next()).startswith(f"40{namespace}{{")
        await ann.send('421["name"]')
        assert await ann.next() == '431["Ann"]'
        page = await server.request("GET", "/", cookie("Ann"))
        assert page.text == "Hello Ann"


@both
@pytest.mark.parametrize("headers", [{}, {"Cookie": "user=Ann"}, {"Cookie": "user=2|1:0|10:1|4:user|4:QW5u|00"}])
async def test_who_is_not_logged_in_is_refused(transport: str, headers: dict[str, str]) -> None:
    async with serve(make_app()) as server:
        nobody = await open_session(server, transport, headers)
        await nobody.send("40")
        assert await nobody.next() == '44{"message":"Log in first","data":{"login":"/login"}}'
        await nobody.send("40/annex,")
        assert await nobody.next() == '44/annex,{"message":"Forbidden"}'


async def test_a_logout_ends_the_sockets_of_a_user_in_all_tabs() -> None:
    async with serve(make_app()) as server:
        tabs = [await open_session(server, "websocket", cookie("Ann")) for _ in range(3)]
        bob = await open_session(server, "websocket", cookie("Bob"))
        for client, namespace in [*zip(tabs, ["", "", "/annex,"], strict=True), (bob, "")]:
            await client.send(f"40{namespace}")
            await client.next()
        assert (await server.request("POST", "/logout", cookie("Ann"))).status == 200
        for tab, said in zip(tabs, ["41", "41", "41/annex,"], strict=True):
            assert await tab.next() == said
            await tab.ended()
        await bob.send('421["name"]')
        assert await bob.next() == '431["Bob"]'


async def test_OAuth_ends_in_the_same_cookie() -> None:
    async with serve(make_app()) as server:
        answer = await server.request("GET", "/callback?code=1")
        assert answer.status == 302
        ann = await open_session(server, "websocket", {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]})
        await ann.send("40")
        assert (await ann.next()).startswith('40{"sid":')


async def test_a_token_comes_in_auth_or_in_the_query(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = make_app().settings["hub"]
    assert await (await connect(hub, "/robots", auth={"token": "s3cret"})).call("name") == "robot"
    assert await (await connect(hub, "/robots", query="token=other&token=s3cret")).call("name") == "robot"
    with pytest.raises(Refused, match=r"^Missing argument token$"):
        await connect(hub, "/robots")
    with pytest.raises(Refused, match=r"^Unknown token$"):
        await connect(hub, "/robots", query="token=other")


async def test_a_login_that_has_expired_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = make_app().settings["hub"]
    talks, listens = [await connect(hub, "/robots", auth={"token": "s3cret"}) for _ in range(2)]
    PAGE.end_expired(hub)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 7200)
    talks.emit("name")
    assert await talks.receive("disconnect") == ()
    PAGE.end_expired(hub)
    assert await listens.receive("disconnect") == ()


async def test_a_cookie_that_has_expired_is_refused_also_to_a_client_that_comes_back() -> None:
    hub = Hub({"/": Present})
    hub.settings = {"cookie_secret": SECRET, "log": []}
    ann = await connect(hub, headers=cookie("Ann"), recovery=True)
    ann.drop()
    ann._handshake.headers["Cookie"] = cookie("Ann", clock=lambda: 0)["Cookie"]
    with pytest.raises(Refused):
        await ann.connect()
    assert hub.settings["log"] == ["Ann came", "Ann went"]


class Present(PAGE.Login, SocketIOHandler):
    """Tells who comes and goes."""

    def authenticate(self, auth: dict[str, Any]) -> bool:
        return self.current_user is not None

    def on_connect(self) -> None:
        self.settings["log"].append(f"{self.current_user} came")

    def on_disconnect(self, reason: str) -> None:
        self.settings["log"].append(f"{self.current_user} went")


async def come_back(ann: TestClient, headers: dict[str, str]) -> None:
    """Come back with other headers."""
    ann.drop()
    ann._handshake.headers.clear()
    ann._handshake.headers.update(headers)
    await ann.connect()


async def test_who_comes_back_is_found_out_again() -> None:
    hub = Hub({"/": Present})
    hub.settings = {"cookie_secret": SECRET, "log": []}
    ann = await connect(hub, headers=cookie("Ann"), recovery=True)
    await come_back(ann, cookie("Anna"))
    assert ann.recovered
    ann.disconnect()
    assert hub.settings["log"] == ["Ann came", "Ann went", "Anna came", "Anna went"]


async def test_who_may_not_come_back_is_who_leaves() -> None:
    hub = Hub({"/": Present}, presence_grace=60)
    hub.settings = {"cookie_secret": SECRET, "log": []}
    ann = await connect(hub, headers=cookie("Ann"), recovery=True)
    with pytest.raises(Refused):
        await come_back(ann, {})
    assert hub.settings["log"] == ["Ann came", "Ann went"]


class Asked(SocketIOHandler):
    """Answers what the request was."""

    asked = 0

    def get_current_user(self) -> Any:
        type(self).asked += 1
        return self.get_cookie("name")

    def on_user(self) -> list[Any]:
        return [self.current_user, self.current_user]

    def on_request(self) -> dict[str, Any]:
        request = self.request
        return {
            "host": request.host,
            "protocol": request.protocol,
            "path": request.path,
            "remote_ip": request.remote_ip,
            "query": request.query,
            "all": self.get_query_arguments("a"),
            "raw": [value.decode() for value in request.query_arguments["a"]],
            "last": self.get_argument("a"),
            "default": self.get_query_argument("b", None),
            "unstripped": self.get_arguments("a", strip=False),
            "cookies": {name: morsel.value for name, morsel in request.cookies.items()},
            "no cookie": self.get_cookie("other", "default"),
            "agent": request.headers.get("user-agent"),
            "setting": self.settings["answer"],
        }

    def on_status(self, status: int) -> None:
        raise HTTPError(status)

    def on_reason(self) -> None:
        raise HTTPError(418, "for the log: %s", "x", reason="Short and stout")

    def on_missing(self) -> None:
        self.get_query_argument("missing")

    def on_signed(self) -> None:
        self.get_signed_cookie("user")


@both
async def test_a_handler_is_asked_like_a_RequestHandler(transport: str) -> None:
    hub = Hub({"/": Asked})
    hub.settings["other"] = "kept"
    application = Application([*routes(hub)], answer=42)
    async with serve(application) as server:
        path = f"/socket.io/?EIO=4&transport={transport}&a=1&a=%20zw%C3%B6lf%00&%C3%A4=x"
        headers = {"Cookie": 'name="An\\"n"; bad[]=1; flag; name2=x', "User-Agent": "tests"}
        client = await ask(server, transport, path, headers)
        await client.send("40")
        await client.next()
        await client.send('421["request"]')
        answer = await client.next()
        (said,) = json.loads(answer[2:][1:])
        cookies = said.pop("cookies")
        assert cookies["name"] == 'An"n'
        assert cookies["name2"] == "x"
        assert said == {
            "host": f"127.0.0.1:{server.port}",
            "protocol": "http",
            "path": "/socket.io/",
            "remote_ip": "127.0.0.1",
            "query": {"a": " zwölf\0", "ä": "x"},
            "all": ["1", "zwölf"],
            "raw": ["1", " zwölf\0"],
            "last": "zwölf",
            "default": None,
            "unstripped": ["1", " zwölf "],
            "no cookie": "default",
            "agent": "tests",
            "setting": 42,
        }
        assert hub.settings is application.settings
        assert hub.settings["other"] == "kept"


async def ask(server: Server, transport: str, path: str, headers: dict[str, str]) -> Any:
    if transport == "polling":
        return Polling(server, await server.request("GET", path, headers))
    socket = await server.connect(WebSocket)
    socket.write(server.head("GET", path, {**UPGRADE, **headers}))
    assert (await socket.answer()).status == 101
    await socket.next()
    return socket


async def test_the_user_is_asked_for_once() -> None:
    Asked.asked = 0
    ann = await connect(Hub({"/": Asked}), headers={"cookie": "name=Ann"})
    assert Asked.asked == 0
    assert await ann.call("user") == ["Ann", "Ann"]
    assert Asked.asked == 1


async def test_errors_of_Tornado_say_what_the_client_did_wrong() -> None:
    ann = await connect(Hub({"/": Asked}))
    assert await ann.call("status", 403) == {"message": "Forbidden"}
    assert await ann.call("status", 499) == {"message": "Unknown"}
    assert await ann.call("reason") == {"message": "Short and stout"}
    assert await ann.call("missing") == {"message": "Missing argument missing"}


async def test_an_error_of_the_server_stays_one(caplog: pytest.LogCaptureFixture) -> None:
    ann = await connect(Hub({"/": Asked}))
    assert await ann.call("status", 500) == {"message": "Internal error"}
    assert await ann.call("signed") == {"message": "Internal error"}
    assert "cookie_secret" in caplog.records[-1].exc_text


def test_a_user_cannot_be_waited_for() -> None:
    with pytest.raises(TypeError, match=r"Late\.get_current_user is async.*set self\.current_user in authenticate"):

        class Late(SocketIOHandler):
            async def get_current_user(self) -> Any: ...
