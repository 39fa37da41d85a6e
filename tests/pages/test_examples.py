"""The examples, started by their one command, in a real Chromium."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from conftest import PATIENCE, ROOT, Server
from playwright.async_api import Page, expect
from socketio import AsyncSimpleClient
from tornado.netutil import bind_sockets
from tornado.tcpclient import TCPClient

import handlers.socketio

pytestmark = pytest.mark.gen_test
expect.set_options(timeout=1000 * PATIENCE)

EXAMPLES = ROOT / "examples"
NAMES = ["cursors", "todo", "monitor", "rooms"]
NASTY = [
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">",
    "\u202e\u2067 right to left",
    "W" * 20,
    "👨‍👩‍👧" * 4,
    "half \ud800 a pair",
    "Zo\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307",
]
UNREADABLE = ["", "  ", "\u200b\u200d\u2060", "\u202e", "\x00\x07"]
NO_TEXT = [None, 7, True, {}, ["x"]]


# ---- The words of these tests


@pytest.fixture(scope="module")
def run(start: Any, tmp_path_factory: Any) -> Callable[[str], Server]:
    """Runs an example, from a directory that is not the checkout's."""

    def run(name: str) -> Server:
        command = [sys.executable, EXAMPLES / f"{name}.py", "--port={port}"]
        server = Server(*command, cwd=tmp_path_factory.mktemp(name))
        (socket,) = bind_sockets(0, "127.0.0.1")
        with socket:
            server.port = socket.getsockname()[1]
        return start(server)

    return run


async def connected(page: Page) -> Page:
    """The page, as soon as a WebSocket carries its session."""
    await page.wait_for_function("socket.connected && socket.io.engine.transport.name === 'websocket'")
    return page


async def type_in(page: Page, selector: str, text: str) -> None:
    await page.fill(selector, text)
    await page.press(selector, "Enter")


async def expect_no_overflow(page: Page) -> None:
    """Expect that nothing is wider than the smallest of phones."""
    await page.set_viewport_size({"width": 320, "height": 640})
    assert await page.evaluate("document.documentElement.scrollWidth") == 320


# ---- Cursors: each test has a game of its own


@pytest.fixture(scope="module")
def cursors(run: Any) -> str:
    return run("cursors").url


def players(page: Page) -> Any:
    return page.locator("#players li")


async def play(visit: Any, url: str, *names: str) -> list[Page]:
    """Let people into a game, one after the other."""
    pages: list[Page] = []
    for number, name in enumerate(names, 1):
        pages.append(await connected(await visit(url)))
        await type_in(pages[-1], "#name", name)
        for page in pages:
            await expect(players(page)).to_have_text(list(names[:number]))
    return pages


async def point(page: Page, x: float, y: float) -> None:
    """Move the mouse to a part of the field's width and height."""
    left, top, width, height = await page.locator("#field").evaluate("""field => {
      const { x, y } = field.getBoundingClientRect();
      return [x + field.clientLeft, y + field.clientTop, field.clientWidth, field.clientHeight];
    }""")
    await page.mouse.move(left + x * width, top + y * height)


async def expect_cursor(page: Page, name: str, x: float, y: float) -> None:
    """Expect somebody's cursor at a part of the field's width and height."""
    await page.wait_for_function(
        """([name, x, y]) => [...document.querySelectorAll(".cursor:not([hidden])")].some((cursor) => {
          const [left, top] = cursor.style.translate.split(" ").map(parseFloat);
          return cursor.textContent === name && Math.abs(left - 100 * x) < 0.5 && Math.abs(top - 100 * y) < 0.5;
        })""",
        arg=[name, x, y],
    )


async def test_a_cursor_is_seen_where_it_is_and_goes_with_its_owner(cursors: str, visit: Any) -> None:
    ada, bob = await play(visit, cursors, "Ada", "Bob")
    for x, y in [(0.25, 0.75), (0.5, 0.5)]:
        await point(ada, x, y)
        await expect_cursor(bob, "Ada", x, y)
    newcomer = await visit(cursors)
    await expect_cursor(newcomer, "Ada", 0.5, 0.5)
    colours = "[...$('players').children].map((player) => getComputedStyle(player, '::before').backgroundColor)"
    assert len(set(await newcomer.evaluate(colours))) == 3
    await ada.close()
    for page in (bob, newcomer):
        await expect(players(page)).to_have_text(["Bob", "Guest 3"])
        await expect(page.locator(".cursor", has_text="Ada")).to_have_count(0)


async def test_of_many_moves_sixty_a_second_are_told_and_the_last_is(cursors: str, visit: Any) -> None:
    ada, bob = await play(visit, f"{cursors}/#fast", "Ada", "Bob")
    told, milliseconds, told_at_rest = await ada.evaluate("""async () => {
      let told = 0;
      const start = performance.now();
      const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
      socket.onAnyOutgoing((event) => { told += event === "move"; });
      for (let i = 0; i < 100; i++) {
        const place = { clientX: i, clientY: 0 };
        for (let k = 0; k < 10; k++) $("field").dispatchEvent(new PointerEvent("pointermove", place));
        await wait(1);
      }
      await wait(50);
      const [moving, milliseconds] = [told, performance.now() - start];
      await wait(50);
      return [moving, milliseconds, told - moving];
    }""")
    assert 1 <= told <= milliseconds * 60 / 1000 + 2
    assert told_at_rest == 0
    await point(ada, 0.125, 0.25)
    await expect_cursor(bob, "Ada", 0.125, 0.25)


async def test_a_game_does_not_see_the_players_of_another(cursors: str, visit: Any) -> None:
    (ada,) = await play(visit, f"{cursors}/#house", "Ada")
    bob, cleo = await play(visit, f"{cursors}/#garden", "Bob", "Cleo")
    await point(ada, 0.5, 0.5)
    await point(cleo, 0.25, 0.25)
    await expect_cursor(bob, "Cleo", 0.25, 0.25)
    await expect(players(bob)).to_have_text(["Bob", "Cleo"])
    await expect(players(ada)).to_have_text(["Ada"])


async def test_bad_moves_and_names_are_refused_in_words(cursors: str, visit: Any) -> None:
    (page,) = await play(visit, f"{cursors}/#bad", "Ada")
    async with AsyncSimpleClient() as client:
        await client.connect(cursors, namespace="/bad")
        for place in [(), 0.5, (0.5,), (2, 0.5), (0.5, -1), ("0", "0"), (None, {}), (10**400, 0)]:
            assert "numbers from 0 to 1" in (await client.call("move", place))["error"]
        for name in [*UNREADABLE, *NO_TEXT, "W" * 21]:
            assert "1 to 20 characters" in (await client.call("name", name))["error"]
        await expect(players(page)).to_have_text(["Ada", "Guest 2"])
        assert await client.call("move", (1, 1)) == {}
        for name in NASTY:
            assert await client.call("name", name[:20]) == {}
        await expect(players(page).nth(1)).to_contain_text("Zo")
        await expect_no_overflow(page)
    await type_in(page, "#name", " ")
    await expect(page.get_by_role("alert")).to_contain_text("1 to 20 characters")
    assert await page.title() == "Cursors"


# ---- To do: each test has a list of its own


@pytest.fixture
def todo(run: Any) -> Iterator[str]:
    server = run("todo")
    yield server.url
    server.stop()


def todos(page: Page) -> Any:
    return page.locator("#list li span")


async def add(page: Page, text: str) -> None:
    await type_in(page, "#text", text)


async def test_a_list_is_in_step_between_phone_and_web(todo: str, visit: Any) -> None:
    web, phone = await visit(todo), await visit(todo)
    await add(web, "Milk")
    await add(web, "Bread")
    await expect(todos(phone)).to_have_text(["Milk", "Bread"])
    await phone.get_by_label("Milk", exact=True).check()
    await expect(web.get_by_label("Milk", exact=True)).to_be_checked()
    await phone.get_by_label("Remove Bread").click()
    await expect(todos(web)).to_have_text(["Milk"])
    second_tab = await visit(todo, context=web.context)
    await expect(second_tab.get_by_label("Milk", exact=True)).to_be_checked()


async def test_what_is_changed_offline_arrives_once(todo: str, visit: Any) -> None:
    web, phone = await visit(todo), await connected(await visit(todo, ordinary=False))
    await add(web, "Milk")
    await expect(todos(phone)).to_have_text(["Milk"])
    await phone.evaluate("window.lists = 0, socket.on('list', () => { lists += 1; })")
    await phone.context.set_offline(True)
    await add(phone, "Bread")
    await phone.get_by_label("Milk", exact=True).check()
    await expect(phone.get_by_role("status")).to_have_text("Offline: 2 to send")
    await expect(todos(phone)).to_have_text(["Milk", "Bread"])
    await add(web, "Soap")
    await expect(todos(web)).to_have_text(["Milk", "Soap"])
    await phone.context.set_offline(False)
    await expect(phone.get_by_role("status")).to_have_text("Connected")
    for page in (web, phone):
        await expect(todos(page)).to_have_text(["Milk", "Soap", "Bread"])
        await expect(page.get_by_label("Milk", exact=True)).to_be_checked()
        await expect(page.locator(".waiting")).to_have_count(0)
    assert await phone.evaluate("[socket.recovered, lists]") == [True, 0]


async def test_a_change_whose_answer_is_lost_is_sent_again_and_made_once(todo: str, visit: Any) -> None:
    web, phone = await visit(todo), await connected(await visit(todo))
    await phone.evaluate("""() => {
      window.sent = [];
      socket.onAnyOutgoing((event, key) => sent.push(key));
      socket.io.opts.reconnection = false;
      change(null, { text: "Milk" });
      socket.io.engine.close();
    }""")
    await expect(todos(web)).to_have_text(["Milk"])
    await web.get_by_label("Remove Milk").click()
    await expect(todos(web)).to_have_count(0)
    await expect(todos(phone)).to_have_text(["Milk"])
    await phone.evaluate("socket.connect()")
    await phone.wait_for_function("sent.length === 2 && outbox.size === 0")
    first, second = await phone.evaluate("sent")
    assert first == second
    await add(phone, "Bread")
    for page in (web, phone):
        await expect(todos(page)).to_have_text(["Bread"])


async def test_what_waits_is_sent_by_the_page_that_is_loaded_again(todo: str, visit: Any) -> None:
    web, phone = await visit(todo), await connected(await visit(todo))
    await phone.evaluate("socket.disconnect()")
    await add(phone, "Milk")
    await expect(phone.get_by_role("status")).to_have_text("Offline: 1 to send")
    await phone.reload()
    for page in (web, phone):
        await expect(todos(page)).to_have_text(["Milk"])
        await expect(page.locator(".waiting")).to_have_count(0)


async def test_bad_changes_are_refused_in_words(todo: str, visit: Any) -> None:
    page = await visit(todo)
    async with AsyncSimpleClient() as client:
        await client.connect(todo)

        async def change(*args: Any) -> dict[str, str]:
            return await client.call("change", args)

        for ids in [(), ("k",), (1, "i"), ("k", None), ("k" * 51, "i"), ("k", "i" * 51), ([], {})]:
            assert "50 characters at most" in (await change(*ids))["error"]
        for what in [*NO_TEXT, "text", {"done": 1}, {"gone": False}, *({"text": each} for each in NO_TEXT)]:
            assert "a text, done (true or false)" in (await change("k", "i", what))["error"]
        for text in [*UNREADABLE, "W" * 201]:
            assert "1 to 200 characters" in (await change("k", "i", {"text": text}))["error"]
        assert "removed" in (await change("k", "i", {"done": True}))["error"]
        nasty = [*NASTY, "W" * 200]
        for number, text in enumerate(nasty):
            assert await change(f"k{number}", f"i{number}", {"text": text}) == {}
        await expect(todos(page)).to_have_count(len(nasty))
        await expect_no_overflow(page)
        for number in range(len(nasty), 500):
            assert await change(f"k{number}", f"i{number}", {"text": "x"}) == {}
        assert "full" in (await change("k", "i", {"text": "x"}))["error"]
    await add(page, "One more")
    await expect(page.get_by_role("alert")).to_contain_text("full")
    await expect(page.locator("#text")).to_have_value("One more")
    assert await page.title() == "To do"


# ---- Monitor


@pytest.fixture(scope="module")
def monitor(run: Any) -> str:
    return run("monitor").url


async def test_the_monitor_moves_over_both_ways(monitor: str, visit: Any) -> None:
    page = await visit(monitor)
    for way in ("#socket", "#stream"):
        await expect(page.locator(way)).to_contain_text(":")
        await expect(page.locator(way)).not_to_have_text(await page.locator(way).text_content())
    await expect(page.locator("#stream")).to_contain_text(re.compile(r"processor \d{1,3} %$"))
    numbers = await page.locator(".number").all_text_contents()
    for number, shape in zip(numbers, [r"\d{1,3} %", r"\d{1,3} %", r"\d+\.\d\d", r"\d+ kB/s"], strict=True):
        assert re.fullmatch(shape, number.strip())
    await expect_no_overflow(page)
    points = "document.querySelector('polyline').points.numberOfItems"
    had = await page.evaluate(points)
    assert had >= 2
    newcomer = await visit(monitor)
    await newcomer.wait_for_function("samples.length > 0")
    assert await newcomer.evaluate(points) >= had


async def test_a_reader_of_the_monitor_needs_no_client(monitor: str) -> None:
    stream = await TCPClient().connect("127.0.0.1", urlsplit(monitor).port)
    await stream.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    first, second = [json.loads((await stream.read_until_regex(rb"data: .*\n")).split(b"data: ")[1]) for _ in range(2)]
    stream.close()
    assert first.keys() == second.keys() == {"at", "processor", "memory", "load", "network"}
    assert first["at"] < second["at"]
    assert 0 <= second["processor"] <= 100
    assert 0 < second["memory"] < 100


INTERFACES = """
import monitor

real, rows = monitor.read, [["Inter-|"], ["face"], ["eth0:", "1000"], ["veth0:", "9000"]]
monitor.read = lambda name: rows if name == "net/dev" else real(name)
machine = monitor.Machine()
rows[2:] = [["eth0:", "3000"]]
print(machine.sample()["network"])
rows[2:] = [["eth0:", "4000"], ["veth1:", "7000"]]
print(machine.sample()["network"])
"""


def test_the_monitor_counts_what_came_in_whatever_interfaces_come_and_go() -> None:
    command = [sys.executable, "-c", INTERFACES]
    run = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert run.stdout.split() == ["2.0", "1.0"]


async def test_the_monitor_takes_no_events(monitor: str) -> None:
    async with AsyncSimpleClient() as client:
        await client.connect(monitor)
        assert "only speaks" in (await client.call("sample", {"processor": 100}))["error"]
        assert "only speaks" in (await client.call("anything"))["error"]


# ---- Rooms: each test has a room of its own

KNOCK = """(auth) => new Promise((resolve) => {
  const socket = io({ auth: JSON.parse(auth), forceNew: true });
  socket.on("connect", () => resolve("Welcome"));
  socket.on("connect_error", ({ message }) => resolve(message));
})"""


@pytest.fixture(scope="module")
def rooms(run: Any) -> Server:
    return run("rooms")


async def knock(page: Page, name: str, room: str, password: str) -> None:
    for field, text in {"name": name, "room": room, "password": password}.items():
        await page.fill(f"#door [name={field}]", text)
    await page.click("#door button")


def guests(page: Page) -> Any:
    return page.locator("#guests li")


def said(page: Page) -> Any:
    return page.locator("#said p")


async def test_a_room_is_for_those_who_know_its_password(rooms: Server, visit: Any) -> None:
    # Who is refused in the midst of an upgrade hears of it twice: the browser complains of the WebSocket.
    ada, bob, cleo = await visit(rooms.url), await visit(rooms.url, ordinary=False), await visit(rooms.url)
    await knock(ada, "Ada", "tea", "camomile")
    await expect(guests(ada)).to_have_text(["Ada"])
    await knock(bob, "Bob", "tea", "coffee")
    await expect(bob.get_by_role("alert")).to_have_text("This is not the password of the room “tea”")
    await expect(bob.locator("#inside")).to_be_hidden()
    await knock(bob, "Bob", "tea", "camomile")
    await expect(bob.get_by_role("alert")).to_have_text("")
    await knock(cleo, "Cleo", "coffee", "arabica")
    await expect(guests(cleo)).to_have_text(["Cleo"])
    for page in (ada, bob):
        await expect(guests(page)).to_have_text(["Ada", "Bob"])
    await type_in(ada, "#text", "Just us?")
    await expect(said(bob)).to_have_text(["AdaJust us?"])
    await type_in(cleo, "#text", "Nobody here")
    await type_in(bob, "#text", "Just us")
    await expect(said(ada)).to_have_text(["AdaJust us?", "BobJust us"])
    await expect(said(cleo)).to_have_text(["CleoNobody here"])
    await bob.close()
    await expect(guests(ada)).to_have_text(["Ada"])


async def test_an_empty_room_is_forgotten_with_its_password(rooms: Server, visit: Any) -> None:
    # Ada is refused in the end, and her browser may complain as Bob's above.
    ada, bob = await visit(rooms.url, ordinary=False), await visit(f"{rooms.url}/#room=100%25+tea")
    await knock(ada, "Ada", "100% tea", "sencha")
    await expect(guests(ada)).to_have_text(["Ada"])
    assert ada.url == bob.url
    await expect(bob.locator("[name=room]")).to_have_value("100% tea")
    await type_in(ada, "#text", "Nobody shall know")
    await expect(said(ada)).to_have_count(1)
    await ada.click("#leave")
    await expect(ada.locator("#door")).to_be_visible()
    await knock(bob, "Bob", "100% tea", "matcha")
    await expect(guests(bob)).to_have_text(["Bob"])
    await expect(said(bob)).to_have_count(0)
    await knock(ada, "Ada", "100% tea", "sencha")
    await expect(ada.get_by_role("alert")).to_contain_text("not the password")


async def test_who_comes_back_shows_the_password_again(rooms: Server, visit: Any) -> None:
    ada = await visit(rooms.url, ordinary=False)
    await knock(ada, "Ada", "cocoa", "bitter")
    await expect(guests(ada)).to_have_text(["Ada"])
    await asyncio.to_thread(rooms.stop)
    await expect(ada.get_by_role("status")).to_have_text("Reconnecting…")
    await asyncio.to_thread(rooms.start)
    await expect(ada.get_by_role("status")).to_have_text("Connected")
    bob = await visit(rooms.url)
    await knock(bob, "Bob", "cocoa", "sweet")
    await expect(bob.get_by_role("alert")).to_contain_text("not the password")


async def test_bad_names_rooms_and_messages_are_refused_in_words(rooms: Server, visit: Any) -> None:
    page = await visit(rooms.url, ordinary=False)
    await knock(page, "Ada", "water", "still")
    await expect(guests(page)).to_have_text(["Ada"])
    good = {"name": NASTY[0][:20], "room": "water", "password": "still"}
    for key, text, fault in [
        ("name", "W" * 21, "A name has 1 to 20 characters"),
        ("room", "W" * 31, "The name of a room has 1 to 30 characters"),
        ("password", "W" * 101, "A password has 1 to 100 characters"),
        ("password", "half \ud800 a pair", "not the password"),
        *((key, text, "one at least that can be seen") for key in good for text in [*UNREADABLE, *NO_TEXT]),
    ]:
        assert fault in await page.evaluate(KNOCK, json.dumps({**good, key: text}))
    async with AsyncSimpleClient() as client:
        await client.connect(rooms.url, auth=good)
        assert "1 to 500 characters" in (await client.call("say"))["error"]
        for text in [*UNREADABLE, *NO_TEXT, "W" * 501]:
            assert "1 to 500 characters" in (await client.call("say", text))["error"]
        for text in [*NASTY, "W" * 500]:
            assert await client.call("say", text) == {}
        await expect(said(page)).to_have_count(len(NASTY) + 1)
        await expect_no_overflow(page)
    assert await page.title() == "Rooms"


# ---- The files


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_one_short_file_on_the_public_interface(name: str) -> None:
    source = (EXAMPLES / f"{name}.py").read_text()
    assert len(source.splitlines()) < 80
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    (ours,) = [node for node in imports if node.level or node.module.split(".")[0] in ("examples", "handlers", *NAMES)]
    assert ours.module == "handlers.socketio"
    assert {alias.name for alias in ours.names} <= set(handlers.socketio.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_asks_nobody_else_for_anything(name: str) -> None:
    page = (EXAMPLES / f"{name}.html").read_text()
    asked = re.findall(r'(?:src|href)="([^"]+)"', page) + re.findall(r"url\(|@import", page)
    assert {each for each in asked if not each.startswith("data:")} == {"/style.css", "/socket.io/socket.io.js"}


def test_the_readme_has_the_command_of_each() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(NAMES)
    for name in NAMES:
        assert f"python examples/{name}.py" in readme
