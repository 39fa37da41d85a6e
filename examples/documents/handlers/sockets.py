"""The events of a document: presence, and upload in chunks."""

from __future__ import annotations

from typing import Any

from tornado_socketio import Refused, SocketIOHandler

from .pages import Login

MAX_FILE = 5_000_000  # bytes


class DocumentSocket(Login, SocketIOHandler):
    """One tab that shows one document."""

    def authenticate(self, auth: dict[str, Any]) -> bool:
        """Admit a tab whose user is logged in."""
        self.document = str(auth.get("document"))
        self.room = f"document:{self.document}"
        return self.current_user is not None and len(self.document) <= 100

    def on_connect(self) -> None:
        """Show the people to all, and the files to this tab."""
        self.upload: tuple[str, int, bytearray] | None = None
        self.files: dict[str, bytes] = self.settings["files"].setdefault(self.document, {})
        self.enter(self.room)
        self.show_people()
        self.emit("files", list(self.files))

    def on_disconnect(self, reason: str) -> None:
        """Show who is left."""
        self.show_people()

    def show_people(self) -> None:
        """Send the room its people: each once, in however many tabs."""
        self.to(self.room).emit("people", sorted({tab.current_user for tab in self.to(self.room).clients}))

    def on_upload(self, name: object, size: object) -> int:
        """Begin an upload; return how many bytes have come: none."""
        if not isinstance(name, str) or not 1 <= len(name) <= 100:
            raise Refused("The name of a file has 1 to 100 characters")
        if not isinstance(size, int) or not 1 <= size <= MAX_FILE:
            raise Refused(f"A file has 1 to {MAX_FILE:,} bytes")
        self.upload = (name, size, bytearray())
        return 0

    def on_chunk(self, chunk: object) -> int:
        """Add a chunk; return how many bytes have come."""
        if self.upload is None or not isinstance(chunk, bytes):
            raise Refused("Begin an upload first, then send bytes")
        name, size, data = self.upload
        data += chunk[: size - len(data)]
        self.to(self.room).volatile.emit("progress", name, len(data), size)
        if len(data) == size:
            self.upload, self.files[name] = None, bytes(data)
            self.to(self.room).emit("files", list(self.files))
        return len(data)
