"""Packets and frames, as pure functions on values."""
