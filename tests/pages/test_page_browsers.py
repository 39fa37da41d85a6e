"""The pages in the oldest supported browsers.

A real Chromium, from which newer features were removed.
"""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from test_page import expect_state
from test_page_board import COUNT_TONES, NOTE_LIVE, app, enter, expect_posts, hub_of, post

from server import make_app

pytestmark = pytest.mark.gen_test

OLD = """
  const newer = [
    [URL, /^(canParse|parse)$/],
    [Array.prototype, /^(toReversed|toSorted|toSpliced|with)$/],
    [Uint8Array, /^fromBase64$/],
    [Uint8Array.prototype, /^toBase64$/],
    [Promise, /^(withResolvers|try)$/],
    [Object, /^groupBy$/],
    [Map, /^groupBy$/],
    [Array, /^fromAsync$/],
    [AbortSignal, /^any$/],
    [Set.prototype, /^(union|intersection|difference|symmetricDifference|is[A-Z].*From|isSubsetOf|isSupersetOf)$/],
    [String.prototype, /WellFormed$/],
    [Object.getPrototypeOf(Object.getPrototypeOf([].values())), /^(?!constructor)/],
    [Element.prototype, /^(aria|checkVisibility|setHTML)/],
    [HTMLElement.prototype, /popover/i],
    [HTMLButtonElement.prototype, /popover|^command/i],
    [Navigator.prototype, /^userActivation$/],
    [globalThis, /^(Iterator|scheduler|navigation|CloseWatcher|Sanitizer|cookieStore)$/],
  ];
  for (const [owner, names] of newer) {
    for (const name of Object.getOwnPropertyNames(owner)) if (names.test(name)) delete owner[name];
  }
"""
"""A browser without what came after the oldest ones meant; browsers.test.mjs looks whether a page asks for it."""


async def test_the_board_works_in_the_oldest_browsers_meant(serve, visit, browser):
    context = await browser.new_context(viewport={"width": 360, "height": 640})
    url = serve(application := app())
    page, guest = await enter(visit, url, "Ann", script=OLD, context=context), await enter(visit, url, "Bob")
    assert not await page.evaluate("'canParse' in URL || 'popover' in document.body || 'ariaHidden' in document.body")
    await post(page, "See https://a.example/b and http:// and https://[::1")
    await post(guest, "hello")
    await expect_posts(page, "See https://a.example/b and http:// and https://[::1", "hello")
    await expect(page.locator("#messages .text a")).to_have_text(["https://a.example/b"])
    for count in range(20):
        hub_of(application).emit("news", {"msg": f"Knock {count}", "count": 2})
    fold = page.locator(".fold button")
    await expect(fold).to_have_attribute("aria-expanded", "false")
    await fold.click()
    await expect(fold).to_have_attribute("aria-expanded", "true")
    assert await page.locator(".avatar:not([aria-hidden=true])").count() == 0
    await page.get_by_role("button", name="2 online").click()
    await expect(page.locator("#names bdi")).to_have_text(["Ann", "Bob"])
    await expect(page.locator("#people")).to_be_visible()
    await page.click("#text")
    await expect(page.locator("#people")).to_be_hidden()
    await context.close()


async def test_the_server_at_work_is_seen_in_the_oldest_browsers_meant(serve, visit):
    page = await visit(f"{serve(make_app())}/status", script=OLD)
    await expect_state(page, "Live")
    await expect(page.locator("[data-count=all]")).to_have_text("1")


async def test_an_old_browser_reads_no_history_out_and_sounds(serve, visit):
    url = serve(app())
    page, guest = await enter(visit, url, script=OLD + COUNT_TONES + NOTE_LIVE), await enter(visit, url)
    await page.wait_for_function("() => live[0] === 'off'")
    await expect(page.get_by_role("log")).not_to_have_attribute("aria-live", "off")
    sound = page.get_by_role("button", name="Sound")
    await sound.click()
    await expect(sound).to_have_attribute("aria-pressed", "true")
    assert await page.evaluate("tones") == 1
    await page.reload()
    await expect_state(page, "Connected")
    await page.click("#text")
    await post(guest, "hello")
    await page.wait_for_function("() => tones === 1")
