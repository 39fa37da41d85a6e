"""Enter, with and without an input method, in a real Chromium.

The tests act out the ways of several browsers.
"""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from test_page_board import app, enter, expect_posts

pytestmark = pytest.mark.gen_test

ENTER = {"key": "Enter", "code": "Enter", "bubbles": True, "cancelable": True}
COMPOSING = {
    "Safari, behind its compositionend": {"keyCode": 229},
    "Safari, in between": {"keyCode": 229, "isComposing": True},
    "Chrome": {"key": "Process", "keyCode": 229, "isComposing": True},
    "Chrome, at the end of some": {"keyCode": 229, "isComposing": True},
    "Firefox": {"key": "Process", "keyCode": 229, "isComposing": True},
    "a browser without keyCode": {"isComposing": True},
    "a keyboard of Android": {"key": "Unidentified", "code": "", "keyCode": 229},
    "the key of a numeric pad": {"code": "NumpadEnter", "keyCode": 229},
}
"""How a press of Enter that chooses what an input method proposes comes to the page."""


@pytest.mark.parametrize("field", ["text", "name"])
async def test_enter_that_ends_a_composition_does_nothing_else(serve, visit, field):
    url = serve(app())
    page, witness = await enter(visit, url), await enter(visit, url)
    await page.fill("#text", "に")
    await page.focus(f"#{field}")
    for how, event in COMPOSING.items():
        acted = await page.evaluate(
            "(event) => !document.activeElement.dispatchEvent(new KeyboardEvent('keydown', event))", {**ENTER, **event}
        )
        assert not acted, how
        assert await page.evaluate("document.activeElement.id") == field, how
        assert await page.input_value("#text") == "に", how
    await page.fill("#text", "にほん")
    await page.press(f"#{field}", "Enter")
    if field == "name":
        assert await page.evaluate("document.activeElement.id") == "text"
        await page.keyboard.press("Enter")
    await expect_posts(witness, "にほん")


@pytest.mark.parametrize("is_safari", [False, True])
async def test_what_an_input_method_composes_is_posted_when_it_is_whole(serve, visit, is_safari):
    page = await enter(visit, serve(app()), "Ann")
    devtools = await page.context.new_cdp_session(page)
    key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229, "nativeVirtualKeyCode": 229}
    await page.focus("#text")
    for half in ("に", "にh", "にほ"):
        await devtools.send("Input.imeSetComposition", {"text": half, "selectionStart": 2, "selectionEnd": 2})
    if is_safari:  # there the composition has ended when Enter comes
        await devtools.send("Input.insertText", {"text": "日本"})
    await devtools.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **key})
    if not is_safari:
        await devtools.send("Input.insertText", {"text": "日本"})
    await devtools.send("Input.dispatchKeyEvent", {"type": "keyUp", **key})
    assert await page.input_value("#text") == "日本"
    await expect(page.locator("#messages .text, #pending .text")).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect_posts(page, "日本")
