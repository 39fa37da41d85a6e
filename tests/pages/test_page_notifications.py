"""Notifications, and the mark of what is new, in a real Chromium.

The notifications of the system are played by the test.
"""

from __future__ import annotations

from typing import Any

import pytest
from conftest import wait_until
from playwright.async_api import Page, expect
from test_page import expect_state
from test_page_board import app, enter, expect_posts, filled, post, posts

pytestmark = pytest.mark.gen_test

SYSTEM = """
  window.told = [];
  window.answers = true;
  window.Notification = class {
    static permission = "default";
    static async requestPermission() { return (Notification.permission = answers ? "granted" : "denied"); }
    constructor(title, { body }) { told.push(`${title}: ${body}`); }
    close() {}
  };
"""
HIDE = "Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })"


async def say(page: Page, listener: Page, *texts: str) -> None:
    for text in texts:
        await post(page, text)
    await expect(posts(listener).last).to_have_text(texts[-1])


async def test_notifications_are_asked_for_and_show_what_names_the_person_or_all(serve, visit):
    url = serve(app())
    ann, bob = await enter(visit, url, "Ann", script=SYSTEM), await enter(visit, url, "Bob")
    bell = ann.locator("#bell")
    await expect(bell).to_have_attribute("data-mode", "none")
    await ann.evaluate(HIDE)
    await say(bob, ann, "@Ann, not asked for")
    await bell.click()
    await expect(bell).to_have_attribute("data-mode", "@name")
    await say(bob, ann, "hello", "hello @ann, and @Anna", "@Anna", "mail@ann.org")
    await bell.click()
    await expect(bell).to_have_attribute("data-mode", "all")
    await say(bob, ann, "all")
    await post(ann, "my own")
    await expect(posts(ann).last).to_have_text("my own")
    assert await ann.evaluate("told") == ["Bob: hello @ann, and @Anna", "Bob: all"]
    await ann.evaluate("delete document.hidden")
    await bell.click()
    await expect(bell).to_have_attribute("data-mode", "none")


@pytest.mark.parametrize("script", [SYSTEM.replace("answers = true", "answers = false"), "delete window.Notification"])
async def test_who_may_not_be_notified_is_told_or_not_asked(serve, visit, script):
    page = await enter(visit, serve(app()), "Ann", script=script)
    await expect_state(page, "Connected")
    bell: Any = page.locator("#bell")
    if "delete" in script:
        await expect(bell).to_be_hidden()
    else:
        await bell.click()
        await wait_until(page, "document.getElementById('bell').title.includes('does not allow')")
        await expect(bell).to_have_attribute("data-mode", "none")


async def test_a_later_visit_marks_what_is_new(serve, visit):
    url = serve(app(history=await filled(3)))
    ann, bob = await enter(visit, url, "Ann"), await enter(visit, url, "Bob")
    await expect_posts(ann, "post 0", "post 1", "post 2")
    await expect(ann.locator(".mark")).to_have_count(0)
    await ann.goto("about:blank")
    await say(bob, bob, "new", "newer")
    again = await enter(visit, url, context=ann.context)
    await expect(again.locator(".mark + .post .text")).to_have_text("new")
    await expect_posts(again, "post 0", "post 1", "post 2", "new", "newer")
    await again.reload()
    await expect(posts(again)).to_have_count(5)
    await expect(again.locator(".mark")).to_have_count(0)
