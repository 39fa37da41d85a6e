"""Documents with presence and upload: `python app.py --port=3005`."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

from handlers.pages import DocumentPage, FilePage, LoginPage
from handlers.sockets import DocumentSocket
from tornado.options import define, options, parse_command_line
from tornado.web import Application
from tornado_socketio import Hub, routes
from tornado_socketio.operations import serve

define("port", default=3005, type=int, help="TCP port to listen on")
TEMPLATES = Path(__file__).parent / "templates"


def make_app(**settings: Any) -> Application:
    """Return the application; `files` are the uploaded ones, by document and name."""
    hub = Hub({"/": DocumentSocket})
    pages = [(r"/login", LoginPage), (r"/files/([^/]+)/([^/]+)", FilePage), (r"/([^/]*)", DocumentPage)]
    settings = {"login_url": "/login", "template_path": TEMPLATES, "xsrf_cookies": True, **settings}
    return Application([*routes(hub), *pages], hub=hub, files={}, **settings)


async def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    app = make_app(cookie_secret=secrets.token_hex())
    await serve(app, app.settings["hub"], port=options.port)


if __name__ == "__main__":
    parse_command_line()
    asyncio.run(main())
