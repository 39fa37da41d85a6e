"""People: who is online, and under which names.

A client shows its person to all nodes as `{"person": id, "name": name}`. Two clients of one person are one person.
"""

from __future__ import annotations

import hashlib
import unicodedata
from base64 import b32encode
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import count
from typing import Any, NamedTuple

from .validation import MAX_NAME, InvalidInput, name_of

ID_BYTES = 10
"""Bytes of a person's id: too many to find a secret that has the same."""


class Person(NamedTuple):
    """A person who is online; the name may be empty."""

    id: str
    name: str


def person_id(secret: str) -> str:
    """Return the public id of the person who has a secret."""
    return b32encode(hashlib.sha256(secret.encode()).digest()[:ID_BYTES]).decode().lower()


def people_of(present: Mapping[str, Any]) -> list[Person]:
    """Return the people online: first those with a name, by name.

    present: what each client shows, by id, on all nodes; a client that shows no person is left out.
    """
    names: dict[str, str] = {}
    for id_, name in filter(None, map(_read, present.values())):
        names[id_] = max(name, names.get(id_, ""))
    people = [Person(id_, name) for id_, name in names.items()]
    return sorted(people, key=lambda person: (not person.name, fold(person.name), person.id))


def count_people(present: Mapping[str, Any], people: Collection[Person]) -> int:
    """Return how many people are online.

    Each client that shows no person is one.
    """
    return len(people) + sum(_read(shown) is None for shown in present.values())


def fold(name: str) -> str:
    """Return what is equal for names that look alike: Ann, ann, Ａｎｎ."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def numbered(name: str) -> Iterator[str]:
    """Yield a name, then with 2, 3, … behind it."""
    yield name
    for number in count(2):
        yield f"{name[: MAX_NAME - len(f' {number}')]} {number}"


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return the first of a name's numbered forms that is not taken.

    taken: names, folded.
    """
    taken = frozenset(taken)
    return next(form for form in numbered(name) if fold(form) not in taken)


def names_of_others(people: Iterable[Person], person: str) -> frozenset[str]:
    """Return the names, folded, that other people show."""
    return frozenset(fold(other.name) for other in people if other.id != person and other.name)


def _read(shown: Any) -> tuple[str, str] | None:
    if not isinstance(shown, dict) or not isinstance(shown.get("person"), str):
        return None
    try:
        return shown["person"], name_of(shown.get("name") or "")
    except InvalidInput:
        return shown["person"], ""
