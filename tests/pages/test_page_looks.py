"""How the board looks, and whether everybody can use it.

With a keyboard alone, on any screen, with any eyes.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import JS
from inside import cut_all
from playwright.async_api import Page, expect
from test_page import expect_state
from test_page_board import NOTE_LIVE, app, enter, filled, hub_of, post, posts, reconnect

from handlers.socketio.testing import connect

pytestmark = pytest.mark.gen_test

AXE = (JS / "node_modules" / "axe-core" / "axe.min.js").read_text

TALK = [
    ("Ada", "Good morning! The new board is up."),
    ("Ada", "It keeps what is posted, so nobody has missed anything."),
    ("Grace", "Nice. Does it hold when my train goes through the tunnel?"),
    (
        "Ada",
        "It does: what you write is sent when you are back, and once only.\nThere is more on it at https://www.tornadoweb.org/en/stable/",
    ),
    ("Linus", "Hello from the phone"),
    ("", "I have no name, and that is fine, too."),
    ("Grace", "Lunch at half past twelve?"),
    ("Linus", "Yes!"),
]


async def talk(application: Any, page: Page) -> None:
    """Let there be something to be seen."""
    for name, text in TALK:
        told, _ = await application.settings["history"].add(text, name)
        hub_of(application).emit("post", told.public())
    await expect(posts(page)).to_have_count(len(TALK))
    await expect(page.locator("#names bdi")).to_have_count(1)
    for name in ("Ada", "Grace", "Linus"):
        guest = await connect(application.settings["hub"])
        await guest.call("here", {"name": name})
    await expect(page.locator("#names bdi")).to_have_count(4)


async def violations(page: Page) -> list[str]:
    """What axe-core has against the page."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE())
    found = await page.evaluate("axe.run()")
    return [f"{each['id']}: {node['html'][:200]}" for each in found["violations"] for node in each["nodes"]]


async def photograph(page: Page, name: str) -> None:
    if "SCREENSHOTS" in os.environ:
        await page.evaluate("document.activeElement.blur()")
        await page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / f"{name}.png")


async def check(page: Page, state: str) -> None:
    """Check that the page fits and is accessible.

    On a phone and on a wide screen, light and dark.
    """
    for width in (320, 1600):
        await page.set_viewport_size({"width": width, "height": 700})
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            size = await page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
            assert size == [width, 700]
            assert await violations(page) == []
            await photograph(page, f"{state}-{width}-{scheme}")


async def test_the_board_fits_its_screen_and_everybody_can_use_it(serve, browser, visit):
    context = await browser.new_context(reduced_motion="reduce")
    application = app()
    page = await enter(visit, serve(application), "Tim", context=context, ordinary=False)
    await talk(application, page)
    await check(page, "talk")
    for count in range(30):
        hub_of(application).emit("news", {"msg": "Someone went home", "count": count})
    await expect(page.locator(".fold")).to_be_visible()
    await page.clock.set_fixed_time(0)  # it would never come back by itself
    cut_all(application.settings["hub"])
    await expect_state(page, "Reconnecting…")
    await post(page, "Written on the train")
    await post(page, "x" * 1001)
    await expect(page.locator("#pending .text")).to_be_in_viewport()
    await check(page, "away")
    await context.close()


async def test_on_a_phone_a_button_shows_who_is_here(serve, browser, visit):
    context = await browser.new_context(viewport={"width": 320, "height": 640}, reduced_motion="reduce")
    page = await enter(visit, serve(app()), "Tim", context=context)
    await expect(page.locator("#people")).to_be_hidden()
    await page.get_by_role("button", name="1 online").click()
    await expect(page.locator("#names")).to_have_text("TTim (you)")
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await expect(page.locator("#people")).to_be_hidden()
    await context.close()


async def test_the_keyboard_alone_is_enough(serve, visit):
    page = await enter(visit, serve(app(history=await filled(150))))
    await expect(posts(page)).to_have_count(100)
    seen = []
    for _ in range(6):
        await page.keyboard.press("Tab")
        seen.append(await page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none" or seen[-1] in (
            "text",
            "name",
        )
    assert seen == ["sound", "bell", "log", "text", "name", "send"]
    await page.locator("#log").focus()
    await page.keyboard.press("Home")
    await expect(posts(page)).to_have_count(150)
    await page.keyboard.press("End")
    await expect(posts(page).last).to_be_in_viewport()
    await expect(page.locator("#newest")).to_be_hidden()
    await page.keyboard.press("Tab")
    await page.keyboard.type("hello")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Ann")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await expect(posts(page).last).to_have_text("hello")
    await expect(page.locator("#messages .who").last).to_have_text("Ann")


async def test_what_is_new_is_announced_politely_and_a_history_is_not_read_out(serve, visit):
    page = await enter(visit, serve(app(history=await filled(10))), script=NOTE_LIVE)
    log = page.get_by_role("log", name="Messages")
    await page.wait_for_function("() => live[0] === 'off'")
    await expect(posts(page)).to_have_count(10)
    await expect(log).not_to_have_attribute("aria-live", "off")
    await post(page, "hello")
    await expect(log.get_by_text("hello")).to_be_visible()
    await log.get_by_text("hello").hover()
    await expect(log.get_by_role("toolbar")).to_have_attribute("aria-live", "off")


async def test_a_history_is_not_read_out_while_its_parts_come_one_after_the_other(serve, browser, visit):
    context = await browser.new_context()
    await context.clock.install()
    page = await enter(visit, serve(app(history=await filled(210))), context=context, ordinary=False)
    log = page.get_by_role("log", name="Messages")
    await expect(posts(page)).to_have_count(100)
    await expect(log).not_to_have_attribute("aria-live", "off")
    await context.clock.pause_at(datetime.now() + timedelta(seconds=10))
    for count in (200, 210):
        await log.evaluate("(box) => box.scrollTo(0, 0)")
        await expect(posts(page)).to_have_count(count)
        await expect(log).to_have_attribute("aria-live", "off")
        await context.clock.run_for(600)
    await expect(log).to_have_attribute("aria-live", "off")
    await context.clock.run_for(600)
    await expect(log).not_to_have_attribute("aria-live", "off")
    await context.close()


async def test_nothing_shifts_once_the_posts_are_there(serve, visit):
    application = app(history=await filled(150))
    url = serve(application)
    watch = """
      window.shifts = [];
      new PerformanceObserver((list) => shifts.push(...list.getEntries().map(({ value, sources }) =>
        `${value} ${sources.map(({ node }) => (node?.outerHTML ?? node?.parentNode?.outerHTML)?.slice(0, 80))}`)))
        .observe({ type: "layout-shift", buffered: true });
    """
    page = await enter(visit, url, script=watch)
    await expect(posts(page)).to_have_count(100)
    # The first lines wait a second for the posts; on a busy machine the posts come later, and move them.
    await page.evaluate("new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))")
    await page.evaluate("shifts.length = 0")
    guest = await enter(visit, url, "Ann")
    await guest.type("#text", "hello")
    await expect(page.locator("#typing")).to_have_text("Ann is typing…")
    await post(guest, "hello")
    await expect(posts(page).last).to_have_text("hello")
    cut_all(application.settings["hub"])
    await expect(page.locator("#away")).to_be_visible()
    await reconnect(page)
    await page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    assert await page.evaluate("shifts") == []


async def test_it_needs_neither_inline_scripts_nor_anything_from_elsewhere(serve, visit):
    application = app()
    url = serve(application)
    page = await enter(visit, url, "Ann")  # which fails where the policy forbids something
    answer = await page.request.get(url)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    await talk(application, page)
    await post(page, "hello")
    await page.click("#sound")
    await expect(posts(page)).to_have_count(len(TALK) + 1)
    asked = await page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)")
    assert len(asked) > 5
    assert all(each.startswith(url) for each in asked)


async def test_who_wants_no_motion_sees_none(serve, visit):
    page = await enter(visit, serve(app()))
    moving = "[...document.querySelectorAll('*')].filter((each) => getComputedStyle(each).transitionDuration !== '0s')"
    for wish, moves in (("no-preference", True), ("reduce", False)):
        await page.emulate_media(reduced_motion=wish)
        assert bool(await page.evaluate(f"{moving}.length + document.getAnimations().length")) is moves


async def test_without_javascript_a_line_says_what_is_needed(serve, browser):
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(serve(app()))
    await expect(page.locator("noscript p")).to_be_visible()
    await expect(page.locator("#composer")).to_be_hidden()
    await context.close()
