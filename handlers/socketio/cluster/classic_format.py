"""Messages of the classic adapter: pure functions on values.

Servers and emitters publish events as MessagePack on `prefix#namespace#`, and on `prefix#namespace#room#` if they are
for one room. What is done with clients is JSON on `prefix-request#namespace#`, where `classic_requests` has questions,
too. Nothing of it is kept in Redis.

Source: @socket.io/redis-adapter 8.3, `lib/index.ts`; @socket.io/redis-emitter 5.1, `lib/index.ts`.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ..actions import EMIT, Action, ActionKind
from .binary_values import pack, unpack
from .classic_requests import RoomsQuestion, decode_answer, decode_question
from .errors import MalformedError
from .request_format import MAX_FETCHED, Published
from .stream_format import (
    SIZE_FACTOR,
    ServerEvent,
    check_event,
    decode_event,
    decode_json,
    decode_utf8,
    event_values,
    member,
    options_of,
    texts,
    with_options,
)

EMITTER = "emitter"
"""The uid of everything that is no server."""
SERVER_EVENT = 6
"""Type of a request that is an event for servers."""
KINDS = {2: ActionKind.ENTER, 3: ActionKind.LEAVE, 4: ActionKind.DISCONNECT}
"""The types of requests that are actions."""
_TYPES = {kind: number for number, kind in KINDS.items()}


class ToPublish(NamedTuple):
    """A message to publish."""

    channel: str
    payload: bytes


class ClassicMessage(NamedTuple):
    """What one message says."""

    uid: str
    """Of the server that sent it; "" where it does not say."""
    content: Action | ServerEvent | Published | RoomsQuestion | None
    """None for what only other kinds of servers have to know."""


# -- encoding


def encode_message(content: Action | ServerEvent, uid: str, prefix: str) -> ToPublish:
    """Return the message of an action.

    Raises ValueError for a namespace or room whose name has no UTF-8.
    """
    if isinstance(content, Action) and content.kind is EMIT:
        packet = {"type": 2, "data": event_values(content), "nsp": content.namespace}
        room = f"{content.rooms[0]}#" if len(content.rooms) == 1 else ""
        channel = f"{prefix}#{content.namespace}#{room}"
        payload = pack([uid, packet, options_of(content)])
    else:
        channel = f"{prefix}-request#{content.namespace}#"
        payload = json.dumps(_request(content, uid), ensure_ascii=False, separators=(",", ":")).encode()
    channel.encode()
    return ToPublish(channel, payload)


def _request(content: Action | ServerEvent, uid: str) -> dict[str, Any]:
    if isinstance(content, ServerEvent):
        return {"uid": uid, "type": SERVER_EVENT, "data": [content.event, *content.args]}
    options = {"rooms": list(content.rooms), "except": list(content.excepted)}
    request = {"uid": uid, "type": _TYPES[content.kind], "opts": options}
    if content.kind is ActionKind.DISCONNECT:
        return {**request, "close": content.close}
    return {**request, "rooms": list(content.names)}


# -- decoding


def decode_message(channel: bytes, payload: bytes, prefix: str, max_size: int) -> ClassicMessage:
    """Return what a message says; raise MalformedError for what nobody sends.

    max_size: bytes of one packet; a server's answer with all its clients may be larger.
    """
    name = decode_utf8(channel)
    for beginning, decode, longest in (
        (f"{prefix}#", _decode_event, max_size * SIZE_FACTOR),
        (f"{prefix}-request#", _decode_request, max_size * SIZE_FACTOR),
        (f"{prefix}-response#", _decode_response, MAX_FETCHED),
    ):
        if name.startswith(beginning):
            if len(payload) > longest:
                raise MalformedError("size", f"{len(payload)} bytes")
            return decode(name.removeprefix(beginning), payload)
    raise MalformedError("channel", name)


def _decode_event(place: str, payload: bytes) -> ClassicMessage:
    """Return an event of a channel.

    place: the rest of its name, `namespace#` or `namespace#room#`. The room is in the payload, too.
    """
    message = unpack(payload)
    if isinstance(message, dict):  # of a streams cluster with the same prefix
        return ClassicMessage("", None)
    if not isinstance(message, list) or len(message) != 3:
        raise MalformedError("message", repr(message))
    uid, packet, options = message
    namespace = packet.get("nsp", "/") if isinstance(packet, dict) else None
    if not isinstance(namespace, str) or not namespace.startswith("/") or not place.startswith(f"{namespace}#"):
        raise MalformedError("namespace", f"{namespace!r:.80} on {place!r:.80}")
    return ClassicMessage(_uid(uid), with_options(decode_event(namespace, packet), _options(options)))


def _options(options: Any) -> Any:
    """Return `opts` with lists and an object, which older emitters leave empty."""
    if not isinstance(options, dict):
        return options
    empty: dict[str, Any] = {"rooms": [], "except": [], "flags": {}}
    return {**empty, **{key: value for key, value in options.items() if value not in ("", None)}}


def _uid(uid: Any) -> str:
    if not isinstance(uid, str) or len(uid) > 64:
        raise MalformedError("uid", repr(uid))
    return uid


def _decode_request(place: str, payload: bytes) -> ClassicMessage:
    namespace = place.removesuffix("#")
    if namespace == place or not namespace.startswith("/"):
        raise MalformedError("channel", place)
    request = _decode_object(payload)
    kind = member(request, "type", int)
    uid = _uid(request.get("uid", ""))
    if kind in KINDS:
        return ClassicMessage(uid, _decode_action(KINDS[kind], namespace, request))
    if kind == SERVER_EVENT and request.get("requestId") is None:
        args = member(request, "data", list)
        return ClassicMessage(uid, ServerEvent(namespace, check_event(args), args[1:]))
    return ClassicMessage(uid, decode_question(namespace, request))


def _decode_response(place: str, payload: bytes) -> ClassicMessage:
    answer = decode_answer(place.partition("#")[0], _decode_object(payload))
    return ClassicMessage(answer.uid if answer is not None else "", answer)


def _decode_object(payload: bytes) -> Any:
    return decode_json(payload) if payload.startswith(b"{") else unpack(payload)


def _decode_action(kind: ActionKind, namespace: str, request: dict[str, Any]) -> Action:
    if kind is ActionKind.DISCONNECT:
        action = Action(kind, namespace, close=member({"close": False, **request}, "close", bool))
    else:
        action = Action(kind, namespace, names=texts(member(request, "rooms", list)))
    return with_options(action, _options(member(request, "opts", dict)))
