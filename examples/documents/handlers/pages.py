"""The pages: login, a document, and its files."""

from __future__ import annotations

from collections.abc import Callable

from tornado.escape import url_escape
from tornado.web import HTTPError, RequestHandler, authenticated


class Login:
    """The user by a signed cookie; pages and sockets share it."""

    get_signed_cookie: Callable[..., bytes | None]

    def get_current_user(self) -> str | None:
        """Return the name of the user; None without a login."""
        name = self.get_signed_cookie("user", max_age_days=1)
        return name.decode() if name else None


class LoginPage(Login, RequestHandler):
    """Anyone may log in by a name: this is an example."""

    def get(self) -> None:
        """Show the form."""
        self.render("login.html")

    def post(self) -> None:
        """Set the cookie."""
        name = self.get_body_argument("name")[:20]
        self.set_signed_cookie("user", name, expires_days=1, httponly=True, samesite="Lax")
        self.redirect("/")


class DocumentPage(Login, RequestHandler):
    """The page of a document."""

    @authenticated
    def get(self, document: str) -> None:
        """Show the page."""
        self.render("document.html", document=document or "welcome")


class FilePage(Login, RequestHandler):
    """An uploaded file."""

    @authenticated
    def get(self, document: str, name: str) -> None:
        """Send a download, so nothing in the file runs on this site."""
        data = self.settings["files"].get(document, {}).get(name)
        if data is None:
            raise HTTPError(404)
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{url_escape(name, plus=False)}")
        self.finish(data)
