"""A proxy that keeps or strips the path of a server."""

from __future__ import annotations

import asyncio
import re

from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpclient import TCPClient
from tornado.tcpserver import TCPServer

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class PathProxy(TCPServer):
    """Passes on what is asked below a path, WebSockets too.

    It serves one request for each connection.

    path: such as `/board`. keeps: whether the server is asked for `/board/…`, too, or for `/…`.
    """

    def __init__(self, upstream: int, path: str, keeps: bool) -> None:
        super().__init__()
        self.upstream = upstream
        self.path = path
        self.keeps = keeps
        self.asked: list[str] = []
        """The paths that the server was asked for."""

    def serve(self) -> int:
        """Listen on a free port; return it."""
        self.listen(0, "127.0.0.1")
        (listening,) = self._sockets.values()
        return int(listening.getsockname()[1])

    async def handle_stream(self, stream: IOStream, address: tuple[str, int]) -> None:
        try:
            head = (await stream.read_until(b"\r\n\r\n")).decode("latin-1")
            found = re.match(rf"(\w+ )({self.path})(/[^ ]*)", head)
            if found is None:
                await stream.write(NOT_FOUND)
                return stream.close()
            kept = found[2] + found[3] if self.keeps else found[3]
            self.asked.append(kept.partition("?")[0])
            head = found[1] + kept + head[found.end() :]
            if not re.search("^upgrade:", head, re.IGNORECASE | re.MULTILINE):
                head = re.sub("(?im)^connection:.*\r\n", "", head).replace("\r\n", "\r\nConnection: close\r\n", 1)
            upstream = await TCPClient().connect("127.0.0.1", self.upstream)
            await upstream.write(head.encode("latin-1"))
            await asyncio.gather(pass_on(stream, upstream), pass_on(upstream, stream))
        except StreamClosedError:
            stream.close()


async def pass_on(source: IOStream, sink: IOStream) -> None:
    """Write what is read, until one of them closes."""
    try:
        while True:
            await sink.write(await source.read_bytes(1 << 16, partial=True))
    except StreamClosedError:
        source.close()
        sink.close()
