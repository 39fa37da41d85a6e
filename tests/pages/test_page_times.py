"""The times of posts on a page that is open for days.

A real Chromium, with a clock that the test sets.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import BrowserContext, Page, expect
from test_page_board import app, enter, hub_of

pytestmark = pytest.mark.gen_test

ZONES = ["UTC", "Pacific/Auckland", "America/Los_Angeles", "Asia/Kolkata"]
BARE = {"en-US": "10:00 PM", "de-DE": "22:00"}
WITH_DAY = {"en-US": "Mar 9, 2026, 10:00 PM", "de-DE": "09.03.2026, 22:00"}
SECOND = timedelta(seconds=1)
EVENING = -2 * 3600
"""Seconds from midnight to ten o'clock."""


class Evening:
    """A board and its page, opened ten seconds before midnight.

    It posts, too.
    """

    def __init__(self, serve: Any, visit: Any, zone: str = "UTC") -> None:
        self.midnight = datetime(2026, 3, 10, tzinfo=ZoneInfo(zone))
        self._application = app()
        self._url = serve(self._application)
        self._visit = visit
        self._posts = 0

    async def open(self, context: BrowserContext) -> Page:
        await context.clock.install(time=self.midnight - 10 * SECOND)
        await context.clock.pause_at(self.midnight - 9 * SECOND)
        page = await enter(self._visit, self._url, context=context, ordinary=False)
        await expect(page.locator(".online").first).to_have_text("1")
        return page

    def post(self, after: float, name: str = "Ann", text: str = "hello") -> None:
        """Post so many seconds after midnight."""
        self._posts += 1
        at = int((self.midnight + after * SECOND).timestamp() * 1000)
        hub_of(self._application).emit("post", {"id": self._posts, "text": text, "name": name, "at": at})


async def expect_times(page: Page, *times: str) -> None:
    """Expect these times on the page, one for each post.

    A late post is shown when the clock moves on a little.
    """
    for _ in range(40):
        if await are_shown(page, times):
            return
        await page.context.clock.run_for(25)
    await expect(page.locator("#messages time")).to_have_text(list(times))


async def are_shown(page: Page, times: tuple[str, ...]) -> bool:
    try:
        await expect(page.locator("#messages time")).to_have_text(list(times), timeout=100)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("zone", ZONES)
async def test_a_post_of_yesterday_says_so_as_soon_as_it_is_one(serve, visit, browser, zone):
    evening = Evening(serve, visit, zone)
    context = await browser.new_context(timezone_id=zone, locale="en-US")
    page = await evening.open(context)
    evening.post(-30 * 3600, "Bob")
    evening.post(EVENING)
    await context.clock.run_for(5000)
    await expect_times(page, "Mar 8, 2026, 6:00 PM", "10:00 PM")
    await context.clock.run_for(10_000)
    await expect_times(page, "Mar 8, 2026, 6:00 PM", "Mar 9, 2026, 10:00 PM")
    evening.post(3, "Bob")
    await context.clock.run_for(1000)
    await expect_times(page, "Mar 8, 2026, 6:00 PM", "Mar 9, 2026, 10:00 PM", "now")
    await context.close()


@pytest.mark.parametrize("locale", BARE)
async def test_a_page_that_slept_over_midnight_says_so_when_it_wakes(serve, visit, browser, locale):
    evening = Evening(serve, visit)
    context = await browser.new_context(timezone_id="UTC", locale=locale)
    page = await evening.open(context)
    evening.post(EVENING)
    await context.clock.run_for(1000)
    await expect_times(page, BARE[locale])
    await context.clock.fast_forward(9 * 3600 * 1000)  # a timer that was due meanwhile comes once
    await expect_times(page, WITH_DAY[locale])
    await context.close()


async def test_where_timers_sleep_a_new_line_has_the_times_looked_at(serve, visit, browser):
    evening = Evening(serve, visit)
    context = await browser.new_context(timezone_id="UTC", locale="en-US")
    page = await evening.open(context)
    evening.post(EVENING)
    await context.clock.run_for(1000)
    await context.clock.set_system_time(evening.midnight + 3 * 24 * 3600 * SECOND)
    await context.clock.run_for(1000)
    await expect_times(page, WITH_DAY["en-US"])
    await context.clock.set_system_time(evening.midnight - 5 * SECOND)  # somebody sets the clock right
    await context.clock.run_for(1000)
    await expect_times(page, BARE["en-US"])
    await context.close()


async def test_posts_of_two_days_do_not_share_a_heading(serve, visit, browser):
    evening = Evening(serve, visit)
    context = await browser.new_context(timezone_id="UTC", locale="en-US")
    page = await evening.open(context)
    for after in (-10, -5, 5, 6):
        evening.post(after)
    await context.clock.run_for(20_000)
    await expect_times(page, "now", "now", "now", "now")
    days = page.locator("#messages .post")
    expect_days = [expect(days.nth(number)) for number in range(4)]
    for number, day in enumerate(["Yesterday", None, "Today", None]):
        if day:
            await expect_days[number].to_have_attribute("data-day", day)
        else:
            await expect_days[number].not_to_have_attribute("data-day", re.compile(""))
    await context.clock.fast_forward(5 * 60 * 1000)
    await expect_times(page, "5 min. ago", "5 min. ago", "5 min. ago", "5 min. ago")
    await context.clock.fast_forward(60 * 60 * 1000)
    await expect_times(page, "Mar 9, 2026, 11:59 PM", "Mar 9, 2026, 11:59 PM", "12:00 AM", "12:00 AM")
    await context.clock.fast_forward(24 * 60 * 60 * 1000)
    await expect(days.nth(0)).to_have_attribute("data-day", "Monday, March 9, 2026")
    await expect(days.nth(2)).to_have_attribute("data-day", "Yesterday")
    joined = await page.locator("#messages .post").evaluate_all(
        "(lines) => lines.map((line) => line.matches('.joined'))"
    )
    assert joined == [False, True, False, True]
    await context.close()


WATCH = """
  window.live = [];
  new MutationObserver(() => live.push(document.querySelector("#log").getAttribute("aria-live")))
    .observe(document.querySelector("#messages"), { subtree: true, childList: true });
"""
TOP = """() => {
  const { top } = document.querySelector("#log").getBoundingClientRect();
  const line = [...document.querySelectorAll(".post")].find((line) => line.getBoundingClientRect().bottom > top);
  return [line.querySelector(".text").textContent, line.getBoundingClientRect().top];
}"""
"""The line that is the first to be seen, and where it is."""


@pytest.mark.parametrize("is_reading", [False, True])
async def test_nothing_moves_and_nothing_is_read_out_when_another_day_begins(serve, visit, browser, is_reading):
    evening = Evening(serve, visit)
    phone: Any = {"viewport": {"width": 360, "height": 640}, "timezone_id": "UTC", "locale": "en-US"}
    context = await browser.new_context(**phone)
    page = await evening.open(context)
    for number in range(40):
        evening.post(EVENING + number, name=f"Somebody called {number:02}", text=f"post {number}")
    while await page.locator("#messages .post").count() < 40:  # they come by the server's clock, and show by the page's
        await context.clock.run_for(100)
    if is_reading:
        await page.locator("#log").evaluate("(box) => box.scrollBy(0, -1000)")  # a pointer moves the tools
        await expect(page.locator("#newest")).to_be_visible()
    await page.evaluate(WATCH)
    height, top = await page.locator("#messages").evaluate("(list) => list.offsetHeight"), await page.evaluate(TOP)
    await context.clock.run_for(10_000)
    await expect(page.locator("#messages time").first).to_have_text(WITH_DAY["en-US"])
    assert await page.locator("#messages").evaluate("(list) => list.offsetHeight") > height
    if is_reading:
        assert await page.evaluate(TOP) == [top[0], pytest.approx(top[1], abs=1)]
    else:
        await expect(page.locator("#messages .text").last).to_be_in_viewport(ratio=1)
    assert set(await page.evaluate("live")) == {"off"}
    await expect(page.locator("#log")).not_to_have_attribute("aria-live", "off")
    if "SCREENSHOTS" in os.environ:
        await page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / f"midnight-{is_reading}.png")
    await context.close()
