"""Who is here and who is typing, in a real Chromium."""

from __future__ import annotations

import pytest
from conftest import PATIENCE
from playwright.async_api import expect
from test_page_board import app, enter, expect_posts, hub_of, post

from handlers.socketio.testing import connect

pytestmark = pytest.mark.gen_test(timeout=2 * PATIENCE)


async def test_names_are_kept_shown_and_optional(serve, visit):
    url = serve(app())
    ann, bob = await enter(visit, url, "Ann"), await enter(visit, url)
    await expect(bob.locator("#names bdi")).to_have_text(["Ann"])
    await expect(bob.locator("#naming")).to_have_text("1 by name, 1 without")
    await post(bob, "hello")
    await expect(ann.locator("#messages .who")).to_have_text(["Someone"])
    again = await visit(url, context=ann.context)
    await expect(again.locator("#name")).to_have_value("Ann")
    await again.close()
    await ann.fill("#name", "\u200b")
    await ann.press("#name", "Enter")
    await expect(ann.get_by_role("alert")).to_contain_text("A name must have a visible character")
    await ann.close()
    await expect(bob.locator("#names bdi")).to_have_count(0)
    await expect(bob.locator("#naming")).to_have_text("Nobody has given a name yet.")


async def test_two_of_one_name_are_two_people(serve, visit):
    url = serve(app())
    pages = [await enter(visit, url, "Ann") for _ in range(2)]
    nobody = await enter(visit, url)
    for page in (*pages, nobody):
        await expect(page.locator("#people .online")).to_have_text("3")
        await expect(page.locator("#names bdi")).to_have_text(["Ann", "Ann"])
        await expect(page.locator("#naming")).to_have_text("2 by name, 1 without")
    await nobody.close()
    await expect(pages[0].locator("#naming")).to_have_text("All by name")
    await expect(pages[0].locator("#people .online")).to_have_text("2")


WATCH_PEOPLE = """
  window.shown = [];
  addEventListener("DOMContentLoaded", () => {
    const texts = (selector) => [...document.querySelectorAll(selector)].map(({ textContent }) => textContent);
    const look = () => shown.push([texts(".online"), texts("#names bdi"), texts("#naming")[0]]);
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
"""


async def test_at_no_moment_do_the_numbers_contradict_each_other(serve, visit):
    url = serve(application := app())
    ann = await enter(visit, url, "Ann", script=WATCH_PEOPLE)
    for name in ("Bob", "Bob", "", "Eve"):
        guest = await enter(visit, url, name)
        await expect(guest.locator(".news")).to_have_count(1)
        await post(guest, "hello")  # the page of Ann changes between the news and who is here
    hub_of(application).emit("news", {"msg": "Knock", "count": 17})
    await expect(ann.locator("#naming")).to_have_text("4 by name, 1 without")
    await guest.close()
    await expect(ann.locator("#naming")).to_have_text("3 by name, 1 without")
    shown = await ann.evaluate("shown")
    assert ["4", "4"] in [online for online, *_ in shown]
    for (head, side), names, naming in shown:
        assert head == side
        if head == "–":
            assert (names, naming) == ([], "")
        elif naming == "All by name":
            assert len(names) == int(head)
        elif naming == "Nobody has given a name yet.":
            assert names == []
        else:
            assert naming == f"{len(names)} by name, {int(head) - len(names)} without"


async def test_names_beyond_fifty_are_counted(serve, visit):
    page = await enter(visit, serve(application := app()), "Ann")
    for number in range(52):
        guest = await connect(application.settings["hub"])
        await guest.call("here", {"name": f"Person {number}"})
    await expect(page.locator("#names li")).to_have_count(51)
    await expect(page.locator("#names li").last).to_have_text("and 3 more")
    await expect(page.locator("#naming")).to_have_text("All by name")


async def test_who_comes_with_a_name_that_is_refused_is_here_without_one(serve, visit):
    url = serve(app())
    page = await enter(visit, url, script="localStorage.name = JSON.stringify('\u200b')")
    await expect(page.get_by_role("alert")).to_contain_text("A name must have a visible character")
    await expect(page.locator("#people .online")).to_have_text("1")
    await enter(visit, url, "Bob")
    await expect(page.locator("#naming")).to_have_text("1 by name, 1 without")


async def test_others_see_who_is_typing_until_it_is_posted(serve, visit):
    url = serve(app())
    ann, bob = await enter(visit, url, "Ann"), await enter(visit, url, "Bob")
    await expect(bob.locator("#names bdi")).to_have_text(["Ann", "Bob"])
    await ann.type("#text", "hel")
    await expect(bob.locator("#typing")).to_have_text("Ann is typing…")
    await expect(ann.locator("#typing")).to_have_text("")
    await ann.press("#text", "Enter")
    await expect_posts(bob, "hel")
    await expect(bob.locator("#typing")).to_have_text("")
