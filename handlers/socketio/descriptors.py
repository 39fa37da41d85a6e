"""Attributes that a handler shows of its client: descriptors that read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NoReturn, TypeVar, overload

T = TypeVar("T")


class Shown(Generic[T]):
    """A readable attribute of the client, which an author's own may replace."""

    def __init__(self, read: Callable[[Any], T]) -> None:
        self.__doc__ = read.__doc__
        self._read = read

    @overload
    def __get__(self, handler: None, owner: type) -> Shown[T]: ...

    @overload
    def __get__(self, handler: object, owner: type) -> T: ...

    def __get__(self, handler: object | None, owner: type) -> Shown[T] | T:
        return self if handler is None else self._read(handler)


class Fixed(Shown[T]):
    """A readable attribute of the client that must not be assigned."""

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __set__(self, handler: object, value: Any) -> NoReturn:
        self._refuse(handler, "assigned")

    def __delete__(self, handler: object) -> NoReturn:
        self._refuse(handler, "deleted")

    def _refuse(self, handler: object, done: str) -> NoReturn:
        name = self._name
        raise AttributeError(
            f"{type(handler).__name__}.{name} is the library's ({self.__doc__}) and cannot be {done}: "
            f"choose another name, such as self.my_{name}"
        )
