"""Actions as entries of a Redis stream, as Node's servers write them.

An entry has the fields `uid` (of the node), `nsp`, `type`, and `data`: JSON, or base64 of MessagePack where there are
bytes. Nodes of this server add `n`, the number of the entry among those of its node. A text of an event is neither
decoded nor encoded on its way: it is the same in a message and in an entry.

Source: format 0.3 of @socket.io/redis-streams-adapter, `lib/adapter.ts`; socket.io-adapter, `lib/cluster-adapter.ts`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..actions import EMIT, Action, ActionKind
from ..engineio.codec.packet import MESSAGE, Packet
from ..engineio.errors import ProtocolError
from ..json_codec import DEEP, load, read_value
from ..message import EVENT, RESERVED_EVENTS, Message, encode, merge_attachments
from .binary_values import pack, unpack
from .errors import MalformedError

SERVER_EVENT = 9
"""Type of an event for servers."""
_PREFIX = '{"packet":{"type":2,"data":'
_OPTIONS = '},"opts":'
_EVENT_TYPES = (2, 5)
MAX_NUMBER = 1 << 62
SIZE_FACTOR = 1.4
"""An entry may be so many times as large as a packet: base64 makes four bytes of three."""


class ServerEvent(NamedTuple):
    """An event for the servers themselves."""

    namespace: str
    event: str
    args: list[Any]


class StreamEntry(NamedTuple):
    """What one entry of the stream says."""

    uid: str
    number: int | None
    """The number among those of its node; None for nodes of other kinds."""
    content: Action | ServerEvent | None
    """None for what only other kinds of servers have to know."""


# -- encoding


def encode_entry(content: Action | ServerEvent, uid: str, number: int | None = None) -> dict[str, str]:
    """Return the fields of an entry.

    number: None for a sender that writes an entry once at most. Raises ValueError for a namespace or room whose name
    has no UTF-8.
    """
    kind = SERVER_EVENT if isinstance(content, ServerEvent) else content.kind
    fields = {"uid": uid, "nsp": content.namespace, "type": str(int(kind)), "data": _encode_data(content)}
    return fields if number is None else {**fields, "n": str(number)}


def _encode_data(content: Action | ServerEvent) -> str:
    if isinstance(content, ServerEvent):
        return _json({"packet": [content.event, *content.args]})
    options = options_of(content)
    if content.kind is ActionKind.DISCONNECT:
        return _json({"opts": options, "close": content.close})
    if content.kind is not EMIT:
        return _json({"opts": options, "rooms": list(content.names)})
    if len(content.packets) == 1:
        return f"{_PREFIX}{_arguments(content)}{_OPTIONS}{_json(options)}}}"
    packet = {"type": 2, "data": event_values(content)}
    return base64.b64encode(pack({"packet": packet, "opts": options})).decode("ascii")


def options_of(action: Action) -> dict[str, Any]:
    """Return rooms and flags as Node's servers write them."""
    flags: dict[str, Any] = {}
    if action.volatile:
        flags["volatile"] = True
    if action.keep:
        flags["keep"] = action.keep
    if action.elsewhere:
        flags["others"] = True
    return {"rooms": list(action.rooms), "except": list(action.excepted), "flags": flags}


def _arguments(action: Action) -> str:
    """Return the JSON array in the text of an event without attachments."""
    text = action.packets[0].data
    assert isinstance(text, str)
    return text[1 + _namespace_length(action) :]


def _namespace_length(action: Action) -> int:
    """Return how many characters of a text name its namespace."""
    return 0 if action.namespace == "/" else len(action.namespace) + 1


def event_values(action: Action) -> Any:
    """Return the name and arguments of an event, which was encoded."""
    text, *attachments = (packet.data for packet in action.packets)
    assert isinstance(text, str)
    start = text.index("-") + 1 if attachments else 1
    data = load(text, start + _namespace_length(action), DEEP)
    return merge_attachments(data, [part for part in attachments if isinstance(part, bytes)])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# -- decoding


def decode_entry(fields: Mapping[bytes, bytes], max_size: int) -> StreamEntry:
    """Return what an entry says; raise MalformedError for what no node writes.

    max_size: bytes of one packet.
    """
    uid, namespace = _text(fields, b"uid", 64), _text(fields, b"nsp", 1000)
    if not uid or not namespace.startswith("/"):
        raise MalformedError("fields", f"uid {uid!r}, nsp {namespace!r}")
    kind, data = _number(fields, b"type"), fields.get(b"data", b"")
    if len(data) > max_size * SIZE_FACTOR:
        raise MalformedError("size", f"{len(data)} bytes")
    number = _number(fields, b"n") if b"n" in fields else None
    return StreamEntry(uid, number, _decode_content(kind, namespace, data))


def _text(fields: Mapping[bytes, bytes], name: bytes, longest: int) -> str:
    raw = fields.get(name, b"")
    if len(raw) > longest:
        raise MalformedError("fields", f"{name.decode()} of {len(raw)} bytes")
    return decode_utf8(raw)


def decode_utf8(raw: bytes) -> str:
    """Return the text; raise MalformedError for other bytes."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("UTF-8", str(error)) from None


def _number(fields: Mapping[bytes, bytes], name: bytes) -> int:
    raw = fields.get(name, b"")
    if not raw.isdigit() or len(raw) > 18:
        raise MalformedError("fields", f"{name.decode()} {raw!r:.40}")
    return int(raw)


def _decode_content(kind: int, namespace: str, data: bytes) -> Action | ServerEvent | None:
    if kind == EMIT and data.startswith(b"{"):
        emit = _decode_plain(namespace, decode_utf8(data))
        if emit is not None:
            return emit
    if kind not in (*ActionKind, SERVER_EVENT):
        return None
    return decode_content(kind, namespace, _decode_data(data))


def _decode_plain(namespace: str, text: str) -> Action | None:
    """Return an event in the usual form; None for any other form."""
    if not text.startswith(_PREFIX):
        return None
    try:
        args, end = read_value(text, len(_PREFIX), DEEP)
        if not text.startswith(_OPTIONS, end):
            return None
        options, last = read_value(text, end + len(_OPTIONS), DEEP)
    except ProtocolError as error:
        raise MalformedError("JSON", str(error)) from None
    if text[last:] != "}":
        return None
    event = check_event(args)
    head = "2" if namespace == "/" else f"2{namespace},"
    packet = Packet(MESSAGE, head + text[len(_PREFIX) : end])
    return with_options(Action(EMIT, namespace, packets=(packet,), event=event), options)


def _decode_data(data: bytes) -> Any:
    if not data.startswith(b"{"):
        try:
            return unpack(base64.b64decode(data, validate=True))
        except ValueError as error:
            raise MalformedError("base64", str(error)) from None
    return decode_json(data)


def decode_json(data: bytes) -> Any:
    """Return the value of a JSON text; raise MalformedError."""
    try:
        return load(decode_utf8(data), 0, DEEP)
    except ProtocolError as error:
        raise MalformedError("JSON", str(error)) from None


def decode_content(kind: int, namespace: str, data: Any) -> Action | ServerEvent:
    """Return what decoded data of a type says."""
    if kind == SERVER_EVENT:
        args = member(data, "packet", list)
        return ServerEvent(namespace, check_event(args), args[1:])
    if kind == EMIT:
        action = decode_event(namespace, member(data, "packet", dict))
    elif kind == ActionKind.DISCONNECT:
        action = Action(ActionKind.DISCONNECT, namespace, close=member(data, "close", bool))
    else:
        action = Action(ActionKind(kind), namespace, names=texts(member(data, "rooms", list)))
    return with_options(action, member(data, "opts", dict))


def decode_event(namespace: str, packet: dict[str, Any]) -> Action:
    """Return the event of a packet of Node's servers, for everyone."""
    if packet.get("type") not in _EVENT_TYPES or isinstance(packet["type"], bool):
        raise MalformedError("packet", f"type {packet.get('type')!r}")
    args = member(packet, "data", list)
    event = check_event(args)
    try:
        text, *attachments = encode(Message(EVENT, namespace, args))
    except (TypeError, ValueError) as error:
        raise MalformedError("data", str(error)) from None
    return Action(EMIT, namespace, packets=[Packet(MESSAGE, part) for part in (text, *attachments)], event=event)


def check_event(args: Any) -> str:
    """Return the name of an event.

    Raises MalformedError for one that no server sends.
    """
    if not isinstance(args, list) or not args or not isinstance(args[0], str) or args[0] in RESERVED_EVENTS:
        raise MalformedError("event", repr(args))
    name: str = args[0]
    return name


def with_options(action: Action, options: Any) -> Action:
    """Return the action for the clients that `opts` of Node's servers name."""
    flags = member(options, "flags", dict) if "flags" in options else {}
    keep = flags.get("keep", 0)
    if type(keep) is not int or not 0 <= keep <= MAX_NUMBER:
        raise MalformedError("flags", f"keep {keep!r}")
    return action._replace(
        rooms=texts(member(options, "rooms", list)),
        excepted=texts(member(options, "except", list)),
        volatile=flags.get("volatile") is True,
        keep=keep,
        elsewhere=flags.get("others") is True,
    )


def texts(values: Iterable[Any]) -> tuple[str, ...]:
    """Return names; raise MalformedError where one is no text."""
    names = tuple(values)
    if not all(isinstance(name, str) for name in names):
        raise MalformedError("data", f"names {names!r}")
    return names


def member(data: Any, key: str, kind: type[Any]) -> Any:
    """Return a member of an object; raise MalformedError for another type."""
    value = data.get(key) if isinstance(data, dict) else None
    if type(value) is not kind:
        raise MalformedError("data", f"{key!r} is {value!r:.80}")
    return value
