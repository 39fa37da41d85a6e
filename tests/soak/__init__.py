"""A soak: the real server, for minutes, among clients of all kinds that come, go, die and flood. See `__main__.py`."""
