"""Times on a status page that is open over midnight.

In a real Chromium.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from playwright.async_api import BrowserContext, expect
from test_status_page import Observed, expect_count, observed  # noqa: F401 (a fixture)

from handlers.socketio.engineio.errors import BadRequest

pytestmark = pytest.mark.gen_test

MIDNIGHT = datetime(2026, 3, 10, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
ZONE = {"timezone_id": "UTC", "locale": "en-US"}


async def in_the_evening(context: BrowserContext) -> None:
    """Set the page's clock to ten seconds before midnight."""
    await context.clock.install(time=MIDNIGHT - 11 * SECOND)
    await context.clock.pause_at(MIDNIGHT - 10 * SECOND)


@pytest.mark.parametrize("how", ["it is told more", "it is told nothing", "it is disconnected"])
async def test_a_refusal_of_yesterday_says_so_whatever_becomes_of_the_page(observed, browser, how):  # noqa: F811
    context = await browser.new_context(**ZONE)
    await in_the_evening(context)
    observed.hub.counters.refuse("192.0.2.7", BadRequest("early"), (MIDNIGHT - 60 * SECOND).timestamp())
    page = await observed.open(context, ordinary=False)
    await context.clock.run_for(100)
    times = page.locator("#refusals time")
    await expect(times).to_have_text(["23:59:00"])
    if how == "it is disconnected":
        observed.hub.of("/status").disconnect()
        await expect(page.get_by_role("status")).to_have_text("Disconnected")
    await context.clock.run_for(12_000)
    if how == "it is told more":
        observed.tell()
        await context.clock.run_for(100)
    await expect(times).to_have_text(["3/9/2026 23:59:00"])
    observed.hub.counters.refuse("192.0.2.7", BadRequest("late"), (MIDNIGHT + 5 * SECOND).timestamp())
    if how != "it is disconnected":
        observed.tell()
        while await times.count() < 2:  # it comes by the server's clock, and shows by the page's
            await context.clock.run_for(10)
        await expect(times).to_have_text(["00:00:05", "3/9/2026 23:59:00"])
    await context.close()


async def test_a_server_silent_since_yesterday_is_said_to_be_so(observed, browser):  # noqa: F811
    context = await browser.new_context(**ZONE)
    await in_the_evening(context)
    page = await observed.open(context)
    state = page.get_by_role("status")
    await context.clock.run_for(4000)
    await expect(state).to_have_text("Nothing heard since 23:59:50")
    await context.clock.run_for(10_000)
    await expect(state).to_have_text("Nothing heard since 3/9/2026 23:59:50")
    observed.tell()
    await expect(state).to_have_text("Live")
    await context.close()


async def test_the_moment_looked_at_has_its_day(observed, browser):  # noqa: F811
    context = await browser.new_context(**ZONE)
    await in_the_evening(context)
    page = await observed.open(context)
    observed.fill([10, 20, 30], begin=(MIDNIGHT - 2 * SECOND).timestamp())
    observed.hub.of("/status").emit("history", observed.status.history())
    await context.clock.run_for(100)
    await expect_count(page, "all", "1")
    await page.keyboard.press("ArrowLeft")
    await context.clock.run_for(100)
    moment = page.locator("#moment")
    await expect(moment).to_have_text("At 23:59:59, 1 s ago")
    await context.clock.run_for(12_000)
    await expect(moment).to_have_text("At 3/9/2026 23:59:59, 1 s ago")
    await page.keyboard.press("Escape")
    await context.close()
