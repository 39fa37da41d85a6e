"""Links to posts, in a real Chromium."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from test_page_board import app, enter, expect_posts, filled, post, posts

pytestmark = pytest.mark.gen_test


async def test_a_link_loads_its_post_and_what_is_around_it_and_both_ends_follow(serve, visit):
    history = await filled(400)
    url = serve(app(history=history))
    middle = (await history.page(before=(await history.page()).posts[0].id)).posts[0].id  # of post 200
    page = await enter(visit, f"{url}/#{middle}")
    await expect(page.locator(".target .text")).to_have_text("post 200")
    await expect(page.locator(".target")).to_be_in_viewport(ratio=1)
    await expect(posts(page)).to_have_text([f"post {number}" for number in range(151, 251)])
    await post(page, "not in the window")
    await expect(page.locator("#pending li")).to_have_count(0)
    await expect(posts(page).last).to_have_text("not in the window")
    await page.evaluate(f"location.hash = ''; location.hash = {middle}")
    await expect(page.locator(".target .text")).to_have_text("post 200")
    await page.locator("#log").hover()
    for end in (350, None):
        await page.mouse.wheel(0, 100_000)
        await expect(posts(page).last).to_have_text(f"post {end}" if end else "not in the window")
    await expect(posts(page)).to_have_count(250)
    await page.mouse.wheel(0, 100_000)
    await expect(page.locator("#newest")).to_be_hidden()
    await page.locator(".at").nth(3).click()
    await expect(page.locator(".target .text")).to_have_text("post 154")


async def test_a_link_to_a_post_that_is_gone_says_so(serve, visit):
    history = await filled(3)
    url = serve(app(history=history))
    page = await enter(visit, f"{url}/#1")
    await expect(page.get_by_role("alert")).to_contain_text("This post is not there any more")
    await expect_posts(page, "post 0", "post 1", "post 2")
    for part in ("x", "1x", "99999999999999999", "<b>"):
        other = await enter(visit, f"{url}/#{part}")
        await expect_posts(other, "post 0", "post 1", "post 2")


async def test_a_link_is_copied(serve, visit, browser):
    history = await filled(2)
    url = serve(app(history=history))
    context = await browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = await enter(visit, url, context=context)
    await page.hover("#messages .post >> nth=1")
    await page.get_by_role("button", name="Copy link").click()
    link = f"{url}/#{(await history.page()).posts[1].id}"
    await expect(page.get_by_role("button", name="Copy link")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == link
    await context.close()
