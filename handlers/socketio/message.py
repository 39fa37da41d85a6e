"""Socket.IO v5 messages: encoding and decoding.

A message is written as `<kind>[<n>-][/namespace,][id][JSON]`. Each `bytes` in its data is an attachment: a binary
Engine.IO packet after the text, and `{"_placeholder":true,"num":i}` in its place.

Source: Socket.IO protocol, revision 5, "Packet encoding".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from .engineio.codec.packet import make
from .engineio.errors import ProtocolError
from .json_codec import (
    DEEP,
    MAX_DEPTH,
    Default,
    describe_unencodable,
    dump,
    find_placeholder,
    load,
    nests_deeper,
    replace_unencodable,
)

MAX_ATTACHMENTS = 10
"""Maximum number of attachments of one message."""
RESERVED_EVENTS = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
"""Names of events that the protocol reserves."""


class InvalidAuth(ProtocolError):
    """The auth of a CONNECT is no object."""


class Kind(IntEnum):
    """Type of a message: the first digit of its text."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


CONNECT, EVENT, ACK = Kind.CONNECT, Kind.EVENT, Kind.ACK
"""Module constants for the hot path, because looking up a member of an enum class takes longer than comparing it."""


class Message(NamedTuple):
    """One Socket.IO message, encoded or decoded.

    A decoded message is never BINARY_…, because its attachments are back in `data`.
    """

    kind: Kind
    namespace: str = "/"
    data: Any = None
    id: int | None = None

    def __str__(self) -> str:
        ack = "" if self.id is None else f" #{self.id}"
        return f"{self.kind.name} {repr(self.namespace[:80])[1:-1]}{ack} {repr(self.data)[:80]}"


# -- encoding

_DIGITS = {kind: str(kind.value) for kind in Kind}
_WITH_ATTACHMENTS = {EVENT: _DIGITS[Kind.BINARY_EVENT], ACK: _DIGITS[Kind.BINARY_ACK]}


def encode(message: Message, default: Default | None = None) -> list[str | bytes]:
    """Return the text of a message, then its attachments.

    default: returns for a value that has no JSON form one that has.

    Raises TypeError or ValueError, which names the part, if `message.data` has no JSON form, or one that a decoder
    would refuse.
    """
    kind, namespace, data, id_ = message
    attachments: list[bytes] = []
    try:
        body = "" if data is None else dump(data, attachments)
        if len(body) > DEEP and body.count("[") + body.count("{") > DEEP and nests_deeper(data, DEEP):
            raise ValueError
    except (TypeError, ValueError, RecursionError) as error:
        if default is not None and isinstance(error, TypeError):
            return encode(message._replace(data=replace_unencodable(data, default)))
        args = data[1:] if kind is EVENT else data if kind is ACK else [data]
        raise (TypeError if isinstance(error, TypeError) else ValueError)(describe_unencodable(args)) from None
    if attachments:
        _check_attachments(message, len(attachments))
    head = f"{_WITH_ATTACHMENTS[kind]}{len(attachments)}-" if attachments else _DIGITS[kind]
    if namespace != "/":
        head += namespace + ","
    if id_ is not None:
        head += str(id_)
    return [head + body, *attachments]


def _check_attachments(message: Message, number: int) -> None:
    """Raise ValueError for data that a decoder would refuse or misread."""
    kind, _, data, _ = message
    if kind not in _WITH_ATTACHMENTS:
        raise ValueError(f"the data of a {kind.name} must have no bytes: send them as text, such as base64")
    if number > MAX_ATTACHMENTS:
        raise ValueError(
            f"a message must have at most {MAX_ATTACHMENTS} values of bytes, got {number}: "
            "join them, or send several events"
        )
    path = find_placeholder(data[1:] if kind is EVENT else data)
    if path is not None:
        raise ValueError(
            f"{path} must not have '_placeholder': True, which marks an attachment in a message with bytes: "
            "rename the key, or send the bytes in an event of their own"
        )


# -- decoding

_KINDS = {digit: kind for kind, digit in _DIGITS.items()}
_BINARY_DIGITS = frozenset(_WITH_ATTACHMENTS.values())
_HEAD = re.compile(r"([0-6])(?:([0-9]{1,9})-)?(?:(/[^,]*)(?:,|\Z))?([0-9]{1,18})?[ \t\r\n]*")


class Decoder:
    """Decodes the messages of one connection from its packets, in order.

    max_size: maximum bytes of a text and its attachments together.
    """

    __slots__ = ("_attachments", "_expected", "_left", "_max_size", "_pending")

    def __init__(self, max_size: int = 1_000_000) -> None:
        self._max_size = self._left = max_size
        self._pending: Message | None = None
        self._expected = 0
        self._attachments: list[bytes] = []

    def add(self, data: str | bytes) -> Message | None:
        """Add the next Engine.IO message.

        Return the Socket.IO message that it completes, else None.

        Raises ProtocolError if the protocol allows no such packet here.
        """
        if isinstance(data, bytes):
            return self._attach(data)
        if self._pending is not None:
            raise ProtocolError(f"text while {self._expected - len(self._attachments)} attachments are missing")
        message, self._expected = decode_text(data)
        if self._expected:
            self._pending, self._left = message, self._max_size - len(data)
            return None
        return message

    def _attach(self, attachment: bytes) -> Message | None:
        if self._pending is None:
            raise ProtocolError(f"{len(attachment)} bytes that no message announced")
        self._left -= len(attachment)
        if self._left < 0:
            raise ProtocolError(f"max_payload={self._max_size} bytes, attachments included, exceeded")
        self._attachments.append(attachment)
        if len(self._attachments) < self._expected:
            return None
        pending, attachments = self._pending, self._attachments
        self._pending, self._attachments = None, []
        kind = Kind(pending.kind - 3)
        return check(pending._replace(kind=kind, data=merge_attachments(pending.data, attachments)))


def decode_text(text: str, max_depth: int = MAX_DEPTH) -> tuple[Message, int]:
    """Return the message of a text, and its number of attachments."""
    match = _HEAD.match(text)
    if match is None:
        raise ProtocolError(f"not a Socket.IO message: {text[:80]!r}")
    digit, announced, namespace, id_ = match.groups()
    kind, end = _KINDS[digit], match.end()
    data = load(text, end, max_depth) if end < len(text) else None
    message = make(Message, (kind, namespace or "/", data, None if id_ is None else int(id_)))
    if kind is EVENT and announced is None and type(data) is list and data and type(data[0]) is str:
        # The most frequent message, without a look at all the others.
        if data[0] in RESERVED_EVENTS:
            raise ProtocolError(f"malformed {message}")
        return message, 0
    if digit in _BINARY_DIGITS:
        count = int(announced or 0)
        if not 1 <= count <= MAX_ATTACHMENTS:
            raise ProtocolError(f"{count} attachments, where 1 to {MAX_ATTACHMENTS} are allowed")
        return message, count
    if announced is not None:
        raise ProtocolError(f"attachments announced by {kind.name}")
    return check(message), 0


def check(message: Message) -> Message:
    """Return the message if its data fits its kind; else raise ProtocolError."""
    kind, data = message.kind, message.data
    if kind is EVENT:
        fits = isinstance(data, list) and len(data) > 0 and _is_event_name(data[0])
    elif kind is ACK:
        fits = isinstance(data, list) and message.id is not None
    elif kind is CONNECT:
        fits = data is None or isinstance(data, dict)
    elif kind is Kind.CONNECT_ERROR:
        fits = isinstance(data, dict)
    else:
        fits = data is None
    if not fits and kind is CONNECT:
        raise InvalidAuth(f"auth must be an object, as in io({{ auth: {{ token }} }}), got {data!r:.80}")
    if not fits:
        raise ProtocolError(f"malformed {message}")
    return message


def _is_event_name(name: Any) -> bool:
    if isinstance(name, str):
        return name not in RESERVED_EVENTS
    return isinstance(name, (int, float)) and not isinstance(name, bool)


def merge_attachments(data: Any, attachments: Sequence[bytes]) -> Any:
    """Return the data with each placeholder replaced by its attachment."""
    return _restore(data, dict(enumerate(attachments)))


def _restore(value: Any, attachments: dict[int, bytes]) -> Any:
    if isinstance(value, list):
        return [_restore(item, attachments) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("_placeholder") is not True:
        return {key: _restore(item, attachments) for key, item in value.items()}
    number = value.get("num")
    if isinstance(number, bool) or not isinstance(number, int) or number not in attachments:
        raise ProtocolError(f"no attachment {str(number)[:20]!r}, or named before")
    # Each attachment may be named once: otherwise a small message could become a huge one when a handler sends it on.
    return attachments.pop(number)
