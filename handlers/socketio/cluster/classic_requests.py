"""Questions and answers in the format of the classic adapter, as values.

Questions are published on `prefix-request#namespace#`, answers on `prefix-response#namespace#`, or with the uid of the
asker and `#` behind it. A message is JSON, or MessagePack where it may have bytes, without the namespace:

    5   {uid, requestId, type, opts}                → {requestId, sockets}
    6   {uid, requestId?, type, data: [event, …]}   → {requestId, type, data: first argument}
    7   {uid, requestId, type, packet, opts}        → 8 {requestId, type, clientCount}, and for each client
                                                      9 {requestId, type, packet: first argument}
    1   {uid, requestId, type}                      → {requestId, rooms}

An answer of Node's servers does not say which server answers. Nodes of this server add `uid`, and what they add to the
answers of `request_format`.

Source: @socket.io/redis-adapter 8.3, `lib/index.ts`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from .binary_values import pack
from .errors import MalformedError
from .presence import is_id
from .request_format import Kind, Published, read_request_id
from .stream_format import member

ROOMS = 1
_TYPES = {
    Kind.FETCH: 5,
    Kind.SERVER_EVENT: 6,
    Kind.SERVER_ANSWER: 6,
    Kind.CALL: 7,
    Kind.CLIENT_COUNT: 8,
    Kind.ACK: 9,
}
_QUESTIONS = {5: Kind.FETCH, 6: Kind.SERVER_EVENT, 7: Kind.CALL}
_ANSWERS = {6: Kind.SERVER_ANSWER, 8: Kind.CLIENT_COUNT, 9: Kind.ACK}
_BINARY = (Kind.CALL, Kind.ACK)
_RENAMED = (Kind.SERVER_EVENT, Kind.SERVER_ANSWER)
"""Messages whose `packet` is named `data`."""


class RoomsQuestion(NamedTuple):
    """A server asks which rooms others have."""

    namespace: str
    uid: str
    request: str


# -- encoding


def encode_request(kind: Kind, namespace: str, uid: str, data: Mapping[str, Any]) -> bytes:
    """Return the message of a question or an answer."""
    message = {"uid": uid, **data}
    if kind in _TYPES:
        message["type"] = _TYPES[kind]
    if kind in _RENAMED:
        message["data"] = message.pop("packet")
    if kind is Kind.CALL:
        message["packet"] = {**message["packet"], "nsp": namespace}
    return pack(message) if kind in _BINARY else _encode_plain(message)


def encode_rooms(question: RoomsQuestion, rooms: list[str], uid: str) -> bytes:
    """Return the answer of a node to a question for its rooms."""
    return _encode_plain({"requestId": question.request, "rooms": rooms, "uid": uid})


def _encode_plain(message: dict[str, Any]) -> bytes:
    """Return JSON, or MessagePack for what JSON has no form for.

    That is bytes, NaN, infinities and half surrogate pairs.
    """
    try:
        return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError):
        return pack(message)


# -- decoding


def decode_question(namespace: str, message: dict[str, Any]) -> Published | RoomsQuestion | None:
    """Return a question of another server; None for an unknown type.

    Raises MalformedError for what no server publishes.
    """
    number = message["type"]
    if number != ROOMS and number not in _QUESTIONS:
        return None
    uid = _asker(message)
    if number == ROOMS:
        return RoomsQuestion(namespace, uid, read_request_id(Kind.FETCH, message))
    return _published(_QUESTIONS[number], namespace, uid, message)


def _asker(message: Mapping[str, Any]) -> str:
    """Return the uid of the server that is to be answered."""
    uid: str = member(message, "uid", str)
    if not is_id(uid):
        raise MalformedError("uid", repr(uid))
    return uid


def decode_answer(namespace: str, message: Any) -> Published | None:
    """Return an answer of another server; None for other kinds.

    Raises MalformedError for what no server publishes.
    """
    if not isinstance(message, dict):
        raise MalformedError("data", f"{message!r:.80}")
    number = message.get("type")
    kind = Kind.FETCHED if "sockets" in message else _ANSWERS.get(number) if type(number) is int else None
    if kind is None:
        return None
    uid = _asker(message) if "uid" in message else ""
    return _published(kind, namespace, uid, message)


def _published(kind: Kind, namespace: str, uid: str, message: dict[str, Any]) -> Published:
    data = {name: value for name, value in message.items() if name != "after"}
    if kind in _RENAMED:
        data["packet"] = data.pop("data", None)
    return Published(kind, namespace, uid, read_request_id(kind, data), data)
