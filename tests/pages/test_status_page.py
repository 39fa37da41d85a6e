"""The status page as an administrator sees it, in a real Chromium.

Most servers here run in the test's own loop and were not started: they look when the test tells them to.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import raw_client
from conftest import JS, PATIENCE, board, wait_until
from inside import connect, status_of, without_samples
from playwright.async_api import Page, expect
from test_page import arrival, expect_lines, settled, welcome
from tornado.web import Application

from handlers.socketio import __version__
from handlers.socketio.backplane import Backplane, NodeState
from handlers.socketio.engineio.errors import BadRequest
from handlers.socketio.methods import EventMethod
from handlers.socketio.operations.addresses import Addresses
from handlers.socketio.operations.status import Status
from handlers.socketio.watch import MethodWatch
from server import make_app

pytestmark = pytest.mark.gen_test
expect.set_options(timeout=1000 * PATIENCE)

BEGIN = 1_700_000_000.0
TEN_MINUTES = 600
QUEUE_FRAMES = "window.frames = []; window.requestAnimationFrame = (draw) => window.frames.push(draw);"
"""The page of a tab that nobody sees: the browser does not paint it."""
COUNT_SHIFTS = """
    window.shifted = 0;
    new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => { window.shifted += value; }))
        .observe({ type: "layout-shift", buffered: true });
"""


# ---- The words of these tests


class Observed:
    """A server, and the page of its work."""

    def __init__(self, application: Application, url: str, visit: Callable[..., Awaitable[Page]]) -> None:
        self.hub = application.settings["hub"]
        self.status: Status = status_of(application)
        self.url = url
        self.server = raw_client.Server(urlsplit(url).port or 0, application)
        self._visit = visit

    async def open(self, *context: Any, span: str = "10 min", **options: Any) -> Page:
        """Open the page, with the plots of a time."""
        page = await self._visit(f"{self.url}/status", *context, **options)
        await wait_until(page, "socket.connected")
        await settled(page)
        await page.locator("#range").get_by_text(span, exact=True).click()
        return page

    async def person(self) -> Any:
        """Let somebody come to the board."""
        client = await self.server.websocket()
        await raw_client.join(client)
        return client

    def fill(self, values: list[int], begin: float = BEGIN) -> None:
        """Fill the samples with people online and events, second by second."""
        for second, online in enumerate(values):
            self.hub.counters.events += online
            self.status.samples.take(online, now=begin + second, at=begin + second)

    def tell(self) -> None:
        """Tell those who look on of the last sample."""
        self.hub.of("/status").emit("now", self.status.now())


@pytest.fixture
def observed(serve: Any, visit: Any) -> Observed:
    application = without_samples(make_app())
    return Observed(application, serve(application), visit)


async def expect_number(page: Page, plot: str, text: str) -> None:
    """Expect what stands beside a plot."""
    await expect(page.locator(f"#{plot} b")).to_have_text(text)


async def expect_peak(page: Page, plot: str, text: str) -> None:
    await expect(page.locator(f"#{plot} .most")).to_have_text(f"peak {text}")


async def expect_count(page: Page, name: str, text: str) -> None:
    await expect(page.locator(f"[data-count='{name}']")).to_have_text(text)


async def line(page: Page, name: str) -> list[list[tuple[float, float]]]:
    """Return the points of a line, in runs.

    x: from 0, ten minutes ago, to 600; y: from 0, the top, to 100.
    """
    path = await page.locator(f".line[data-of='{name}']").get_attribute("d") or ""
    runs = [run.removesuffix("h0").split("L") for run in path.split("M")[1:]]
    return [[(float(x), float(y)) for x, y in map(str.split, run)] for run in runs]


# ---- What it shows


async def test_numbers_are_what_they_were(observed):
    page = await observed.open()
    people = [await observed.person() for _ in range(3)]
    observed.status.look()
    await expect_number(page, "online", "3")
    await expect_count(page, "websocket", "4")
    await expect_count(page, "all", "4")
    people[0].close()
    while len(observed.hub.sessions) > 3:
        await asyncio.sleep(0)
    observed.status.look()
    await expect_number(page, "online", "2")
    await expect_peak(page, "online", "3")
    await expect_count(page, "websocket", "3")
    await expect_count(page, "transport close", "1")
    heights = [y for run in await line(page, "online") for _, y in run]
    assert heights == [40, 60]  # of 5 people
    await observed.server.hang_up()


async def test_the_page_shows_the_last_ten_minutes_at_once(observed):
    observed.fill([0] * 5 + [1000] * 5 + [*range(TEN_MINUTES)])
    page = await observed.open()
    await expect_number(page, "online", "599")
    await expect_peak(page, "online", "599")
    await expect_number(page, "events", "599")
    await expect_number(page, "deliveries", "0")
    await expect(page.locator("#memory b")).to_contain_text("MB")
    (run,) = await line(page, "online")
    assert len(run) == TEN_MINUTES
    assert (run[0], run[-1]) == ((1, 100), (600, pytest.approx(100 - 599 / 6, abs=0.01)))
    assert [x for x, _ in run] == list(range(1, TEN_MINUTES + 1))


async def test_what_nobody_has_seen_is_left_empty(observed):
    observed.fill([5] * 10)
    observed.fill([7], begin=BEGIN + 20)
    observed.fill([6] * 10, begin=BEGIN + 30)
    page = await observed.open()
    await expect_number(page, "online", "6")
    assert [len(run) for run in await line(page, "online")] == [10, 1, 10]


async def test_what_the_system_does_not_tell_is_not_known(observed, monkeypatch, tmp_path):
    monkeypatch.setattr("handlers.socketio.operations.process.PROC", tmp_path)
    observed.fill([1, 2, 3])
    page = await observed.open()
    await expect_number(page, "online", "3")
    await expect_number(page, "memory", "not known")


MARKUP = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>"


async def test_refusals_are_words_and_never_html(observed):
    page = await observed.open()
    await expect(page.get_by_text("Nobody has been refused.")).to_be_visible()
    observed.hub.counters.refuse("192.0.2.7", BadRequest(MARKUP), BEGIN)
    observed.hub.counters.refuse("2001:db8::7", BadRequest("again"), time.time())
    observed.status.look()
    lines = page.locator("#refusals li")
    await expect(lines).to_have_count(2)
    await expect(lines.nth(0)).to_contain_text("2001:db8::7 Bad request again")
    await expect(lines.nth(1)).to_contain_text(f"192.0.2.7 Bad request {MARKUP}")
    await expect(page.get_by_text("Nobody has been refused.")).to_be_hidden()
    await expect_count(page, "refused", "2")
    tags = await page.locator("#refusals li *").evaluate_all("(parts) => parts.map(({ tagName }) => tagName)")
    assert tags == ["TIME", "CODE", "STRONG", "SPAN"] * 2
    assert "owned" not in await page.title()


async def test_its_title_says_which_server_of_which_version_it_is(observed):
    page = await observed.open()
    assert await page.title() == f"{socket.gethostname()}: The Server at Work, tornado-socketio {__version__}"
    await page.get_by_role("link", name="/metrics").click()
    assert f'version="{__version__}"' in await page.locator("body").inner_text()


async def test_a_plot_has_marks_and_numbers_that_are_too_high_a_colour(observed):
    page = await observed.open()
    for late, level in ((0.05, ""), (0.2, "warn"), (0.6, "alarm")):
        for _ in range(100):
            observed.status.samples._lag.observe(late)
        observed.fill([1])
        observed.tell()
        await expect(page.locator("b[data-of=lag_p99]")).to_have_class(level)
    await expect(page.locator("#lag .ceiling")).to_have_text("600 ms")
    await expect(page.locator("#lag .middle")).to_have_text("300 ms")
    await expect(page.locator("#lag .times")).to_have_text("10 min ago5 minnow")


async def test_those_who_went_are_plotted_by_reason(observed):
    page = await observed.open()
    observed.fill([1])
    observed.hub.counters.closed["transport close"] += 4
    observed.hub.counters.closed["ping timeout"] += 2
    observed.hub.counters.closed["slow consumer"] += 1
    observed.fill([1], begin=BEGIN + 1)
    observed.tell()
    await expect(page.locator("#gone b")).to_have_text(["4", "2", "1"])


# ---- Longer and shorter times


async def test_a_minute_is_shown_at_first_and_a_day_on_request(observed):
    observed.fill([1] * 120 + [7] * 120)
    page = await observed.open(span="1 min")
    await expect_number(page, "online", "7")
    (run,) = await line(page, "online")
    assert [run[0][0], run[-1][0], len(run)] == [0, 600, 61]
    await page.locator("#range").get_by_text("24 h", exact=True).click()
    await expect(page.locator("#moment")).to_have_text("The last 24 h")
    await wait_until(page, "minutes.length === 4")
    observed.fill([9] * 60, begin=BEGIN + 240)
    observed.tell()
    await wait_until(page, "minutes.length === 5")
    await page.evaluate("new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)))")
    (run,) = await line(page, "online")
    assert [round(100 - y) for _, y in run] == [10, 10, 70, 70, 90]
    await page.keyboard.press("ArrowLeft")
    await expect_number(page, "online", "7")


# ---- Looking back


async def test_an_earlier_moment_is_read_by_keyboard(observed):
    observed.fill([10, 20, 30])
    page = await observed.open()
    await expect_number(page, "online", "30")
    await page.keyboard.press("ArrowLeft")
    await expect_number(page, "online", "20")
    await expect(page.locator("#moment")).to_contain_text("1 s ago")
    for _ in range(3):
        await page.keyboard.press("ArrowLeft")
    await expect_number(page, "online", "10")
    await page.keyboard.press("ArrowRight")
    await expect_number(page, "online", "20")
    observed.fill([40], begin=BEGIN + 3)
    observed.tell()
    await expect(page.locator("#moment")).to_contain_text("2 s ago")
    await expect_number(page, "online", "20")
    await page.keyboard.press("Escape")
    await expect_number(page, "online", "40")
    await expect(page.locator("#moment")).to_have_text("The last 10 min")


async def test_an_earlier_moment_is_read_by_pointing_at_any_plot(observed):
    observed.fill([*range(TEN_MINUTES)])
    page = await observed.open()
    await expect_number(page, "online", "599")
    box = await page.locator("#memory .plot").bounding_box()
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await expect(page.locator("#moment")).to_contain_text("5 min 0 s ago")
    await expect_number(page, "online", "299")
    await expect(page.locator("#online .cursor")).to_be_visible()
    await page.mouse.move(0, 0)
    await expect_number(page, "online", "599")
    await expect(page.locator("#online .cursor")).to_be_hidden()


# ---- What can go wrong


async def test_it_goes_on_when_the_server_was_restarted(start, visit):
    server = start(board())
    page = await visit(f"{server.url}/status", ordinary=False)
    await wait_until(page, "samples.length >= 2")
    before = await page.evaluate("samples.map(({ at }) => at)")
    await asyncio.to_thread(server.stop)
    await expect(page.get_by_role("status")).to_have_text("Reconnecting…")
    await asyncio.to_thread(server.start)
    await expect(page.get_by_role("status")).to_have_text("Live")
    await wait_until(page, f"samples.length >= {len(before) + 2}")
    after = await page.evaluate("samples.map(({ at }) => at)")
    assert after[: len(before)] == before
    assert after == sorted(set(after))
    server.stop()


async def test_a_tab_that_nobody_sees_is_not_drawn(observed):
    page = await observed.open(script=QUEUE_FRAMES)
    for second in range(3):
        observed.fill([second], begin=BEGIN + second)
        observed.tell()
    await wait_until(page, "samples.length === 3")
    await expect_number(page, "online", "–")
    assert await page.evaluate("frames.length") == 1
    await page.evaluate("frames.shift()()")
    await expect_number(page, "online", "2")
    assert len((await line(page, "online"))[0]) == 3


async def test_a_server_that_says_nothing_is_said_to_be_silent(observed, browser):
    context = await browser.new_context()
    await context.clock.install()
    page = await observed.open(context)
    state = page.get_by_role("status")
    await context.clock.pause_at(await page.evaluate("Date.now()") / 1000 + 10)
    await expect(state).to_contain_text("Nothing heard since")
    observed.status.look()
    await expect(state).to_have_text("Live")
    await context.clock.run_for(2900)
    assert await state.text_content() == "Live"
    await context.clock.run_for(200)
    await expect(state).to_contain_text("Nothing heard since")
    await context.close()


async def test_who_may_look_on_no_longer_is_told_why(observed):
    page = await observed.open(ordinary=False)  # Its connection ends before its upgrade does, which Chromium minds.
    observed.status.addresses = Addresses(["192.0.2.0/24"])
    observed.hub.close()
    await expect(page.get_by_role("status")).to_have_text("127.0.0.1 may not see this: add it to the admin addresses")


async def test_the_board_knows_nothing_of_it(observed, visit):
    await observed.open()
    page = await visit(observed.url)
    await expect_lines(page, arrival(1), welcome(1))
    await observed.open()
    await visit(observed.url)
    await expect_lines(page, arrival(1), welcome(1), arrival(2))


async def test_without_javascript_it_says_what_is_needed(observed, browser):
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{observed.url}/status")
    await expect(page.locator("noscript p")).to_be_visible()
    await context.close()


# ---- Handlers


async def test_handlers_that_failed_are_shown_and_then_the_slowest(observed):
    page = await observed.open()
    await expect(page.locator("#handlers .none")).to_be_visible()
    fill_handlers(observed)
    observed.tell()
    rows = page.locator("#handlers tbody tr")
    await expect(rows).to_have_count(3)
    shown = [(await row.inner_text()).split() for row in await rows.all()]
    assert [" ".join(row) for row in shown] == [
        "post / 1,200 3 0.4 ms 0.5 ms",
        "<b>typing</b> / 2 0 10 s over 10 s",
        "search /shop-.* 1 0 200 ms 250 ms",
    ]
    await expect(page.locator("#handlers .failed")).to_have_text("3")
    observed.hub.watches.clear()
    observed.tell()
    await expect(rows).to_have_count(0)


def fill_handlers(observed: Observed) -> None:
    """Have had events of all kinds."""
    watches = [MethodWatch(name, observed.hub.notices) for name in ("/", "/shop-.*")]
    post, typing, search = [
        EventMethod(f"X.on_{number}", print, event=name)
        for number, name in enumerate(("post", "<b>typing</b>", "search"))
    ]
    for _ in range(1200):
        watches[0].ended(post, 0.0004)
    for _ in range(3):
        watches[0].failed(post)
    for seconds in (0.5, 19.5):
        watches[0].ended(typing, seconds)
    watches[1].ended(search, 0.2)
    observed.hub.watches[:] = watches


# ---- Clients


async def names(page: Page, *expected: str) -> None:
    await expect(page.locator("#table tbody td:nth-child(2)")).to_have_text(list(expected))


async def show(observed: Observed, *people: str) -> None:
    """Let people come to the board, under names."""
    for name in people:
        client = await observed.person()
        await client.send(f'42["here",{{"name":"{name}"}}]')
        while name not in [one.shown["name"] for one in observed.hub.of("/").clients if one.shown]:
            await asyncio.sleep(0)


async def test_clients_are_found_sorted_and_sent_away(observed):
    await show(observed, "Ann", "<b>Bob</b>", "Cleo")
    page = await observed.open()
    await names(page, "Ann", "<b>Bob</b>", "Cleo")
    await expect(page.locator("#found")).to_have_text("1 to 3 of 3")
    await page.locator("[data-sort=name] button").click()
    await expect(page.locator("[data-sort=name]")).to_have_attribute("aria-sort", "ascending")
    await names(page, "<b>Bob</b>", "Ann", "Cleo")
    await page.locator("[data-sort=name] button").click()
    await names(page, "Cleo", "Ann", "<b>Bob</b>")
    await page.fill("#table [name=text]", "nobody")
    await expect(page.get_by_text("No client has this text.")).to_be_visible()
    await page.fill("#table [name=text]", "bob")
    await names(page, "<b>Bob</b>")
    await expect(page.locator("#found")).to_have_text("1 to 1 of 1 found, 3 in all")
    page.once("dialog", lambda dialog: asyncio.ensure_future(dialog.dismiss()))
    await page.get_by_role("button", name="Send <b>Bob</b>").click()
    assert len(observed.hub.of("/").clients) == 3
    page.once("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await page.get_by_role("button", name="Send <b>Bob</b>").click()
    await expect(page.locator("#answer")).to_have_text("<b>Bob</b> was sent away.")
    await names(page)
    await page.fill("#table [name=text]", "")
    await names(page, "Cleo", "Ann")
    await expect(page.locator("#namespaces tbody tr")).to_have_text(["/31"])
    observed.status.look()
    await expect(page.locator("#namespaces tbody tr")).to_have_text(["/21"])
    await observed.server.hang_up()


async def test_many_clients_come_a_page_at_a_time(observed):
    page = await observed.open()
    for _ in range(120):
        await connect(observed.hub)
    rows, back, on = page.locator("#table tbody tr"), page.locator("[name=back]"), page.locator("[name=on]")
    for found, number in (("1 to 50 of 120", 50), ("51 to 100 of 120", 50), ("101 to 120 of 120", 20)):
        await expect(page.locator("#found")).to_have_text(found)
        await expect(rows).to_have_count(number)
        if number == 50:
            await on.click()
    await expect(on).to_be_disabled()
    await back.click()
    await expect(page.locator("#found")).to_have_text("51 to 100 of 120")


# ---- How it looks


def load(observed: Observed) -> None:
    """Ten minutes with everything in them."""
    for number in range(25):
        observed.hub.counters.refuse("2001:db8:1234:5678:9abc:def0:1234:5678", BadRequest(f"{number} " * 100), BEGIN)
    observed.fill([round(1_000_000 * (second % 97) / 97) for second in range(TEN_MINUTES)])
    fill_handlers(observed)


class ThreeNodes(Backplane):
    """The backplane of a node that knows two others."""

    def nodes(self) -> list[NodeState]:
        return [NodeState("1", 1200, None), NodeState("2", 3, 0.4), NodeState("<b>3</b>", 0, 75.0)]


async def test_the_nodes_of_a_cluster_are_shown_and_which_is_silent(observed):
    page = await observed.open()
    await expect_count(page, "all", "1")
    await expect(page.locator("#nodes")).to_be_hidden()
    observed.hub.backplane = ThreeNodes()
    observed.fill([1])
    observed.tell()
    cells = page.locator("#nodes tbody :is(th, td)")
    await expect(cells).to_have_text(["1", "1,200", "this node", "2", "3", "now", "<b>3</b>", "0", "1 min 15 s ago"])
    await expect(page.locator("#nodes .failed")).to_have_text("1 min 15 s ago")
    await page.evaluate((JS / "node_modules/axe-core/axe.min.js").read_text())
    assert await page.evaluate(RUN_AXE) == []


@pytest.mark.parametrize("width", [1600, 800, 320])
async def test_nothing_moves_when_numbers_come(observed, browser, width):
    context = await browser.new_context(viewport={"width": width, "height": 900})
    page = await observed.open(context, script=COUNT_SHIFTS)
    await expect_count(page, "all", "1")
    load(observed)
    observed.tell()
    await expect(page.locator("#refusals li")).to_have_count(20)
    await page.evaluate("new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)))")
    assert await page.evaluate("shifted") < 0.01
    await context.close()


OVERFLOWING = """(() => {
    document.querySelectorAll("#lag b").forEach((number) => { number.textContent = "123 ms"; });
    return [...document.querySelectorAll(".numbers")]
        .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
        .map(({ innerText }) => innerText);
})()"""
RUN_AXE = """async () => (await axe.run()).violations.map(
    ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" ")}`
)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_its_window_and_axe_has_nothing_to_complain_of(observed, browser, scheme):
    load(observed)
    context = await browser.new_context(color_scheme=scheme)
    page = await observed.open(context)
    await expect(page.locator("#refusals li")).to_have_count(20)
    await page.evaluate((JS / "node_modules/axe-core/axe.min.js").read_text())
    for width, height in ((1600, 1000), (1100, 800), (1300, 900), (800, 900), (720, 900), (320, 640)):
        await page.set_viewport_size({"width": width, "height": height})
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        assert await page.evaluate(OVERFLOWING) == []
        assert await page.evaluate(RUN_AXE) == []
        if "SCREENSHOTS" in os.environ:
            await page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / f"status-{width}-{scheme}.png", full_page=True)
    await context.close()
