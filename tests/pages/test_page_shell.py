"""The page as an application, in a real Chromium.

Empty, away, and without a network.
"""

from __future__ import annotations

import asyncio

import pytest
from conftest import board
from inside import cut_all
from playwright.async_api import expect
from test_page import expect_state
from test_page_board import app, enter, expect_posts, filled, hub_of, post, posts

pytestmark = pytest.mark.gen_test


async def test_an_empty_board_says_so_until_it_has_a_post(serve, visit):
    page = await enter(visit, url := serve(application := app()), "Ann")
    await expect(page.locator("#empty")).to_contain_text("Nothing has been posted yet.")
    links = page.locator("#empty a")
    assert await links.evaluate_all("(links) => links.map(({ href }) => href)") == [f"{url}/", f"{url}/events"]
    hub_of(application).emit("news", {"msg": "Knock", "count": 17})
    await expect(page.locator(".news").last).to_have_text("News: Knock (17)")
    await expect(page.locator("#empty")).to_be_visible()
    await post(page, "hello")
    await expect_posts(page, "hello")
    await expect(page.locator("#empty")).to_be_hidden()
    again = await enter(visit, url)
    await expect_posts(again, "hello")
    await expect(again.locator("#empty")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 1440])
async def test_the_note_of_the_reconnection_covers_no_post(serve, visit, browser, width):
    context = await browser.new_context(viewport={"width": width, "height": 640})
    application = app(history=await filled(50))
    page = await enter(visit, serve(application), context=context)
    await expect(posts(page).last).to_be_in_viewport(ratio=1)
    await page.clock.set_fixed_time(0)  # it would come back by itself
    cut_all(application.settings["hub"])
    await expect(page.locator("#away")).to_be_visible()
    box = {name: await page.locator(name).bounding_box() for name in ("#away", "#log", "#now", "#composer")}
    assert box["#log"]["y"] + box["#log"]["height"] <= box["#away"]["y"]
    assert box["#now"]["y"] + box["#now"]["height"] <= box["#composer"]["y"] + 1
    assert box["#now"]["x"] + box["#now"]["width"] <= width
    await context.close()


async def test_the_page_opens_without_a_network_and_sends_later(start, visit, browser):
    server = start(board())
    context = await browser.new_context()
    page = await enter(visit, server.url, "Ann", context=context, ordinary=False)
    await page.wait_for_function("navigator.serviceWorker.ready.then(() => true)")
    await page.wait_for_function(
        "caches.open('shell').then((cache) => cache.keys()).then((keys) => keys.some(({ url }) => /times/.test(url)))"
    )
    await asyncio.to_thread(server.stop)
    await page.goto(server.url)
    await expect_state(page, "Connecting…")
    await post(page, "written without a network")
    await expect(page.locator("#pending .text")).to_have_text(["written without a network"])
    await asyncio.to_thread(server.start)
    await expect_posts(page, "written without a network")
    kept = await page.evaluate("caches.open('shell').then((c) => c.keys()).then((k) => k.map(({ url }) => url))")
    assert not [url for url in kept if "EIO" in url or "/events" in url]
    manifest = await page.request.get(f"{server.url}/static/manifest.webmanifest")
    assert manifest.headers["content-type"] == "application/manifest+json"
    for icon in (await manifest.json())["icons"]:
        assert (await page.request.get(f"{server.url}/static/{icon['src']}")).ok
    await context.close()
