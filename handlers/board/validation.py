"""Checks of the data of events.

They return a clean value or raise InvalidInput.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable, Callable
from functools import update_wrapper
from typing import Any

MAX_TEXT = 1000
MAX_NAME = 32
MAX_KEY = 64
MIN_SECRET = 16
MAX_ID = 2**53
"""The largest integer that JavaScript represents exactly, and all below."""
BLANK_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Cs", "Zl", "Zp", "Zs"})
"""Unicode categories of characters that are invisible."""
FORBIDDEN = frozenset({"Cc", "Cs"})
"""Unicode categories of control characters and of surrogates, which UTF-8 cannot encode."""
PLACES = ("before", "after", "around")
REACTIONS = ("👍", "❤️", "😂", "🎉", "😮", "😢")
KINDS = {dict: "an object", list: "an array", str: "a text", bool: "true or false", int: "a number", float: "a number"}


class InvalidInput(Exception):
    """The data of an event are invalid.

    The answer is `{"error": message, **more}`.
    """

    def __init__(self, message: str, **more: Any) -> None:
        super().__init__(message)
        self.answer = {"error": message, **more}


Answer = Awaitable[dict[str, Any]]


def one_object(method: Callable[[Any, dict[str, Any]], Answer]) -> Callable[..., Answer]:
    """Decorator: pass the event's single object argument; return InvalidInput as `{error}`."""

    async def answer(client: Any, *args: Any) -> dict[str, Any]:
        try:
            return await method(client, _object(args))
        except InvalidInput as wrong:
            return wrong.answer

    update_wrapper(answer, method)
    del answer.__wrapped__  # type: ignore[attr-defined]  # else its signature would reject other numbers of arguments
    return answer


def text_of(value: Any) -> str:
    """Return the text of a post, stripped of white space."""
    text = _text("The text of a post", value).replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"A post must have at most {MAX_TEXT:,} characters, got {len(text):,}: shorten it")
    _check_characters("A post", text.replace("\n", ""))
    if not _is_seen(text):
        raise InvalidInput("A post must not be empty: write something")
    return text


def name_of(value: Any) -> str:
    """Return a name, stripped of white space; "" stands for no name."""
    name = _text("A name", value).strip()
    if len(name) > MAX_NAME:
        raise InvalidInput(f"A name must have at most {MAX_NAME} characters, got {len(name):,}: shorten it")
    _check_characters("A name", name)
    if name and not _is_seen(name):
        raise InvalidInput("A name must have a visible character: choose another")
    return name


def key_of(value: Any) -> str | None:
    """Return the client's key of a post; None if it gave none."""
    if value is None:
        return None
    key = _text("The key of a post", value)
    if not 1 <= len(key) <= MAX_KEY:
        raise InvalidInput(f"The key of a post must have 1 to {MAX_KEY} characters, got {len(key):,}")
    _check_characters("The key of a post", key)
    return key


def secret_of(value: Any) -> str | None:
    """Return a person's secret; None if the client gave none."""
    if value is None:
        return None
    secret = _text("A secret", value)
    if not MIN_SECRET <= len(secret) <= MAX_KEY:
        limits = f"{MIN_SECRET} to {MAX_KEY} characters"
        raise InvalidInput(f"A secret must have {limits}, got {len(secret):,}: make one at random")
    _check_characters("A secret", secret)
    return secret


def place_of(wanted: dict[str, Any]) -> dict[str, int]:
    """Return which posts are wanted: one of PLACES, or none."""
    places = {name: id_of(wanted[name], name) for name in PLACES if wanted.get(name) is not None}
    if len(places) > 1:
        raise InvalidInput(f"A history has one place, not {' and '.join(places)}: choose one")
    return places


def id_of(value: Any, what: str = "id") -> int:
    """Return the id of a post."""
    if type(value) is int and 0 <= value <= MAX_ID:
        return value
    raise InvalidInput(f"{what} must be the id of a post")


def person_of(value: Any) -> str:
    """Return the id of a person."""
    if isinstance(value, str) and 0 < len(value) <= MAX_KEY:
        return value
    raise InvalidInput("person must be the id of a person")


def reaction_of(value: Any) -> str:
    """Return a reaction: one of REACTIONS."""
    if value not in REACTIONS:
        raise InvalidInput(f"A reaction must be one of {' '.join(REACTIONS)}")
    return str(value)


def flag_of(what: str, value: Any) -> bool:
    """Return whether something is on; True if the client has not said."""
    if value is None or isinstance(value, bool):
        return value is not False
    raise InvalidInput(f"{what} must be true or false, not {_kind(value)}")


def _object(args: tuple[Any, ...]) -> dict[str, Any]:
    if len(args) > 1:
        raise InvalidInput(f"This event takes one object, not {len(args)} arguments")
    if args and not isinstance(args[0], dict):
        raise InvalidInput(f"This event takes an object, not {_kind(args[0])}")
    return args[0] if args else {}


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{what} must be a text, not {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    return "nothing" if value is None else KINDS.get(type(value), "binary")


def _is_seen(text: str) -> bool:
    return any(unicodedata.category(char) not in BLANK_CATEGORIES for char in text)


def _check_characters(what: str, text: str) -> None:
    for char in text:
        if unicodedata.category(char) in FORBIDDEN:
            raise InvalidInput(f"{what} must have no control characters, got U+{ord(char):04X}: remove it")
