"""Requests and their answers, as Node's servers publish them.

A message is a MessagePack map `{type, data, uid, nsp}` on the channel of all servers of a namespace, or on that of one
server. `data` has a `requestId` where an answer is wanted, and in the answer. Nodes of this server add, and Node
ignores:

    CALL, FETCH, SERVER_EVENT   after: offset up to which the stream is to be read before the answer
    CLIENT_COUNT                sids: ids of the clients that were asked
    ACK                         sid: id of the client; more: arguments after the first

Source: format 0.3 of @socket.io/redis-streams-adapter, `lib/adapter.ts`; socket.io-adapter, `lib/cluster-adapter.ts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from ..engineio.offsets import read_offset
from ..questions import FetchedClient
from .binary_values import pack, unpack
from .errors import MalformedError
from .presence import is_id
from .stream_format import member, texts

MAX_FETCHED = 16 << 20
"""Maximum bytes of one message: the clients of a node."""
MAX_ASKED = 100_000
"""Maximum number of clients that a node asks for one request."""
LONGEST_TIMEOUT = 3600.0
"""Maximum seconds for which clients of this node are asked for another."""
DEFAULT_TIMEOUT = 5.0


class Kind(IntEnum):
    """The types of messages that are published."""

    CALL = 3
    FETCH = 7
    FETCHED = 8
    SERVER_EVENT = 9
    SERVER_ANSWER = 10
    CLIENT_COUNT = 11
    ACK = 12


QUESTIONS = (Kind.CALL, Kind.FETCH, Kind.SERVER_EVENT)


class Published(NamedTuple):
    """One message of another server."""

    kind: Kind
    namespace: str
    uid: str
    """Of its server; "" of one that does not say it, in an answer in the classic format."""
    request: str
    """Id of the request; "" for an event that wants no answer."""
    data: dict[str, Any]

    @property
    def after(self) -> int:
        """Offset up to which the stream is to be read before."""
        return read_offset(self.data.get("after"))

    @property
    def timeout(self) -> float:
        """Seconds within which the asker expects acknowledgements."""
        options = self.data.get("opts")
        flags = options.get("flags") if isinstance(options, dict) else None
        milliseconds = flags.get("timeout") if isinstance(flags, dict) else None
        if isinstance(milliseconds, bool) or not isinstance(milliseconds, (int, float)) or milliseconds <= 0:
            return DEFAULT_TIMEOUT
        return float(min(milliseconds / 1000, LONGEST_TIMEOUT))


def encode_message(kind: Kind, namespace: str, uid: str, data: Mapping[str, Any]) -> bytes:
    """Return a message; raise TypeError or ValueError for data without a form."""
    return pack({"type": int(kind), "data": data, "uid": uid, "nsp": namespace})


def decode_message(raw: bytes, max_size: float) -> Published | None:
    """Return a message; None for an unknown type.

    max_size: bytes of a message other than FETCHED. Raises MalformedError for what no server publishes.
    """
    if len(raw) > MAX_FETCHED:
        raise MalformedError("size", f"{len(raw)} bytes")
    message = unpack(raw)
    number, uid, namespace = member(message, "type", int), member(message, "uid", str), member(message, "nsp", str)
    if number not in tuple(Kind):
        return None
    kind, data = Kind(number), member(message, "data", dict)
    if len(raw) > max_size and kind is not Kind.FETCHED:
        raise MalformedError("size", f"{len(raw)} bytes")
    if not is_id(uid) or not namespace.startswith("/"):
        raise MalformedError("fields", f"uid {uid!r}, nsp {namespace!r}")
    return Published(kind, namespace, uid, read_request_id(kind, data), data)


def read_request_id(kind: Kind, data: Mapping[str, Any]) -> str:
    """Return the id of a request; "" where no answer is wanted."""
    if kind is Kind.SERVER_EVENT and data.get("requestId") is None:
        return ""
    request: str = member(data, "requestId", str)
    if len(request) > 64:
        raise MalformedError("fields", f"requestId {request!r}")
    return request


# -- the clients of a node


def encode_client(client: FetchedClient) -> dict[str, Any]:
    """Return a client as `fetchSockets` of Node's servers knows it.

    Without its headers, because cookies are among them.
    """
    handshake = {
        "headers": {},
        "address": client.remote_ip,
        "xdomain": False,
        "secure": client.protocol == "https",
        "query": client.query,
        "auth": client.auth,
    }
    data = {} if client.shown is None else client.shown
    return {"id": client.id, "handshake": handshake, "rooms": [client.id, *sorted(client.rooms)], "data": data}


def decode_client(raw: Any, node: str) -> FetchedClient:
    """Return a client; raise MalformedError for what no server publishes."""
    id_, handshake = member(raw, "id", str), member(raw, "handshake", dict)
    shown = raw.get("data")
    if not is_id(id_):
        raise MalformedError("data", f"'id' is {id_!r}")
    return FetchedClient(
        id_,
        frozenset(texts(member(raw, "rooms", list))) - {id_},
        None if shown == {} else shown,
        _mapping(handshake, "auth"),
        str(handshake.get("address", "")),
        {name: str(value) for name, value in _mapping(handshake, "query").items()},
        "https" if handshake.get("secure") is True else "http",
        node,
    )


def _mapping(handshake: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = handshake.get(key)
    return value if isinstance(value, dict) else {}


# -- acknowledgements


def decode_asked(message: Published) -> list[str] | int:
    """Return the ids of the clients that were asked.

    Of Node's servers only their number is known.
    """
    count: int = member(message.data, "clientCount", int)
    if not 0 <= count <= MAX_ASKED:
        raise MalformedError("data", f"'clientCount' is {count}")
    if "sids" not in message.data:
        return count
    ids = list(texts(member(message.data, "sids", list)))
    if len(ids) != count or not all(map(is_id, ids)):
        raise MalformedError("data", f"'sids' of {len(ids)} clients, and {count} were asked")
    return ids


def encode_ack(id_: str, value: Any) -> dict[str, Any]:
    """Return the data of an acknowledgement.

    value: a tuple of several arguments, or one.
    """
    first, *more = value if isinstance(value, tuple) else (value,)
    return {"packet": first, "sid": id_, **({"more": more} if more else {})}


def decode_ack(message: Published) -> Any:
    """Return an acknowledgement: one argument, or a tuple."""
    first, more = message.data.get("packet"), message.data.get("more")
    return (first, *more) if isinstance(more, list) and more else first
