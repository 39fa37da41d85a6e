"""The board's page shows the rest when it cannot show something.

In a real Chromium.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.async_api import expect
from test_page_board import app, enter, expect_posts, expect_problem, filled, hub_of, post, posts

from handlers.board.handler import BoardHandler
from handlers.board.history import PAGE

pytestmark = pytest.mark.gen_test

NOW = int(time.time() * 1000)
UNSHOWN = "This post cannot be shown."
SPOILT: dict[str, Any] = {
    "a text that is a number": {"text": 5},
    "a text that is null": {"text": None},
    "a text that is an object": {"text": {"a": [1]}},
    "a name that is a number": {"name": 5},
    "a name that is an object": {"name": {}},
    "a time that is none": {"at": "yesterday"},
    "a time beyond the calendar": {"at": 10**18},
}
"""Wrong parts of a post, which has a place in the list all the same."""
HOMELESS: list[Any] = [None, 5, "hello", [], {}, {"id": None}, {"id": "5"}, {"id": 1.5}, {"id": {}}]
"""Posts that have no place in the list."""
BROKEN = {
    "addresses": """window.URL = class extends URL {
      constructor(text, ...base) {
        super(text.includes("a.example") ? "" : text, ...base);
      }
    };""",
    "links": "Object.defineProperty(HTMLAnchorElement.prototype, 'href', { set() { throw new Error('no links'); } });",
    "calendars": "Object.defineProperty(Intl.DateTimeFormat.prototype, 'format', { value: null });",
    "texts": "String.prototype.matchAll = () => { throw new Error('no matchAll'); };",
}
"""Ways in which a browser may fail at each post."""


def a_post(id_: int, **parts: Any) -> dict[str, Any]:
    return {"id": id_, "text": "hello", "name": "Ann", "at": NOW, **parts}


class Spoilt(BoardHandler):
    """A board whose history has what cannot be shown among what can."""

    async def on_history(self, *args: Any) -> dict[str, Any]:
        spoilt = [a_post(2 + index, **parts) for index, parts in enumerate(SPOILT.values())]
        return {"posts": [a_post(1), *HOMELESS, *spoilt, a_post(100, text="good")], "more": False}


async def test_what_cannot_be_shown_of_a_history_does_not_end_it(serve, visit):
    url = serve(app(Spoilt))
    page = await enter(visit, url, ordinary=False)
    await expect(page.locator(".unshown")).to_have_text([UNSHOWN] * len(SPOILT))
    await post(page, "behind them")
    await expect_posts(page, "hello", "good", "behind them")


async def test_what_cannot_be_shown_of_what_comes_does_not_end_it(serve, visit):
    page = await enter(visit, serve(application := app()), ordinary=False)
    await post(page, "before")
    await expect_posts(page, "before")
    for index, spoilt in enumerate([*HOMELESS, *(a_post(2 + n, **parts) for n, parts in enumerate(SPOILT.values()))]):
        for event in ("post", "news", "private", "here", "typing"):
            hub_of(application).emit(event, spoilt)
        hub_of(application).emit("news", {"msg": f"Knock {index}", "count": 1})
    hub_of(application).emit("post", a_post(100, text="good"))
    await expect_posts(page, "good", "before")
    await expect(page.locator(".unshown")).to_have_text([UNSHOWN] * len(SPOILT))
    await expect(page.locator(".news").last).to_have_text(f"News: Knock {len(HOMELESS) + len(SPOILT) - 1} (1)")
    again = await enter(visit, page.url)
    await post(again, "behind them")
    await expect_posts(page, "good", "before", "behind them")


@pytest.mark.parametrize("what", BROKEN)
async def test_a_browser_that_fails_at_a_post_shows_the_others(serve, visit, what):
    application = app(history=await filled(PAGE + 20))
    page = await enter(visit, serve(application), script=BROKEN[what], ordinary=False)
    lines = page.locator("#messages .post")
    await expect(lines).to_have_count(PAGE)
    await page.locator("#log").hover()
    await page.mouse.wheel(0, -100_000)
    await expect(lines).to_have_count(PAGE + 20)
    await post(page, "See http://a.example")
    await expect(lines).to_have_count(PAGE + 21)


async def test_a_post_that_was_on_its_way_and_cannot_be_shown_stops_nothing(serve, visit):
    spoil = """sessionStorage.outbox ??= JSON.stringify([
      null, 5, { text: "without a key" }, { key: '"', text: 5, name: "Ann" }, { key: "k", text: "good", name: "Ann" },
    ]);"""
    url = serve(app())
    page = await enter(visit, url, script=spoil, ordinary=False)
    await expect_posts(page, "good")
    await expect_problem(page, "The text of a post must be a text", "5")
    other = await enter(visit, url, script="sessionStorage.outbox ??= '5'; localStorage.name ??= '{}'")
    await post(other, "fine")
    await expect_posts(page, "good", "fine")


class Failing(BoardHandler):
    """A board that fails at each event in turn.

    The library answers as for any handler that fails.
    """

    fails: str

    async def on_here(self, *args: Any) -> dict[str, Any]:
        return await self.unless("here", super().on_here, *args)

    async def on_history(self, *args: Any) -> dict[str, Any]:
        return await self.unless("history", super().on_history, *args)

    async def on_post(self, *args: Any) -> dict[str, Any]:
        return await self.unless("post", super().on_post, *args)

    async def unless(self, event: str, answer: Any, *args: Any) -> Any:
        if event in self.settings["failing"]:
            return self.settings["failure"]
        return await answer(*args)


FAILURES = [pytest.param({"message": "Internal error"}, id="message"), pytest.param({"error": "Not now"}, id="error")]


@pytest.mark.parametrize("failure", [*FAILURES, pytest.param({}, id="nothing"), pytest.param(None, id="null")])
async def test_where_one_question_fails_the_page_goes_on(serve, visit, failure):
    application = app(Failing, history=await filled(3))
    application.settings.update(failing={"here", "history"}, failure=failure)
    page = await enter(visit, serve(application), ordinary=False)
    await post(page, "hello")
    await expect_posts(page, "hello")


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_history_that_fails_can_be_asked_for_again(serve, visit, failure):
    application = app(Failing, history=await filled(3))
    application.settings.update(failing={"history"}, failure=failure)
    page = await enter(visit, serve(application))
    await expect(page.locator("#older")).to_have_text(*failure.values())
    application.settings["failing"].clear()
    await page.click("#older")
    await expect_posts(page, "post 0", "post 1", "post 2")
    await expect(page.locator("#older")).to_be_hidden()


@pytest.mark.parametrize("failure", [*FAILURES, pytest.param({}, id="nothing")])
async def test_a_post_at_which_the_server_fails_is_given_back(serve, visit, failure):
    application = app(Failing)
    application.settings.update(failing={"post"}, failure=failure)
    page = await enter(visit, serve(application))
    await post(page, "hello")
    await expect_problem(page, next(iter(failure.values()), "post it again"), "hello")
    application.settings["failing"].clear()
    await page.press("#text", "Enter")
    await expect_posts(page, "hello")
    await expect(posts(page)).to_have_count(1)
