"""Event streams, credentials across origins, and a page's policy, in a browser."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import JS, Server, board, wait_until
from test_page import arrival, carrier, departure, expect_lines, settled, welcome
from tornado.web import Application, RequestHandler

from handlers.socketio import Hub, SocketIOHandler, routes
from handlers.socketio.engineio.offsets import read_offset

pytestmark = pytest.mark.gen_test


@pytest.fixture
def server(start: Any) -> Server:
    """The board."""
    started: Server = start(board())
    return started


LISTEN = """
    window.heard = [];
    window.stream = new EventSource("/events");
    stream.addEventListener("news", ({ data, lastEventId }) => heard.push([JSON.parse(data), lastEventId]));
    new Promise((resolve) => stream.addEventListener("open", resolve));
"""


async def test_an_event_source_hears_the_board(server: Any, visit: Any) -> None:
    host = await visit(server.url)
    await expect_lines(host, arrival(1), welcome(1))
    await host.evaluate(LISTEN)
    guest = await visit(server.url)
    await expect_lines(guest, arrival(2), welcome(2))
    await guest.close()
    await expect_lines(host, arrival(1), welcome(1), arrival(2), departure(1))
    await wait_until(host, "heard.length === 2")
    heard = await host.evaluate("heard")
    assert [data for data, _ in heard] == [
        {"msg": "One more person is online", "count": 2},
        {"msg": "Someone went home", "count": 1},
    ]
    assert 0 < read_offset(heard[0][1]) < read_offset(heard[1][1])


@pytest.mark.parametrize("host", ["news.example.com", "http.ws.example.com"])
async def test_a_host_with_a_scheme_in_its_name_is_dialled_by_its_name(server: Any, visit: Any, host: str) -> None:
    page = await visit(server.url.replace("127.0.0.1", host))
    await expect_lines(page, arrival(1), welcome(1))
    await settled(page)
    assert await carrier(page) == "websocket"


class CookieHandler(SocketIOHandler):
    def on_cookie(self) -> str:
        return self.request.headers.get("Cookie", "")


class SetCookieHandler(RequestHandler):
    def get(self) -> None:
        self.set_cookie("who", "me", samesite="Lax")
        self.write("<!DOCTYPE html><title>cookie</title>")


@pytest.mark.parametrize(("with_credentials", "cookie"), [("true", "who=me"), ("false", "")])
async def test_cookies_go_to_another_origin_with_credentials_alone(
    server: Any, serve: Any, browser: Any, visit: Any, with_credentials: str, cookie: str
) -> None:
    hub = Hub({"/": CookieHandler})
    url = serve(Application([(r"/cookie", SetCookieHandler), *routes(hub, origins=[server.url])], hub=hub))
    # The board's own page connects to no other server; this stands for one that does.
    context = await browser.new_context(bypass_csp=True)
    await visit(f"{url}/cookie", context, ordinary=False)
    guest = await visit(server.url, context)
    ask = f"io('{url}', {{ transports: ['polling'], withCredentials: {with_credentials} }}).emitWithAck('cookie')"
    assert await guest.evaluate(ask) == cookie
    await context.close()


class EchoHandler(SocketIOHandler):
    def on_echo(self, data: Any) -> Any:
        return data


class OfficialPageHandler(RequestHandler):
    """A page with the official client."""

    def get(self) -> None:
        self.write("<!DOCTYPE html><link rel=icon href=data:,><script src=/official.js></script>")


class OfficialScriptHandler(RequestHandler):
    def get(self) -> None:
        self.set_header("Content-Type", "text/javascript")
        self.write((JS / "node_modules/socket.io-client/dist/socket.io.js").read_bytes())


ECHO_BYTES = """async (options) => {
  const socket = io({ forceNew: true, reconnection: false, ...options });
  await new Promise((resolve, reject) => socket.on("connect", resolve).on("connect_error", reject));
  const { engine } = socket.io;
  if (engine.transport.name !== "websocket") await new Promise((resolve) => engine.on("upgrade", resolve));
  const answers = [];
  for (const data of [Uint8Array.of(0, 98, 255), new Blob(["blob"]), new Uint8Array(0)]) {
    answers.push([...new Uint8Array(await socket.emitWithAck("echo", data))]);
  }
  socket.disconnect();
  return [engine.transport.ws.protocol, answers];
}"""


@pytest.mark.parametrize("base64", [False, True], ids=["binary", "base64"])
@pytest.mark.parametrize("protocols", [None, "v1.chat", ["v1.chat", "v2.chat"]], ids=str)
@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"]], ids="-".join)
async def test_the_official_client_of_a_page_connects_with_subprotocols_and_base64(
    serve: Any, visit: Any, transports: list[str], protocols: Any, base64: bool
) -> None:
    hub = Hub({"/": EchoHandler})
    pages = [(r"/", OfficialPageHandler), (r"/official\.js", OfficialScriptHandler)]
    page = await visit(serve(Application([*pages, *routes(hub)], hub=hub)))
    options = {"transports": transports, "forceBase64": base64, **({"protocols": protocols} if protocols else {})}
    protocol, answers = await page.evaluate(ECHO_BYTES, options)
    assert protocol == ("v1.chat" if protocols else "")
    assert answers == [[0, 98, 255], [*b"blob"], []]


BREAK_IN = """() => new Promise((resolve) => {
  const seen = new Set();
  document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
    seen.add(effectiveDirective);
    if (seen.size === 5) resolve([...seen].sort().concat(typeof window.owned));
  });
  const script = document.createElement("script");
  script.textContent = "window.owned = true";
  document.body.append(script);
  document.body.insertAdjacentHTML("beforeend", "<p onclick='window.owned = true'>");
  document.body.lastChild.click();
  document.body.insertAdjacentHTML("beforeend", "<base href='https://elsewhere.example/'>");
  document.body.insertAdjacentHTML("beforeend", "<style>p { color: red }</style>");
  new WebSocket("wss://elsewhere.example/").onerror = () => {};
})"""


async def test_what_is_smuggled_into_the_page_does_nothing(server: Any, visit: Any) -> None:
    page = await visit(server.url, ordinary=False)
    await expect_lines(page, arrival(1), welcome(1))
    assert await page.evaluate(BREAK_IN) == [
        "base-uri", "connect-src", "script-src-attr", "script-src-elem", "style-src-elem", "undefined",
    ]  # fmt: skip


async def test_the_page_works_where_a_policy_takes_websockets_for_foreign(server: Any, visit: Any) -> None:
    """As in Safari before 16, where 'self' is for HTTP alone."""
    insecure = "window.WebSocket = class { constructor() { throw new DOMException('insecure', 'SecurityError'); } }"
    page = await visit(server.url, script=insecure)
    await expect_lines(page, arrival(1), welcome(1))
    assert await carrier(page) == "polling"
