"""The status page, and the namespace that feeds it."""

from .page import Status

__all__ = ["Status"]
