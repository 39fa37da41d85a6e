"""A to-do list in step between phone and web: `python examples/todo.py --port=3002`.

The list lives in the server's memory. A page sends a change again until it is answered; its key shows that it was made.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from tornado.options import define, options, parse_command_line
from tornado.web import Application, StaticFileHandler

sys.path.insert(0, str(Path(__file__).parents[1]))  # where handlers/ is, wherever this is started

from handlers.socketio import Hub, SocketIOHandler, routes

define("port", default=3002, type=int, help="TCP port to listen on")


class TodoHandler(SocketIOHandler):
    """A page that shows the list."""

    todos: dict[str, dict[str, Any]]  # by id: {text, done}
    made: deque[str]  # keys of the latest changes

    def on_connect(self) -> None:
        """Send the whole list, unless the page recovered its session."""
        if not self.recovered:
            self.emit("list", list(self.todos.items()))

    def on_change(self, key: Any = None, id_: Any = None, what: Any = None) -> dict[str, str]:
        """Change a to-do once for each key; send it to all."""
        if not all(isinstance(each, str) and len(each) <= 50 for each in (key, id_)):
            return {"error": "A change has a key and an id, of 50 characters at most"}
        if key not in self.made and (fault := self.change(id_, what)):
            return {"error": fault}
        self.made.append(key)
        self.broadcast("todo", id_, self.todos.get(id_))
        return {}

    def change(self, id_: str, what: Any) -> str:
        """Make a change, or return what stands against it, in words."""
        match what:
            case {"text": str(text)}:
                text = " ".join(text.split())
                if len(text) > 200 or not any(char.isprintable() and char != " " for char in text):
                    return "A to-do has 1 to 200 characters, and one at least that can be seen"
                if len(self.todos) >= 500:
                    return "The list is full with 500 to-dos: remove some first"
                self.todos[id_] = {"text": text, "done": False}
            case {"done": bool(done)}:
                if id_ not in self.todos:
                    return "Somebody else has removed this to-do"
                self.todos[id_]["done"] = done
            case {"gone": True}:
                self.todos.pop(id_, None)
            case _:
                return "A change is a text, done (true or false) or gone (true)"
        return ""


async def main() -> None:
    """Serve the page, and a list."""
    handler = type("TodoHandler", (TodoHandler,), {"todos": {}, "made": deque(maxlen=1000)})  # of this server's own
    page = {"path": Path(__file__).parent, "default_filename": "todo.html"}
    Application([(r"/(|style\.css)", StaticFileHandler, page), *routes(Hub({"/": handler}))]).listen(options.port)
    print(f"Listening on port {options.port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parse_command_line()
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
