"""A soak: the real server among clients of all kinds.

They come, go, die and flood for minutes. See `__main__.py`.
"""
