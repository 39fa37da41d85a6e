"""The board in use, in a real Chromium.

Posts, history, presence, and the state that the page shows.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from conftest import board, wait_until
from effort import amount
from inside import cut_all, session_of
from playwright.async_api import Page, expect
from test_page import arrival, expect_state, welcome
from tornado.web import Application

from handlers.board.handler import BoardHandler
from handlers.board.history import PAGE, History
from handlers.socketio import Hub, RateLimit
from server import make_app

pytestmark = pytest.mark.gen_test

WINDOW = 300
PAGES = amount(5, thorough=10)
FLOOD = amount(3000, thorough=10_000)
"""Lines that the page has at most."""


# ---- The words of these tests


def app(handler: type[BoardHandler] = BoardHandler, history: History | None = None, **options: Any) -> Application:
    return make_app(Hub({"/": handler}, **options), history=history or History())


def hub_of(application: Application) -> Any:
    return application.settings["hub"].of("/")


async def enter(visit: Any, url: str, name: str = "", **options: Any) -> Page:
    """Open the page, under a name."""
    page: Page = await visit(url, **options)
    if name:
        await page.fill("#name", name)
        await page.press("#name", "Enter")
    return page


async def post(page: Page, text: str) -> None:
    await page.fill("#text", text)
    await page.press("#text", "Enter")


def posts(page: Page) -> Any:
    return page.locator("#messages .text")


async def expect_posts(page: Page, *texts: str) -> None:
    """Expect exactly these posts, and none being sent."""
    await expect(posts(page)).to_have_text(list(texts))
    await expect(page.locator("#pending li")).to_have_count(0)


async def reconnect(page: Page) -> None:
    """Have the page try again at once, unless it is back already."""
    await page.evaluate("socket.connected || document.getElementById('now').click()")
    await expect_state(page, "Connected")


async def expect_problem(page: Page, words: str, text: str) -> None:
    """Expect that the page says what is wrong, and keeps the text."""
    await expect(page.get_by_role("alert")).to_contain_text(words)
    assert await page.input_value("#text") == text


async def filled(number: int) -> History:
    history = History()
    for index in range(number):
        await history.add(f"post {index}", f"Person {index % 7}")
    return history


# ---- Posting


async def test_all_people_see_the_same_posts_in_the_same_order(serve, visit, browser):
    url = serve(app())
    shared = await browser.new_context()
    # Every other one is a tab of one browser, and so one person.
    pages = [await enter(visit, url, f"Person {n}", context=shared if n % 2 else None) for n in range(PAGES)]
    await asyncio.gather(*(post(page, f"from {n}") for n, page in enumerate(pages)))
    for page in pages:
        await expect(posts(page)).to_have_count(PAGES)
    said = [await posts(page).all_text_contents() for page in pages]
    assert said == [said[0]] * PAGES
    assert sorted(said[0]) == [f"from {n}" for n in range(PAGES)]
    people = 1 + (PAGES + 1) // 2
    for page in pages:
        await expect(page.locator("#people .online")).to_have_text(str(people))
        await expect(page.locator("#names bdi")).to_have_count(people)
    await shared.close()


async def test_enter_posts_and_shift_enter_breaks_the_line(serve, visit):
    url = serve(app())
    ann, bob = await enter(visit, url, "Ann"), await enter(visit, url)
    await ann.focus("#text")
    await ann.keyboard.type(" one")
    await ann.keyboard.press("Shift+Enter")
    await ann.keyboard.type("two ")
    await ann.keyboard.press("Enter")
    for page in (ann, bob):
        await expect_posts(page, "one\ntwo")
        await expect(page.locator("#messages .who")).to_have_text(["Ann"])
    assert await ann.input_value("#text") == ""


class Deaf(BoardHandler):
    """A board that answers a post only when told to."""

    async def on_post(self, *args: Any) -> dict[str, Any]:
        await self.settings["open"].wait()
        return await super().on_post(*args)


async def test_a_post_is_there_at_once_and_on_its_way_until_it_is_acknowledged(serve, visit):
    application = app(Deaf)
    application.settings["open"] = asyncio.Event()
    page = await enter(visit, serve(application), "Ann")
    await post(page, "hello")
    await expect(page.locator("#pending li")).to_have_text(["AAnn on its way…hello"])
    await expect(posts(page)).to_have_count(0)
    application.settings["open"].set()
    await expect_posts(page, "hello")


class Forgetful(BoardHandler):
    """A board that loses the connection before it acknowledges its first post."""

    async def on_post(self, *args: Any) -> dict[str, Any]:
        answer = await super().on_post(*args)
        if not self.settings.get("has forgotten"):
            self.settings["has forgotten"] = True
            session_of(self).close("forced close")
        return answer


async def test_a_post_whose_acknowledgement_is_lost_arrives_once(serve, visit):
    url = serve(app(Forgetful))
    ann = await enter(visit, url, "Ann", ordinary=False)
    bob = await enter(visit, url)
    await post(ann, "hello")
    await expect_posts(bob, "hello")
    await expect_state(ann, "Reconnecting…")
    await reconnect(ann)
    await post(ann, "again")
    for page in (ann, bob):
        await expect_posts(page, "hello", "again")


async def test_a_post_made_offline_arrives_once_after_the_return_even_if_the_page_is_reloaded(start, visit, tmp_path):
    server = start(board(f"--database={tmp_path}/board.sqlite3"))
    ann, bob = [await enter(visit, server.url, name, ordinary=False) for name in ("Ann", "Bob")]
    await post(ann, "before")
    await expect_posts(bob, "before")
    await asyncio.to_thread(server.stop, True)
    await expect_state(ann, "Reconnecting…")
    await post(ann, "meanwhile")
    await expect(ann.locator("#pending .text")).to_have_text(["meanwhile"])
    await asyncio.to_thread(server.start)
    await ann.reload()
    await expect_posts(ann, "before", "meanwhile")
    await reconnect(bob)
    await expect_posts(bob, "before", "meanwhile")
    carol = await enter(visit, server.url)
    await expect_posts(carol, "before", "meanwhile")


class Strict(BoardHandler):
    """A board with a limit that a test reaches in seconds."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.posting = RateLimit(2, 6)


async def test_who_posts_too_fast_is_told_so_and_loses_nothing(serve, visit):
    page = await enter(visit, serve(app(Strict)))
    for text in "abc":
        await post(page, text)
    await expect(page.get_by_role("alert")).to_contain_text(
        re.compile(r"The limit is 2 posts in 6 seconds: wait for [123] s")
    )
    await expect_posts(page, "a", "b", "c")
    await expect(page.get_by_role("alert")).to_have_text("")


class Grumpy(BoardHandler):
    """A board that likes nothing."""

    async def on_post(self, *args: Any) -> dict[str, Any]:
        return {"error": "I do not like it"}


async def test_what_the_server_refuses_is_given_back(serve, visit):
    page = await enter(visit, serve(app(Grumpy)))
    await post(page, "hello")
    await expect_problem(page, "I do not like it", "hello")
    await expect_posts(page)


WRONG = [
    ("", "nothing to post"),
    (" \n ", "nothing to post"),
    ("\u200b\u202e", "no visible character"),
    ("a\u0007b", "control character"),
    ("x" * 1001, "Too long by 1:"),
    ("🙂" * 10_000, "Too long by 9,000:"),
    ("x" * 1_000_000, "Too long by 999,000:"),
]


async def test_the_page_says_what_is_wrong_with_a_post_and_keeps_it(serve, visit):
    page = await enter(visit, serve(app()))
    for text, words in WRONG:
        await post(page, text)
        await expect_problem(page, words, text)
    await post(page, "hello")
    await expect_posts(page, "hello")
    await expect(page.get_by_role("alert")).to_have_text("")


MARKUP = """<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>&lt;b&gt;"""
ODD = [MARKUP, "\u202egnihtyreve", "a\u200bb\u2060", "Z" + "\u0335\u0301" * 400, "🙂" * 1000, "x" * 1000, "שלום"]


async def test_nothing_that_somebody_types_breaks_the_page_of_another(serve, visit, browser):
    context = await browser.new_context(viewport={"width": 320, "height": 640})
    url = serve(application := app())
    page = await enter(visit, url, "Ann", context=context)
    title = await page.title()
    history = application.settings["history"]
    for text in ODD:
        told, _ = await history.add(text, text[:32], None)
        hub_of(application).emit("post", told.public())
    hub_of(application).emit("typing", {"name": MARKUP})
    await expect_posts(page, *ODD)
    await expect(page.locator("#messages .who")).to_have_text([text[:32] for text in ODD])
    await expect(page.locator("#typing")).to_have_text(f"{MARKUP} is typing…")
    assert await page.locator("#messages img, #messages script, #messages b").count() == 0
    assert await page.title() == title
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    assert await page.evaluate("find = document.querySelector('#log'), find.scrollWidth === find.clientWidth")
    newcomer = await enter(visit, url)
    await expect_posts(newcomer, *ODD)
    await context.close()


LINKS = [
    ("See https://a.example/b?c=d#e, then", "https://a.example/b?c=d#e"),
    ("(http://b.example/x_(y)).", "http://b.example/x_(y)"),
    ('"https://c.example"', "https://c.example/"),
    ("www.d.example.", "https://www.d.example/"),
    ("WWW.e.example/f!", "https://www.e.example/f"),
    ("mail ann.b+c@f.example, please", "mailto:ann.b+c@f.example"),
    ("a www.d.example, and b@c.example", "https://www.d.example/ mailto:b@c.example"),
    ("javascript:alert(1) data:text/html,x ftp://a.example awww.a.example www. www.. @a a@b a.example", ""),
]
"""Posts, and the URLs of their links."""
CODE = [
    ("run `make` and `a b`", "run make and a b", 2, 0),
    ("`https://a.example` ` ` `` `a\nb`", "https://a.example ` ` `` `a\nb`", 1, 0),
    ("`<img src=x onerror=alert(1)>`", "<img src=x onerror=alert(1)>", 1, 0),
    ("so:\n```python\na = `b`\n\n<b>\n```\nand", "so:a = `b`\n\n<b>and", 1, 1),
    ("```\none\n```\n```\ntwo\n```", "onetwo", 2, 2),
    ("```\nnot closed `code`", "```\nnot closed code", 1, 0),
    ("```\n\n```", "```\n\n```", 0, 0),
    (
        "# no *more* of [it](https://a.example) **is** _there_",
        "# no *more* of [it](https://a.example) **is** _there_",
        0,
        0,
    ),
]
"""Posts, and what is seen: text, number of `code` and of `pre`."""


async def test_code_and_addresses_are_shown_as_such_and_nothing_else(serve, visit):
    page = await enter(visit, serve(application := app()))
    await expect_state(page, "Connected")
    line = posts(page).last
    for number, (text, urls) in enumerate(LINKS):
        hub_of(application).emit("post", {"id": 1 + number, "text": text, "name": "", "at": 1_700_000_000_000})
        await expect(line).to_have_text(text)
        links = await line.locator("a").evaluate_all("(links) => links.map(({ href, rel }) => [href, rel])")
        assert links == [[url, "noopener nofollow"] for url in urls.split()]
    for number, (text, seen, codes, blocks) in enumerate(CODE):
        hub_of(application).emit("post", {"id": 100 + number, "text": text, "name": "", "at": 1_700_000_000_000})
        await wait_until(page, f"document.querySelectorAll('.text').length === {len(LINKS) + 1 + number}")
        assert await line.evaluate("(line) => line.textContent") == seen
        counts = [await line.locator(tag).count() for tag in ("code", "pre", "code a, img, b")]
        assert counts == [codes, blocks, 0]


# ---- History


async def test_history_survives_a_restart_of_the_server(start, visit, tmp_path):
    server = start(board(f"--database={tmp_path}/board.sqlite3"))
    ann = await enter(visit, server.url, "Ann", ordinary=False)
    await post(ann, "before")
    await expect_posts(ann, "before")
    await ann.clock.set_fixed_time(0)  # it would not come back by itself
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)
    bob = await enter(visit, server.url, "Bob", ordinary=False)
    await expect_posts(bob, "before")
    await post(bob, "after")
    await reconnect(ann)
    await expect_posts(ann, "before", "after")
    await expect(ann.locator(".mark + .post .text")).to_have_text("after")


async def test_older_posts_come_by_scrolling_and_nothing_jumps(serve, visit):
    page = await enter(visit, serve(app(history=await filled(2 * PAGE + 50))))
    await expect(posts(page)).to_have_count(PAGE)
    await expect(posts(page).last).to_be_in_viewport()
    for count in (2 * PAGE, 2 * PAGE + 50):
        first = posts(page).first
        text = await first.text_content()
        await page.locator("#log").hover()
        await page.mouse.wheel(0, -100_000)
        await expect(posts(page)).to_have_count(count)
        await expect(posts(page).filter(has_text=re.compile(f"^{text}$"))).to_be_in_viewport()
    await expect(posts(page)).to_have_text([f"post {number}" for number in range(2 * PAGE + 50)])
    await expect(page.locator("#older")).to_be_hidden()
    await page.click("#newest")
    await expect(posts(page).last).to_be_in_viewport()
    await expect(page.locator("#newest")).to_be_hidden()


async def test_a_post_stays_in_view_when_the_log_shrinks_at_the_same_moment(serve, visit):
    page = await enter(visit, serve(app(history=await filled(PAGE))))
    await expect(posts(page).last).to_be_in_viewport()
    await page.evaluate(
        """() => {
            const shrink = () => (document.querySelector("#text").style.height = "200px");
            new MutationObserver(shrink).observe(document.querySelector("#pending"), { childList: true });
        }"""
    )
    await post(page, "good")
    await expect(posts(page)).to_have_count(PAGE + 1)
    await expect(posts(page).last).to_be_in_viewport(ratio=1)
    await expect(page.locator("#newest")).to_be_hidden()


async def test_the_page_says_when_posts_are_not_kept_and_goes_on(serve, visit, tmp_path: Path, caplog):
    file = tmp_path / "board.sqlite3"
    history = History(str(file))
    await history.open()
    url = serve(app(history=history))
    page = await enter(visit, url)
    await expect(page.locator("#trouble")).to_be_hidden()
    lock = sqlite3.connect(file)
    lock.execute("BEGIN IMMEDIATE")
    await post(page, "hello")
    await expect_posts(page, "hello")
    await expect(page.locator("#trouble")).to_have_text("Posts are not being saved at the moment: database is locked.")
    lock.rollback()
    lock.close()
    await history.close()


async def test_a_gap_that_the_history_cannot_close_is_not_hidden(serve, visit):
    application = app(recovery=0)
    page = await enter(visit, serve(application), ordinary=False)
    await post(page, "before")
    await expect_posts(page, "before")
    cut_all(application.settings["hub"])
    await expect_state(page, "Reconnecting…")
    for number in range(PAGE + 10):
        await application.settings["history"].add(f"missed {number}", "")
    await reconnect(page)
    await expect_posts(page, *(f"missed {number}" for number in range(10, PAGE + 10)))
    await page.evaluate("document.getElementById('log').scrollTop = 0")
    await expect(posts(page)).to_have_count(PAGE + 11)
    await expect(posts(page).first).to_have_text("before")


class Talkative(BoardHandler):
    """A board that can say much at once."""

    def on_flood(self, start: int, end: int) -> None:
        for number in range(start, end):
            self.broadcast("post", {"id": 1 + number, "text": f"post {number}", "name": "", "at": 1_700_000_000_000})


async def test_with_thousands_of_posts_old_lines_leave_the_page(serve, visit):
    application = app(Talkative)
    page = await enter(visit, serve(application))
    await expect(page.locator("#messages li")).to_have_text([arrival(1), welcome(1)])
    await page.evaluate(f"socket.emit('flood', 0, {FLOOD})")
    await expect(posts(page).last).to_have_text(f"post {FLOOD - 1}")
    assert await page.locator("#messages li").count() == WINDOW
    await expect(posts(page).last).to_be_in_viewport()
    await page.evaluate("document.querySelector('#log').scrollTop = 1000")
    await expect(page.locator("#newest")).to_have_text("Newest")
    reading = await page.evaluate("document.querySelector('#log').scrollTop")
    await page.evaluate(f"socket.emit('flood', {FLOOD}, {FLOOD + 2000})")
    await expect(page.locator("#newest")).to_have_text("2000 new posts")
    assert await page.locator("#messages li").count() == WINDOW
    assert await page.evaluate("document.querySelector('#log').scrollTop") == reading


# ---- Notices


async def test_many_notices_in_a_row_are_folded(serve, visit):
    application = app()
    page = await enter(visit, serve(application))
    notices = page.locator("#messages :is(.news, .private)")
    await expect(notices).to_have_count(2)
    for count in range(3, 13):
        hub_of(application).emit("news", {"msg": "Knock", "count": count})
    await expect(notices.filter(visible=True)).to_have_count(12)
    hub_of(application).emit("news", {"msg": "Knock", "count": 13})
    await expect(notices.filter(visible=True)).to_have_text([f"News: Knock ({count})" for count in (11, 12, 13)])
    button = page.get_by_role("button", name="10 earlier notices")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(notices.filter(visible=True)).to_have_count(13)
    await page.get_by_role("button", name="Show fewer").click()
    await expect(notices.filter(visible=True)).to_have_count(3)
    for count in range(1000):
        hub_of(application).emit("news", {"msg": "Storm", "count": count})
    await expect(notices.last).to_have_text("News: Storm (999)")
    assert await notices.count() == 50
    await post(page, "hello")
    await expect_posts(page, "hello")


# ---- State


async def test_the_page_says_how_it_is_connected_and_when_it_tries_again(serve, visit):
    page = await enter(visit, serve(application := app()))
    await expect_state(page, "Connected")
    await expect(page.locator("#transport")).to_have_text("WebSocket")
    await page.clock.set_fixed_time(0)  # it would never try again by itself
    cut_all(application.settings["hub"])
    await expect_state(page, "Reconnecting…")
    await expect(page.locator("#away")).to_have_text(re.compile(r"^Reconnecting in [12] s Now$"))
    await page.get_by_role("button", name="Now").click()
    await expect_state(page, "Connected")
    await expect(page.locator("#away")).to_be_hidden()


async def test_a_page_that_is_sent_away_says_so_and_can_come_back(serve, visit):
    page = await enter(visit, serve(application := app()))
    await expect_state(page, "Connected")
    hub_of(application).disconnect()
    await expect_state(page, "Disconnected")
    await page.get_by_role("button", name="Now").click()
    await expect_state(page, "Connected")


async def test_the_page_says_that_it_is_offline_and_marks_what_was_missed(serve, visit, browser):
    application = app()
    url = serve(application)
    context = await browser.new_context()
    ann, bob = await enter(visit, url, "Ann", context=context, ordinary=False), await enter(visit, url, "Bob")
    await post(bob, "one")
    await expect_posts(ann, "one")
    await context.set_offline(True)
    await expect_state(ann, "Offline")
    await post(bob, "two")
    await post(ann, "from the tunnel")
    await expect(ann.locator("#pending .text")).to_have_text(["from the tunnel"])
    await context.set_offline(False)
    await expect_state(ann, "Connected")
    for page in (ann, bob):
        await expect_posts(page, "one", "two", "from the tunnel")
    await expect(ann.locator(".mark + .post .text")).to_have_text("two")
    await expect(bob.locator(".mark")).to_have_count(0)
    await context.close()


HIDE = """(isHidden) => {
  Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def test_unread_posts_are_counted_in_the_title_and_marked(serve, visit):
    url = serve(app())
    ann, bob = await enter(visit, url, "Ann"), await enter(visit, url, "Bob")
    await ann.evaluate(HIDE, True)
    await post(bob, "one")
    await post(bob, "two")
    await expect(ann).to_have_title("(2) Message Board")
    await ann.evaluate(HIDE, False)
    await expect(ann).to_have_title("Message Board")
    await expect(ann.locator(".mark + .post .text")).to_have_text("one")
    await ann.evaluate(HIDE, True)
    await expect(ann.locator(".mark")).to_have_count(0)


COUNT_TONES = """
  window.tones = 0;
  const { start } = OscillatorNode.prototype;
  OscillatorNode.prototype.start = function () { window.tones++; start.call(this); };
"""
NOTE_LIVE = """
  window.live = [];
  new MutationObserver((changes) => live.push(...changes.map(({ target }) => target.getAttribute("aria-live"))))
    .observe(document, { subtree: true, attributeFilter: ["aria-live"] });
"""
"""Each value that the log's `aria-live` has had, in `live`: a look may miss one of a second."""


async def test_the_sound_is_off_until_it_is_wanted(serve, visit):
    url = serve(app())
    ann, bob = await enter(visit, url, "Ann", script=COUNT_TONES), await enter(visit, url)
    await post(bob, "one")
    await expect_posts(ann, "one")
    assert await ann.evaluate("tones") == 0
    await ann.get_by_role("button", name="Sound").click()
    assert await ann.evaluate("tones") == 1
    again = await visit(url, context=ann.context, script=COUNT_TONES)
    await expect(again.get_by_role("button", name="Sound")).to_have_attribute("aria-pressed", "true")
    await expect_posts(again, "one")
    await again.click("#text")
    await post(bob, "two")
    await again.wait_for_function("() => tones === 1")


DROP = """([type, kind]) => {
  const data = new DataTransfer();
  if (kind === "file") data.items.add(new File(["x"], "x.png", { type: "image/png" }));
  else data.setData("text/plain", "words");
  const event = type === "paste"
    ? new ClipboardEvent(type, { clipboardData: data, bubbles: true, cancelable: true })
    : new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
  document.getElementById("text").dispatchEvent(event);
  return event.defaultPrevented;
}"""


@pytest.mark.parametrize("type_", ["dragover", "drop", "paste"])
async def test_a_file_does_not_take_the_place_of_the_page(serve, visit, type_):
    page = await enter(visit, serve(app()))
    assert not await page.evaluate(DROP, [type_, "text"])
    await expect(page.locator("#problem")).to_have_text("")
    assert await page.evaluate(DROP, [type_, "file"])
    await expect(page.locator("#problem")).to_have_text("Only text can be posted here, no files.")
