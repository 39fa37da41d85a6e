"""Who is here and who is typing, in a real Chromium."""

from __future__ import annotations

import re

import pytest
from inside import cut_all
from playwright.async_api import Locator, Page, expect
from test_page_board import app, enter, expect_posts, hub_of, post

from handlers.socketio.testing import connect

pytestmark = pytest.mark.gen_test


GUEST = re.compile(r"^Guest [a-z2-7]{4}$")
GUEST_YOU = re.compile(r"Guest [a-z2-7]{4} \(you\)$")


def people(page: Page) -> Locator:
    return page.locator("#names li > span:nth-child(2)")


async def test_names_are_kept_shown_and_optional(serve, visit):
    url = serve(app())
    ann, bob = await enter(visit, url, "Ann"), await enter(visit, url)
    await expect(people(bob)).to_have_text([GUEST_YOU, "Ann"])
    await post(bob, "hello")
    await expect(ann.locator("#messages .who")).to_have_text([GUEST])
    again = await visit(url, context=ann.context)
    await expect(again.locator("#name")).to_have_value("Ann")
    await again.close()
    await ann.fill("#name", "\u200b")
    await ann.press("#name", "Enter")
    await expect(ann.get_by_role("alert")).to_contain_text("A name must have a visible character")
    await ann.close()
    await expect(people(bob)).to_have_text([GUEST_YOU])


async def test_two_of_one_name_are_two_people_and_two_tabs_are_one(serve, visit):
    url = serve(app())
    ann, other = await enter(visit, url, "Ann"), await enter(visit, url, "Ann")
    tab = await enter(visit, url, context=ann.context)
    for page in (ann, tab):
        await expect(people(page)).to_have_text(["Ann (you)", "Ann 2"])
        await expect(page.locator("#people .online")).to_have_text("2")
    await expect(people(other)).to_have_text(["Ann 2 (you)", "Ann"])
    await post(other, "hello")
    await expect_posts(other, "hello")
    await expect(tab.locator("#messages .who")).to_have_text(["Ann 2"])
    await tab.fill("#name", "Anna")
    await tab.press("#name", "Enter")
    await expect(ann.locator("#name")).to_have_value("Anna")
    await expect(people(other)).to_have_text(["Ann 2 (you)", "Anna"])
    await tab.close()
    await expect(ann.locator(".news").last).to_have_text("News: Someone went home (2)")
    await expect(people(ann)).to_have_text(["Anna (you)", "Ann 2"])


async def test_while_away_the_people_are_grey_and_stay(serve, visit):
    page = await enter(visit, serve(application := app()), "Ann")
    await expect(people(page)).to_have_text(["Ann (you)"])
    await page.clock.set_fixed_time(0)  # it would come back by itself
    cut_all(application.settings["hub"])
    await expect(page.locator("#people")).to_have_class(re.compile("stale"))
    await expect(people(page)).to_have_text(["Ann (you)"])
    await page.get_by_role("button", name="Now").click()
    await expect(page.locator("#people")).not_to_have_class(re.compile("stale"))


WATCH_PEOPLE = """
  window.shown = [];
  addEventListener("DOMContentLoaded", () => {
    const texts = (selector) => [...document.querySelectorAll(selector)].map(({ textContent }) => textContent);
    const look = () => shown.push([texts(".online"), texts("#names bdi"), texts("#names .more")]);
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
    await expect(people(ann)).to_have_text(["Ann (you)", "Bob", "Bob 2", "Eve", GUEST])
    await guest.close()
    await expect(people(ann)).to_have_count(4)
    shown = await ann.evaluate("shown")
    assert ["5", "5"] in [online for online, *_ in shown]
    for (head, side), names, more in shown:
        assert head == side
        unlisted = sum(int(re.sub(r"\D", "", text)) for text in more)  # clients that have not said who they are yet
        assert len(names) + unlisted == (0 if head == "–" else int(head))


async def test_names_beyond_fifty_are_counted(serve, visit):
    page = await enter(visit, serve(application := app()), "Ann")
    for number in range(52):
        guest = await connect(application.settings["hub"])
        await guest.call("here", {"name": f"Person {number}"})
    await expect(page.locator("#names li")).to_have_count(51)
    await expect(page.locator("#names li").last).to_have_text("and 3 more")


async def test_who_comes_with_a_name_that_is_refused_is_here_without_one(serve, visit):
    url = serve(app())
    page = await enter(visit, url, script="localStorage.name = JSON.stringify('\u200b')")
    await expect(page.get_by_role("alert")).to_contain_text("A name must have a visible character")
    await expect(page.locator("#people .online")).to_have_text("1")
    await enter(visit, url, "Bob")
    await expect(people(page)).to_have_text([GUEST_YOU, "Bob"])


async def test_others_see_who_is_typing_until_it_is_posted(serve, visit):
    url = serve(app())
    ann, bob = await enter(visit, url, "Ann"), await enter(visit, url, "Bob")
    await expect(bob.locator("#names bdi")).to_have_text(["Bob", "Ann"])
    await ann.type("#text", "hel")
    await expect(bob.locator("#typing")).to_have_text("Ann is typing…")
    await expect(ann.locator("#typing")).to_have_text("")
    await ann.press("#text", "Enter")
    await expect_posts(bob, "hel")
    await expect(bob.locator("#typing")).to_have_text("")


async def test_a_moderator_sends_a_person_away_who_stays_away(serve, visit):
    url = serve(app())
    ann, bob = await enter(visit, url, "Ann"), await enter(visit, url, "Bob")
    await post(bob, "rude")
    await expect_posts(ann, "rude")
    await ann.hover("#messages .post")
    for label in ("Delete", "Delete?"):
        await ann.get_by_role("toolbar").get_by_text(label, exact=True).click()
    await expect_posts(bob)
    for label in ("Send away", "Sure?"):
        await ann.locator("#names").get_by_text(label).focus()
        await ann.keyboard.press("Enter")
    await expect(bob.get_by_role("status")).to_have_text("Disconnected")
    await expect(people(ann)).to_have_text(["Ann (you)"])
