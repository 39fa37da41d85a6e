from __future__ import annotations

from typing import Any

import pytest

from handlers.socketio import SocketIOHandler, event


class Base(SocketIOHandler):
    def on_connect(self) -> None: ...

    def on_disconnect(self, reason: str) -> None: ...

    def on_move(self, x: int, y: int = 0) -> None: ...

    @event("chat message")
    def said(self, *words: str) -> None: ...

    def helper(self) -> None: ...

    def _on_secret(self) -> None: ...

    on_number = 7


class Derived(Base):
    def on_stop(self) -> None: ...

    @event("halt")
    def on_go(self) -> None: ...


def test_methods_answer_events_of_their_name_and_marks_any_other() -> None:
    assert sorted(Base._answers) == ["chat message", "move"]


def test_a_class_answers_what_its_base_answers_too() -> None:
    assert sorted(Derived._answers) == ["chat message", "halt", "move", "stop"]


def test_hooks_helpers_and_private_names_are_no_events() -> None:
    for name in ("connect", "disconnect", "disconnecting", "any", "helper", "emit", "secret", "number", "go"):
        assert name not in Derived._answers


@pytest.mark.parametrize(
    ("name", "args", "fits"),
    [
        ("move", [], False),
        ("move", [1], True),
        ("move", [1, 2], True),
        ("move", [1, 2, 3], False),
        ("stop", [], True),
        ("stop", [1], False),
        ("chat message", [], True),
        ("chat message", ["a"] * 9, True),
    ],
)
def test_the_number_of_arguments_is_checked(name: str, args: list[Any], fits: bool) -> None:
    assert Derived._answers[name].fits(len(args)) is fits


def test_the_numbers_of_arguments_are_told_in_words() -> None:
    assert Derived._answers["move"].arity == "1 to 2"
    assert Derived._answers["stop"].arity == "0"
    assert Derived._answers["chat message"].arity == "0 or more"


def test_a_name_of_the_protocol_cannot_be_marked() -> None:
    with pytest.raises(ValueError, match="choose another name"):
        event("disconnect")
