"""Packets and frames: pure functions on values."""
