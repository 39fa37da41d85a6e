"""The status page, and the namespace that feeds it."""

from .page import Status, StatusNamespace

__all__ = ["Status", "StatusNamespace"]
