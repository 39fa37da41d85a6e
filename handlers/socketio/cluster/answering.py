"""Answers of this node to the requests of other servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from ..actions import EMIT, Action
from ..methods import EventMethod
from ..namespace import event_message, packets
from ..questions import LocalCall, describe, online_clients
from .errors import MalformedError
from .request_format import Kind, Published, encode_ack, encode_client
from .stream_format import ServerEvent, decode_content, member, with_options

if TYPE_CHECKING:
    from ..client import Client
    from ..namespace import Namespace
    from .node import Node

MAX_SERVED = 10_000
"""Maximum number of requests of other servers that wait here for the stream, or for clients."""


class Answering:
    """Answers requests of other servers.

    Each is answered once this node has read the stream as far as the asker.

    publish: called with the kind of an answer, its namespace, its data, and the uid of the server it is for.
    """

    def __init__(self, node: Node, publish: Callable[[Kind, str, Mapping[str, Any], str], None]) -> None:
        self._node = node
        self._publish = publish
        self._deferred: list[Published] = []
        self._served = 0

    def advance(self) -> None:
        """Handle that the stream was read further."""
        if self._deferred:
            deferred, self._deferred = self._deferred, []
            for message in deferred:
                self._try(message)

    def lost(self) -> None:
        """Handle that Redis is away: nobody waits for answers."""
        self._deferred = []

    def receive(self, message: Published) -> None:
        """Answer a request, now or when the stream was read far enough."""
        if message.after > self._node.place and len(self._deferred) < MAX_SERVED:
            self._deferred.append(message)
            return
        if message.kind is Kind.FETCH:
            self._answer_fetch(message)
        elif message.kind is Kind.CALL:
            self._answer_call(message)
        else:
            packet = decode_content(Kind.SERVER_EVENT, message.namespace, message.data)
            assert isinstance(packet, ServerEvent)
            self.receive_event(packet, message)

    def _try(self, message: Published) -> None:
        try:
            self.receive(message)
        except MalformedError as error:
            self._node.drop(error)

    def _answer(self, message: Published, kind: Kind, data: Mapping[str, Any]) -> None:
        self._publish(kind, message.namespace, {"requestId": message.request, **data}, message.uid)

    def _answer_fetch(self, message: Published) -> None:
        target = with_options(Action(EMIT, message.namespace), member(message.data, "opts", dict))
        namespace = self._node.hub.live(message.namespace)
        clients = online_clients(namespace, target.rooms, target.excepted) if namespace is not None else []
        sockets = [encode_client(describe(client, self._node.name)) for client in clients]
        self._answer(message, Kind.FETCHED, {"sockets": sockets})

    def _answer_call(self, message: Published) -> None:
        event = decode_content(Kind.CALL, message.namespace, message.data)
        assert isinstance(event, Action)
        namespace = self._node.hub.live(message.namespace)
        if namespace is None:
            self._answer(message, Kind.CLIENT_COUNT, {"clientCount": 0})
            return
        id_ = namespace.next_call()
        name, *args = message.data["packet"]["data"]
        question = event._replace(packets=packets(event_message(namespace.name, name, args, id_)))
        self._serve(self._collect_acks(message, namespace, question, id_))

    async def _collect_acks(self, message: Published, namespace: Namespace, question: Action, id_: int) -> None:
        call = LocalCall(namespace, question, id_)
        ids = [client.id for client in call.acks]
        self._answer(message, Kind.CLIENT_COUNT, {"clientCount": len(ids), "sids": ids})
        for client, ack in call.acks.items():
            ack.add_done_callback(partial(self._answer_ack, message, client))
        await call.wait(message.timeout)

    def _answer_ack(self, message: Published, client: Client, ack: asyncio.Future[Any]) -> None:
        if not ack.cancelled() and ack.exception() is None:
            self._answer(message, Kind.ACK, encode_ack(client.id, ack.result()))

    def receive_event(self, event: ServerEvent, message: Published | None = None) -> None:
        """Let the application handle an event for servers.

        message: the request that has it, which is answered.
        """
        namespace = self._node.hub.live(event.namespace)
        if namespace is not None:
            self._serve(self._answer_event(namespace, event, message))
        elif message is not None:
            self._answer_server(message, None)

    async def _answer_event(self, namespace: Namespace, event: ServerEvent, message: Published | None) -> None:
        handler = namespace.handler
        try:
            result = handler.node_event(namespace.hub, namespace.name, event.event, *event.args)
            if isawaitable(result):
                result = await result
            if message is not None:
                self._answer_server(message, result)
        except Exception as error:
            namespace.hub.failures.log(EventMethod(f"{handler.__name__}.node_event", handler.node_event), None, error)

    def _answer_server(self, message: Published, result: Any) -> None:
        if message.request:
            self._answer(message, Kind.SERVER_ANSWER, {"packet": result})

    def _serve(self, work: Coroutine[Any, Any, None]) -> None:
        hub = self._node.hub
        if hub.background.closed or self._served >= MAX_SERVED:
            self._node.dropped["requests"] += 1
            work.close()
            return
        self._served += 1
        hub.spawn(work).add_done_callback(self._count_served)

    def _count_served(self, _: asyncio.Task[None]) -> None:
        self._served -= 1
