"""What a browser says of the network is a hint.

The page works where it is wrong, and tries where it is right.
"""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect
from test_page import expect_state, settled
from test_page_board import app, cut_all, enter, expect_posts, hub_of, post

pytestmark = pytest.mark.gen_test

SEEMS_OFFLINE = "Object.defineProperty(Navigator.prototype, 'onLine', { get: () => false, configurable: true })"
"""As behind a VPN, in a LAN without internet, or at localhost without a network."""
LOSES_NETWORK = f"{SEEMS_OFFLINE}; window.dispatchEvent(new Event('offline'))"
COUNT_LOSSES = "window.losses = 0; socket.on('disconnect', () => { losses += 1; })"


async def hear_of_offline(page: Page) -> None:
    await expect_state(page, "Connected")
    await page.evaluate(COUNT_LOSSES)
    await page.evaluate(LOSES_NETWORK)


async def test_at_localhost_a_lost_network_changes_nothing(serve, visit):
    page = await enter(visit, serve(app()).replace("127.0.0.1", "localhost"), "Ann")
    await hear_of_offline(page)
    await post(page, "still here")
    await expect_posts(page, "still here")
    await expect_state(page, "Connected")
    assert await page.evaluate("losses") == 0


async def test_where_the_hint_is_wrong_the_page_is_back_at_once(serve, visit):
    url = serve(app()).replace("127.0.0.1", "intranet.example.com")
    page, guest = await enter(visit, url, "Ann"), await enter(visit, url, "Bob")
    await page.clock.set_fixed_time(0)  # it would not try again by its countdown
    await hear_of_offline(page)
    await expect_state(page, "Connected")
    await post(page, "still here")
    await expect_posts(guest, "still here")
    assert await page.evaluate("[losses, socket.recovered, navigator.onLine]") == [1, True, False]


async def test_a_page_that_seems_offline_connects_and_says_when_it_tries_again(serve, visit):
    page = await enter(visit, serve(application := app()), script=SEEMS_OFFLINE)
    await expect_state(page, "Connected")
    await settled(page)
    await page.clock.set_fixed_time(0)
    cut_all(application.settings["hub"])
    await expect_state(page, "Offline")
    away = re.compile(r"^Offline: posts are sent later\. Trying in [12] s Now$")
    await expect(page.locator("#away")).to_have_text(away)
    await page.get_by_role("button", name="Now").click()
    await expect_state(page, "Connected")
    await expect(page.locator("#away")).to_be_hidden()


async def test_a_page_that_seems_offline_comes_back_by_itself(serve, visit):
    page = await enter(visit, serve(application := app()), script=SEEMS_OFFLINE)
    await expect_state(page, "Connected")
    await settled(page)
    cut_all(application.settings["hub"])
    await expect_state(page, "Offline")
    await expect_state(page, "Connected")


async def test_a_page_that_seems_offline_goes_on_trying(serve, visit):
    page = await enter(visit, serve(app()), script=SEEMS_OFFLINE, ordinary=False)
    await expect_state(page, "Connected")
    await page.route("**/socket.io/**", lambda route: route.abort())
    await page.evaluate("window.failures = 0; socket.on('connect_error', () => { failures += 1; })")
    await page.evaluate("Math.random = () => 0; socket.io.engine.close()")
    await expect(page.locator("#away")).to_contain_text("Offline")
    while await page.evaluate("failures") < 3:
        await page.get_by_role("button", name="Now").click()
    await page.unroute("**/socket.io/**")
    await expect_state(page, "Connected")


async def test_a_page_that_was_sent_away_stays_away_when_the_network_is_back(serve, visit):
    page = await enter(visit, serve(application := app()))
    await expect_state(page, "Connected")
    hub_of(application).disconnect()
    await expect_state(page, "Disconnected")
    await page.evaluate("window.dispatchEvent(new Event('offline')); window.dispatchEvent(new Event('online'))")
    assert await page.evaluate("[socket.active, socket.io.engine.readyState]") == [False, "closed"]
    await expect_state(page, "Disconnected")
