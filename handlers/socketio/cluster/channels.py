"""The channels on which servers publish to each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .requests import Unpublished


class Channels:
    """The channels of one application.

    prefix: beginning of all their names.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.beats = f"{prefix}-nodes"
        """Signs of life of all nodes."""
        self._pubsub: Any = None
        self._uid = ""
        self._heard: set[str] = set()

    def of_name(self, node: str) -> str:
        """Return the channel of a running node's name."""
        return f"{self.prefix}-node#{node}#"

    def of_server(self, uid: str, namespace: str = "/") -> str:
        """Return the channel of a server, or of all without a uid."""
        return f"{self.prefix}#{namespace}#{uid}#" if uid else f"{self.prefix}#{namespace}#"

    async def begin(self, pubsub: Any, uid: str, node: str, namespaces: set[str]) -> None:
        """Hear, by a new connection, what is published for this server."""
        self._pubsub, self._uid, self._heard = pubsub, uid, set()
        await pubsub.subscribe(self.beats, self.of_name(node))
        await self.hear(namespaces)

    def has(self, namespaces: Iterable[str]) -> bool:
        """Whether the channels of all these namespaces are heard."""
        return self._heard.issuperset(namespaces)

    async def hear(self, namespaces: set[str]) -> None:
        """Hear the channels of these namespaces and of "/", and no others."""
        wanted, heard = namespaces | {"/"}, self._heard
        self._heard = wanted
        if new := wanted - heard:
            await self._pubsub.subscribe(*self._names(new))
        if old := heard - wanted:
            await self._pubsub.unsubscribe(*self._names(old))

    def _names(self, namespaces: set[str]) -> list[str]:
        return [self.of_server(uid, name) for name in namespaces for uid in ("", self._uid)]

    async def publish(self, client: Any, unpublished: Sequence[Unpublished], nodes: Iterable[str]) -> None:
        """Publish messages, and tell each request which nodes have received it.

        nodes: uids of the other nodes.
        """
        known = ["", self._uid, *nodes]
        pipeline = client.pipeline(transaction=False)
        for message in unpublished:
            if message.request is not None:
                pipeline.pubsub_numsub(*(self.of_server(uid, message.namespace) for uid in known))
            pipeline.publish(self.of_server(message.uid, message.namespace), message.payload)
        results = iter(await pipeline.execute())
        for message in unpublished:
            if message.request is not None:
                # The answer to PUBLISH counts patterns, too, which hear emitters.
                (_, number), *counted = next(results)
                receivers = {uid for uid, (_, heard) in zip(known[1:], counted, strict=True) if heard}
                message.request.published(receivers - {self._uid}, number - len(receivers))
            next(results)


class ClassicChannels(Channels):
    """The channels on which servers with the classic adapter publish."""

    def of_server(self, uid: str, namespace: str = "/") -> str:
        """Return the channel of answers to a server, or of all requests."""
        return f"{self.prefix}-response#{namespace}#{uid}#" if uid else f"{self.prefix}-request#{namespace}#"

    def _names(self, namespaces: set[str]) -> list[str]:
        return [*super()._names(namespaces), *(f"{self.prefix}-response#{name}#" for name in namespaces)]
