"""What a client may say on the board: each function returns a value as it is meant, or raises Wrong in words."""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable, Callable
from functools import update_wrapper
from typing import Any

MAX_TEXT = 1000
MAX_NAME = 32
MAX_KEY = 64
MAX_ID = 2**53
"""JavaScript counts exactly up to here."""
BLANK_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Cs", "Zl", "Zp", "Zs"})
"""Unicode's categories of characters that alone leave a line empty."""
FORBIDDEN = frozenset({"Cc", "Cs"})
"""Control characters, and halves of characters, which cannot be encoded."""
KINDS = {dict: "an object", list: "an array", str: "a text", bool: "true or false", int: "a number", float: "a number"}


class InvalidInput(Exception):
    """What a client said cannot be. It is answered `{"error": …}`, and what else there is to know."""

    def __init__(self, message: str, **more: Any) -> None:
        super().__init__(message)
        self.answer = {"error": message, **more}


Answer = Awaitable[dict[str, Any]]


def one_object(method: Callable[[Any, dict[str, Any]], Answer]) -> Callable[..., Answer]:
    """Have a method that answers an event be given the one object that it takes, and its Wrong be the answer."""

    async def answer(client: Any, *args: Any) -> dict[str, Any]:
        try:
            return await method(client, _object(args))
        except InvalidInput as wrong:
            return wrong.answer

    update_wrapper(answer, method)
    del answer.__wrapped__  # type: ignore[attr-defined]  # or else other numbers of arguments would get no answer
    return answer


def text_of(value: Any) -> str:
    """Return the text of a post, without white space around it."""
    text = _text("The text of a post", value).replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"A post has {MAX_TEXT:,} characters at most, and this has {len(text):,}: shorten it")
    _check_characters("A post", text.replace("\n", ""))
    if not _is_seen(text):
        raise InvalidInput("There is nothing in this post: write something")
    return text


def name_of(value: Any) -> str:
    """Return a name, without white space around it; an empty one stands for none."""
    name = _text("A name", value).strip()
    if len(name) > MAX_NAME:
        raise InvalidInput(f"A name has {MAX_NAME} characters at most, and this has {len(name):,}: shorten it")
    _check_characters("A name", name)
    if name and not _is_seen(name):
        raise InvalidInput("There is nothing to be seen of this name: choose another")
    return name


def key_of(value: Any) -> str | None:
    """Return what a client calls its post; None where it has no name for it."""
    if value is None:
        return None
    key = _text("The key of a post", value)
    if not 1 <= len(key) <= MAX_KEY:
        raise InvalidInput(f"The key of a post has 1 to {MAX_KEY} characters, and this has {len(key):,}")
    _check_characters("The key of a post", key)
    return key


def before_of(value: Any) -> int | None:
    """Return the id of a post; None where there is none."""
    if value is None or (type(value) is int and 0 <= value <= MAX_ID):
        return value
    raise InvalidInput("before has to be the id of a post")


def _object(args: tuple[Any, ...]) -> dict[str, Any]:
    if len(args) > 1:
        raise InvalidInput(f"This event takes one object, not {len(args)} arguments")
    if args and not isinstance(args[0], dict):
        raise InvalidInput(f"This event takes an object, not {_kind(args[0])}")
    return args[0] if args else {}


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{what} has to be a text, not {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    return "nothing" if value is None else KINDS.get(type(value), "binary")


def _is_seen(text: str) -> bool:
    return any(unicodedata.category(char) not in BLANK_CATEGORIES for char in text)


def _check_characters(what: str, text: str) -> None:
    for char in text:
        if unicodedata.category(char) in FORBIDDEN:
            raise InvalidInput(f"{what} cannot have control characters, and this has U+{ord(char):04X}")
