"""Requests of this node to the other servers of a cluster.

They are published, and not in the stream, so that a server that hangs answers nothing late. A node answers once it has
read the stream as far as the asker had, so that an answer shows what the asker has done before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..actions import Action
from ..engineio.offsets import write_offset
from ..questions import (
    Acks,
    FetchedClient,
    FetchedClients,
    LocalCall,
    Questions,
    describe,
    online_clients,
    plain_arguments,
)
from .answering import Answering
from .errors import MalformedError
from .request_format import (
    QUESTIONS,
    Kind,
    Published,
    decode_ack,
    decode_asked,
    decode_client,
    decode_message,
    encode_message,
)
from .stream_format import SIZE_FACTOR, member
from .waiting import CallRequest, Request

if TYPE_CHECKING:
    from ..namespace import Namespace
    from .node import Node


Encode = Callable[[Kind, str, str, Mapping[str, Any]], bytes]
"""Returns a message, of its kind, namespace, uid of its sender, and data."""


class Unpublished(NamedTuple):
    """A message to publish."""

    namespace: str
    uid: str
    """Of the server that it is for; "": all."""
    payload: bytes
    request: Request | None = None
    """Learns who has received it."""


class Requests(Questions):
    """The questions of one node, to all nodes and from them.

    wake: called when there is something to publish. encode: as `request_format.encode_message`.
    """

    def __init__(self, node: Node, wake: Callable[[], None], encode: Encode = encode_message) -> None:
        self._node = node
        self._wake = wake
        self._encode = encode
        self._open: dict[str, Request] = {}
        self._unpublished: list[Unpublished] = []
        self._reading: list[tuple[int, asyncio.Future[None]]] = []
        self._answering = Answering(node, self._publish)
        self.receive_event = self._answering.receive_event

    # -- asking

    async def call(self, namespace: Namespace, question: Action, id_: int, timeout: float) -> Acks:
        """Send an event to clients of all nodes; return their acknowledgements."""
        request = CallRequest()
        until = _now() + timeout
        await self._read_own(timeout)
        local = LocalCall(namespace, question, id_)
        flags = {"timeout": max(1, round((until - _now()) * 1000))}
        packet = {"type": 2, "data": plain_arguments(question.packets)}
        data = {"packet": packet, "opts": {**_options(question.rooms, question.excepted), "flags": flags}}
        here, _ = await asyncio.gather(
            local.wait(until - _now()), self._ask(request, Kind.CALL, namespace.name, data, until)
        )
        missing = [id_ for id_ in request.unanswered if id_ not in here]
        return Acks({**request.acks, **here}, [*here.missing, *missing, *self._names(request)])

    async def fetch(
        self, namespace: Namespace, rooms: Sequence[str], excepted: Sequence[str], timeout: float
    ) -> FetchedClients:
        """Return the clients of the nodes that answer in time."""
        request = Request(Kind.FETCHED)
        until = _now() + timeout
        await self._read_own(timeout)
        await self._ask(request, Kind.FETCH, namespace.name, {"opts": _options(rooms, excepted)}, until)
        here = [describe(client, self._node.name) for client in online_clients(namespace, rooms, excepted)]
        found: dict[str, FetchedClient] = {client.id: client for part in request.answers.values() for client in part}
        return FetchedClients({**found, **{client.id: client for client in here}}.values(), self._names(request))

    def emit_to_nodes(self, namespace: Namespace, args: Sequence[Any]) -> None:
        """Publish an event for the other nodes."""
        self._publish(Kind.SERVER_EVENT, namespace.name, {"packet": list(args)})

    async def call_nodes(self, namespace: Namespace, args: Sequence[Any], timeout: float) -> Acks:
        """Publish an event for the other nodes, and return their answers."""
        request = Request(Kind.SERVER_ANSWER)
        until = _now() + timeout
        await self._read_own(timeout)
        await self._ask(request, Kind.SERVER_EVENT, namespace.name, {"packet": list(args)}, until)
        answers = {self._name(uid): answer for uid, answer in request.answers.items()}
        return Acks(answers, self._names(request))

    async def _ask(self, request: Request, kind: Kind, namespace: str, data: Mapping[str, Any], until: float) -> None:
        """Publish a request, and wait for the answers.

        until: the latest time, by the running loop.
        """
        if self._node.away_since is not None:
            request.published(self._node.roster.presence.nodes, 0)
            return
        self._open[request.id] = request
        after = {"after": write_offset(self._node.place)} if self._node.place else {}
        self._publish(kind, namespace, {**data, "requestId": request.id, **after}, request=request)
        try:
            await asyncio.wait([request.done], timeout=max(0, until - _now()))
        finally:
            del self._open[request.id]

    async def _read_own(self, timeout: float) -> None:
        """Wait until what this node has written happens."""
        node = self._node
        if node.away_since is None and not node.has_read(node.number):
            read = asyncio.get_running_loop().create_future()
            self._reading.append((node.number, read))
            await asyncio.wait([read], timeout=timeout)

    def _names(self, request: Request) -> list[str]:
        return [*sorted(map(self._name, request.silent)), *["unknown"] * request.silent_others]

    def _name(self, uid: str) -> str:
        node = self._node.roster.presence.nodes.get(uid)
        return node.name if node is not None else uid or "unknown"

    # -- what the connection brings and takes

    def hear(self, raw: bytes) -> None:
        """Handle a message of another server."""
        try:
            message = decode_message(raw, self._node.hub.max_payload * SIZE_FACTOR)
            if message is not None:
                self.receive(message)
        except MalformedError as error:
            self._node.drop(error)

    def receive(self, message: Published) -> None:
        """Answer another server's question, or take its answer.

        Raises MalformedError for what no server publishes.
        """
        if message.uid == self._node.uid:
            return
        if message.kind in QUESTIONS:
            self._answering.receive(message)
        elif message.request in self._open:
            self._receive_answer(self._open[message.request], message)

    @property
    def waits(self) -> bool:
        """Whether any answers are expected."""
        return bool(self._open)

    def take_unpublished(self) -> list[Unpublished]:
        """Return the messages to publish."""
        unpublished, self._unpublished = self._unpublished, []
        return unpublished

    def advance(self) -> None:
        """Handle that the stream was read further."""
        if self._reading:
            self._reading = [waiting for waiting in self._reading if not self._settle(*waiting)]
        self._answering.advance()

    def lost(self) -> None:
        """Handle that Redis is away: nobody else answers."""
        self._unpublished = []
        self._answering.lost()
        reading, self._reading = self._reading, []
        for _, read in reading:
            _resolve(read)
        for request in self._open.values():
            request.published(self._node.roster.presence.nodes, 0)
            _resolve(request.done)

    def gone(self, uid: str) -> None:
        """Handle that a node is gone, and answers nothing."""
        for request in self._open.values():
            request.lose(uid)

    def _settle(self, number: int, read: asyncio.Future[None]) -> bool:
        if self._node.has_read(number):
            _resolve(read)
        return read.done()

    def _publish(
        self, kind: Kind, namespace: str, data: Mapping[str, Any], to: str = "", request: Request | None = None
    ) -> None:
        payload = self._encode(kind, namespace, self._node.uid, data)
        self.publish(Unpublished(namespace, to, payload, request))

    def publish(self, message: Unpublished) -> None:
        """Let a message be published, unless Redis is away."""
        if self._node.away_since is None:
            self._unpublished.append(message)
            self._wake()

    # -- answers of others

    def _receive_answer(self, request: Request, message: Published) -> None:
        if message.kind is Kind.ACK and isinstance(request, CallRequest):
            request.acknowledge(message.uid, message.data.get("sid"), decode_ack(message))
        elif message.kind is request.answered_by:
            answer = self._decode_answer(message)
            request.answer(request.identify(message.uid), answer)

    def _decode_answer(self, message: Published) -> Any:
        if message.kind is Kind.CLIENT_COUNT:
            return decode_asked(message)
        if message.kind is Kind.SERVER_ANSWER:
            return message.data.get("packet")
        name = self._name(message.uid)
        return [decode_client(raw, name) for raw in member(message.data, "sockets", list)]


def _options(rooms: Sequence[str], excepted: Sequence[str]) -> dict[str, Any]:
    return {"rooms": list(rooms), "except": list(excepted), "flags": {}}


def _now() -> float:
    return asyncio.get_running_loop().time()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
