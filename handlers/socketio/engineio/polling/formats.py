"""How packets are written into polls, and read from POSTs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple
from urllib.parse import parse_qs

from tornado.httputil import HTTPServerRequest

from ..access import parameter
from ..codec import packet as revision4
from ..codec import revision3
from ..codec.packet import Packet, PacketType
from ..errors import ProtocolError
from ..room import Entry, Slice

TEXT = "text/plain; charset=UTF-8"
BYTES = "application/octet-stream"
SCRIPT = "text/javascript; charset=UTF-8"
_INDEX = re.compile(r"[0-9]{1,3}")
"""The number of a page's function."""
_ESCAPED_NEWLINE = re.compile(r"(\\)?\\n")


class Format(NamedTuple):
    """The functions for one kind of client."""

    write: Callable[[Slice], bytes]
    """Return entries as a body."""
    encode: Callable[[Iterable[Packet]], bytes]
    """Return packets as a body."""
    decode: Callable[[bytes], Iterator[Packet]]
    """Return the packets of a body. Raises ProtocolError, at the packet that is none."""
    kind: Callable[[bytes], str]
    """Return the content type of a body."""
    noop: bytes
    """The body of a NOOP packet."""
    close: bytes
    """The body of a CLOSE packet."""


def _make_format(
    write: Callable[[Slice], bytes],
    encode: Callable[[Iterable[Packet]], bytes],
    decode: Callable[[bytes], Iterator[Packet]],
    kind: Callable[[bytes], str],
) -> Format:
    noop, close = (encode([Packet(type_)]) for type_ in (PacketType.NOOP, PacketType.CLOSE))
    return Format(write, encode, decode, kind, noop, close)


def write_payload(unread: Slice) -> bytes:
    """Return entries as the body of a poll of revision 4."""
    return revision4.SEPARATOR.join([entry.derive(_payload) for entry in unread.entries]).encode()


def _payload(entry: Entry) -> str:
    return revision4.encode_payload(entry.packets)


REVISION_4 = _make_format(
    write_payload,
    lambda packets: revision4.encode_payload(packets).encode(),
    revision4.decode_payload,
    lambda _: TEXT,
)


# -- revision 3: clients that take bytes, those that take only text (`b64`), and those that load scripts (JSONP)


def _packets(unread: Slice) -> list[Packet]:
    return [packet for entry in unread.entries for packet in entry.packets]


def _encode_3(packets: Iterable[Packet]) -> bytes:
    packets = list(packets)
    if any(isinstance(packet.data, bytes) for packet in packets):
        return revision3.encode_binary_payload(packets)
    return revision3.encode_payload(packets).encode()


def _encode_text_3(packets: Iterable[Packet]) -> bytes:
    return revision3.encode_payload(packets).encode()


REVISION_3 = _make_format(
    lambda unread: _encode_3(_packets(unread)),
    _encode_3,
    revision3.decode_payload,
    lambda body: BYTES if body[:1] in (b"\0", b"\1") else TEXT,
)
REVISION_3_TEXT = _make_format(
    lambda unread: _encode_text_3(_packets(unread)), _encode_text_3, revision3.decode_payload, lambda _: TEXT
)


@cache
def _jsonp(index: str) -> Format:
    """Return the format of a page that loads polls as scripts.

    They call its function of this number.
    """

    def encode(packets: Iterable[Packet]) -> bytes:
        return f"___eio[{index}]({json.dumps(revision3.encode_payload(packets))});".encode()

    def write(unread: Slice) -> bytes:
        return encode(_packets(unread))

    return _make_format(write, encode, _decode_form, lambda _: SCRIPT)


def _decode_form(body: bytes) -> Iterator[Packet]:
    """Decode the field `d` of a form.

    Its newlines are escaped, because browsers change them.
    """
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=4)
        data = fields["d"][0]
    except (ValueError, LookupError) as error:
        raise ProtocolError(f"a body that is no form with the field d: {error!r:.80}") from None
    unescaped = _ESCAPED_NEWLINE.sub(lambda found: found[0] if found[1] else "\n", data)
    yield from revision3.decode_payload(unescaped.replace("\\\\n", "\\n").encode("utf-8", "surrogatepass"))


def format_of(request: HTTPServerRequest) -> Format:
    """Return the format of the session that a request opens."""
    if is_jsonp(request):
        return _jsonp(parameter(request, "j").lstrip("0") or "0")
    if parameter(request, "EIO") != "3":
        return REVISION_4
    return REVISION_3_TEXT if parameter(request, "b64") else REVISION_3


def is_jsonp(request: HTTPServerRequest) -> bool:
    """Return whether the response of revision 3 is loaded as a script."""
    return parameter(request, "EIO") == "3" and _INDEX.fullmatch(parameter(request, "j")) is not None
