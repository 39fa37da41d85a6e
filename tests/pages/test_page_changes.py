"""Posts that are edited, deleted and reacted to, in a real Chromium."""

from __future__ import annotations

import pytest
from inside import cut_all
from playwright.async_api import Page, expect
from test_page import expect_state
from test_page_board import app, enter, expect_posts, filled, hub_of, post, posts, reconnect

from handlers.board.post import Post

pytestmark = pytest.mark.gen_test


def tool(page: Page, name: str) -> object:
    return page.get_by_role("toolbar", name="This post").get_by_role("button", name=name)


async def test_an_own_post_is_edited_and_deleted_by_the_keyboard(serve, visit):
    url = serve(app())
    ann, bob = await enter(visit, url, "Ann"), await enter(visit, url, "Bob")
    await post(ann, "helo")
    await expect_posts(bob, "helo")
    await ann.type("#text", "a draft")
    await ann.focus("#log")
    await ann.keyboard.press("ArrowUp")
    await ann.keyboard.press("Tab")
    for _ in range(7):  # reactions, link
        await ann.keyboard.press("Tab")
    await ann.keyboard.press("Enter")
    await expect(ann.locator("#text")).to_have_value("helo")
    await ann.fill("#text", "hello")
    await ann.keyboard.press("Enter")
    await expect(ann.locator("#text")).to_have_value("a draft")
    for page in (ann, bob):
        await expect_posts(page, "hello")
        await expect(page.locator(".post .fate")).to_have_text("edited")
    await ann.fill("#text", "")
    await ann.press("#text", "ArrowUp")
    await expect(ann.locator("#text")).to_have_value("hello")
    await ann.press("#text", "Escape")
    await expect(ann.locator("#text")).to_have_value("")
    await bob.hover("#messages .post")
    await expect(tool(bob, "Edit")).to_be_hidden()
    await ann.hover("#messages .post")
    await tool(ann, "Delete").click()
    await expect_posts(bob, "hello")
    await tool(ann, "Delete").click()
    for page in (ann, bob):
        await expect_posts(page)
    await expect(ann.locator("#empty")).to_be_visible()


async def test_reactions_are_counted_and_taken_back(serve, visit):
    url = serve(app(history=await filled(2)))
    ann, bob = await enter(visit, url, "Ann"), await enter(visit, url, "Bob")
    line = "#messages .post >> nth=1"
    for page, count in ((ann, 1), (bob, 2)):
        await page.hover(line)
        await tool(page, "React with 👍").click()
        await expect(ann.locator(".foot button")).to_have_text([f"👍 {count}"])
        await expect(page.locator(".foot button")).to_have_attribute("aria-pressed", "true")
    again = await enter(visit, url, context=bob.context)
    await expect(again.locator(".foot button[aria-pressed=true]")).to_have_text(["👍 2"])
    await bob.click(".foot button")
    await expect(ann.locator(".foot button")).to_have_text(["👍 1"])
    await expect(bob.locator(".foot button")).to_have_attribute("aria-pressed", "false")


async def test_who_returns_sees_what_was_changed_and_deleted_meanwhile(serve, visit):
    application = app(history=await filled(150), recovery=0)
    page = await enter(visit, serve(application), ordinary=False)
    await expect(posts(page)).to_have_count(100)
    await page.locator("#log").hover()
    await page.mouse.wheel(0, -100_000)
    await expect(posts(page)).to_have_count(150)
    cut_all(application.settings["hub"])
    await expect_state(page, "Reconnecting…")
    history = application.settings["history"]
    all_posts = [*(await history.page((await history.page()).posts[0].id)).posts, *(await history.page()).posts]
    for number in (3, 147):
        await history.change(all_posts[number].id, lambda post: post.with_text(f"{post.text}, edited"))
    for number in (0, 4, 146, 149):
        await history.change(all_posts[number].id, Post.deleted)
    await reconnect(page)
    gone = {f"post {number}": None for number in (0, 4, 146, 149)}
    edited = {f"post {number}": f"post {number}, edited" for number in (3, 147)}
    expected = [({**gone, **edited}).get(text, text) for text in (f"post {number}" for number in range(150))]
    await expect_posts(page, *filter(None, expected))


async def test_a_change_that_comes_late_or_before_its_post_is_not_the_last_word(serve, visit):
    page = await enter(visit, serve(application := app()))
    await expect_state(page, "Connected")
    at = 1_700_000_000_000
    for event, data in (
        ("change", {"id": 1, "revision": 2, "gone": True}),
        ("post", {"id": 1, "text": "deleted", "name": "", "at": at}),
        ("post", {"id": 2, "text": "first", "name": "", "at": at}),
        ("change", {"id": 2, "text": "third", "name": "", "at": at, "revision": 2, "edited": at}),
        ("change", {"id": 2, "text": "second", "name": "", "at": at, "revision": 1, "edited": at}),
        ("change", {"id": 3, "text": "of no post", "name": "", "at": at, "revision": 1}),
        ("post", {"id": 4, "text": "last", "name": "", "at": at}),
    ):
        hub_of(application).emit(event, data)
    await expect_posts(page, "third", "last")
