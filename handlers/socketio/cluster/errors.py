"""Exceptions of the cluster."""

from __future__ import annotations


class MalformedError(Exception):
    """Something from Redis is not what a node may write.

    kind: one or two words, by which such messages are counted.
    """

    def __init__(self, kind: str, description: str) -> None:
        super().__init__(f"{kind}: {description:.200}")
        self.kind = kind


class MissingPackageError(Exception):
    """A package that a cluster needs is not installed."""


class ClusterError(Exception):
    """A cluster cannot be reached; the message says what to do."""
